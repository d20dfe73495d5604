"""OAuth: this server as a resource server, which checks JWTs by the keys that their issuer publishes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio
import jwt
from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reach_mcp.api.errors import ReachError
from reach_mcp.api.identity import fetch_json
from reach_mcp.logs import ThrottledLog
from reach_mcp.settings import ConfigurationError, Settings, split_list
from reach_mcp.tools.context import Caller
from reach_mcp.transports.refusals import Refusal

logger = logging.getLogger(__name__)

READ_EVERY_SECONDS = 30.0
"""The keys are read at most so often, however many tokens name a key that is unknown."""
RETRY_SECONDS = 5.0
"""They are asked for again so soon where they could not be read: an issuer that restarts is back in seconds."""
KEYS_SECONDS = 300.0
"""Keys are read again after so long, so that one that is withdrawn ends."""
LEEWAY_SECONDS = 30
MAX_NAME_CHARS = 128
MAX_REASON_CHARS = 300

ALGORITHMS = {"RSA": ("RS256", "RS384", "RS512", "PS256"), "EC": ("ES256", "ES384"), "OKP": ("EdDSA",)}
"""Algorithms by the type of key: none takes a shared secret."""
ACCEPTED = frozenset(name for names in ALGORITHMS.values() for name in names)

METADATA_PATH = "/.well-known/oauth-protected-resource"
_UNREADABLE = (jwt.PyJWTError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Whatever libraries raise on JSON that a stranger wrote."""

