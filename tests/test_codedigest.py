"""The digest of a stage's code follows what it computes, not how it is written."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from radpipe import codedigest


def plain(code: str) -> object:
    return codedigest._plain(ast.parse(code))


def test_comments_formatting_and_docstrings_do_not_count() -> None:
    written = 'def f(a):\n    """Says much."""\n    # why\n    return a + 1\n'
    terse = "def f(a): return (a\n + 1)"
    assert plain(written) == plain(terse)


@pytest.mark.parametrize("changed", ["def f(a): return a + 2", "def f(b): return b + 1"])
def test_code_counts(changed: str) -> None:
    assert plain("def f(a): return a + 1") != plain(changed)


def test_a_string_that_is_no_docstring_counts() -> None:
    assert plain('x = "one"') != plain('x = "two"')


def test_an_imported_module_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "radpipe"
    package.mkdir()
    (package / "a.py").write_text("def f():\n    from radpipe.b import g\n    return g()\n")
    (package / "b.py").write_text("def g():\n    return 1\n")
    (package / "c.py").write_text("def h():\n    return 1\n")
    (package / "__init__.py").write_text("")
    real = codedigest.importlib.util.find_spec("radpipe")
    fake = type(real)("radpipe", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr(codedigest.importlib.util, "find_spec", lambda name: fake)

    def digest() -> str:
        codedigest._module.cache_clear()
        codedigest._path.cache_clear()
        return codedigest.code_digest("a")

    before = digest()
    (package / "c.py").write_text("def h():\n    return 2\n")
    assert digest() == before
    (package / "b.py").write_text("def g():\n    return 2\n")
    assert digest() != before
    monkeypatch.undo()
    codedigest._module.cache_clear()
    codedigest._path.cache_clear()
