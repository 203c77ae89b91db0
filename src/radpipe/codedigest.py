"""Digest of the code that a stage runs: the definitions that its `run` leads to.

From a stage's `run` and its plug-ins, names are followed from definition to definition, across
modules and through imports. The digest is over the sorted texts of the definitions found, so that
it follows meaning: a comment, a docstring, the text of a message, an import, the name or the place
of a module, an unused definition change nothing; a formula changes what stands on it.

Modules that carry values, bytes or messages and compute no result are not entered: what they
carry is in the slice or in a receipt already.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PACKAGE = "radpipe"
CARRIERS = frozenset(f"{PACKAGE}.{name}" for name in (
    "assets", "codedigest", "dag", "devices", "dotted", "downloads", "errors", "files", "job",
    "launch", "lazy", "manifest", "method", "packages", "pipeline", "plugins", "progress",
    "receipts", "section", "settings", "shards",
))  # fmt: skip
C_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\s+", re.DOTALL)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# parts of a tree that change no result
SILENT = frozenset({"type_comment", "kind", "ctx", "annotation", "returns"})
# calls whose words are for people: their text is no part of the meaning
SPEAKERS = frozenset({"UserError", "Unreachable", "unknown", "bar", "Field"})
LOGS = frozenset({"log", "logging", "warnings"})  # the objects whose methods speak
# arguments, and attributes that hold a text, that say how something is shown
SHOWN = frozenset(
    {"citation", "colour", "description", "display", "label", "marker", "meaning", "rule", "unit"}
)


@dataclass(frozen=True)
class _Module:
    """A module's top-level definitions and what its names mean.

    Attributes:
        definitions: name -> digest of the definition.
        uses: name -> plain names and dotted names that the definition uses.
        imports: name -> (module, name in it, or empty for the module itself).
    """

    definitions: dict[str, str] = field(default_factory=dict)
    uses: dict[str, frozenset[str]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


def code_digest(*roots: str) -> str:
    """One digest for some roots and all that they lead to.

    Args:
        roots: `module` (all its definitions) or `module:name`, without `radpipe.`.
    """
    found: dict[tuple[str, str], str] = {}
    queue: list[tuple[str, str]] = []
    for root in roots:
        module, _, name = root.partition(":")
        full = f"{PACKAGE}.{module}"
        names = [name] if name else list(_module(full).definitions)
        queue.extend((full, n) for n in names)
    while queue:
        place = queue.pop()
        if place in found:
            continue
        module, name = place
        parsed = _module(module)
        if name not in parsed.definitions:
            raise LookupError(f"{module} defines no {name}")
        found[place] = parsed.definitions[name]
        queue.extend(_targets(module, name))
    return hashlib.sha256("\n".join(sorted(found.values())).encode()).hexdigest()[:16]


@cache
def _targets(module: str, name: str) -> tuple[tuple[str, str], ...]:
    """The definitions of radpipe that a definition names."""
    parsed, found = _module(module), []
    for used in parsed.uses[name]:
        first, *rest = used.split(".")
        if first in parsed.definitions:
            if first != name:
                found.append((module, first))
            continue
        if first not in parsed.imports:
            continue
        target = _resolve(*parsed.imports[first], tuple(rest))
        if target is not None:
            found.append(target)
    return tuple(sorted(found))


def _resolve(module: str, name: str, rest: tuple[str, ...]) -> tuple[str, str] | None:
    """Where an imported name is defined: followed through packages that only pass it on."""
    parts = (*((name,) if name else ()), *rest)
    for part in parts:
        deeper = f"{module}.{part}"
        if part not in _module(module).definitions and _path(deeper) is not None:
            module = deeper
            continue
        if module in CARRIERS:
            return None
        parsed = _module(module)
        if part in parsed.definitions:
            return module, part
        if part in parsed.imports:
            return _resolve(*parsed.imports[part], ())
        return None
    return None


@cache
def _module(name: str) -> _Module:
    """A radpipe module's definitions, read from its source."""
    path, parsed = _path(name), _Module()
    if path is None:
        raise ModuleNotFoundError(name)
    tree = ast.parse(path.read_bytes())
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for statement in tree.body:
        nodes = list(ast.walk(statement))
        parsed.imports.update(found for node in nodes for found in _imported(node, package))
        names = frozenset(filter(None, map(_dotted, nodes)))
        for defined in _defined(statement):
            text = repr(_plain(statement)) + _compiled(nodes, path)
            # a name may be defined in several statements (`__all__ += ...`): they count together
            parsed.definitions[defined] = _short(parsed.definitions.get(defined, "") + text)
            parsed.uses[defined] = parsed.uses.get(defined, frozenset()) | names
    return parsed


