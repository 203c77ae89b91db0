"""Inpainting methods, one per file, all behind `radpipe.inpainters.base.Inpainter`.

Adding a method is adding a file: the file's name is the method's name, and it holds one subclass
of `Inpainter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radpipe import plugins

if TYPE_CHECKING:
    from radpipe.inpainters.base import Inpainter


def load(name: str) -> type[Inpainter]:
    """The method in `radpipe/inpainters/<name>.py`.

    Raises:
        UserError: there is no such file.
        TypeError: the file does not define exactly one `Inpainter`.
    """
    from radpipe.inpainters.base import Inpainter

    module = plugins.load("inpainters", name, "inpainting method")
    classes = [
        value
        for value in vars(module).values()
        if issubclass(type(value), type)  # `isinstance` would import what is lazy
        and issubclass(value, Inpainter)
        and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise TypeError(f"{module.__name__} must define one Inpainter, not {len(classes)}")
    return classes[0]
