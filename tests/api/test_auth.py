"""Credentials: which one the settings give, when tokens are renewed, and that secrets never show."""

from __future__ import annotations

import warnings
from pathlib import Path

import jwt
import pytest
from pydantic import SecretStr

from reach_mcp.api.auth import (
    Credential,
    PartnerSecret,
    StaticToken,
    TokenFile,
    build_credential,
    check_token,
    token_end,
)
from reach_mcp.api.errors import ClockSkewed, CredentialMissing
from reach_mcp.settings import ConfigurationError, load_settings

NOW = 1_795_000_000.0
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
    clock.now += 3600 - 30 - 301
    assert credential.token() == first
    clock.now += 2
    assert credential.token() != first


@pytest.mark.parametrize("skew", [3599, -3599, 60])
def test_a_refused_jwt_is_signed_again_by_the_clock_of_the_api(skew: int) -> None:
    clock = Clock()
    credential = partner(clock)
    refused = credential.token()
    assert credential.renew(refused, server_time=NOW + skew)
    renewed = claims(credential.token())
    assert (renewed["iat"], renewed["exp"]) == (int(NOW) - 30 + skew, int(NOW) + 3570 + skew)


@pytest.mark.parametrize(("skew", "named"), [(3601, "1 h"), (-86_400 * 365, "365 d"), (2.5e11, "d")])
def test_clocks_that_differ_by_more_than_an_hour_are_an_error_that_names_it(skew: float, named: str) -> None:
    credential = partner(Clock())
    before = credential.token()
    with pytest.raises(ClockSkewed, match=named):
        credential.renew(before, server_time=NOW + skew)
    assert credential.token() == before


def test_a_refused_jwt_that_would_be_the_same_is_not_sent_again() -> None:
    credential = partner(Clock())
    assert not credential.renew(credential.token(), server_time=NOW)
    assert not credential.renew(credential.token(), server_time=None)


def test_a_rotated_secret_file_is_read_after_a_refusal(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("text", ["${REACH_API_TOKEN}", "{{ token }}", "$TOKEN", "%TOKEN%", "<your token>"])
def test_an_unfilled_placeholder_is_named(text: str) -> None:
    with pytest.raises(CredentialMissing) as raised:
        StaticToken(SecretStr(text)).token()
    assert f"REACH_API_TOKEN holds the unfilled placeholder {text}." == raised.value.message


@pytest.mark.parametrize("token", ["", "Bearer abc.def", "two\nlines", "smart“quotes”"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(CredentialMissing, match="REACH_X holds no token") as raised:
        check_token(token, "REACH_X")
    assert not token or token not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"api_token": "a.b.c", "api_token_file": "f", "partner_id": "p"}, "token"),
        ({"api_token_file": "f", "partner_id": "p", "jwt_secret": "s"}, "token_file"),
        ({"partner_id": "p", "jwt_secret": "s"}, "partner_secret"),
        ({"partner_id": "p", "jwt_secret_file": "f"}, "partner_secret"),
        ({}, "none"),
    ],
)
def test_the_first_complete_credential_of_the_settings_is_used(given: dict[str, str], kind: str) -> None:
    assert build_credential(load_settings(**given)).kind == kind


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"partner_id": "p"}, "REACH_JWT_SECRET"),
        ({"jwt_secret": "s3cret"}, "REACH_PARTNER_ID"),
        ({}, "REACH_API_TOKEN"),
    ],
)
def test_a_half_set_credential_names_the_missing_half(given: dict[str, str], missing: str) -> None:
    credential = build_credential(load_settings(**given))
    assert credential.kind == ("incomplete" if given else "none")
    with pytest.raises(CredentialMissing) as raised:
        credential.token()
    assert f"Set {missing}" in raised.value.advice
    assert "s3cret" not in f"{raised.value} {credential!r}"
    assert credential.secrets() == []


@pytest.mark.parametrize(
    ("payload", "end"), [({"exp": 5}, 5.0), ({}, None), ({"exp": 1e300}, None), ({"exp": "x"}, None)]
)
def test_the_end_of_a_token_is_read_without_its_secret(payload: dict[str, object], end: float | None) -> None:
    assert token_end(jwt.encode(payload, SECRET, algorithm="HS256")) == end


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "\ud83d"])
def test_a_token_that_is_no_jwt_has_no_end(token: str) -> None:
    assert token_end(token) is None


def test_no_secret_shows_in_a_repr(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("file.token.value")
    credentials: list[Credential] = [StaticToken(SecretStr("static.token")), TokenFile(file), partner(Clock())]
    for credential in credentials:
        credential.token()
        assert credential.secrets()
        assert not any(secret in repr(credential) for secret in credential.secrets())
