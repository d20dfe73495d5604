"""The MCP prompts: Markdown files with front matter, read strictly and filled in with values as data.

The front matter is the part of YAML that a prompt needs, so that nobody has to install a parser of all of it: `key:
value` lines, and `arguments:` as a list of `name`, `description`, `required`. In the text, `{name}` stands for an
argument's value in quotes; a line that names an optional argument is left out when the argument is absent.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

import mcp_types
from mcp_types import PromptArgument
from pydantic import Field

from reach_mcp.misfits import quote_name, suggest

LONGEST = 200
"""Most characters of an argument's value."""

PLACES = (Path(__file__).parent / "_prompts", Path(__file__).parent.parent / "prompts")
"""Where the files are: inside an installed package, and at the top of a checkout."""

_KEYS = ("name", "title", "description", "arguments")
_ARGUMENT_KEYS = ("name", "description", "required")
_FIELD = re.compile(r"(?P<indent>|  - |    )(?P<key>[a-z]+):(?: (?P<value>\S.*))?")
_SLOT = re.compile(r"\{([a-z_]+)\}")


class PromptRefused(ValueError):
    """The caller named no prompt of ours or gave arguments that don't fit; the message says what would."""


class PromptFileWrong(ValueError):
    """A prompt's file can't be read: a mistake of ours, found at the start."""


class Prompt(mcp_types.Prompt):
    """One prompt as its file has it."""

    arguments: list[PromptArgument]
    text: str = Field(exclude=True)

    def render(self, values: Mapping[str, str]) -> str:
        """The text with these values in it, each in quotes; PromptRefused when they don't fit the arguments."""
        given = {name: value for name, value in values.items() if value}
        wrong = "; ".join(self._misfits(given))
        if wrong:
            raise PromptRefused(f"{self.name}: {wrong}.")
        lines = (line for line in self.text.splitlines() if all(slot in given for slot in _SLOT.findall(line)))
        quoted = {name: json.dumps(value, ensure_ascii=False) for name, value in given.items()}
        return "\n".join(_SLOT.sub(lambda slot: quoted[slot[1]], line) for line in lines)

    def _misfits(self, given: Mapping[str, str]) -> Iterable[str]:
        known = [argument.name for argument in self.arguments]
        yield from (f"unknown argument {quote_name(name)}{suggest(name, known)}" for name in given if name not in known)
        for argument in self.arguments:
            if argument.required and argument.name not in given:
                yield f"{argument.name} is missing ({argument.description})"
        for name, value in given.items():
            if len(value) > LONGEST:
                yield f"{quote_name(name)} is longer than {LONGEST} characters"
            elif any(unicodedata.category(character).startswith("C") for character in value):
                yield f"{quote_name(name)} holds control or invisible characters"


def load_prompts(places: Iterable[Path] = PLACES) -> dict[str, Prompt]:
    """Every prompt by its name, from the first place that exists. Raises PromptFileWrong."""
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise PromptFileWrong("The folder prompts/ is missing from this installation.")
    files = sorted(folder.glob("*.md"))
    return {file.stem: parse_prompt(file.read_text(encoding="utf-8"), file.stem) for file in files}


def parse_prompt(source: str, name: str) -> Prompt:
    """Read one file. Raises PromptFileWrong that names the file and the line."""
    opening, _, rest = source.partition("---\n")
    head, fence, text = rest.partition("\n---\n")
    if opening or not fence:
        raise PromptFileWrong(f"{name}.md: it must open with front matter between two lines of ---.")
    fields: dict[str, str] = {}
    arguments: list[dict[str, str]] = []
    for number, line in enumerate(head.splitlines(), 2):
        field = _FIELD.fullmatch(line)
        if field is None or (field["indent"] and list(fields)[-1:] != ["arguments"]):
            raise PromptFileWrong(f"{name}.md, line {number}: neither `key: value` nor part of an argument.")
        if field["indent"] == "  - ":
            arguments.append({})
        owner = arguments[-1] if field["indent"] and arguments else fields
        if field["key"] in owner:
            raise PromptFileWrong(f"{name}.md, line {number}: {field['key']} stands twice.")
        owner[field["key"]] = field["value"] or ""
    return _build_prompt(name, fields, arguments, text)


def _build_prompt(name: str, fields: dict[str, str], arguments: list[dict[str, str]], text: str) -> Prompt:
    whole = [("it", fields, _KEYS), *((f"argument {place}", a, _ARGUMENT_KEYS) for place, a in enumerate(arguments, 1))]
    for owner, found, keys in whole:
        if tuple(found) != keys or not all(value for key, value in found.items() if key != "arguments"):
            raise PromptFileWrong(f"{name}.md: {owner} must have {', '.join(keys)}, in this order.")
    if fields["name"] != name or any(a["required"] not in ("true", "false") for a in arguments):
        raise PromptFileWrong(f"{name}.md: name must be the file's own, and required must be true or false.")
    unknown = set(_SLOT.findall(text)) - {argument["name"] for argument in arguments}
    if unknown:
        raise PromptFileWrong(f"{name}.md: the text names {', '.join(sorted(unknown))}, which is no argument.")
    known = [
        PromptArgument(name=a["name"], description=a["description"], required=a["required"] == "true")
        for a in arguments
    ]
    return Prompt(
        name=name, title=fields["title"], description=fields["description"], arguments=known, text=text.strip()
    )
