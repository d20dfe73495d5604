"""Prompts are Markdown files with TOML front matter; arguments are data, quoted and without hidden characters."""

from __future__ import annotations

import pytest

from reach_mcp.prompts import _SLOT, PromptRefused, load_prompts, parse_prompt

HEAD = 'title = "T"\ndescription = "D"\n'
ARGUMENT = '[[arguments]]\nname = "batch_id"\ndescription = "the id"\nrequired = true\n'
SINCE = '[[arguments]]\nname = "since"\ndescription = "start"\nrequired = false\n'
SOURCE = f"+++\n{HEAD}{ARGUMENT}{SINCE}+++\nExplain {{batch_id}}.\nSince {{since}}.\nEnd.\n"


def test_shipped_prompts_load() -> None:
    prompts = load_prompts()

    for prompt in prompts.values():
        assert set(_SLOT.findall(prompt.text)) <= {argument.name for argument in prompt.published.arguments or []}
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
