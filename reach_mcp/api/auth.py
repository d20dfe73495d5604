"""Credentials for the Reach API: a token, a token file, or a partner secret that signs its own JWTs."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Generator

import httpx
import jwt

from reach_mcp.api.deadline import http_date
from reach_mcp.api.errors import CredentialMissing, Unauthorized
from reach_mcp.secret_files import secret
from reach_mcp.settings import ConfigurationError, Settings

JWT_SECONDS = 3600
"""Seconds a signed JWT is valid: the recommendation of Reach."""
RENEWAL_SECONDS = 3300
"""Seconds after which the next JWT is sent, some minutes before this one ends."""
BACKDATED_SECONDS = 30
"""Seconds that `iat` lies in the past, for clocks that disagree a little."""
MAX_SKEW_SECONDS = 3600
"""The API's clock is followed up to this difference from ours; beyond it one of the two is wrong."""


MAX_SECRETS = 8
"""Secrets that were in use and are kept out of answers."""


class Credential:
    """A JWT that is read for each request, so that a change of its file works at once. Its repr shows no secret."""

    refusal_advice = ""
    """Advice on a 401 where the general one does not fit."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._secrets: list[str] = []

    def token(self) -> str:
        """The token to send now. Raises CredentialMissing or ConfigurationError."""
        token = self._note(self._read())
        if not re.fullmatch("[!#-&(-~]+", token):
            raise CredentialMissing(
                "REACH_API_TOKEN, or the file that REACH_API_TOKEN_FILE names, holds no token.",
                advice="A JWT is one line without spaces: set it without 'Bearer', quotes or line breaks.",
            )
        return token

    def renew(self, refused: str, *, server_time: float | None) -> bool:  # noqa: ARG002 - for PartnerSecret
        """Return True if, after a 401, `token()` now gives another token than the refused one."""
        return self.token() != refused

    def secrets(self) -> list[str]:
        """The last secrets that were in use: upstream text could repeat them."""
        return self._secrets

    def _note(self, secret: str) -> str:
        self._secrets = [*(known for known in self._secrets if known != secret), secret][-MAX_SECRETS:]
        return secret


class PartnerSecret(Credential):
    """Signs partner JWTs (HS256) by the API's clock where that is known: one for each period of `RENEWAL_SECONDS`."""

    refusal_advice = "Check REACH_PARTNER_ID and REACH_JWT_SECRET: Reach did not accept a JWT signed with them."

    def __init__(self, partner_id: str, read: Callable[[], str], clock: Callable[[], float] = time.time) -> None:
        super().__init__(read)
        self._partner_id = partner_id
        self._clock = clock
        self._skew = 0.0

    def token(self) -> str:
        now = int(self._clock() + self._skew)
        issued = now - now % RENEWAL_SECONDS - BACKDATED_SECONDS
        claims = {"partnerId": self._partner_id, "type": "partner", "iat": issued, "exp": issued + JWT_SECONDS}
        try:
            with warnings.catch_warnings():  # the length of the secret is Reach's choice
                warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
                return self._note(jwt.encode(claims, self._note(self._read()), algorithm="HS256"))
        except jwt.PyJWTError:
            raise ConfigurationError("REACH_JWT_SECRET can't sign: it is empty, or a key of another kind.") from None

    def renew(self, refused: str, *, server_time: float | None) -> bool:
        """Follow the API's clock. Raises Unauthorized where it differs from ours by more than an hour.

        Several requests may be refused at once: each compares with the token that it sent itself.
        """
        skew = self._skew if server_time is None else server_time - self._clock()
        if abs(skew) > MAX_SKEW_SECONDS:
            raise Unauthorized(
                f"This machine's clock and the Reach API's clock differ by about {abs(skew) / 3600:.0f} h.",
                advice="Set this machine's clock; Reach does not accept JWTs that are signed by a wrong one.",
            )
        self._skew = skew
        return super().renew(refused, server_time=server_time)


class BearerAuth(httpx.Auth):
    """Sends the token of a credential, and once more after a 401 if the credential can be renewed."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._credential.token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        server_time = http_date(response.headers.get("date", ""))
        if response.status_code == 401 and self._credential.renew(token, server_time=server_time):
            request.headers["Authorization"] = f"Bearer {self._credential.token()}"
            yield request


def build_credential(settings: Settings) -> Credential:
    """The credential that the settings name: a token, then a token file, then a partner secret.

    Without one the server starts as well, and `token()` raises a CredentialMissing that says which setting to set.
    """
    token, token_file = settings.api_token, settings.api_token_file
    key, key_file = settings.jwt_secret, settings.jwt_secret_file
    has_key = key is not None or key_file is not None
    if token is not None or token_file is not None:
        return Credential(lambda: secret(token, token_file, "REACH_API_TOKEN") or "")
    if settings.partner_id and has_key:
        return PartnerSecret(settings.partner_id, lambda: secret(key, key_file, "REACH_JWT_SECRET") or "")

    def complain() -> str:
        if settings.partner_id or has_key:
            missing = "REACH_PARTNER_ID" if has_key else "REACH_JWT_SECRET or REACH_JWT_SECRET_FILE"
            raise CredentialMissing(f"A partner's credential lacks {missing}.", advice="Set it and start again.")
        raise CredentialMissing

    return Credential(complain)


def read_claims(token: str) -> dict[str, object]:
    """The claims of a JWT, read without verifying it; empty where it is none."""
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, UnicodeEncodeError):
        return {}


def token_tenant(token: str) -> str:
    """The tenant that a JWT is scoped to, read without verifying it; empty where it names none."""
    return str(read_claims(token).get("tenantExternalId") or "")


def token_end(token: str) -> float | None:
    """The `exp` of a JWT in Unix seconds, read without verifying it; None where it has none."""
    end = read_claims(token).get("exp")
    return float(end) if isinstance(end, int | float) and abs(end) < 1e12 else None
