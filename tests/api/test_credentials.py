"""What is shown to Reach: which source it comes from, when it is renewed, and that it shows nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from reach_mcp.api.credentials import (
    LEEWAY,
    LIFE,
    Credential,
    PartnerSecret,
    StaticToken,
    TokenFile,
    build_credential,
    token_end,
)
from reach_mcp.api.errors import CredentialMissing
from reach_mcp.settings import ConfigurationError, Settings

SECRET = "shared-with-reach-and-nobody-else"
NOW = 1_795_435_200.0

NOTHING: dict[str, Any] = {}
TOKEN: dict[str, Any] = {"api_token": SecretStr("t")}
FILE: dict[str, Any] = {"api_token_file": Path("token")}
PARTNER: dict[str, Any] = {"partner_id": "p", "jwt_secret": SecretStr(SECRET)}


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def settings(**given: Any) -> Settings:
    """Settings by the names of their fields, which the type checker knows by their names in the environment alone."""
    return Settings(**given)


def partner(clock: Clock, secret: str = SECRET) -> PartnerSecret:
    return PartnerSecret("partner-7", lambda: secret, clock)


def claims(token: str, secret: str = SECRET) -> dict[str, Any]:
    return jwt.decode(token, secret, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})


# Partner JWTs


def test_partner_jwt_bears_what_reach_documents() -> None:
    """`partnerId` and `type`, HS256; the life is the hour that Reach recommends."""
    token = partner(Clock()).token()

    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert claims(token) == {"partnerId": "partner-7", "type": "partner", "iat": NOW - 30, "exp": NOW + 3600}


def test_partner_jwt_serves_until_shortly_before_its_end() -> None:
    """Renewed early, so that a call that begins with it ends with it; not at every request."""
    clock = Clock()
    credential = partner(clock)
    first = credential.token()

    clock.now = NOW + LIFE - LEEWAY - 1
    kept = credential.token()
    clock.now = NOW + LIFE - LEEWAY
    renewed = credential.token()

    assert kept == first
    assert claims(renewed)["exp"] == clock.now + LIFE


def test_refused_jwt_is_signed_anew_by_the_clock_of_reach() -> None:
    """A machine whose clock is two hours fast signs tokens of the future, which are refused until they are mended."""
    clock = Clock(NOW + 7200)
    credential = partner(clock)

    assert credential.renew(credential.token(), server_time=NOW)
    assert claims(credential.token())["iat"] == NOW - 30

    clock.now += LIFE - LEEWAY
    assert claims(credential.token())["exp"] == NOW + LIFE - LEEWAY + LIFE


def test_refused_jwt_is_not_tried_again_unchanged() -> None:
    """With the right clock and the same secret the next token would be refused as well."""
    credential = partner(Clock())

    assert not credential.renew(credential.token(), server_time=None)
    assert not credential.renew(credential.token(), server_time=NOW)


def test_requests_refused_together_take_the_token_that_the_first_of_them_renewed() -> None:
    """Four requests in flight are refused at once; three of them must not fail because one was faster."""
    credential = partner(Clock(NOW + 7200))
    refused = credential.token()

    assert [credential.renew(refused, server_time=NOW) for _ in range(4)] == [True] * 4


def test_rotated_secret_file_is_read_after_a_refusal(tmp_path: Path) -> None:
    """Secrets are rotated while the server runs."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    credential = build_credential(settings(partner_id="partner-7", jwt_secret_file=file))
    refused = credential.token()

    file.write_text("the-next-secret-that-is-shared-now\n")

    assert credential.renew(refused, server_time=None)
    assert claims(credential.token(), "the-next-secret-that-is-shared-now")["partnerId"] == "partner-7"


def test_secret_that_cannot_be_read_is_asked_for_again_at_the_next_call(tmp_path: Path) -> None:
    """A file that was missing for a moment must not leave an empty token behind for an hour."""
    file = tmp_path / "secret"
    credential = build_credential(settings(partner_id="partner-7", jwt_secret_file=file))

    with pytest.raises(ConfigurationError, match="REACH_JWT_SECRET_FILE can't be read"):
        credential.token()
    file.write_text(SECRET)

    assert claims(credential.token())["type"] == "partner"


@pytest.mark.parametrize("secret", ["", "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----"])
def test_secret_that_signs_nothing_is_named(secret: str) -> None:
    """The message names the variable and not its value."""
    with pytest.raises(ConfigurationError) as raised:
        partner(Clock(), secret).token()

    assert str(raised.value) == "REACH_JWT_SECRET can't sign: it is empty, or a key of another kind."


