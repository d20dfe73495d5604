"""Write the lock files: exact versions with the hashes of every build of each, without naming an index.

`requirements.lock` has what a deployment needs, `deploy/build.lock` what builds the package itself. uv resolves both
for all platforms and Python versions that the package supports; nothing is installed.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = ("service", "otel")
OPTIONS = ("--universal", "--generate-hashes", "--no-emit-index-url", "--no-annotate", "--no-header", "--quiet")
HEADER = """\
# Written by .ci/lock.py for every platform and Python {python}: {content}.
# Install with: pip install --require-hashes -r {name}
"""


def resolve(requirements: list[str], python: str) -> str:
    """Pinned requirements with their hashes."""
    command = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS, "--python-version", python, "-"]
    listed = "\n".join(requirements)
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, input=listed).stdout


def main() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    extras = [requirement for name in EXTRAS for requirement in project["optional-dependencies"][name]]
    content = f"the package with {' and '.join(EXTRAS)}"
    locks = (
        ("requirements.lock", content, [*project["dependencies"], *extras]),
        ("deploy/build.lock", "its build backend", settings["build-system"]["requires"]),
    )
    python = project["requires-python"].removeprefix(">=")
    for name, content, requirements in locks:
        header = HEADER.format(python=project["requires-python"], content=content, name=name)
        (ROOT / name).write_text(header + resolve(requirements, python), encoding="utf-8")


if __name__ == "__main__":
    main()
