"""Write requirements.lock: exact versions and hashes of what the package needs, without naming an index.

pip resolves the dependencies for the Python and platform that run this script; nothing is installed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"


def resolve() -> list[dict[str, Any]]:
    """pip's report on the dependencies, the package itself left out."""
    options = ["--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    command = [sys.executable, "-m", "pip", "install", *options, "."]
    report = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    installs: list[dict[str, Any]] = json.loads(report)["install"]
    return [item for item in installs if not item.get("is_direct")]


def write_entry(item: dict[str, Any]) -> str:
    name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
    digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{name}=={item['metadata']['version']} \\\n    --hash=sha256:{digest}"


def main() -> None:
    header = f"# Written by .ci/lock.py for Python {sys.version_info[0]}.{sys.version_info[1]} on {sys.platform}.\n"
    use = "# Install with: pip install --require-hashes -r requirements.lock\n"
    entries = sorted(map(write_entry, resolve()))
    LOCK.write_text(header + use + "\n".join(entries) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
