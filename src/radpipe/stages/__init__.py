"""The stages of the DAG: thin glue from a slice to the library and on to files."""
