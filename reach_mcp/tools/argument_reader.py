"""Reads the arguments of a call: names here, values by the models of `arguments`.

Hosts add arguments of their own to every call; those are ignored. A misspelt argument of ours is never lost: it is an
error where ignoring it would change the meaning of the call, else a note in the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from pydantic import ValidationError
from pydantic.alias_generators import to_snake

from reach_mcp.api.errors import InvalidArgument
from reach_mcp.tools.arguments import ToolArguments, is_blank
from reach_mcp.wrong_values import closest, describe_errors, quote_name

A = TypeVar("A", bound=ToolArguments)

HOST_ARGUMENTS = frozenset(
    """
    action agent call_id chat_input context conversation_id description explanation id intent message_id metadata
    method name progress_token reason reasoning request_id run_id session_id task task_id task_progress thought
    thread_id title tool tool_call tool_call_id tool_name trace_id user_id wait_for_previous
    """.split()  # noqa: SIM905 - a list of 35 literals is no easier to read
)
"""Names, in snake case, of arguments that hosts are known to add. Any other unknown name gets a note."""

PRESENTATION = frozenset({"limit", "offset", "response_format", "fresh", "order", "cursor"})
"""Arguments that change how much is shown, not which facts: a misspelt one is a note, not an error."""

MAX_UNKNOWN = 20
"""Unknown arguments of one call that are compared with ours."""

MAX_NAMED = 3


def read_arguments(model: type[A], raw: Mapping[str, object]) -> tuple[A, list[str]]:
    """The arguments of a call, and notes on everything that was changed or ignored.

    Raises:
        InvalidArgument: a value is wrong, or a misspelt argument would change the meaning of the call.
    """
    given = {name: value for name, value in raw.items() if not is_blank(value)}
    known = [str(field.alias or name) for name, field in model.model_fields.items()]
    found = {name: given.pop(name) for name in known if name in given}
    notes: list[str] = []
    unknown = [name for name in list(given)[:MAX_UNKNOWN] if not _accept(model, known, name, given[name], found, notes)]
    notes += _name_unknown(unknown, known)
    try:
        return model.model_validate(found, context=notes), notes
    except ValidationError as error:
        raise InvalidArgument(f"Wrong argument: {describe_errors(model, error)}.") from None


def _accept(
    model: type[ToolArguments], known: list[str], name: str, value: object, found: dict[str, object], notes: list[str]
) -> bool:
    """Take an argument under another name of ours; return False where none is meant."""
    word = to_snake(name[:100])
    target = word if word in known else model.ALIASES.get(word)
    if target is not None:
        found.setdefault(target, value)
    elif reason := model.NO_EFFECT.get(word):
        notes.append(f"{word} has no effect here: {reason}.")
    return target is not None or word in model.NO_EFFECT or word in HOST_ARGUMENTS


def _name_unknown(unknown: list[str], known: list[str]) -> Iterable[str]:
    """At most one note. Raises InvalidArgument where one of them nearly is an argument that changes the meaning."""
    near = {name: closest(name.lower(), known) for name in unknown}
    wrong = [f"{quote_name(name)} (did you mean {meant}?)" for name, meant in near.items() if meant]
    if any(meant and meant not in PRESENTATION for meant in near.values()):
        raise InvalidArgument(f"Unknown argument {', '.join(wrong[:MAX_NAMED])}.")
    named = [*wrong, *(quote_name(name) for name, meant in near.items() if not meant)]
    more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return [f"Ignored unknown arguments: {', '.join(named[:MAX_NAMED])}{more}."] if named else []
