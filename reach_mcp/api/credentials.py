"""What we show to Reach: a token, a token file, or a partner secret that signs its own JWTs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from pydantic import SecretStr

from reach_mcp.api.errors import CredentialMissing
from reach_mcp.settings import ConfigurationError, Settings, read_secret, secret

LIFE = 3600
"""Seconds a signed JWT lasts: what Reach recommends."""

LEEWAY = 300
"""Seconds before its end at which a JWT is renewed; a tenth of it is taken off `iat`, for clocks that disagree."""


class Credential:
    """A source of tokens, asked once a request. Neither the source nor its repr ever shows the token.

    As it stands it has none: the server starts all the same, and each call says what to set.
    """

    def token(self) -> str:
        """The token to send now. Raises CredentialMissing or ConfigurationError."""
        raise CredentialMissing

    def renew(self, refused: str, *, server_time: float | None) -> bool:  # noqa: ARG002 - for those who sign
        """After a 401: whether the next `token()` differs from the refused one and is worth one more try."""
        return self.token() != refused


@dataclass
class StaticToken(Credential):
    """A JWT as it was given; it can't be renewed."""

    value: SecretStr

    def token(self) -> str:
        return self.value.get_secret_value().strip()


@dataclass
class TokenFile(Credential):
    """A file that somebody else keeps fresh. It is read for each request: that costs next to nothing beside one."""

    path: Path

    def token(self) -> str:
        return read_secret(self.path, "REACH_API_TOKEN_FILE")


@dataclass
class PartnerSecret(Credential):
    """Signs partner JWTs (HS256) and renews each before its end, by Reach's clock where that is known."""

    partner_id: str
    read: Callable[[], str] = field(repr=False)
    clock: Callable[[], float] = time.time
    _skew: float = 0.0
    _ends: float = 0.0
    _value: SecretStr = field(default_factory=lambda: SecretStr(""))

    def token(self) -> str:
        now = self.clock() + self._skew
        if now >= self._ends - LEEWAY:
            self._value = SecretStr(self._sign(now))
            self._ends = now + LIFE
        return self._value.get_secret_value()

    def renew(self, refused: str, *, server_time: float | None) -> bool:
        """Sign anew by the server's clock: a skewed `iat` or a changed secret file is mended by it.

        Several requests may be refused at once: each is held against the token that it sent itself.
        """
        if server_time is not None:
            self._skew = server_time - self.clock()
        self._ends = 0.0
        return super().renew(refused, server_time=server_time)

    def _sign(self, now: float) -> str:
        claims = {
            "partnerId": self.partner_id,
            "type": "partner",
            "iat": int(now - LEEWAY / 10),
            "exp": int(now + LIFE),
        }
        try:
            return jwt.encode(claims, self.read(), algorithm="HS256")
        except jwt.PyJWTError:
            raise ConfigurationError("REACH_JWT_SECRET can't sign: it is empty, or a key of another kind.") from None


def build_credential(settings: Settings) -> Credential:
    """The credential that the settings name: a token, then a token file, then a partner secret, then none."""
    if settings.api_token is not None:
        return StaticToken(settings.api_token)
    if settings.api_token_file is not None:
        return TokenFile(settings.api_token_file)
    if settings.partner_id and (settings.jwt_secret is not None or settings.jwt_secret_file is not None):
        return PartnerSecret(
            settings.partner_id,
            lambda: secret(settings.jwt_secret, settings.jwt_secret_file, "REACH_JWT_SECRET") or "",
        )
    return Credential()


def token_end(token: str) -> float | None:
    """When a JWT ends, in Unix seconds, read off its own `exp` without verifying it; None where it bears none."""
    try:
        end = jwt.decode(token, options={"verify_signature": False}).get("exp")
    except (jwt.PyJWTError, UnicodeEncodeError):
        return None
    return float(end) if isinstance(end, int | float) else None
