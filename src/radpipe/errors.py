"""The one exception that is a message to the user rather than a bug."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """Something the user can put right.

    Args:
        what: what happened, one sentence without a full stop.
        where: the file, key or address it happened at; may be empty.
        do: what to type or change next; may be empty.

    The command line prints the message alone and exits with status 1.
    """

    def __init__(self, what: str, where: str = "", do: str = "") -> None:
        self.what, self.where, self.do = what, where, do
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.do:
            lines.append(f"  do:    {self.do}")
        return "\n".join(lines)


class Unreachable(UserError):
    """A download that no source gives: the network or the servers, not the file or the disk."""


def unknown(kind: str, name: str, known: Sequence[str], where: str = "") -> UserError:
    """What to raise for a name that names nothing: the nearest that does, and all that do.

    Args:
        kind: what the name should be of, e.g. `mask family`.
        name: as given.
        known: what may be given.
        where: see `UserError`.
    """
    do = f"{did_you_mean(name, known)}known: {', '.join(known)}"
    return UserError(f"there is no {kind} `{name}`", where, do)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The question for the known word that a misspelt one probably means, and a space; or ''."""
    from difflib import get_close_matches

    matches = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean `{matches[0]}`? " if matches else ""
