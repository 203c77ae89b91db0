"""The stages of the DAG, one file each: its declaration and its `run`, from a slice to files.

A declaration is read whenever the settings are, so what computes is entered at its first use:
`models`, `training` and `radpipe.lazy` import their modules then.
"""
