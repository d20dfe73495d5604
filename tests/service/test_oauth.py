"""OAuth over real sockets: which tokens let in, and what happens while the issuer's keys change or can't be read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from reach_mcp.api.errors import NoConnection, TimedOut
from reach_mcp.api.identity import fetch_json
from reach_mcp.settings import ConfigurationError
from reach_mcp.transports.oauth import READ_EVERY_SECONDS, RETRY_SECONDS, JWTVerifier, KeySet, OAuthCallers
from reach_mcp.transports.refusals import Refusal
from tests.helpers import ERAS, LIST, settings_of
from tests.processes import Handler, http_server
from tests.service.serving import post, reach, service

pytestmark = pytest.mark.anyio

AUDIENCE = "https://mcp.example.com/mcp"
METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
CALL = {"name": LIST, "arguments": {}}


@cache
def key(name: str) -> Any:
    kinds: dict[str, Any] = {
        "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ed": ed25519.Ed25519PrivateKey.generate,
        "weak": lambda: rsa.generate_private_key(65537, 1024),
    }
    return kinds.get(name, lambda: rsa.generate_private_key(65537, 2048))()


def jwk(name: str, **fields: str) -> dict[str, Any]:
    """The public key with this name, as the issuer publishes it."""
    algorithm = {"ec": ECAlgorithm, "ed": OKPAlgorithm}.get(name, RSAAlgorithm)
    public: dict[str, Any] = algorithm.to_jwk(key(name).public_key(), as_dict=True)  # type: ignore[attr-defined]
    return public | {"kid": name} | fields


@dataclass
class Issuer:
    """An identity provider: its metadata and its keys."""

    url: str = ""
    documents: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def issuer(*keys: dict[str, Any]) -> Iterator[Issuer]:
    found = Issuer()

    class Answer(Handler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.answer(found.documents.get(self.path, {}), 200 if self.path in found.documents else 404)

    with http_server(Answer) as url:
        found.url = f"{url}/"
        metadata = {"issuer": found.url, "jwks_uri": f"{found.url}keys"}
        found.documents = {"/.well-known/openid-configuration": metadata, "/keys": {"keys": [*keys]}}
        yield found


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


def sign(
    url: str, name: str = "one", algorithm: str = "RS256", kid: str | None = "", *, begins: int = 0, ends: int = 60,
    **changed: Any,
) -> str:  # fmt: skip
    """An access token that is valid between two seconds from now; claims that are None are left out."""
    claims = {"iss": url, "aud": AUDIENCE, "sub": "chat", "nbf": time.time() + begins, "exp": time.time() + ends,
              "scope": "x batches:read", "tenants": "acme"} | changed  # fmt: skip
    headers = {} if kid is None else {"kid": kid or name}
    given = {claim: value for claim, value in claims.items() if value is not None}
    return jwt.encode(given, None if algorithm == "none" else key(name), algorithm, headers)  # type: ignore[arg-type]


def sign_with_public_key(url: str) -> str:
    """HS256 with the issuer's public key as the secret."""
    pem = key("one").public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip

    def encode(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    claims = jwt.decode(sign(url), options={"verify_signature": False})
    parts = [encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "one", "typ": "JWT"}, claims)]
    return b".".join([*parts, encode(hmac.digest(pem, b".".join(parts), hashlib.sha256))]).decode()


def flags_of(found: Issuer, **flags: Any) -> dict[str, Any]:
    return {"auth": "oauth", "oauth_issuer": found.url, "oauth_audience": f"{AUDIENCE}, api://reach",
            "oauth_scopes": "batches:read"} | flags  # fmt: skip


