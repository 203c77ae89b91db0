"""Objectives, and the one loop that trains them.

The modules that `__init__.pyi` lists are imported at their first use: declarations that name them
cost nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
