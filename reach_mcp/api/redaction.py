"""Removes secrets from upstream text: an API may repeat the credential in its errors, plain or encoded."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
MIN_SECRET_CHARS = 8
"""A shorter text is no secret, and would match parts of ordinary words."""


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every form of every secret replaced."""
    return remove(text, secret_forms(secrets))


def remove(text: str, forms: Iterable[str]) -> str:
    """The text with each of the forms replaced."""
    for form in forms:
        text = text.replace(form, REDACTED)
    return text


def redact_bytes(body: bytes, secrets: Iterable[str]) -> bytes:
    """The same for an undecoded body."""
    for form in secret_forms(secrets):
        body = body.replace(form.encode(), REDACTED.encode())
    return body


def secret_forms(secrets: Iterable[str]) -> list[str]:
    """The secrets and, of JWTs, the signatures: without it the rest is no credential. The longest first."""
    parts = {
        part for secret in secrets for part in (secret, secret.rpartition(".")[2] if secret.count(".") == 2 else "")
    }
    forms = {form for part in parts if len(part) >= MIN_SECRET_CHARS for form in _encodings(part)}
    return sorted(forms, key=len, reverse=True)


def _encodings(secret: str) -> Iterator[str]:
    quoted, escaped, raw = quote(secret, safe=""), json.dumps(secret)[1:-1], secret.encode()
    yield from (secret, quoted, quoted.lower(), quote_plus(secret), escaped, escaped.replace("/", r"\/"))
    yield from (raw.hex(), raw.hex().upper(), base64.b32encode(raw).decode().rstrip("="))
    yield from (quote(quoted, safe=""), f"%{raw.hex('%')}", f"%{raw.hex('%')}".upper())
    for offset, start in ((0, 0), (1, 2), (2, 3)):  # base64 of a longer text that contains the secret
        encoded = base64.b64encode(bytes(offset) + raw).decode()[start : (offset + len(raw)) * 8 // 6]
        yield from (encoded, encoded.replace("+", "-").replace("/", "_"))
