"""Credentials for the Reach API: a token, a token file, or a partner secret that signs its own JWTs."""

from __future__ import annotations

import re
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import jwt
from pydantic import SecretStr

from reach_mcp.api.errors import ClockSkewed, CredentialMissing
from reach_mcp.api.headers import format_age, http_date
from reach_mcp.settings import ConfigurationError, Settings, read_secret, secret

JWT_SECONDS = 3600
"""Seconds a signed JWT is valid: the recommendation of Reach."""
RENEWAL_SECONDS = 300
"""Seconds before its end at which a JWT is replaced."""
BACKDATED_SECONDS = 30
"""Seconds that `iat` lies in the past, for clocks that disagree a little."""
MAX_SKEW_SECONDS = 3600
"""The API's clock is followed up to this difference from ours; beyond it one of the two is wrong."""

_PLACEHOLDER = re.compile(r"\$?\{+[^{}]*\}+|\$\w+|%\w+%|<[^<>]*>")


class Credential:
    """A source of bearer tokens, asked once per request. Neither its repr nor its errors show a secret.

    The base class has no token: the server starts without a credential, and each call says which settings to set.
    """

    kind = "none"
    """token | token_file | partner_secret | incomplete | none: for status displays."""
    refusal_advice = ""
    """Advice on a 401 where the general one does not fit."""

    def token(self) -> str:
        """The token to send now. Raises CredentialMissing or ConfigurationError."""
        raise CredentialMissing

    def renew(self, refused: str, *, server_time: float | None) -> bool:  # noqa: ARG002 - for PartnerSecret
        """Return True if, after a 401, `token()` now gives another token than the refused one."""
        return self.token() != refused

    def secrets(self) -> list[str]:
        """Every secret that upstream text could repeat."""
        return []


@dataclass(repr=False)
class IncompleteCredential(Credential):
    """Settings that name one half of a credential."""

    message: str
    advice: str
    kind = "incomplete"

    def token(self) -> str:
        raise CredentialMissing(self.message, advice=self.advice)


@dataclass
class StaticToken(Credential):
    """A JWT from the settings. It cannot be renewed."""

    value: SecretStr
    kind = "token"

    def token(self) -> str:
        return check_token(self.value.get_secret_value().strip(), "REACH_API_TOKEN")

    def secrets(self) -> list[str]:
        return [self.value.get_secret_value().strip()]


@dataclass
class TokenFile(Credential):
    """A file that another program keeps fresh. It is read for each request, so a change works at once."""

    path: Path
    kind = "token_file"
    _sent: deque[str] = field(default_factory=lambda: deque(maxlen=4), repr=False)

    def token(self) -> str:
        token = check_token(read_secret(self.path, "REACH_API_TOKEN_FILE"), "REACH_API_TOKEN_FILE")
        if token not in self._sent:
            self._sent.append(token)
        return token

    def secrets(self) -> list[str]:
        return list(self._sent)


@dataclass
class PartnerSecret(Credential):
    """Signs partner JWTs (HS256) and replaces each before its end, by the API's clock where that is known."""

    partner_id: str
    read: Callable[[], str] = field(repr=False)
    clock: Callable[[], float] = time.time
    kind = "partner_secret"
    refusal_advice = "Check REACH_PARTNER_ID and REACH_JWT_SECRET: Reach did not accept a JWT signed with them."
    _skew: float = field(default=0.0, repr=False)
    _ends: float = field(default=0.0, repr=False)
    _keys: deque[str] = field(default_factory=lambda: deque(maxlen=4), repr=False)
    _sent: deque[str] = field(default_factory=lambda: deque(maxlen=4), repr=False)

    def token(self) -> str:
        now = self.clock() + self._skew
        if now >= self._ends - RENEWAL_SECONDS:
            issued = int(now) - BACKDATED_SECONDS
            self._sent.append(self._sign(issued))
            self._ends = issued + JWT_SECONDS
        return self._sent[-1]

    def renew(self, refused: str, *, server_time: float | None) -> bool:
        """Sign again by the API's clock: that corrects a skewed `iat` and a changed secret file.

        Several requests may be refused at once: each compares with the token that it sent itself.
        Raises ClockSkewed where the clocks differ by more than an hour.
        """
        skew = self._skew if server_time is None else server_time - self.clock()
        if abs(skew) > MAX_SKEW_SECONDS:
            raise ClockSkewed(f"This machine's clock and the Reach API's clock differ by {format_age(abs(skew))}.")
        self._skew = skew
        self._ends = 0.0
        return super().renew(refused, server_time=server_time)

    def secrets(self) -> list[str]:
        return [*self._keys, *self._sent]

    def _sign(self, issued: int) -> str:
        claims = {"partnerId": self.partner_id, "type": "partner", "iat": issued, "exp": issued + JWT_SECONDS}
        key = self.read()
        if key not in self._keys:
            self._keys.append(key)
        try:
            with warnings.catch_warnings():  # the length of the secret is Reach's choice
                warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
                return jwt.encode(claims, key, algorithm="HS256")
        except jwt.PyJWTError:
            raise ConfigurationError("REACH_JWT_SECRET can't sign: it is empty, or a key of another kind.") from None


@dataclass
class BearerAuth(httpx.Auth):
    """Sends the token of a credential, and once more after a 401 if the credential can be renewed."""

    credential: Credential

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self.credential.token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code != 401:
            return
        server_time = http_date(response.headers.get("date", ""))
        if self.credential.renew(token, server_time=server_time):
            request.headers["Authorization"] = f"Bearer {self.credential.token()}"
            yield request


def check_token(token: str, name: str) -> str:
    """The token, if it can be sent in a header. Raises CredentialMissing that names the setting."""
    if _PLACEHOLDER.fullmatch(token):
        raise CredentialMissing(
            f"{name} holds the unfilled placeholder {token[:80]}.",
            advice="Set it to a JWT: the program that starts this server did not fill the placeholder in.",
        )
    if not re.fullmatch("[!-~]+", token):
        raise CredentialMissing(
            f"{name} holds no token.",
            advice="A JWT is one line without spaces: set it without 'Bearer', quotes or line breaks.",
        )
    return token


def build_credential(settings: Settings) -> Credential:
    """The credential that the settings name: a token, then a token file, then a partner secret, then none."""
    if settings.api_token is not None:
        return StaticToken(settings.api_token)
    if settings.api_token_file is not None:
        return TokenFile(settings.api_token_file)
    has_secret = settings.jwt_secret is not None or settings.jwt_secret_file is not None
    if settings.partner_id and has_secret:
        return PartnerSecret(
            settings.partner_id,
            lambda: secret(settings.jwt_secret, settings.jwt_secret_file, "REACH_JWT_SECRET") or "",
        )
    if settings.partner_id:
        return IncompleteCredential(
            "REACH_PARTNER_ID is set, but the secret that signs JWTs is missing.",
            "Set REACH_JWT_SECRET or REACH_JWT_SECRET_FILE as well, and start the server again.",
        )
    if has_secret:
        return IncompleteCredential(
            "The secret that signs JWTs is set, but REACH_PARTNER_ID is missing.",
            "Set REACH_PARTNER_ID as well, and start the server again.",
        )
    return Credential()


def token_end(token: str) -> float | None:
    """The `exp` of a JWT in Unix seconds, read without verifying it; None where it has none."""
    try:
        end = jwt.decode(token, options={"verify_signature": False}).get("exp")
    except (jwt.PyJWTError, UnicodeEncodeError):
        return None
    return float(end) if isinstance(end, int | float) and abs(end) < 1e12 else None
