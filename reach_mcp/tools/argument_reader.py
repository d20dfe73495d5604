"""Reads the arguments of a call: names first, then values.

Hosts add arguments of their own to every call; those are ignored. A misspelt argument of ours is never lost: it is an
error where ignoring it would change the meaning of the call, else a note in the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from reach_mcp.api.errors import InvalidArgument
from reach_mcp.tools.argument_errors import closest, describe_errors, quote_name
from reach_mcp.tools.arguments import ToolArguments, input_schema
from reach_mcp.tools.coercion import is_blank

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

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def read_arguments(model: type[A], raw: Mapping[str, object], tool: str) -> tuple[A, tuple[str, ...]]:
    """The arguments of a call, and notes on what was changed or ignored.

    Raises:
        InvalidArgument: a value is wrong, or a misspelt argument would change the meaning of the call.
    """
    reader = _Names(model, tool)
    found = reader.read(raw)
    notes = reader.notes
    try:
        return model.model_validate(found, context=notes), tuple(notes)
    except ValidationError as error:
        raise InvalidArgument(f"{tool}: {describe_errors(input_schema(model), error)}.") from None


class _Names:
    """Maps the names of a call's arguments to those of the model."""

    def __init__(self, model: type[ToolArguments], tool: str) -> None:
        self._model = model
        self._tool = tool
        self._known = [str(field.alias or name) for name, field in model.model_fields.items()]
        self.notes: list[str] = []

    def read(self, raw: Mapping[str, object]) -> dict[str, object]:
        given = {name: value for name, value in raw.items() if not is_blank(value)}
        found = {name: given[name] for name in self._known if name in given}
        others = [name for name in given if name not in found]
        unknown = [name for name in others[:MAX_UNKNOWN] if not self._accept(name, given[name], found)]
        self._name_unknown(unknown)
        return found

    def _accept(self, name: str, value: object, found: dict[str, object]) -> bool:
        """Take an argument under another name of ours; return False where none is meant."""
        word = _CAMEL.sub("_", name[:100]).replace("-", "_").replace(" ", "_").lower()
        target = word if word in self._known else self._model.ALIASES.get(word)
        if target is not None:
            found.setdefault(target, value)
            return True
        if word in self._model.NO_EFFECT:
            reason = self._model.NO_EFFECT[word]
            self.notes += [f"{word} has no effect here: {reason}."] if reason else []
            return True
        return word in HOST_ARGUMENTS

    def _name_unknown(self, unknown: list[str]) -> None:
        near = {name: closest(name.lower(), self._known) for name in unknown}
        wrong = [f"{quote_name(name)} (did you mean {known}?)" for name, known in near.items() if known]
        if any(known and known not in PRESENTATION for known in near.values()):
            raise InvalidArgument(f"{self._tool}: unknown argument {', '.join(wrong[:MAX_NAMED])}.")
        if unknown:
            named = [*wrong, *(quote_name(name) for name, known in near.items() if not known)]
            more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
            self.notes.append(f"Ignored unknown arguments: {', '.join(named[:MAX_NAMED])}{more}.")
