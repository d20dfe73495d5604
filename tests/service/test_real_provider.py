"""Sign-in at a certified OpenID provider by clients of others, who know nothing but the URL of the endpoint."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urljoin, urlsplit

import anyio
import httpx
import httpx2
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from reach_mcp.transports.oauth import KEYS_SECONDS, READ_EVERY_SECONDS, JWTVerifier, KeySet
from reach_mcp.transports.refusals import Refusal
from tests.contract.conftest import INSTALL, NODE_MODULES
from tests.helpers import LIST, text_of
from tests.processes import environment, free_port, start
from tests.service.serving import post, reach, service

NODE = NODE_MODULES / ".bin" / "node"
SCRIPTS = NODE_MODULES.parent
CALLBACK = "http://127.0.0.1:33418/callback"
AGENT = "agent", "secret-of-the-agent"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.instrument,
    pytest.mark.skipif(not (NODE.exists() and (NODE_MODULES / "oidc-provider").exists()), reason=INSTALL),
]

Ask: TypeAlias = Callable[[], Awaitable[str]]
"""Calls list_batches, with sign-in where the server asks for it, and returns the text of the answer or of the error."""


@dataclass
class Provider:
    """The provider, and the MCP endpoint for which it issues tokens. Its issuer has a path, as those of Keycloak do."""

    folder: Path
    issuer: str = field(default_factory=lambda: f"http://127.0.0.1:{free_port()}/realms/demo")
    port: int = field(default_factory=free_port)
    running: ExitStack = field(default_factory=ExitStack)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def start(self, *keys: dict[str, Any]) -> None:
        """Start it with these private keys, of which the first one signs."""
        file = self.folder / "keys.json"
        file.write_text(json.dumps({"keys": keys}))
        command = (str(NODE), str(SCRIPTS / "provider.mjs"))
        process = self.running.enter_context(start(self.issuer, str(file), command=command, stdin=True))
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"

    def flags(self, scopes: str = "batches:read") -> dict[str, Any]:
        """Settings of a server that trusts it."""
        return {"auth": "oauth", "oauth_issuer": self.issuer, "oauth_audience": self.endpoint,
                "oauth_scopes": scopes, "port": self.port}  # fmt: skip

    async def token(self, **asked: str) -> str:
        """An access token of the agent."""
        form = {"grant_type": "client_credentials", "resource": self.endpoint, "scope": "batches:read"} | asked
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{self.issuer}/token", data=form, auth=AGENT)
        return str(answer.json()["access_token"])


def key(name: str) -> dict[str, Any]:
    """A private key: of an elliptic curve or RSA."""
    if name == "ec":
        found: Any = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
        return dict(found) | {"kid": name, "alg": "ES256", "use": "sig"}
    found = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)
    return dict(found) | {"kid": name, "alg": "RS256", "use": "sig"}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    found = Provider(tmp_path_factory.mktemp("provider"))
    with found.running:
        found.start(key("rsa"))
        yield found


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


async def sign_in(page: str, login: str) -> str:
    """Fill in the forms of the provider as a person does. Returns the address that it sends the browser to."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        shown = await browser.get(page)
        while True:
            if location := shown.headers.get("location"):
                if location.startswith(CALLBACK):
                    return str(location)
                shown = await browser.get(urljoin(str(shown.url), location))
                continue
            form = re.search(r'action="([^"]+)"', shown.text)
            assert form is not None, shown.text
            hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown.text))
            given = hidden | {"login": login, "password": "any"}
            shown = await browser.post(urljoin(str(shown.url), unescape(form[1])), data=given)