Fetch = Callable[[str], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Key:
    """A public key, and the algorithms that it may verify."""

    material: Any
    algorithms: tuple[str, ...]


class KeySet:
    """The keys of an issuer. They are read again for an unknown one, and go on working while they can't be read."""

    def __init__(
        self, issuer: str, url: str | None, fetch: Fetch = fetch_json, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._next_read = self._stale = -math.inf
        self.failure = "not read yet"
        """The reason why they could not be read, empty once they were."""
        self._lock = anyio.Lock()

    async def find(self, key_id: str) -> Key | None:
        """The key with this id. Raises Refusal (503) where it is unknown and the keys can't be read."""
        if key_id in self._keys and (self._clock() < self._stale or self._lock.locked()):
            return self._keys[key_id]
        async with self._lock:
            if self._clock() >= self._next_read and (key_id not in self._keys or self._clock() >= self._stale):
                await self._read()
        if key_id not in self._keys and self.failure:
            wait = max(1, math.ceil(self._next_read - self._clock()))
            raise Refusal(503, "The keys of the token's issuer can't be read now.", retry_after=wait)
        return self._keys.get(key_id)

    async def _read(self) -> None:
        self._next_read = self._clock() + READ_EVERY_SECONDS
        try:
            url = self._url or await self._discover()
            keys = dict(_usable((await self._fetch(url))["keys"]))
            if not keys:
                raise ValueError("there is no usable key")
        except (ReachError, ConfigurationError, *_UNREADABLE) as error:
            told = error.kind if isinstance(error, ReachError) else f"{type(error).__name__}: {error}"
            self.failure = told[:MAX_REASON_CHARS]
            facts = {"url": self._url or self._issuer, "reason": self.failure}
            logger.warning("keys of the issuer can't be read", extra={"facts": facts})
            self._next_read = self._clock() + RETRY_SECONDS
            return
        self._keys, self._url, self._stale, self.failure = keys, url, self._clock() + KEYS_SECONDS, ""

    async def _discover(self) -> str:
        """The address of the keys, by the issuer's metadata for OpenID Connect, else for OAuth. Raises ReachError."""
        parts = urlsplit(self._issuer)
        path = f"/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"
        try:
            metadata = await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        except ReachError:
            metadata = await self._fetch(urlunsplit((parts.scheme, parts.netloc, path, "", "")))
        if metadata["issuer"] != self._issuer:
            raise ValueError("the metadata is of another issuer")
        return str(metadata["jwks_uri"])


def _usable(keys: Iterable[dict[str, Any]]) -> Iterable[tuple[str, Key]]:
    """Keys that verify signatures, by their id; a key without one has an empty id."""
    for raw in keys:
        kind, only = raw.get("kty"), raw.get("alg")
        algorithms = tuple(name for name in ALGORITHMS.get(str(kind), ()) if only in (None, name))
        if algorithms and raw.get("use", "sig") == "sig":
            try:
                yield str(raw.get("kid", "")), Key(jwt.PyJWK(raw).key, algorithms)
            except _UNREADABLE:
                continue


class JWTVerifier(TokenVerifier):
    """Verifies signature, issuer, audience and time of a JWT, as the SDK asks it of a resource server."""

    def __init__(self, keys: KeySet, *, issuer: str, audiences: list[str]) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audiences = audiences
        self._invalid = ThrottledLog()

    async def verify_token(self, token: str) -> AccessToken | None:
        """The facts of a token, None where it is not valid. Raises Refusal where the keys can't be read."""
        try:
            header = jwt.get_unverified_header(token)
            if header["alg"] in ACCEPTED and (key := await self._keys.find(header.get("kid", ""))):
                return self._verify(token, key)
            reason = "unknown key or algorithm"
        except _UNREADABLE as error:
            reason = type(error).__name__
        self._invalid.warning("access token is not valid", reason=reason)
        return None

    def _verify(self, token: str, key: Key) -> AccessToken:
        claims = jwt.decode(
            token,
            key.material,
            algorithms=key.algorithms,
            audience=self._audiences,
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["aud", "exp", "iss"], "enforce_minimum_key_length": True},
        )
        scopes = claims.get("scope", claims.get("scp", []))
        return AccessToken(
            token=token,
            client_id=claims.get("client_id") or claims["sub"],
            scopes=scopes.split() if isinstance(scopes, str) else scopes,
            expires_at=int(claims["exp"]),
            subject=claims.get("sub"),
            claims=claims,
        )


class OAuthCallers:
    """Callers by access token: their tenants are in a claim."""

    expects = "An access token is expected; the WWW-Authenticate header says where its issuer is named."

    def __init__(self, settings: Settings, verifier: TokenVerifier | None = None) -> None:
        audiences = split_list(settings.oauth_audience)
        if not settings.oauth_issuer or not audiences:
            raise ConfigurationError("REACH_MCP_AUTH=oauth needs REACH_MCP_OAUTH_ISSUER and REACH_MCP_OAUTH_AUDIENCE.")
        self._issuer, self._resource = settings.oauth_issuer, audiences[0]
        self._keys = KeySet(self._issuer, settings.oauth_jwks_url)
        self._verifier = verifier or JWTVerifier(self._keys, issuer=self._issuer, audiences=audiences)
        self._scopes = split_list(settings.oauth_scopes.replace(" ", ","))
        self._claim = settings.oauth_tenants_claim
        parts = urlsplit(self._resource)
        self._path = f"{METADATA_PATH}{parts.path.rstrip('/')}"
        self.challenge = {"resource_metadata": urlunsplit((parts.scheme, parts.netloc, self._path, "", ""))}
        if self._scopes:
            self.challenge["scope"] = " ".join(self._scopes)

    async def find(self, token: str) -> Caller:
        """The caller that a token is of. Raises Refusal."""
        access = await self._verifier.verify_token(token)
        if access is None:
            raise Refusal(401, f"The access token is not valid here. {self.expects}", error="invalid_token")
        if not set(self._scopes) <= set(access.scopes):
            raise Refusal(403, "The access token lacks a scope.", error="insufficient_scope")
        found = (access.claims or {}).get(self._claim)
        tenants = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        allowed = frozenset(name for name in tenants if isinstance(name, str) and name)
        if not allowed:
            raise Refusal(403, f"The access token names no tenant: its claim {self._claim!r} is missing or empty.")
        name = (access.subject or access.client_id)[:MAX_NAME_CHARS]
        if not name:
            raise Refusal(403, "The access token names nobody: it has neither sub nor client_id.")
        return Caller(name, allowed)

    async def describe(self) -> str:
        """What callers have to show. Raises ConfigurationError where the issuer's keys can't be read."""
        with suppress(Refusal):
            await self._keys.find("")
        if self._keys.failure:
            raise ConfigurationError(f"The keys of {self._issuer} can't be read: {self._keys.failure}")
        return f"Over HTTP callers show an access token of {self._issuer}, whose keys can be read."

    def routes(self) -> list[Route]:
        """The public metadata of RFC 9728, for the server as a whole and for its endpoint."""
        metadata: dict[str, object] = {
            "resource": self._resource,
            "authorization_servers": [self._issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": "Reach batches",
        }
        if self._scopes:
            metadata["scopes_supported"] = self._scopes

        async def describe(_: Request) -> Response:
            return JSONResponse(metadata, headers={"Cache-Control": "public, max-age=300"})

        return [Route(path, describe) for path in dict.fromkeys((METADATA_PATH, f"{METADATA_PATH}/mcp", self._path))]
