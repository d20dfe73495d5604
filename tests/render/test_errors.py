"""An error keeps a budget as any answer does, whatever Reach said."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from reach_mcp.api.errors import BadRequest
from reach_mcp.render.errors import BUDGET, describe_error
from tests.contract.tokens import count_tokens

WIDE = "\U0001f9fe漢\x00\u202e\"'\\"
"""Characters that cost most: several tokens each."""

said = st.text(max_size=300) | st.integers(1, 3000).map(lambda times: WIDE * times)


@given(st.lists(said, max_size=9), said, st.none() | st.floats(0, 1e6))
@example([WIDE * 3000] * 1000, WIDE * 3000, 1e6)
def test_error_with_anything_that_reach_said_keeps_the_least_budget(
    quotes: list[str], request_id: str, wait: float | None
) -> None:
    """A refusal may list a thousand faults, each a page long: the advice must still be what is read."""
    error = BadRequest(quotes=quotes, request_id=request_id, retry_after=wait)

    text = describe_error(error, "k72")

    assert count_tokens(text) <= BUDGET
    assert text.startswith(str(error))
    assert text.count('"') == text.count('k72"') * 2


def test_error_within_the_budget_quotes_five_things_at_length() -> None:
    """Whoever can be shown all is shown all."""
    fault = "a name is missing, " * 10

    text = describe_error(BadRequest(quotes=[fault] * 7), "k72")

    assert text.count(fault) == 5
    assert text.endswith(" and 2 more.")