class Storage:
    """Tokens and registration of the Python SDK, in memory."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


async def call(url: str, auth: OAuthClientProvider, **arguments: Any) -> str:
    async with (
        httpx2.AsyncClient(auth=auth, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        return text_of(await client.call_tool(LIST, arguments))


@asynccontextmanager
async def python(url: str, login: str) -> AsyncIterator[Ask]:
    """The Python SDK."""
    answers: list[dict[str, str]] = []

    async def redirect(page: str) -> None:
        answers.append(dict(parse_qsl(urlsplit(await sign_in(page, login)).query)))

    async def answer() -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(answers[-1])

    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl(CALLBACK)], token_endpoint_auth_method="none")
    auth = OAuthClientProvider(url, metadata, Storage(), redirect, answer)
    yield lambda: call(url, auth)


@asynccontextmanager
async def typescript(sdk: str, url: str, login: str) -> AsyncIterator[Ask]:
    """A TypeScript SDK, in a process of its own."""
    command = [str(NODE), str(SCRIPTS / "oauth.mjs"), sdk, url]
    async with await anyio.open_process(command, env=environment(), stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, BufferedByteReceiveStream(process.stdout)

        async def say(**value: Any) -> dict[str, str]:
            await stdin.send(json.dumps(value).encode() + b"\n")
            found: dict[str, str] = json.loads(await stdout.receive_until(b"\n", 1_000_000))
            return found

        async def ask() -> str:
            answer = await say(tool=LIST, arguments={})
            while "login" in answer:
                answer = await say(callback=await sign_in(answer["login"], login))
            return answer.get("text") or answer["error"]

        try:
            yield ask
        finally:
            process.kill()


@asynccontextmanager
async def connect(client: str, url: str, login: str) -> AsyncIterator[Ask]:
    """A client and the person who signs in with it. All ends within a minute."""
    async with AsyncExitStack() as stack:
        stack.enter_context(anyio.fail_after(60))
        yield await stack.enter_async_context(
            python(url, login) if client == "python" else typescript(client, url, login)
        )


# The first token of `late` has expired: a TypeScript SDK refreshes it at the 401.
@pytest.mark.parametrize(("client", "login"), [("python", "acme"), ("sdk1", "late"), ("sdk2", "late")])
async def test_a_client_signs_in_with_nothing_but_the_url(client: str, login: str, provider: Provider) -> None:
    api = reach()
    async with service(api, **provider.flags()), connect(client, provider.endpoint, login) as ask:
        assert "acme-secret" in await ask()
        assert "acme-secret" in await ask()

    assert {request.headers["reach-tenant-id"] for request in api.requests} == {"acme"}


@pytest.mark.parametrize("client", ["python", "sdk2"])  # sdk1 refreshes its token instead, and gives up
async def test_a_client_asks_for_a_scope_that_has_become_necessary(client: str, provider: Provider) -> None:
    async with connect(client, provider.endpoint, "acme") as ask:
        async with service(reach(), **provider.flags()):
            assert "acme-secret" in await ask()
        async with service(reach(), **provider.flags("batches:read,batches:export")):
            assert "acme-secret" in await ask()


async def test_an_agent_has_the_tenants_of_its_claim(provider: Provider) -> None:
    auth = ClientCredentialsOAuthProvider(
        provider.endpoint, Storage(), *AGENT, scope="batches:read", issuer=provider.issuer
    )
    async with service(reach(), **provider.flags()):
        assert "globex-secret" in await call(provider.endpoint, auth, tenant_id="globex")
        assert "acme-secret" not in await call(provider.endpoint, auth, tenant_id="acme")


async def test_tokens_for_something_else_are_refused(provider: Provider) -> None:
    tokens = {
        "right": await provider.token(),
        "another resource": await provider.token(resource="https://other.example.com/mcp"),
        "no resource, so opaque": await provider.token(resource=""),
        "another scope": await provider.token(scope="batches:export"),
    }
    async with service(reach(), **provider.flags()) as client:
        answers = {
            case: await post(client, "modern", "tools/list", {}, ("authorization", f"Bearer {token}"))
            for case, token in tokens.items()
        }

    assert [answer.status_code for answer in answers.values()] == [200, 401, 401, 403]
    assert 'error="insufficient_scope"' in answers["another scope"].headers["www-authenticate"]


async def test_a_rotation_of_keys_is_followed_also_over_an_outage(tmp_path: Path) -> None:
    now, provider, old, new = [0.0], Provider(tmp_path), key("rsa"), key("ec")
    keys = KeySet(provider.issuer, None, clock=lambda: now[0])
    unread = KeySet(provider.issuer, None)

    async def check(token: str, keys: KeySet = keys) -> str:
        try:
            verifier = JWTVerifier(keys, issuer=provider.issuer, audiences=[provider.endpoint])
            return "yes" if await verifier.verify_token(token) else "no"
        except Refusal as refusal:
            return str(refusal.status)

    with provider.running:
        provider.start(old)
        first = await provider.token()
        seen = [await check(first)]
        provider.running.close()
        now[0] += KEYS_SECONDS
        seen += [await check(first), await check(first, unread)]
        provider.start(new, old)
        second = await provider.token()
        now[0] += READ_EVERY_SECONDS
        seen += [await check(first), await check(second)]
        provider.running.close()
        provider.start(new)
        now[0] += KEYS_SECONDS
        seen += [await check(first), await check(second)]

    assert seen == ["yes", "yes", "503", "yes", "yes", "no", "yes"]
