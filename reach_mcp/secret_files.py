"""Secrets, and files that hold them or the callers of this server."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from pydantic import SecretStr

from reach_mcp.settings import ConfigurationError

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def secret(value: SecretStr | None, file: Path | None, name: str) -> str | None:
    """A secret from its setting, else from its file. None when neither is set."""
    if value is not None:
        return value.get_secret_value().strip()
    if file is None:
        return None
    return read_secret(file, f"{name}_FILE")


def read_secret(file: Path, name: str, content: str = "the secret") -> str:
    """The text of a file without surrounding white space. Raises ConfigurationError when it has none.

    `name` is the setting that names the file, and `content` says in the error what the file is for.
    """
    try:
        read = file.read_bytes()
        # PowerShell and Notepad write a byte order mark, the former with UTF-16.
        text = read.decode("utf-16" if read.startswith(UTF16_MARKS) else "utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is not text"
        raise ConfigurationError(
            f"{name} can't be read: {reason}. Name a readable file that holds {content}."
        ) from None
    if not text:
        raise ConfigurationError(f"{name} names an empty file. Put {content} into it.")
    return text
