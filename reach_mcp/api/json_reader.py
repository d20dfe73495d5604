"""A pull parser over the C scanner of `json`: holds one value at a time, however long the list around it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_BLANKS = re.compile(r"[ \t\n\r]*")
MAX_INT_DIGITS = 20


class BrokenJSON(Exception):
    """The text is no JSON. `truncated`: it ends too early."""

    def __init__(self, *, truncated: bool) -> None:
        self.truncated = truncated
        super().__init__()


def _parse_int(digits: str) -> int | float:
    """Python refuses to read integers of thousands of digits; as a float they are infinite."""
    return int(digits) if len(digits) <= MAX_INT_DIGITS else float(digits)


_DECODER = json.JSONDecoder(strict=False)
_HUGE_INT_DECODER = json.JSONDecoder(strict=False, parse_int=_parse_int)


class JSONReader:
    """Walks one JSON text. For each key of `members()` and each turn of `elements()`, read exactly one value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        match = _BLANKS.match(self._text, self._at)
        self._at = self._at if match is None else match.end()
        return self._text[self._at : self._at + 1]

    def value(self) -> object:
        """The next value, whole."""
        self.peek()
        try:
            value, self._at = self._decode()
        except json.JSONDecodeError as error:
            ended = error.pos >= len(self._text.rstrip()) - 6 or "Unterminated" in error.msg
            raise BrokenJSON(truncated=ended) from None
        except RecursionError:
            raise BrokenJSON(truncated=True) from None
        return value

    def _decode(self) -> tuple[object, int]:
        try:
            return _DECODER.raw_decode(self._text, self._at)
        except json.JSONDecodeError:
            raise
        except ValueError:
            return _HUGE_INT_DECODER.raw_decode(self._text, self._at)

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next."""
        for _ in self._items("{", "}"):
            if self.peek() != '"':
                raise self._broken()
            key = str(self.value())
            self._take(":")
            yield key

    def elements(self) -> Iterator[None]:
        """One turn for each element of the array that comes next."""
        return self._items("[", "]")

    def end(self) -> None:
        """Raise BrokenJSON if anything but blanks follows."""
        if self.peek():
            raise self._broken()

    def _items(self, opening: str, closing: str) -> Iterator[None]:
        self._take(opening)
        while self.peek() != closing:
            yield
            if self.peek() != closing:
                self._take(",")
        self._at += 1

    def _take(self, expected: str) -> None:
        if self.peek() != expected:
            raise self._broken()
        self._at += 1

    def _broken(self) -> BrokenJSON:
        return BrokenJSON(truncated=not self.peek())
