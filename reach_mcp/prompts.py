"""The MCP prompts: Markdown files with TOML front matter between two lines of `+++`.

In the text, `{name}` stands for an argument's value in quotes. A line that names an optional argument is left out when
the argument is absent.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mcp_types

from reach_mcp.wrong_values import quote_name, suggest

MAX_VALUE_CHARS = 200

FOLDERS = (Path(__file__).parent / "_prompts", Path(__file__).parent.parent / "prompts")
"""The folder of the files: inside an installed package, and at the top of a checkout."""

_FENCE = "+++\n"
_SLOT = re.compile(r"\{([a-z_]+)\}")


class PromptRefused(ValueError):
    """The caller named an unknown prompt or gave wrong arguments. The message says which would be right."""


@dataclass(frozen=True)
class Prompt:
    """One prompt file: what is published of it, and its text."""

    published: mcp_types.Prompt
    text: str

    def render(self, values: Mapping[str, str]) -> str:
        """The text with these values, each in quotes. Raises PromptRefused when they do not fit the arguments."""
        given = {name: str(value).strip() for name, value in values.items() if str(value).strip()}
        wrong = "; ".join(self._errors(given))
        if wrong:
            raise PromptRefused(f"{self.published.name}: {wrong}.")
        lines = (line for line in self.text.splitlines() if all(slot in given for slot in _SLOT.findall(line)))
        quoted = {name: json.dumps(value, ensure_ascii=False) for name, value in given.items()}
        return "\n".join(_SLOT.sub(lambda slot: quoted[slot[1]], line) for line in lines)

    def _errors(self, given: Mapping[str, str]) -> Iterable[str]:
        from reach_mcp.render.sanitize import is_hidden  # takes long to import, and serving starts without it

        arguments = self.published.arguments or []
        known = [argument.name for argument in arguments]
        unknown = [name for name in given if name not in known]
        yield from (f"unknown argument {quote_name(name)}{suggest(name, known)}" for name in unknown[:3])
        for argument in arguments:
            if argument.required and argument.name not in given:
                yield f"{argument.name} is missing ({argument.description})"
            elif len(given.get(argument.name, "")) > MAX_VALUE_CHARS:
                yield f"{argument.name} is longer than {MAX_VALUE_CHARS} characters"
            elif any(map(is_hidden, given.get(argument.name, ""))):
                yield f"{argument.name} contains control or invisible characters"


def load_prompts(folders: Iterable[Path] = FOLDERS) -> dict[str, Prompt]:
    """Every prompt by its name, from the first folder that exists. Without a folder the installation is broken."""
    folder = next(folder for folder in folders if folder.is_dir())
    return {
        file.stem: parse_prompt(file.read_text(encoding="utf-8"), file.stem) for file in sorted(folder.glob("*.md"))
    }


def parse_prompt(source: str, name: str) -> Prompt:
    """Parse one file. A test checks the shipped ones: each slot of a text is an argument."""
    _, head, text = source.split(_FENCE, 2)
    fields = tomllib.loads(head)
    arguments = [mcp_types.PromptArgument(**argument) for argument in fields.pop("arguments", [])]
    return Prompt(mcp_types.Prompt(name=name, arguments=arguments, **fields), text.strip())
