"""Digest of the code that a stage runs: its module and the radpipe modules that it imports.

Taken over the syntax tree, so comments, docstrings and formatting do not count, and written
so that it does not depend on the Python version. Modules that carry values or messages but
compute no result (settings, command line, progress, ...) are left out: what they carry is in
the slice already.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

PACKAGE = "radpipe"
CARRIERS = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        "cli",
        "codedigest",
        "devices",
        "errors",
        "files",
        "job",
        "launch",
        "pipeline",
        "progress",
        "settings",
        "settings_checks",
    )
)


def code_digest(*modules: str) -> str:
    """One digest for some modules (names without `radpipe.`) and all that they import."""
    seen: dict[str, str] = {}
    queue = [f"{PACKAGE}.{name}" for name in modules]
    while queue:
        name = queue.pop()
        if name in seen or name in CARRIERS:
            continue
        seen[name], imported = _module(name)
        queue.extend(imported)
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(seen.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _module(name: str) -> tuple[str, tuple[str, ...]]:
    """(digest, imported radpipe modules) of one module."""
    path = _path(name)
    if path is None:
        raise ModuleNotFoundError(name)
    tree = ast.parse(path.read_bytes())
    digest = hashlib.sha256(repr(_plain(tree)).encode()).hexdigest()
    return digest, tuple(sorted(_imports(tree)))


@cache
def _path(name: str) -> Path | None:
    """The file of a radpipe module, found without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None and spec.origin is not None
    base = Path(spec.origin).parent.joinpath(*name.split(".")[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file() and name != PACKAGE:
            return candidate
    return None


def _imports(tree: ast.AST) -> set[str]:
    """radpipe modules that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {n for n in names if n.startswith(f"{PACKAGE}.") and _path(n) is not None}


def _plain(node: object) -> object:
    """A syntax tree as nested tuples without docstrings and empty fields."""
    if isinstance(node, ast.AST):
        fields = []
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(value, list):
                value = _without_docstring(value)
            if value not in (None, []) and name not in {"type_comment", "kind", "ctx"}:
                fields.append((name, _plain(value)))
        return (type(node).__name__, *fields)
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return node


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return body[1:]
    return body
