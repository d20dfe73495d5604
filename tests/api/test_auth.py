"""Credentials: which one the settings give, when tokens are renewed, and that secrets never show."""

from __future__ import annotations

import warnings
from pathlib import Path

import jwt
import pytest

from reach_mcp.api.auth import RENEWAL_SECONDS, PartnerSecret, build_credential, token_end
from reach_mcp.api.errors import CredentialMissing, Unauthorized
from reach_mcp.settings import ConfigurationError, load_settings

NOW = 1_795_000_000.0 // RENEWAL_SECONDS * RENEWAL_SECONDS
SECRET = "s" * 40


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def partner(clock: Clock, secret: str = SECRET) -> PartnerSecret:
    return PartnerSecret("p1", lambda: secret, clock=clock)


def claims(token: str) -> dict[str, object]:
    return jwt.decode(token, options={"verify_signature": False})


def test_a_partner_jwt_has_the_documented_claims_and_lives_an_hour_at_most() -> None:
    token = partner(Clock()).token()
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    issued = int(NOW) - 30
    assert claims(token) == {"partnerId": "p1", "type": "partner", "iat": issued, "exp": issued + 3600}


def test_a_partner_jwt_is_kept_until_shortly_before_its_end() -> None:
    clock = Clock()
    credential = partner(clock)
    first = credential.token()
    clock.now += RENEWAL_SECONDS - 1
    assert credential.token() == first
    clock.now += 1
    assert credential.token() != first
    assert (token_end(first) or 0) - clock.now == 270


@pytest.mark.parametrize("skew", [3599, -3599, -1])
def test_a_refused_jwt_is_signed_again_by_the_clock_of_the_api(skew: int) -> None:
    credential = partner(Clock())
    assert credential.renew(credential.token(), server_time=NOW + skew)
    ends = token_end(credential.token()) or 0
    assert 0 < ends - (NOW + skew) <= 3600


@pytest.mark.parametrize(
    ("skew", "named"),
    [(3601, "by about 1 h."), (7200, "about 2 h."), (12 - 86_400 * 365, "by about 8760 h."), (2.5e11, " h.")],
)
def test_clocks_that_differ_by_more_than_an_hour_are_an_error_that_names_it(skew: float, named: str) -> None:
    credential = partner(Clock())
    before = credential.token()
    with pytest.raises(Unauthorized, match=named):
        credential.renew(before, server_time=NOW + skew)
    assert credential.token() == before


def test_a_rotated_secret_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("a" * 40)
    credential = build_credential(load_settings(partner_id="p1", jwt_secret_file=file))
    refused = credential.token()
    file.write_text("b" * 40 + "\n")
    assert credential.renew(refused, server_time=None)
    jwt.decode(credential.token(), "b" * 40, algorithms=["HS256"])
    assert set(credential.secrets()) == {"a" * 40, "b" * 40, refused, credential.token()}


@pytest.mark.parametrize("secret", ["", "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----"])
def test_a_secret_that_cannot_sign_is_named(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="REACH_JWT_SECRET"):
        partner(Clock(), secret).token()


def test_a_short_secret_signs_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert partner(Clock(), "short").token()


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first.token\n")
    credential = build_credential(load_settings(api_token_file=file))
    assert [credential.token(), credential.token()] == ["first.token"] * 2
    assert not credential.renew("first.token", server_time=None)
    file.write_text("second.token")
    assert credential.renew("first.token", server_time=None)
    assert credential.secrets() == ["first.token", "second.token"]
    file.unlink()
    with pytest.raises(ConfigurationError, match="REACH_API_TOKEN_FILE"):
        credential.token()


@pytest.mark.parametrize("token", ["", "Bearer abc.def", "two\nlines", "smart“quotes”", '"quoted-token"'])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(CredentialMissing, match="REACH_API_TOKEN_FILE names, holds no token") as raised:
        build_credential(load_settings(api_token=token)).token()
    assert not token or token not in str(raised.value)


def test_the_first_complete_credential_of_the_settings_is_used(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from.file")
    settings = {"api_token_file": str(tmp_path / "token"), "partner_id": "p", "jwt_secret": "s"}
    assert build_credential(load_settings(api_token="a.b.c", **settings)).token() == "a.b.c"
    assert build_credential(load_settings(**settings)).token() == "from.file"
    del settings["api_token_file"]
    assert claims(build_credential(load_settings(**settings)).token())["partnerId"] == "p"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"partner_id": "p"}, "lacks REACH_JWT_SECRET"),
        ({"jwt_secret": "s3cret"}, "lacks REACH_PARTNER_ID"),
        ({}, "Set REACH_API_TOKEN"),
    ],
)
def test_a_half_set_credential_names_the_missing_half(given: dict[str, str], missing: str) -> None:
    credential = build_credential(load_settings(**given))
    with pytest.raises(CredentialMissing, match=missing) as raised:
        credential.token()
    assert "s3cret" not in f"{raised.value} {credential!r}"
    assert credential.secrets() == []


def test_the_end_of_a_token_is_read_without_its_secret() -> None:
    payloads: list[dict[str, object]] = [{"exp": 5}, {}, {"exp": 1e300}, {"exp": "x"}]
    assert [token_end(jwt.encode(one, SECRET, algorithm="HS256")) for one in payloads] == [5.0, None, None, None]
    assert [token_end(token) for token in ("", "opaque", "a.b.c", "\ud83d")] == [None] * 4
