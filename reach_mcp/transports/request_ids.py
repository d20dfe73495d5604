"""Request ids that both transports answer to: a text or a whole number, bounded because each answer repeats it."""

from __future__ import annotations

MAX_ID_CHARS = 256
WRONG_ID = f"The request id must be a text of at most {MAX_ID_CHARS} characters or a whole number."


def usable_id(value: object) -> str | int | None:
    """The id as it may be repeated, None for any other value."""
    usable = isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) <= MAX_ID_CHARS
    return value if usable else None  # type: ignore[return-value]  # checked above
