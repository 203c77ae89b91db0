"""What the README says of messages and commands is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ROWS = [row.split(" | ")[0] for row in README.split("## When something")[1].splitlines()]
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
    for target in set(re.findall(r"`make ([a-z-]+)`", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    from radpipe.cli import app

    known = {(c.name or c.callback.__name__).replace("_", "-") for c in app.registered_commands}
    for command in set(re.findall(r"(?:^|`)radpipe ([a-z]+)", README, re.MULTILINE)):
        assert command in known, command
