"""The `since` token: a bounded, authenticated record of one answer. The server keeps nothing between calls."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

import msgspec

from reach_mcp.analysis.errors import QuestionError

VERSION = "s4"
MAX_TOKEN_CHARS = 300
SPANS = (3600.0, 6 * 3600.0, 24 * 3600.0, 72 * 3600.0, 168 * 3600.0)
"""Seconds after the token's time by which expiring rows are counted."""

_TOKEN = re.compile(rf"{VERSION}([A-Za-z0-9_-]{{16,{MAX_TOKEN_CHARS}}})")
_TAG_BYTES = 9
_LAST_TIME = 253_402_300_800.0  # the year 10000
_ADVICE = 'Call again with since="start" for a new token.'


class TokenState(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The facts that a token carries. Hashes are sums modulo 2**64, so the order of rows does not matter."""

    as_of: float
    created_after: float | None
    created_before: float | None
    complete: bool
    """Whether everything was read."""
    pending: int
    rows: int
    """Hash of the rows selected."""
    content: int
    """Hash of the rows with the records that each lists, and of the missing records with the rows that wait."""
    newest: float | None
    """Latest readable creation time of a row."""
    within: list[int]
    """Rows that can expire within each of `SPANS`; those with an unreadable expiry among them."""
    missing: int
    top: list[tuple[str, str, int]]
    """(schema, external id, rows that wait for it): the first missing records by rank, as many as fit."""

    @property
    def is_sound(self) -> bool:
        """Whether lengths and times are those of a token that this module wrote."""
        times = (self.as_of, self.created_after or 0.0, self.created_before or 0.0)
        return all(0 <= time < _LAST_TIME for time in times) and len(self.within) == len(SPANS)


@dataclass(frozen=True, slots=True)
class TokenBinding:
    """Ties a token to the tenant it is of.

    With a key, which all replicas have to share, a token cannot be forged. Without one it is bound to tenant and filter
    by a plain hash: a forged token can only make its own comparison wrong.
    """

    tenant: str = ""
    key: bytes = b""

    def tag(self, payload: bytes, question: str) -> bytes:
        """Return the hash that binds a payload to tenant and question."""
        texts = [text.encode("utf-8", "surrogatepass") for text in (VERSION, self.tenant, question)]
        message = msgspec.msgpack.encode((*texts, payload))
        digest = hmac.digest(self.key, message, "sha256") if self.key else hashlib.sha256(message).digest()
        return digest[:_TAG_BYTES]


def write_token(state: TokenState, binding: TokenBinding, question: str) -> str:
    """Return a token of at most `MAX_TOKEN_CHARS` characters; missing records that do not fit are left out."""
    payload = msgspec.msgpack.encode(state)
    token = VERSION + urlsafe_b64encode(binding.tag(payload, question) + payload).decode().rstrip("=")
    if len(token) > MAX_TOKEN_CHARS:
        return write_token(msgspec.structs.replace(state, top=state.top[:-1]), binding, question)
    return token


def read_token(token: str, binding: TokenBinding, question: str) -> TokenState:
    """Return the facts in a token.

    Raises:
        QuestionError: it is no token, was cut or altered, or was made for another tenant or filter.
    """
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise QuestionError("`since` is not a token of this server.", _ADVICE)
    try:
        body = urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4))
        tag, payload = body[:_TAG_BYTES], body[_TAG_BYTES:]
        if not hmac.compare_digest(tag, binding.tag(payload, question)):
            raise ValueError("tag")
        state = msgspec.msgpack.decode(payload, type=TokenState)
    except ValueError:  # binascii.Error and msgspec's errors are ValueErrors
        state = None
    if state is None or not state.is_sound:
        raise QuestionError("The `since` token was cut, altered, or made for another tenant or other filters.", _ADVICE)
    return state
