"""A part of the settings: typed, frozen, and refused with a message that names the cure.

The lowest of the modules about settings, so that every plug-in can declare its own part.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from radpipe.errors import UserError, did_you_mean

PARAMS = "params.yaml"


class Section(BaseModel):
    """A part of params.yaml: frozen, strict types, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


S = TypeVar("S", bound=Section)


def section(model: type[S], raw: Any, key: str, file: str = PARAMS) -> S:
    """Parse a part of the settings; every fault becomes one message.

    JSON mode keeps strict types and still reads YAML's lists as tuples.
    """
    try:
        return model.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise UserError(*_explain(error, model, raw, key, file)) from None


def _explain(
    error: ValidationError, model: type[Section], raw: Any, key: str, file: str
) -> tuple[str, str, str]:
    """(what, where, do) of the first fault of a validation."""
    fault = error.errors()[0]
    path = ".".join([*([key] if key else []), *(str(part) for part in fault["loc"])])
    where = f"{file}, key `{path}`"
    given = fault["input"]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if fault["type"] == "extra_forbidden":
        known = _names(model, fault["loc"][:-1])
        question = did_you_mean(str(fault["loc"][-1]), known).rstrip()
        do = question or f"allowed here: {', '.join(known)}"
        return f"unknown setting `{fault['loc'][-1]}`{more}", where, do
    if fault["type"] == "missing":
        return f"a setting is missing{more}", where, f"add `{fault['loc'][-1]}:` there"
    why = fault["msg"][0].lower() + fault["msg"][1:]
    if fault["type"] == "too_short":
        why = f"at least {fault['ctx']['min_length']} is needed"
    what = f"{json.dumps(given)} is not allowed: {why}{more}"
    do = "put a value of that kind there"
    if isinstance(given, str) and fault["type"] in {"float_type", "int_type"}:
        do = _number_hint(given)
    if isinstance(given, bool):
        do = "YAML reads yes, no, on and off as true and false: quote the word"
    return what, where, do


def _number_hint(given: str) -> str:
    """A number in quotes is a word."""
    try:
        float(given)
    except ValueError:
        return "write a number"
    return f"write {given} without quotes"


def _names(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that are valid at a path of nested models."""
    current: Any = model
    for part in path:
        fields = getattr(current, "model_fields", {})
        annotation = fields[part].annotation if part in fields else None
        args: tuple[Any, ...] = getattr(annotation, "__args__", ())
        current = args[1] if len(args) == 2 else annotation or current
    return list(getattr(current, "model_fields", {}))
