"""Progress bars."""

from __future__ import annotations

import pytest

from radpipe.progress import bar


@pytest.mark.parametrize(("total", "shown"), [(0, ""), (2, "telea: 2/2")])
def test_where_nothing_can_be_counted_nothing_is_shown(
    capsys: pytest.CaptureFixture[str], total: int, shown: str
) -> None:
    with bar(total, "telea") as progress:
        progress.update(total)
    said = capsys.readouterr().err
    assert bool(said) == bool(shown) and shown in said
