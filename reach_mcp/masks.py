"""Masks for personal data: the same value, the same mask within a tenant, and no way back without the key.

A mask is the beginning of a hash keyed by `REACH_MCP_MASK_KEY` and the tenant: every replica with the same key gives
the same masks, two tenants never share one, and guessing ids does not help who lacks the key. External ids are masked
wherever they stand in a field of their own; in free text, what looks personal is. Schema names, batch ids, categories,
counts and times stay as they are. Without a key nothing is masked: `CLEAR` hands back what it is given.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

SHORTEST = 3
"""Least characters of an external id that is looked for in free text; shorter ones would hit every other word."""

_MASK = re.compile(r"\b((?:id|text)-[a-z2-7]{8})(?![\w-])")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_EDGE = re.compile(r"(?<![^\W_])(?=\S)")

Place = tuple[int, int]
"""Where something stands in a text: its start and its end."""


class Clear:
    """No masks: every value as it is."""

    def id(self, external: str) -> str:
        """An external id as it is shown."""
        return external

    def text(self, text: str) -> str:
        """Free text as it is shown."""
        return text

    def handle(self, handle: str, schema: str = "", external: str = "") -> str:  # noqa: ARG002 - masks need them
        """A blocker's handle as it is shown."""
        return handle

    def token(self, token: str) -> str:
        """A since token as it is shown."""
        return token

    def open_token(self, token: str) -> str:
        """The token that `token` made this of."""
        return token

    def argument(self, text: str) -> str:
        """An argument of a call as a next call repeats it."""
        return text

    def learn(self, batch: Mapping[str, Any]) -> None:
        """Take note of the external ids of a batch, to find them in free text."""


CLEAR = Clear()


class Mask(Clear):
    """The masks of one tenant, for one call: it knows the external ids that this call has read."""

    def __init__(self, key: str, tenant: str | None) -> None:
        self._key = hmac.digest(key.encode(), (tenant or "").encode("utf-8", "surrogatepass"), hashlib.sha256)
        self._known: set[str] = set()
        self._lengths: set[int] = set()
        self._texts: dict[str, str] = {}

    def learn(self, batch: Mapping[str, Any]) -> None:
        self._know((batch.get("errors") or {}).get("details") or ())
        for row in batch.get("pendingResources") or ():
            self._know((row.resource_external_id, *(one.external_id for one in row.missing_dependencies)))

    def _know(self, ids: Any) -> None:
        for external in ids:
            for form in (external, " ".join(external.split())):
                self._known.add(form)
                if len(form) >= SHORTEST:
                    self._lengths.add(len(form))

    def id(self, external: str) -> str:
        return f"id-{self._digest(external)[:8]}"

    def handle(self, handle: str, schema: str = "", external: str = "") -> str:
        return f"b-{self._digest(chr(0).join((schema, external)) if schema or external else handle)[:10]}"

    def argument(self, text: str) -> str:
        schema, colon, external = text.partition(":")
        if colon and external in self._known:
            return f"{schema}:{self.id(external)}"
        return self.id(text) if text in self._known else text

    def text(self, text: str) -> str:
        """Text without known ids, e-mail addresses, quoted values, phone numbers, words with digits and names.

        A name is two or more capitalised words in a row. Names in lower case, alone or without quotes are not found.
        """
        if text not in self._texts:
            self._texts[text] = self._mask_text(text)
        return self._texts[text]

    def _mask_text(self, text: str) -> str:
        for find in (_find_quoted, _find_emails, self._find_known, _find_phones, _find_digits, _find_names):
            parts = _MASK.split(text)  # what stands at odd places is masked already
            parts[::2] = [self._splice(part, find(part)) for part in parts[::2]]
            text = "".join(parts)
        return text

    def _splice(self, text: str, places: Iterable[Place]) -> str:
        parts, end = [], 0
        for start, stop in places:
            parts += [text[end:start], self._value(text[start:stop])]
            end = stop
        return "".join([*parts, text[end:]])

    def _value(self, value: str) -> str:
        stripped = value if value in self._known else value.rstrip(".:!?")
        kind = "id" if stripped in self._known else "text"
        return f"{kind}-{self._digest(stripped)[:8]}{value[len(stripped) :]}"

    def _find_known(self, text: str) -> Iterator[Place]:
        """Known ids that stand apart from letters and digits, the longest first."""
        end, lengths = 0, sorted(self._lengths, reverse=True)
        for found in _EDGE.finditer(text):
            start = found.start()
            for stop in (start + length for length in lengths if start >= end):
                if text[start:stop] in self._known and not text[stop : stop + 1].isalnum():
                    yield start, stop
                    end = stop
                    break

    def token(self, token: str) -> str:
        """A since token, sealed: it holds hashes of blockers' names, which could be guessed at otherwise."""
        plain = token.encode()
        nonce = hmac.digest(self._key, b"seal" + plain, hashlib.sha256)[:6]
        return base64.urlsafe_b64encode(nonce + self._stream(nonce, plain)).decode().rstrip("=")

    def open_token(self, token: str) -> str:
        """The token that was sealed; what is none of ours opens to what no reader accepts."""
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return ""
        return self._stream(sealed[:6], sealed[6:]).decode("latin-1")

    def _stream(self, nonce: bytes, data: bytes) -> bytes:
        stream = hashlib.shake_256(self._key + nonce).digest(len(data))
        return bytes(a ^ b for a, b in zip(data, stream, strict=True))

    def _digest(self, value: str) -> str:
        number = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), key=self._key, digest_size=10).digest()
        return base64.b32encode(number).decode().lower()


def _finder(pattern: str) -> Callable[[str], Iterator[Place]]:
    """Finds the last group of a pattern, or all of it where it has none."""
    compiled = re.compile(pattern)
    return lambda text: (found.span(found.lastindex or 0) for found in compiled.finditer(text))


_find_quoted = _finder(r"""(?<!\w)(["'`])(?!\1)(.{1,400}?)\1(?!\w)|[“„‘«]([^”“’»]{1,400})[”“’»]""")
_find_emails = _finder(r"(?<![^\s@<>\"'`,;:()\[\]])[^\s@<>\"'`,;:()\[\]]+@[^\s<>\"'`,;()\[\]]+")
_find_phones = _finder(r"\+?\(?\d[\d ().\-/]{4,}\d")
_find_digits = _finder(r"(?<![^\s,;()\[\]])[^\s\d,;()\[\]]*\d[^\s,;()\[\]]*")


def _find_names(text: str) -> Iterator[Place]:
    """Two or more capitalised words in a row, a comma between them or not."""
    runs: list[list[re.Match[str]]] = []
    for word in _WORD.finditer(text):
        if word[0][0].isupper():
            if runs and text[runs[-1][-1].end() : word.start()] in (" ", ", "):
                runs[-1].append(word)
            else:
                runs.append([word])
    return ((run[0].start(), run[-1].end()) for run in runs if len(run) > 1)
