"""The file of callers: rotation, expiry, edits while the server runs, and errors that name caller and key."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reach_mcp.settings import ConfigurationError
from reach_mcp.transports import callers as module
from reach_mcp.transports.auth import MAX_RATES, Rates
from reach_mcp.transports.callers import StaticCallers, digest, parse_callers
from reach_mcp.transports.refusals import Refusal
from tests.helpers import settings_of

pytestmark = pytest.mark.anyio

HASH = f"sha256:{digest('first-token').hex()}"
SECOND = f"sha256:{digest('second-token').hex()}"
ONE = f'[callers.chat]\ntokens = ["{HASH}"]\ntenants = ["acme"]\n'


async def test_file_is_followed_while_the_server_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "callers.toml"
    file.write_text(ONE)
    callers = StaticCallers(settings_of(callers_file=file))

    async def tenants(token: str) -> object:
        try:
            return (await callers.find(token)).tenants
        except Refusal as refusal:
            return refusal.reason.partition(". ")[0]

    first = await tenants("first-token")
    file.write_text(f'[callers.chat]\ntokens = ["{HASH}", "{SECOND}"]\ntenants = ["acme", "globex"]\n')
    rotated = [await tenants("first-token"), await tenants("second-token")]
    file.write_text("[callers.chat\n")
    broken = [await tenants("first-token") for _ in range(3)]
    logged = [record for record in caplog.records if "the callers read before stay valid" in record.message]
    file.write_text(f'[callers.chat]\ntokens = ["{SECOND}"]\ntenants = "any"\nexpires = 2020-01-01T00:00:00Z\n')
    ended = [await tenants("first-token"), await tenants("second-token")]
    file.write_text(f'[callers.chat]\ntokens = ["{SECOND}"]\ntenants = "any"\nexpires = 2100-01-01T00:00:00+02:00\n')

    assert first == {"acme"}
    assert rotated == [{"acme", "globex"}] * 2
    assert broken == [{"acme", "globex"}] * 3
    assert len(logged) == 1
    assert ended == ["The bearer token is wrong", "The bearer token has expired"]
    assert await tenants("second-token") is None


async def test_change_that_could_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "callers.toml"
    file.write_text(ONE)
    callers = StaticCallers(settings_of(callers_file=file))
    file.write_text(ONE.replace(HASH, SECOND))

    def fail(*_: object) -> str:
        raise ConfigurationError("too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(module, "read_secret", fail)
        assert (await callers.find("first-token")).name == "chat"
    assert (await callers.find("first-token")).name == "chat"
    monkeypatch.setattr(time, "monotonic", lambda: float("inf"))
    with pytest.raises(Refusal):
        await callers.find("first-token")


async def test_token_that_is_restricted_in_the_file_is_restricted(tmp_path: Path) -> None:
    file = tmp_path / "callers.toml"
    file.write_text(ONE)
    callers = StaticCallers(settings_of(callers_file=file, auth_token="ops:first-token"))

    assert (await callers.find("first-token")).tenants == frozenset({"acme"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", "callers.toml: "),
        ("callers = 1", "each caller must be a table"),
        (f"{ONE}\n[other]\n", "each caller must be a table"),
        ("[callers]\n", "each caller must be a table"),
        ("[callers]\nchat = 1", "callers.chat must be one of"),
        (ONE.replace("chat", '"two words"'), "callers.'two words': a name has letters"),
        (ONE.replace("sha256:", ""), "callers.chat.tokens must be a list of"),
        (ONE.replace(f'["{HASH}"]', '"secret-1"'), "callers.chat.tokens must be a list of"),
        (ONE.replace(f'"{HASH}"', ""), "callers.chat.tokens must be a list of"),
        (ONE.replace('tenants = ["acme"]', ""), "callers.chat.tenants must be a list of tenant ids"),
        (ONE.replace('["acme"]', '"acme"'), "callers.chat.tenants must be a list of tenant ids"),
        (ONE.replace('"acme"', ""), "callers.chat.tenants must be a list of tenant ids"),
        (ONE.replace('"acme"', '""'), "callers.chat.tenants must be a list of tenant ids"),
        (ONE.replace('"acme"', '"acm\u00e9"'), "callers.chat.tenants must be a list of tenant ids in plain ASCII"),
        (f"{ONE}expires = 2027-01-01", "callers.chat.expires must be a date-time with its zone"),
        (f"{ONE}expires = 2027-01-01T00:00:00", "callers.chat.expires must be a date-time with its zone"),
        (f"{ONE}tenant = 1", "callers.chat.tenant must be one of tokens, tenants, expires"),
        (ONE + ONE.replace("chat", "other"), "callers.other.tokens has a token twice, or one of another caller"),
    ],
)
def test_wrong_file_is_named_with_caller_and_key(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_callers(text, Path("callers.toml"))

    assert str(caught.value).startswith("callers.toml: ")
    assert words in str(caught.value)
    assert "secret-1" not in str(caught.value)


def test_rate_refills_with_time_and_forgets_who_was_silent_for_longest() -> None:
    now = [0.0]
    rates = Rates(2, lambda: now[0])

    waits = [rates.wait("chat") for _ in range(3)]
    now[0] = 29.0
    early = rates.wait("chat")
    now[0] = 30.0
    later = [rates.wait("chat"), rates.wait("chat")]
    for number in range(MAX_RATES):
        rates.wait(f"other-{number}")

    assert waits == [0, 0, 30]
    assert early == 1
    assert later == [0, 30]
    assert rates.wait("chat") == 0
