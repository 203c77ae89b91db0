"""A table: long for machines (CSV), in blocks for people (Markdown, LaTeX, HTML)."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


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


@dataclass(frozen=True)
class Table:
    """What a table file builds.

    Attributes:
        title: heading.
        data: the long table, one number per row.
        blocks: the readable table.
        caption: what is shown, how to read it.
        footer: what a reader must know to reproduce the numbers, one statement each.
        metrics: nested numbers for `dvc metrics`.
    """

    title: str
    data: pd.DataFrame
    blocks: tuple[Block, ...]
    caption: str
    footer: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """Suffix -> text; equal tables give equal bytes."""
        return {
            "csv": self.data.to_csv(index=False, lineterminator="\n"),
            "md": self.markdown(),
            "tex": self.latex(),
            "html": self.html(),
            "metrics.json": json.dumps(_finite(self.metrics), indent=1, sort_keys=True) + "\n",
        }

    def markdown(self) -> str:
        """Blocks as pipe tables, the footer as a list."""
        from tabulate import tabulate

        parts = [f"# {self.title}", self.caption]
        for block in self.blocks:
            rows = [[_markdown(entry) for entry in row] for row in block.rows]
            if block.heading:
                parts.append(f"## {block.heading}")
            table = tabulate(rows, block.columns, tablefmt="github", disable_numparse=True)
            parts.append(table)
        if self.footer:
            parts.append("\n".join(f"- {line}" for line in self.footer))
        return "\n\n".join(parts) + "\n"

    def latex(self) -> str:
        """One `table*` for all blocks, ruled with booktabs (\\usepackage{booktabs,graphicx})."""
        lines = [r"\begin{table*}", r"\centering\footnotesize"]
        for block in self.blocks:
            lines += [r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"]
            lines += [rf"\begin{{tabular}}{{{'l' * len(block.columns)}}}", r"\toprule"]
            if block.heading:
                span = rf"\multicolumn{{{len(block.columns)}}}{{l}}"
                lines += [rf"{span}{{\textit{{{_tex(block.heading)}}}}} \\", r"\midrule"]
            lines += [" & ".join(_tex(c) for c in block.columns) + r" \\", r"\midrule"]
            lines += [" & ".join(_latex(entry) for entry in row) + r" \\" for row in block.rows]
            lines += [r"\bottomrule", r"\end{tabular}}\par\medskip"]
        lines += [rf"\caption{{{_tex(self.caption)}}}"]
        if self.footer:
            lines += [r"\begin{flushleft}\scriptsize"]
            lines += [rf"{_tex(line)}\par" for line in self.footer]
            lines += [r"\end{flushleft}"]
        lines += [r"\end{table*}"]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """A page that stands alone, for the report."""
        parts = [_HEAD, f"<h1>{html.escape(self.title)}</h1><p>{html.escape(self.caption)}</p>"]
        for block in self.blocks:
            if block.heading:
                parts.append(f"<h2>{html.escape(block.heading)}</h2>")
            head = "".join(f"<th>{html.escape(c)}</th>" for c in block.columns)
            body = "\n".join(
                "<tr>" + "".join(f"<td>{_html(entry)}</td>" for entry in row) + "</tr>"
                for row in block.rows
            )
            parts.append(f"<div><table><tr>{head}</tr>\n{body}</table></div>")
        notes = "".join(f"<li>{html.escape(line)}</li>" for line in self.footer)
        parts.append(f"<ul>{notes}</ul></body></html>")
        return "\n".join(parts) + "\n"


_HEAD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>radpipe</title><style>
body{font:14px/1.45 system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}
h1{font-size:1.3em}h2{font-size:1.05em;margin:1.4em 0 .4em}p{max-width:60em}
div{overflow-x:auto}table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid}
th{border-bottom:1px solid;text-align:left;vertical-align:bottom}
th,td{padding:.25em .9em .25em 0;font-variant-numeric:tabular-nums;vertical-align:top}
tr:nth-child(2n+1) td{background:#f4f4f4}ul{color:#555;font-size:.85em;max-width:75em}
</style></head><body>"""

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\u2212": "$-$",
    "\u00d7": r"$\times$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "∞": r"$\infty$",
    "†": r"$^\dagger$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
}


def _tex(text: str) -> str:
    return re.sub("|".join(map(re.escape, _TEX)), lambda found: _TEX[found[0]], text)


def _latex(entry: Text | str) -> str:
    if isinstance(entry, str):
        return _tex(entry)
    text = _tex(entry.text)
    shown = rf"\textbf{{{text}}}" if entry.best else text
    return (rf"\underline{{{text}}}" if entry.second else shown) + _tex(_beside(entry))


def _markdown(entry: Text | str) -> str:
    if isinstance(entry, str):
        return entry.replace("|", r"\|")
    shown = f"**{entry.text}**" if entry.best else entry.text
    return (f"<u>{entry.text}</u>" if entry.second else shown) + _beside(entry)


def _html(entry: Text | str) -> str:
    if isinstance(entry, str):
        return html.escape(entry)
    text = html.escape(entry.text)
    shown = f"<b>{text}</b>" if entry.best else f"<u>{text}</u>" if entry.second else text
    return shown + html.escape(_beside(entry))


def _beside(entry: Text) -> str:
    return f"; {entry.beside}" if entry.beside else ""


def _finite(value: Any) -> Any:
    """JSON has no infinity: such numbers become text."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def number(value: float, decimals: int | None = None) -> str:
    """A number for people: fixed decimals, or three significant digits."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if decimals is None:
        size = math.floor(math.log10(abs(value))) if value else 0
        decimals = max(0, 2 - size)
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def decimals_for(half_widths: list[float]) -> int | None:
    """Decimals that show two digits of a typical interval; None without intervals."""
    known = sorted(w for w in half_widths if math.isfinite(w) and w > 0)
    if not known:
        return None
    return min(5, max(0, 1 - math.floor(math.log10(known[len(known) // 2]))))
