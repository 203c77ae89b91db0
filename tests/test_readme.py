"""What README and docs say of messages, commands and numbers is so; their examples run."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from radpipe import params
from radpipe.errors import UserError
from radpipe.pipeline import Pipeline
from radpipe.verbs import readme

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
HELP = (ROOT / "docs/troubleshooting.md").read_text()
ROWS = [row.split(" | ")[0] for row in HELP.splitlines()]
# messages of Snakemake and DVC, and what the two show
OTHERS = ("(Snakemake)", "(DVC)", "`dvc status`", "`Nothing to be done`", "`Input files updated")


def _texts() -> list[str]:
    """Every string of the code; what an f-string fills in is a gap."""
    found: list[str] = []
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "workflow/rules").glob("*.smk")]
    for path in files:
        text = path.read_text()
        if path.suffix == ".smk":
            found.append(text)
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.JoinedStr):
                parts = [v.value if isinstance(v, ast.Constant) else "\0" for v in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def _messages() -> list[str]:
    rows = [row for row in ROWS if row.startswith("| `") and not any(o in row for o in OTHERS)]
    return [m for row in rows for m in re.findall(r"`([^`]+)`", row) if not m.startswith("make ")]


@pytest.fixture(scope="module")
def texts() -> str:
    return "\n".join(_texts())


def test_the_table_of_messages_is_found() -> None:
    assert len(_messages()) > 20


@pytest.mark.parametrize("message", _messages())
def test_a_message_of_the_readme_is_one_of_the_code(message: str, texts: str) -> None:
    message = message.removeprefix("radpipe ")
    parts = [part.strip(" ,:") for part in re.split(r"\.\.\.|;", message)]
    for part in filter(None, parts):
        assert part in texts, message


def test_commands_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)`", README + HELP)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    from radpipe.cli import app

    known = {(c.name or c.callback.__name__).replace("_", "-") for c in app.registered_commands}
    for command in set(re.findall(r"(?:^|`)radpipe ([a-z]+)", README + HELP, re.MULTILINE)):
        assert command in known, command


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_example_in_python_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (example,) = [block for block in python_blocks() if "import radpipe\n" in block]
    names: dict[str, Any] = {}
    exec(example, names)
    known, filled = np.asarray(names["image"]), np.asarray(names["filled"])
    assert filled.shape == (48, 64, 3) and names["hole"].sum() == 24 * 24
    assert np.array_equal(filled[~names["hole"]], known[~names["hole"]])
    assert len(names["samples"]) == 3


def test_numbers_and_the_picture_are_those_of_the_results() -> None:
    """`radpipe readme` would change nothing."""
    blocks = readme.blocks(Pipeline(params.read(ROOT / "params.yaml")), ROOT)
    for (file, name), content in blocks.items():
        text = (ROOT / file).read_text()
        assert f"<!-- {name} -->\n{content}\n<!-- end -->" in text, "type: radpipe readme"


def test_numbers_of_another_run_are_not_taken(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not that of the current settings"):
        readme.write(Pipeline(params.read(ROOT / "params.yaml")), tmp_path)


def test_links_lead_somewhere() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_a_number_stands_under_its_own_heading() -> None:
    """What was not measured leaves a gap, wherever it is in the table."""
    whole = Pipeline(params.read(ROOT / "params.yaml"))
    main, timing = (pd.read_csv(ROOT / f"results/tables/{name}.csv") for name in ("main", "timing"))
    run = whole.settings.run
    gone = (main["method"] == "rad") & (main["mask"] == run.masks[0]) & (main["metric"] == "lpips")
    before, after = (
        [line.split(" | ") for line in readme.comparison(data, timing, whole).splitlines()]
        for data in (main, main[~gone])
    )
    assert [len(row) for row in after] == [len(row) for row in before]
    row = next(i for i, cells in enumerate(before) if "**RAD**" in cells[0])
    place = before[0].index(f"{run.masks[0]}: LPIPS")
    assert after[row][place] == "not measured"
    assert after[row][place + 1 :] == before[row][place + 1 :]
