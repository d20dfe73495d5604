"""Read and edit the configuration of hosts as text: JSON, JSON with comments, or TOML.

An edit changes one entry. Everything else keeps its bytes: comments, order, indentation and line ends.
"""

from __future__ import annotations

import json
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from reach_mcp.settings import ConfigurationError

_STRING = r'"(?:[^"\\\n]|\\.)*"'
_STRING_OR_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/|\ufeff", re.DOTALL)
_STRING_OR_TRAILING_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])")
_DECODER = json.JSONDecoder()
_TOML_STRING = re.compile(rf"{_STRING}|'[^'\n]*'")
_TOML_HEADER = re.compile(r"^[ \t]*\[.*$", re.MULTILINE)


class NotEditable(Exception):
    """The entry can't be changed without changing something else."""


def parse(text: str, file: Path) -> dict[str, Any]:
    """The content of a host's file. An empty one counts as an empty table.

    Raises ConfigurationError with line and column if the text is not what the file's name says.
    """
    try:
        found = tomllib.loads(text) if file.suffix == ".toml" else json.loads(_plain(_or_empty(text)))
    except json.JSONDecodeError as error:
        raise _broken(file, f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except tomllib.TOMLDecodeError as error:
        raise _broken(file, str(error)) from None
    if not isinstance(found, dict):
        raise _broken(file, "it holds no object")
    return found


def _broken(file: Path, reason: str) -> ConfigurationError:
    kind = "TOML" if file.suffix == ".toml" else "JSON"
    return ConfigurationError(f"{file} is not valid {kind}: {reason}. Repair the file first.")


def set_entry(text: str, file: Path, table: str, name: str | None, value: dict[str, Any]) -> str:
    """The text with this entry as the first of the table, or without a name, as the first item of an array.

    Raises NotEditable, and ConfigurationError if the text is broken.
    """
    expected = parse(text, file)
    servers = expected.setdefault(table, [] if name is None else {})
    if not isinstance(servers, list if name is None else dict):
        raise NotEditable
    if file.suffix == ".toml":
        changed = _set_toml(text, table, str(name), value)
    else:
        rest = _cut_json(text, table, name) if name in servers else _or_empty(text)
        changed = _insert(rest, table, name, value)
        if _comments(changed) != _comments(text):
            raise NotEditable
    expected[table] = [value, *servers] if isinstance(servers, list) else servers | {name: value}
    return _checked(changed, file, expected)


def remove_entry(text: str, file: Path, table: str, name: str | int) -> str:
    """The text without this entry, or this item of an array. It exists. Raises as `set_entry`."""
    expected = parse(text, file)
    del expected[table][name]
    toml = file.suffix == ".toml"
    return _checked(_cut_toml(text, table, str(name)) if toml else _cut_json(text, table, name), file, expected)


def block(file: Path, table: str, name: str, value: dict[str, Any]) -> str:
    """The entry alone, for a person to paste."""
    if file.suffix == ".toml":
        return _toml_table(table, name, value)
    return json.dumps({table: {name: value}}, indent=2, ensure_ascii=False) + "\n"


def _checked(changed: str, file: Path, expected: dict[str, Any]) -> str:
    """The changed text if its content is the expected one, empty tables aside."""
    try:
        found = parse(changed, file)
    except ConfigurationError:
        raise NotEditable from None
    if any((found.get(name) or None) != (expected.get(name) or None) for name in found.keys() | expected.keys()):
        raise NotEditable
    return changed


# JSON. Spaces stand for comments, so that a position in the plain text is the same position in the text.


class _Item(NamedTuple):
    """A member of an object or array, with the positions where it starts, where its value does, and where it ends."""

    key: object
    start: int
    value: int
    end: int


def _without_comments(text: str) -> str:
    return _STRING_OR_COMMENT.sub(_spaces, text)


def _plain(text: str) -> str:
    return _STRING_OR_TRAILING_COMMA.sub(_spaces, _without_comments(text))


def _spaces(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else re.sub(r"[^\r\n]", " ", match[0])


def _comments(text: str) -> list[str]:
    return [found for found in _STRING_OR_COMMENT.findall(text) if not found.startswith('"')]


def _or_empty(text: str) -> str:
    """The text, with an empty object where it has none."""
    return text if _without_comments(text).strip() else f"{text}{{}}\n"


def _start(plain: str, at: int = 0) -> int:
    """The position of the next key, value or bracket."""
    return at + len(re.split(r"[^\s,:]", plain[at:], maxsplit=1)[0])


def _items(plain: str, opening: int) -> tuple[list[_Item], int]:
    """The members of the object or array that opens here, and the position of its closing bracket."""
    found: list[_Item] = []
    at = _start(plain, opening + 1)
    while plain[at] not in "}]":
        start, key = at, len(found)
        if plain[opening] == "{":
            key, at = _DECODER.raw_decode(plain, at)
            at = _start(plain, at)
        end = _DECODER.raw_decode(plain, at)[1]
        found.append(_Item(key, start, at, end))
        at = _start(plain, end)
    return found, at


def _insert(text: str, table: str, name: str | None, value: object) -> str:
    """Add a first member: on lines of its own, unless the table is in one line."""
    plain = _plain(text)
    opening = _start(plain)
    found = next((item for item in _items(plain, opening)[0] if item.key == table), None)
    if found is None:
        value = [value] if name is None else {name: value}
        name = table
    else:
        opening = found.value
    items, closing = _items(plain, opening)
    key = f"{json.dumps(name)}: " if name else ""
    if items and "\n" not in text[opening : items[0].start]:
        return f"{text[: opening + 1]}{key}{json.dumps(value, ensure_ascii=False)}, {text[opening + 1 :]}"
    outer, unit = _indent(text, opening), _indent_unit(text)
    new = f"\n{key}{json.dumps(value, indent=unit, ensure_ascii=False)}{',' if items else ''}"
    new = _on_lines(text, new, _indent(text, items[0].start) if items else outer + unit)
    end = "" if "\n" in text[opening:closing] else _on_lines(text, "\n", outer)
    return text[: opening + 1] + new + end + text[opening + 1 :]


def _on_lines(text: str, addition: str, indent: str) -> str:
    """The addition with this indent on each further line, and with the line ends of the text."""
    return addition.replace("\n", ("\r\n" if "\r\n" in text else "\n") + indent)


def _indent(text: str, at: int) -> str:
    """The white space at the start of the line of this position."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _indent_unit(text: str) -> str:
    plain = _plain(text)
    items, _ = _items(plain, _start(plain))
    return (_indent(plain, items[0].start) if items else "") or "  "


def _cut_json(text: str, table: str, name: str | int | None) -> str:
    """Cut the member with its line, and one of the commas around it."""
    plain, commas = _plain(text), _without_comments(text)
    opening = next(item.value for item in _items(plain, _start(plain))[0] if item.key == table)
    items, closing = _items(plain, opening)
    index = next(index for index, item in enumerate(items) if item.key == name)
    item, following = items[index], items[index + 1].start if index + 1 < len(items) else closing
    start = len(text[: item.start].rstrip(" \t"))
    start -= len(text[:start]) - len(text[:start].removesuffix("\n").removesuffix("\r"))
    comma = commas.find(",", item.end, following)
    if comma < 0 and index:
        comma = commas.index(",", items[index - 1].end)
    space = "" if text[start] in "\r\n" else text[comma + 1 : following]
    cuts = {*range(start, item.end), *range(comma, comma + 1 + len(space) - len(space.lstrip(" ")))}
    inside = "".join(text[at] for at in range(opening + 1, closing) if at not in cuts)
    return text[: opening + 1] + (inside if inside.strip() else "") + text[closing:]


# TOML.


def _set_toml(text: str, table: str, name: str, value: dict[str, Any]) -> str:
    if any("#" in _TOML_STRING.sub("", text[start:end]) for start, end in _toml_spans(text, table, name)):
        raise NotEditable
    text = _cut_toml(text, table, name)
    missing = 2 - text.endswith("\n") if text else 0
    return text + _on_lines(text, "\n" * missing + _toml_table(table, name, value), "")


def _cut_toml(text: str, table: str, name: str) -> str:
    """Cut the tables with the blank line in front of each."""
    for start, end in reversed(_toml_spans(text, table, name)):
        before = text[:start]
        text = re.sub(r"(?<=\n)\r?\n\Z", "", before) + text[end:]
    return text


def _toml_spans(text: str, table: str, name: str) -> list[tuple[int, int]]:
    """Start and end of the entry's table and those below it, without the comments in front of the next table."""
    own = re.compile(rf"""\s*\[\s*["']?{re.escape(table)}["']?\s*\.\s*["']?{re.escape(name)}["']?\s*[].]""")
    found = []
    for start, end in pairwise([*(header.start() for header in _TOML_HEADER.finditer(text)), len(text)]):
        lines = text[start:end].splitlines(keepends=True)
        if own.match(lines[0]):
            while not lines[-1].strip() or lines[-1].lstrip().startswith("#"):
                lines.pop()
            found.append((start, start + len("".join(lines))))
    return found


def _toml_table(table: str, name: str, value: dict[str, Any]) -> str:
    return f"[{table}.{name}]\n" + "".join(
        f"{json.dumps(key)[1:-1]} = {_toml_value(each)}\n" for key, each in value.items()
    )


def _toml_value(value: object) -> str:
    match value:
        case list():
            return f"[{', '.join(map(_toml_value, value))}]"
        case dict():
            return f"{{ {', '.join(f'{json.dumps(key)} = {_toml_value(each)}' for key, each in value.items())} }}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)
