"""A table: long for machines (CSV), in blocks for people (Markdown, LaTeX, HTML)."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from radpipe.lazy import pandas

MINUS = "\u2212"


@dataclass(frozen=True)
class Text:
    """One printed entry; the best of its column is bold, the second best underlined.

    Attributes:
        text: the entry.
        best, second: of its column.
        beside: printed after it, never emphasised: another source's number.
    """

    text: str
    best: bool = False
    second: bool = False
    beside: str = ""


@dataclass(frozen=True)
class Block:
    """A part of a readable table: a heading, column names and rows of entries."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Text | str, ...], ...]


def entries(
    data: pandas.DataFrame, columns: Mapping[str, Callable[[Any], Text | str]]
) -> tuple[tuple[Text | str, ...], ...]:
    """The rows of a block: column name -> what it shows of a row of the data."""
    return tuple(tuple(show(row) for show in columns.values()) for row in data.itertuples())


@dataclass(frozen=True)
class Table:
    """What a table file builds.

    Attributes:
        title: heading.
        data: the long table, one number per row.
        blocks: the readable table.
        caption: what is shown, how to read it.
        footer: what a reader must know to reproduce the numbers, one statement each.
        metrics: the run's headline numbers for `dvc metrics`, nested; one table has them.
    """

    title: str
    data: pandas.DataFrame
    blocks: tuple[Block, ...]
    caption: str
    footer: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        """Suffix -> content; equal tables give equal bytes."""
        texts = {
            "csv": csv_text(self.data),
            "md": self.markdown(),
            "tex": self.latex(),
            "html": self.html(),
        }
        if self.metrics:
            texts["metrics.json"] = json.dumps(self.metrics, indent=1, sort_keys=True) + "\n"
        return {suffix: text.encode() for suffix, text in texts.items()}

    def markdown(self) -> str:
        """Blocks as pipe tables, the footer as a list."""
        parts = [f"# {self.title}", self.caption]
        for block in self.blocks:
            parts += [f"## {block.heading}"] if block.heading else []
            frame = _frame(block, MARKDOWN)
            parts.append(frame.to_markdown(index=False, tablefmt="github", disable_numparse=True))
        parts += ["\n".join(f"- {line}" for line in self.footer)] if self.footer else []
        return "\n\n".join(parts) + "\n"

    def latex(self) -> str:
        """One `table*` for all blocks, ruled with booktabs (\\usepackage{booktabs,graphicx})."""
        lines = [r"\begin{table*}", r"\centering\footnotesize"]
        for block in self.blocks:
            lines += [rf"\textit{{{_tex(block.heading)}}}\par\smallskip"] if block.heading else []
            lines += [r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"]
            style = _frame(block, LATEX).style.hide(axis="index")
            tabular = style.to_latex(hrules=True, column_format="l" * len(block.columns))
            lines += [tabular.strip() + r"}\par\medskip"]
        lines += [rf"\caption{{{_tex(self.caption)}}}"]
        if self.footer:
            notes = [rf"{_tex(line)}\par" for line in self.footer]
            lines += [r"\begin{flushleft}\scriptsize", *notes, r"\end{flushleft}"]
        return "\n".join([*lines, r"\end{table*}"]) + "\n"

    def html(self) -> str:
        """A page that stands alone, or within another one: its style holds for itself only."""
        parts = [f"<h1>{html.escape(self.title)}</h1><p>{html.escape(self.caption)}</p>"]
        for place, block in enumerate(self.blocks):
            parts += [f"<h2>{html.escape(block.heading)}</h2>"] if block.heading else []
            style = _frame(block, HTML).style.hide(axis="index")
            table = style.to_html(table_uuid=str(place), cell_ids=False)
            parts.append(f"<div>{table}</div>")
        notes = "".join(f"<li>{html.escape(line)}</li>" for line in self.footer)
        return "\n".join([_HEAD, *parts, f"<ul>{notes}</ul></main></body></html>"]) + "\n"


_HEAD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>radpipe</title><style>
.radpipe{font:14px/1.45 system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}
.radpipe h1{font-size:1.3em}.radpipe h2{font-size:1.05em;margin:1.4em 0 .4em}
.radpipe p{max-width:60em}.radpipe div{overflow-x:auto}
.radpipe table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid}
.radpipe th{border-bottom:1px solid;text-align:left;vertical-align:bottom}
.radpipe :is(th,td){padding:.25em .9em .25em 0;vertical-align:top}
.radpipe td{font-variant-numeric:tabular-nums}
.radpipe tr:nth-child(2n+1) td{background:#f4f4f4}
.radpipe ul{color:#555;font-size:.85em;max-width:75em}
</style></head><body><main class="radpipe">"""

_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        **{character: f"\\{character}" for character in "&%$#_{}"},
        MINUS: "$-$",
        "\u00d7": r"$\times$",
        "≤": r"$\le$",
        "≥": r"$\ge$",
        "∞": r"$\infty$",
        "†": r"$^\dagger$",
        "↓": r"$\downarrow$",
        "↑": r"$\uparrow$",
        "→": r"$\to$",
    }
)


def _tex(text: str) -> str:
    return text.translate(_TEX)


class Markup(NamedTuple):
    """How a format escapes text and shows the best and the second best."""

    escape: Callable[[str], str]
    best: str
    second: str

    def shown(self, entry: Text | str) -> str:
        """An entry of a table."""
        if isinstance(entry, str):
            return self.escape(entry)
        pattern = self.best if entry.best else self.second if entry.second else "{}"
        beside = f"; {entry.beside}" if entry.beside else ""
        return pattern.format(self.escape(entry.text)) + self.escape(beside)


MARKDOWN = Markup(lambda text: text.replace("|", r"\|"), "**{}**", "<u>{}</u>")
LATEX = Markup(_tex, r"\textbf{{{}}}", r"\underline{{{}}}")
# an interval stays in one line
HTML = Markup(
    lambda text: re.sub(r"(\[\S+) ", "\\1\u00a0", html.escape(text)), "<b>{}</b>", "<u>{}</u>"
)


def _frame(block: Block, markup: Markup) -> pandas.DataFrame:
    rows = [[markup.shown(entry) for entry in row] for row in block.rows]
    return pandas.DataFrame(rows, columns=[markup.escape(name) for name in block.columns])


def csv_text(data: pandas.DataFrame) -> str:
    """CSV without a negative zero."""
    columns = {
        name: [value + 0.0 if isinstance(value, float) else value for value in data[name].tolist()]
        for name in data
    }
    return str(pandas.DataFrame(columns, dtype=object).to_csv(index=False, lineterminator="\n"))


def number(value: float, decimals: int | None = None) -> str:
    """A number for people: fixed decimals, or three significant digits; zero has no sign."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if decimals is None:
        size = int(f"{value:.2e}".partition("e")[2])  # of the rounded number
        decimals = min(6, max(0, 2 - size))
    text = f"{value:,.{decimals}f}"
    return text.replace("-", MINUS if text.strip("-0.,") else "")


def decimals_for(half_widths: list[float]) -> int | None:
    """Decimals that show two digits of a typical interval; None without intervals."""
    known = sorted(w for w in half_widths if math.isfinite(w) and w > 0)
    if not known:
        return None
    return min(5, max(0, 1 - math.floor(math.log10(known[len(known) // 2]))))
