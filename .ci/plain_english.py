"""Refuse words that make this repository harder to read. Exit code 1 and one line for each place where one occurs.

Checks the text of every file that git tracks. `PHRASES` are refused everywhere, `WORDS` in running text and code.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORDS = (
    ("anew", "again"),
    ("bear|bears|borne|bore", "have"),
    ("nought", "zero"),
    ("beside", "next to"),
    ("whom", "which, who"),
    ("mend|mends|mended|mending", "fix"),
    ("misfit|misfits", "argument error"),
    ("thereby", "so"),
    ("handshake era", "legacy protocol"),
    ("be it", "whether"),
    ("all the same", "still"),
    ("is to be|are to be", "has to be"),
)
"""Refused words, as alternatives of a regular expression, and the words to use instead."""
TRACES = (
    (r"/work/|/home/\w|/Users/\w", "a path of one machine"),
    (r"\bpypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org", "a registry's host name"),
    (r"\b(?:issue|case|task) #?\d+\b", "a number of a tracker"),
)
"""Patterns that tell where this was written and not what it does."""
EXCLUDED = (".ci/plain_english.py", "LICENSE", "tests/demo/hostile.py")
SUFFIXES = {".py", ".md", ".toml", ".json", ".yml", ".yaml", ".txt", ".lock", ""}


def list_files() -> list[Path]:
    """Text files that git tracks, or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    paths = [ROOT / name for name in names if name not in EXCLUDED]
    return [path for path in paths if path.suffix in SUFFIXES and path.is_file()]


def find_refused(text: str) -> Iterator[tuple[int, str]]:
    """Line number and complaint for each refused word."""
    patterns = [(re.compile(rf"\b(?:{word})\b", re.IGNORECASE), f"use: {better}") for word, better in WORDS]
    patterns += [(re.compile(trace), why) for trace, why in TRACES]
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, why in patterns:
            if match := pattern.search(line):
                yield number, f"{match[0]!r} ({why})"


def main() -> int:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {complaint}"
        for path in list_files()
        for number, complaint in find_refused(path.read_text(encoding="utf-8"))
    ]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