def _compiled(nodes: list[ast.AST], path: Path) -> str:
    """The C files beside a module that a definition names, without comments: they compute, too."""
    words = [node.value for node in nodes if isinstance(node, ast.Constant)]
    names = {word for word in words if isinstance(word, str) and word.endswith(".c")}
    files = sorted(path.with_name(name) for name in names if path.with_name(name).is_file())
    return " ".join(C_COMMENT.sub(" ", file.read_text()) for file in files)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _path(name: str) -> Path | None:
    """The file of a radpipe module, found without importing it."""
    if name != PACKAGE and not name.startswith(f"{PACKAGE}."):
        return None
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None and spec.origin is not None
    base = Path(spec.origin).parent.joinpath(*name.split(".")[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imported(node: ast.AST, package: str) -> list[tuple[str, tuple[str, str]]]:
    """(name here, (radpipe module, name there)) of an import statement in a module of a package."""
    if isinstance(node, ast.Import):
        names = [(a.asname or a.name.split(".")[0], a.name if a.asname else a.name.split(".")[0])
                 for a in node.names]  # fmt: skip
        return [(here, (there, "")) for here, there in names if _path(there) is not None]
    if not isinstance(node, ast.ImportFrom):
        return []
    source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
    return [(a.asname or a.name, (source, a.name)) for a in node.names if _path(source) is not None]


def _defined(statement: ast.stmt) -> list[str]:
    """Names that a top-level statement defines."""
    if isinstance(statement, DEFINITIONS):
        return [statement.name]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.If | ast.Try | ast.With | ast.For):
        return [name for part in ast.iter_child_nodes(statement) if isinstance(part, ast.stmt)
                for name in _defined(part)]  # fmt: skip
    return [
        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
    ]


def _dotted(node: ast.AST) -> str:
    """A plain name, or a dotted one as far as it is written; empty for other code."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _plain(node: object) -> object:
    """A syntax tree as nested tuples, without docstrings, imports, annotations and messages."""
    if isinstance(node, list):
        return [_plain(item) for item in node if not _unsaid(item)]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.Raise):
        return ("raise",)
    if isinstance(node, ast.Call) and _speaks(node):
        given = [*node.args, *(k.value for k in node.keywords if k.arg not in SHOWN)]
        return ("said", [_plain(value) for value in given if not _words(value)])
    fields = dict(ast.iter_fields(node))
    if isinstance(node, DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    shown = {n: v for n, v in fields.items() if v not in (None, []) and n not in SILENT}
    return (type(node).__name__, *((name, _plain(value)) for name, value in shown.items()))


def _unsaid(node: object) -> bool:
    """Whether a statement or an argument changes no result."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.keyword):
        return node.arg in SHOWN
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call) and _speaks(node.value)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        shown = all(isinstance(t, ast.Name) and t.id in SHOWN for t in targets)
        return shown and (node.value is None or _words(node.value))
    return False


def _speaks(call: ast.Call) -> bool:
    before, _, last = _dotted(call.func).rpartition(".")
    return (last in SPEAKERS) or before in LOGS


def _words(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