TOKENS: dict[str, tuple[dict[str, Any], int]] = {
    "valid": ({}, 200),
    "valid, other algorithm of the key": ({"algorithm": "PS256"}, 200),
    "valid, elliptic curve": ({"name": "ec", "algorithm": "ES256"}, 200),
    "valid, Ed25519": ({"name": "ed", "algorithm": "EdDSA"}, 200),
    "valid, one of several audiences": ({"aud": ["api://reach", "other"]}, 200),
    "valid, list of scopes": ({"scope": None, "scp": ["batches:read"]}, 200),
    "valid, client instead of subject": ({"sub": None, "client_id": "agent"}, 200),
    "expired within the leeway": ({"ends": -5}, 200),
    "expired": ({"ends": -60}, 401),
    "not yet valid": ({"begins": 90, "ends": 120}, 401),
    "without end": ({"exp": None}, 401),
    "another audience": ({"aud": "https://other.example.com/mcp"}, 401),
    "without audience": ({"aud": None}, 401),
    "another issuer": ({"iss": "https://evil.example.com/"}, 401),
    "unsigned": ({"algorithm": "none"}, 401),
    "another key under a known id": ({"name": "two", "kid": "one"}, 401),
    "unknown key": ({"name": "two"}, 401),
    "without key id": ({"kid": None}, 401),
    "algorithm that the key may not have": ({"name": "bound", "algorithm": "RS384"}, 401),
    "weak key": ({"name": "weak"}, 401),
    "key for encryption": ({"name": "sealed"}, 401),
    "nobody": ({"sub": None}, 401),
    "no name": ({"sub": ""}, 403),
    "an empty client": ({"sub": "", "client_id": ""}, 403),
    "without scope": ({"scope": "other"}, 403),
    "without tenants": ({"tenants": None}, 403),
    "no tenant": ({"tenants": [""]}, 403),
    "tenants of another type": ({"tenants": {"acme": True}}, 403),
}
KEYS = (jwk("one"), jwk("ec"), jwk("ed"), jwk("weak"), jwk("bound", alg="RS256"), jwk("sealed", use="enc"),
        {"kty": "oct", "kid": "hmac", "k": "c2VjcmV0"}, {"kty": "RSA", "kid": "broken"})  # fmt: skip


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")  # of the test, which signs with a weak key
@pytest.mark.parametrize("era", ERAS)
async def test_only_valid_tokens_let_in(era: str) -> None:
    api = reach()
    with issuer(*KEYS) as found:
        async with service(api, **flags_of(found)) as client:
            answers = {
                case: await post(client, era, "tools/call", CALL, ("authorization", f"Bearer {sign(found.url, **how)}"))
                for case, (how, _) in TOKENS.items()
            }
            odd = [
                sign_with_public_key(found.url),
                "x",
                "a.b.c",
                "é",
                base64.b64encode(b"[" * 30_000).decode() + ".e.s",
            ]
            refused = [
                await client.post("/mcp", headers=[(b"authorization", f"Bearer {token}".encode("latin-1"))])
                for token in odd
            ]
            paths = ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp")
            metadata = [(await client.get(path)).json() for path in paths]
            bare = await post(client, era, "tools/list", {})

    assert {case: answer.status_code for case, answer in answers.items()} == {
        case: to for case, (_, to) in TOKENS.items()
    }
    assert {answer.status_code for answer in refused} == {401}
    assert {request.headers["reach-tenant-id"] for request in api.requests} == {"acme"}
    assert found.asked == ["/.well-known/openid-configuration", "/keys"]  # however many unknown keys were named
    assert metadata[0] == metadata[1]
    assert metadata[0]["resource"] == AUDIENCE
    assert metadata[0]["authorization_servers"] == [found.url]
    known = f'resource_metadata="{METADATA}", scope="batches:read"'
    assert bare.headers["www-authenticate"] == f"Bearer {known}"
    assert answers["expired"].headers["www-authenticate"] == f'Bearer error="invalid_token", {known}'
    assert answers["without scope"].headers["www-authenticate"] == f'Bearer error="insufficient_scope", {known}'
    assert answers["no tenant"].headers["www-authenticate"] == f"Bearer {known}"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"ends": -60}, "ExpiredSignatureError"),
        ({"aud": "other"}, "InvalidAudienceError"),
        ({"aud": None}, "MissingRequiredClaimError"),
        ({"kid": "two"}, "unknown key or algorithm"),
        (None, "DecodeError"),
    ],
)
async def test_the_log_says_why_a_token_is_not_valid(
    how: dict[str, Any] | None, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with issuer(jwk("one")) as found:
        verifier = JWTVerifier(KeySet(found.url, None), issuer=found.url, audiences=[AUDIENCE])
        token = "an-opaque-token" if how is None else sign(found.url, **how)
        assert await verifier.verify_token(token) is None

    facts = [record.facts for record in caplog.records if record.message == "access token is not valid"]  # type: ignore[attr-defined]
    assert facts == [{"reason": reason, "count": 1}]
    assert token not in caplog.text


@pytest.mark.parametrize("era", ERAS)
async def test_tenants_of_the_claim_hold(era: str) -> None:
    with issuer(jwk("one")) as found:
        flags = flags_of(found, oauth_tenants_claim="https://reach/t", oauth_scopes="")
        claims: dict[str, Any] = {"https://reach/t": ["acme", "globex"]}
        token = sign(found.url, **claims)
        async with service(reach(), **flags) as client:
            sent = ("authorization", f"Bearer {token}")
            answers = [
                await post(client, era, "tools/call", CALL, sent, ("reach-tenant-id", tenant))
                for tenant in ("globex", "initech")
            ]

    assert ["globex-secret" in answers[0].text, "initech" in answers[1].text] == [True, False]


async def test_a_caller_without_tenants_is_logged_also_right_after_one_without_a_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with issuer(jwk("one")) as found:
        async with service(reach(), **flags_of(found)) as client:
            await post(client, "modern", "tools/list", {})
            token = sign(found.url, tenants=None)
            await post(client, "modern", "tools/list", {}, ("authorization", f"Bearer {token}"))

    logged = [record for record in caplog.records if record.message == "request refused"]
    reasons = [record.facts["reason"] for record in logged]  # type: ignore[attr-defined]
    assert ["no bearer token" in reasons[0], "claim 'tenants' is missing" in reasons[1]] == [True, True]


async def test_unreadable_keys_are_no_reason_to_refuse_a_token_for_good() -> None:
    with issuer() as found:
        found.documents = {}
        async with service(reach(), **flags_of(found)) as client:
            answer = await post(client, "modern", "tools/list", {}, ("authorization", f"Bearer {sign(found.url)}"))

    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= RETRY_SECONDS


async def test_keys_are_followed_as_they_change_and_kept_while_they_cannot_be_read() -> None:
    now = [0.0]
    with issuer(jwk("one")) as found:
        keys = KeySet(found.url, None, clock=lambda: now[0])
        verifier = JWTVerifier(keys, issuer=found.url, audiences=[AUDIENCE])

        async def check(name: str) -> str:
            try:
                return "yes" if await verifier.verify_token(sign(found.url, name)) else "no"
            except Refusal as refusal:
                return str(refusal.status)

        seen = [await check("one"), await check("two")]
        found.documents["/keys"] = {"keys": [jwk("one"), jwk("two")]}
        seen += [await check("two")]  # too soon to ask again
        now[0] += READ_EVERY_SECONDS
        seen += [await check("two")]
        found.documents["/keys"] = {"keys": []}
        now[0] += 1_000
        seen += [await check("one"), await check("three"), await check("two")]
        found.documents["/keys"] = {"keys": [jwk("three")]}
        now[0] += RETRY_SECONDS
        seen += [await check("one"), await check("three")]

    assert seen == ["yes", "no", "no", "yes", "yes", "503", "yes", "no", "yes"]


async def test_silent_and_absent_issuers_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/keys"
        with pytest.raises(TimedOut):
            await fetch_json(url, seconds=0.1)
    with pytest.raises(NoConnection):
        await fetch_json(url)


@pytest.mark.parametrize("wrong", ["issuer", "type"])
async def test_metadata_of_another_issuer_is_not_followed(wrong: str) -> None:
    with issuer(jwk("one")) as found:
        given = found.documents.pop("/.well-known/openid-configuration")
        path = "/.well-known/oauth-authorization-server"
        found.documents[path] = given
        assert await KeySet(found.url, None).find("one") is not None
        found.documents[path] = given | {"issuer": "https://evil.example.com"} if wrong == "issuer" else ["x"]
        with pytest.raises(Refusal, match="can't be read now"):
            await KeySet(found.url, None).find("one")


async def test_what_is_wrong_with_the_keys_is_told_to_operators(caplog: pytest.LogCaptureFixture) -> None:
    with issuer(jwk("one")) as found:
        assert "whose keys can be read" in await OAuthCallers(settings_of(**flags_of(found))).describe()
        found.documents["/keys"] = {"keys": [1]}
        with pytest.raises(ConfigurationError, match="can't be read: AttributeError"):
            await OAuthCallers(settings_of(**flags_of(found))).describe()
        found.documents["/keys"] = {"keys": []}
        with pytest.raises(ConfigurationError, match="can't be read: ValueError: there is no usable key"):
            await OAuthCallers(settings_of(**flags_of(found))).describe()
        gone = flags_of(found) | {"oauth_jwks_url": f"{found.url}/nothing"}
        with pytest.raises(ConfigurationError, match="can't be read: unexpected_status"):
            await OAuthCallers(settings_of(**gone)).describe()

    logged = [record.facts for record in caplog.records if "can't be read" in record.message]  # type: ignore[attr-defined]
    assert [one["url"] for one in logged] == [found.url, found.url, f"{found.url}/nothing"]
