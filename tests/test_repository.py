"""Rules of the repository that no linter knows: plain English, module size, typed values between layers."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "reach_mcp"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 300
EXTRAS = ("service", "otel")  # those of a deployment, as in .ci/lock.py
TYPED_LAYERS = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in ("analysis", "render")]


def load(name: str) -> ModuleType:
    """A script of .ci as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_no_file_uses_a_refused_word(capsys: pytest.CaptureFixture[str]) -> None:
    status = load("plain_english").main()

    assert (status, capsys.readouterr().out) == (0, "")


@pytest.mark.parametrize("text", ["It b" + "ears a mark.", "Bes" + "ide the list", "a path /wo" + "rk/main"])
def test_refused_words_are_found(text: str) -> None:
    assert next(load("plain_english").find_refused(f"fine\n{text}"))[0] == 2


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_short(path: Path) -> None:
    assert len(read(path).splitlines()) <= MAX_LINES


def list_annotations(path: Path) -> Iterator[tuple[str, str]]:
    """Names of public functions with each of their annotations."""
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            arguments = [*node.args.args, *node.args.posonlyargs, *node.args.kwonlyargs]
            for part in (*(argument.annotation for argument in arguments), node.returns):
                if part is not None:
                    yield node.name, ast.unparse(part)


@pytest.mark.parametrize("path", TYPED_LAYERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_layers_pass_typed_values(path: Path) -> None:
    loose = [
        f"{name}: {text}"
        for name, text in list_annotations(path)
        if re.search(r"\b[dD]ict\[str, Any\]|Mapping\[str, Any\]", text)
    ]

    assert loose == []


def test_the_development_group_is_the_development_extra() -> None:
    content = tomllib.loads(read(ROOT / "pyproject.toml"))

    assert content["dependency-groups"]["dev"] == [f"{content['project']['name']}[dev]"]


@pytest.mark.parametrize("name", ["requirements.lock", "deploy/build.lock"])
def test_a_lock_has_every_requirement_with_hashes_and_no_host(name: str) -> None:
    settings = tomllib.loads(read(ROOT / "pyproject.toml"))
    project, lock = settings["project"], read(ROOT / name)
    extras = [requirement for extra in EXTRAS for requirement in project["optional-dependencies"][extra]]
    run = [*project["dependencies"], *extras]
    needed = {"requirements.lock": run, "deploy/build.lock": settings["build-system"]["requires"]}[name]
    locked = re.findall(
        r"^([a-z0-9-]+)==[^\s;]+(?: ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", lock, re.MULTILINE
    )

    assert {re.split(r"[\[<>=]", requirement)[0] for requirement in needed} <= {found for found, _ in locked}
    assert len(locked) == len(re.findall(r"^[^# ]", lock, re.MULTILINE))
    assert "//" not in lock
