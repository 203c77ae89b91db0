"""The digest of a stage's code follows what it computes, not how or where it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from radpipe import codedigest
from radpipe.pipeline import STAGES

PACKAGE = {
    "__init__.py": "",
    "errors.py": "class UserError(Exception):\n    pass\n",
    "stages/__init__.py": "",
    "stages/one.py": (
        "import logging\n"
        "from radpipe import maths\n"
        "from radpipe.errors import UserError\n"
        "log = logging.getLogger(__name__)\n"
        "def run(job):\n"
        '    """Runs."""\n'
        "    if job is None:\n"
        '        raise UserError("nothing to do", "here")\n'
        '    log.info("working on %s", job)\n'
        "    return maths.twice(job)\n"
        "def unused(x):\n"
        "    return x\n"
    ),
    "maths/__init__.py": "from radpipe.maths.deep import twice\n",
    "maths/fast.c": "double f(double x) { return x; } /* the same */\n",
    "maths/deep.py": "FACTOR = 2\n"
    "SOURCE = 'fast.c'\ndef twice(x: int) -> int:\n"
    "    label = 'two'\n    unit = x\n    return FACTOR * unit, SOURCE, label\n",
    "other.py": "def run(x):\n    return 0\n",
}
Rewrite = Callable[[Path], None]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package called radpipe, of a few lines."""
    folder = tmp_path / "radpipe"
    for name, text in PACKAGE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    real = codedigest.importlib.util.find_spec("radpipe")
    fake = type(real)("radpipe", None, origin=str(folder / "__init__.py"))
    monkeypatch.setattr(codedigest.importlib.util, "find_spec", lambda name: fake)
    yield folder
    monkeypatch.undo()
    clear()


def clear() -> None:
    for cached in (codedigest._module, codedigest._path, codedigest._targets):
        cached.cache_clear()


def digest() -> str:
    clear()
    return codedigest.code_digest("stages.one:run")


def edit(name: str, old: str, new: str) -> Rewrite:
    def rewrite(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return rewrite


def move(folder: Path) -> None:
    """`twice` and what it needs into another module of another name."""
    (folder / "maths/deep.py").rename(folder / "arithmetic.py")
    (folder / "maths/fast.c").rename(folder / "fast.c")
    (folder / "maths/__init__.py").write_text("from radpipe.arithmetic import twice\n")


@pytest.mark.parametrize(
    "rewrite",
    [
        edit("stages/one.py", "nothing to do", "there is nothing to do at all"),
        edit("stages/one.py", "working on %s", "now %s"),
        edit("stages/one.py", '"""Runs."""', '"""Runs well."""'),
        edit("stages/one.py", "def run", "# a remark\ndef run"),
        edit("stages/one.py", "import logging\n", "import logging\nimport os\n"),
        edit("stages/one.py", "return x\n", "return x + 1\n"),  # nobody calls it
        edit("maths/deep.py", "x: int) -> int", "x: float) -> float"),
        edit("maths/deep.py", "label = 'two'", "label = 'twice'"),
        edit("maths/fast.c", "the same", "as it came"),
        edit("other.py", "return 0", "return 1"),
        edit("errors.py", "pass", "def __str__(self): return 'oh'"),
        move,
    ],
)
def test_what_computes_the_same_has_the_same_digest(package: Path, rewrite: Rewrite) -> None:
    before = digest()
    rewrite(package)
    assert digest() == before


@pytest.mark.parametrize(
    "rewrite",
    [
        edit("maths/deep.py", "FACTOR = 2", "FACTOR = 3"),
        edit("maths/deep.py", "FACTOR * unit", "FACTOR + unit"),
        edit("maths/deep.py", "unit = x", "unit = x + 1"),  # a word of displays, but no text
        edit("maths/fast.c", "return x", "return 2 * x"),
        edit("stages/one.py", "if job is None", "if job == 1"),
        edit("stages/one.py", "maths.twice(job)", "maths.twice(job + 1)"),
        edit("maths/__init__.py", "maths.deep import twice", "other import run as twice"),
    ],
)
def test_a_formula_counts_wherever_it_stands(package: Path, rewrite: Rewrite) -> None:
    before = digest()
    rewrite(package)
    assert digest() != before


def test_a_name_that_is_nowhere_is_no_digest(package: Path) -> None:
    clear()
    with pytest.raises(LookupError, match="defines no walk"):
        codedigest.code_digest("stages.one:walk")


@pytest.mark.parametrize(
    ("stage", "leads_to", "not_to"),
    [
        ("holes", "masks.bank:evaluation_masks", "training.loop:Trainer"),
        ("rad", "training.loop:Trainer", "evaluation.cell:evaluate_cell"),
        ("evaluate", "evaluation.cell:evaluate_cell", "training.loop:Trainer"),
        ("sample", "models.denoiser:AdmDenoiser", "training.loop:Trainer"),
        ("figure", "files:atomic", "models.adm:AdmUNet"),
    ],
)
def test_a_stage_leads_to_its_own_code(stage: str, leads_to: str, not_to: str) -> None:
    """In this package: the definitions that a stage's `run` reaches."""
    assert stage in STAGES
    clear()
    reached = reach(f"radpipe.stages.{stage}", "run")
    if not leads_to.startswith("files:"):  # which carries, and is not entered
        assert place(leads_to) in reached
    assert place(not_to) not in reached


def place(text: str) -> tuple[str, str]:
    module, _, name = text.partition(":")
    return f"radpipe.{module}", name


def reach(module: str, name: str) -> set[tuple[str, str]]:
    found, queue = set(), [(module, name)]
    while queue:
        here = queue.pop()
        if here not in found:
            found.add(here)
            queue.extend(codedigest._targets(*here))
    return found