# Tokens as given


def test_static_token_is_sent_as_given_and_never_renewed() -> None:
    """It was given once; there is nobody to ask for another."""
    credential = StaticToken(SecretStr(" abc.def.ghi\n"))

    assert credential.token() == "abc.def.ghi"
    assert not credential.renew("abc.def.ghi", server_time=NOW)


def test_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """Whoever keeps it fresh writes a new token every hour; the server need not be started again."""
    file = tmp_path / "token"
    file.write_text("first\n")
    credential = TokenFile(file)
    first = credential.token()

    next_file = tmp_path / "next"
    next_file.write_text("second\n")
    next_file.replace(file)

    assert (first, credential.token()) == ("first", "second")


def test_refused_token_file_is_tried_again_if_it_has_changed(tmp_path: Path) -> None:
    """Whoever keeps it fresh may be a moment late."""
    file = tmp_path / "token"
    file.write_text("first")
    credential = TokenFile(file)

    assert not credential.renew("first", server_time=None)
    file.write_text("other")
    assert credential.renew("first", server_time=None)


def test_token_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    """Each call says what to put right, and the next one works once it is."""
    file = tmp_path / "token"
    credential = TokenFile(file)

    with pytest.raises(ConfigurationError, match="REACH_API_TOKEN_FILE can't be read: No such file"):
        credential.token()
    file.write_text("\n")
    with pytest.raises(ConfigurationError, match="REACH_API_TOKEN_FILE names an empty file"):
        credential.token()
    file.write_text("there")
    assert credential.token() == "there"


def test_no_credential_says_what_to_set() -> None:
    """The server starts without one; each call then tells the way out."""
    credential = Credential()

    with pytest.raises(CredentialMissing) as raised:
        credential.token()

    assert str(raised.value) == (
        "No Reach credential is set. Set REACH_API_TOKEN or REACH_API_TOKEN_FILE (a JWT), or REACH_PARTNER_ID with "
        "REACH_JWT_SECRET or REACH_JWT_SECRET_FILE (the server then signs its own), and start the server again; "
        "or start it with --demo to try it without one."
    )


# Which source


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (TOKEN | FILE | PARTNER, StaticToken),
        (FILE | PARTNER, TokenFile),
        (PARTNER, PartnerSecret),
        ({"partner_id": "p", "jwt_secret_file": Path("s")}, PartnerSecret),
        ({"partner_id": "p"}, Credential),
        ({"jwt_secret": SecretStr(SECRET)}, Credential),
        (NOTHING, Credential),
    ],
)
def test_most_particular_setting_wins(given: dict[str, Any], kind: type[Credential]) -> None:
    """A token for one tenant stands before a secret for all of them; half a pair of settings is none."""
    assert type(build_credential(settings(**given))) is kind


# The end of a token


@pytest.mark.parametrize(
    ("payload", "end"),
    [({"exp": 1_700_000_000}, 1_700_000_000.0), ({"exp": 1.5e9}, 1.5e9), ({"exp": "soon"}, None), ({}, None)],
)
def test_end_of_a_token_is_read_without_its_secret(payload: dict[str, Any], end: float | None) -> None:
    """A tenant token's secret is not ours, but when it ended is no secret."""
    token = jwt.PyJWT().encode(payload, SECRET, algorithm="HS256")

    assert token_end(token) == end


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "ä.ö.ü", "half-a-pair-\ud83d"])
def test_token_that_is_no_jwt_has_no_end(token: str) -> None:
    """Reach documents JWTs; whatever else is set is passed on and not judged here."""
    assert token_end(token) is None


# Secrecy


@pytest.mark.parametrize(
    "credential",
    [StaticToken(SecretStr(SECRET)), PartnerSecret("p", lambda: SECRET), TokenFile(Path("token"))],
    ids=lambda credential: type(credential).__name__,
)
def test_no_secret_shows_in_a_repr(credential: Credential, tmp_path: Path) -> None:
    """A repr ends up in logs and tracebacks. Neither the secret nor the token that it signed may."""
    if isinstance(credential, TokenFile):
        credential.path = tmp_path / "token"
        credential.path.write_text(SECRET)
    token = credential.token()

    for shown in (repr(credential), str(credential)):
        assert SECRET not in shown
        assert token not in shown
