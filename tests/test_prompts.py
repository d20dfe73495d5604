"""Prompts are Markdown files with TOML front matter; arguments are data, quoted and without hidden characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from reach_mcp.prompts import PromptFileError, PromptRefused, load_prompts, parse_prompt

HEAD = 'title = "T"\ndescription = "D"\n'
ARGUMENT = '[[arguments]]\nname = "batch_id"\ndescription = "the id"\nrequired = true\n'
SINCE = '[[arguments]]\nname = "since"\ndescription = "start"\nrequired = false\n'
SOURCE = f"+++\n{HEAD}{ARGUMENT}{SINCE}+++\nExplain {{batch_id}}.\nSince {{since}}.\nEnd.\n"


def test_shipped_prompts_load() -> None:
    prompts = load_prompts()

    assert {"triage_stuck_batches", "explain_batch", "ingest_health_report"} <= set(prompts)
    assert all(prompt.published.title and prompt.published.description for prompt in prompts.values())


def test_values_are_quoted_and_lines_without_a_value_left_out() -> None:
    prompt = parse_prompt(SOURCE, "explain")

    assert prompt.render({"batch_id": 'b"1', "since": ""}) == 'Explain "b\\"1".\nEnd.'
    assert 'Since "24h".' in prompt.render({"batch_id": "b1", "since": "24h"})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "batch_id is missing (the id)"),
        ({"batch_id": "b", "batchid": "x"}, "unknown argument 'batchid' (did you mean batch_id?)"),
        ({"batch_id": "b" * 201}, "batch_id is longer than 200 characters"),
        *[
            ({"batch_id": f"b{hidden}"}, "batch_id contains control or invisible characters")
            for hidden in [
                "\u200b1",
                "\u180b1",
                "\u28001",
                "\u034f1",
                "\u31641",
                "\u202e1",
                "\x071",
                "\U000e01001",
                "\u00a01",
            ]
        ],
    ],
)
def test_wrong_arguments_are_refused(values: dict[str, str], expected: str) -> None:
    with pytest.raises(PromptRefused) as caught:
        parse_prompt(SOURCE, "explain").render(values)

    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("no front matter", "it must start with TOML"),
        ("+++\ntitle = \n+++\ntext", "Invalid value"),
        ('+++\ntitle = "T"\n+++\ntext', "it takes arguments, description, title"),
        (f"+++\n{HEAD}[[arguments]]\nname = 'x'\n+++\ntext", "each argument takes description, name, required"),
        (f"+++\n{HEAD}+++\ntext {{nope}}", "nope, which is no argument"),
    ],
)
def test_wrong_file_is_named(source: str, expected: str) -> None:
    with pytest.raises(PromptFileError) as caught:
        parse_prompt(source, "broken")

    assert "broken.md" in str(caught.value)
    assert expected in str(caught.value)


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PromptFileError):
        load_prompts([tmp_path / "none"])
