"""`doctor` names the cause of what is wrong, from the settings to the whole list, and shows no secret."""

from __future__ import annotations

import base64
import json
import ssl
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import anyio.to_thread
import jwt
import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reach_mcp.cli.doctor.network import explain_failure
from reach_mcp.cli.main import cli
from reach_mcp.cli.session import Session
from tests.api.conftest import bare_network, without_waits
from tests.builders import page
from tests.cli.helpers import NOW, demo_transport
from tests.faults.server import BATCHES, HANG, Act, Fault, FaultServer, Request, reply
from tests.faults.table import CASES, TOKEN, Case, instead

__all__ = ["bare_network", "without_waits"]

pytestmark = pytest.mark.anyio
AT = int(NOW.timestamp())
SECRET = "partner-secret-0123456789-abcdefghij"


@pytest.fixture(autouse=True)
def empty_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No host of the machine that runs the tests."""
    for name in ("HOME", "USERPROFILE", "APPDATA", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*options: str, transport: Any = None, now: float = AT, **environment: str) -> Result:
    """The result of `embedreach-mcp doctor`, over the network unless a transport replaces it."""
    session = Session(transport=transport, now=lambda: now)
    known = {"REACH_API_TOKEN": TOKEN, "COLUMNS": "100"} | environment
    return CliRunner().invoke(cli, ["doctor", *options], obj=session, env=known, prog_name="embedreach-mcp")


def diagnose(*options: str, **arguments: Any) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code, and the findings by the name of their check."""
    result = run("--json", *options, **arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    diagnosis = json.loads(result.stdout)
    assert diagnosis["exit_code"] == result.exit_code
    return result.exit_code, {each["check"]: each for each in diagnosis["findings"]}


async def diagnose_server(url: str, **environment: str) -> tuple[int, dict[str, dict[str, str]]]:
    """The same against a server in this event loop."""
    return await anyio.to_thread.run_sync(partial(diagnose, REACH_API_URL=url, **environment))


def first_failure(findings: dict[str, dict[str, str]]) -> tuple[str, str]:
    """The first check that failed and its text; all warnings where none failed."""
    failed = [each for each in findings.values() if each["status"] == "failed"]
    if not failed:
        return "", " ".join(each["seen"] for each in findings.values() if each["status"] == "warning")
    assert failed[0]["advice"]
    return failed[0]["check"], f"{failed[0]['seen']} {failed[0]['advice']}"


def token(**claims: object) -> str:
    return jwt.encode(claims, "k" * 40, algorithm="HS256")


TENANT = token(tenantExternalId="acme", partnerId="p1", email="eve@example.com", iat=AT - 60, exp=AT + 3600)
PARTNER = token(type="partner", partnerId="p1", exp=AT + 3600)


# --- the faults of a Reach API ---------------------------------------------------------------------------------------

CAUSES = {
    "timed_out": "Reach, or a proxy on the way, is slow",
    "no_connection": "opens and then breaks off",
    "not_json": "A proxy or a sign-in page answers",
    "unexpected_answer": "the API has changed",
    "server_failed": "a failure at Reach",
    "body_too_large": "REACH_MCP_MAX_BODY_MB",
    "bad_request": "refused the request as invalid (400)",
    "unauthorized": "did not accept the credential (401)",
    "forbidden": "may not read this tenant's batches (403)",
    "unexpected_status": "something else seems to answer",
    "rate_limited": "Reach asks to wait 90 s",
    "cursor_repeats": "the API repeated a cursor",
    "empty_page": "the API announced more batches but gave none",
}
"""Words for the outcome that the table of faults gives."""
NAMED = {
    "a total of 99 over 10 batches": "Reach counts 99",
    "a counter of 1e400": "totalRecords is no sensible number",
    "unknown status and type": "results[].status has the unknown value paused",
    "a batch without progress": "results[].status is missing",
    "a pending resource without a time": "expiresAt is missing",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_every_fault_is_named(case: Case) -> None:
    passing = case.name.endswith(("once", "times"))  # it meets the first requests here
    first, last = (1, case.last - case.first + 1) if passing else (case.first, case.last)
    async with FaultServer(case.fault, first=first, last=last) as server:
        code, findings = await diagnose_server(
            server.url, REACH_MCP_MAX_BODY_MB="2", REACH_MCP_DEADLINE=f"{case.deadline}"
        )

    check, told = first_failure(findings)
    cause = f"only at request {last + 1}" if passing else NAMED.get(case.name, CAUSES.get(case.outcome.split()[-1], ""))
    assert cause in told
    assert (code == 0) == (check == "")
    assert code in (0, 2 if case.outcome.endswith(("unauthorized", "forbidden")) else 3)
    assert bool(check) == (case.outcome not in ("complete", "incomplete") or "is missing" in cause or "counts" in cause)


@pytest.mark.parametrize(
    ("then", "status", "told"), [(reply(b"", status=500), "failed", "status 500"), (HANG, "warning", "time was over")]
)
async def test_a_reading_that_ends_early(then: bytes | Act, status: str, told: str) -> None:
    def fault(request: Request, body: bytes) -> list[bytes | Act]:
        return [reply(json.dumps(page(BATCHES[0], cursor="x")).encode())] if request.number == 3 else [then]

    async with FaultServer(fault, first=3) as server:
        _, findings = await diagnose_server(server.url, REACH_MCP_DEADLINE="1")

    assert findings["reading"]["status"] == status
    assert told in findings["reading"]["seen"]


# --- the network -----------------------------------------------------------------------------------------------------


def certificate(file: Path, host: str, days: int) -> ssl.SSLContext:
    """Writes a self-signed certificate, which ends in so many days, with its key. Returns the server's context."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + signed.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize(
    ("host", "days", "trusted", "told"),
    [
        ("127.0.0.1", 1, True, ""),
        ("127.0.0.1", 1, False, "self-signed, or by a CA that is not trusted"),
        ("127.0.0.1", -1, True, "expired"),
        ("10.0.0.1", 1, True, "for another host name"),
    ],
)
async def test_certificates(host: str, days: int, trusted: bool, told: str, tmp_path: Path) -> None:
    file = tmp_path / "certificate.pem"
    async with FaultServer(tls=certificate(file, host, days)) as server:
        code, findings = await diagnose_server(server.url, SSL_CERT_FILE=str(file) if trusted else "")

    check, text = first_failure(findings)
    assert (code, check) == ((3, "TLS") if told else (0, ""))
    assert told in text
    assert ("SSL_CERT_FILE can confirm" in findings["TLS"]["seen"]) == (not told)


async def test_plain_http_on_a_port_for_tls() -> None:
    async with FaultServer() as server:
        code, findings = await diagnose_server(server.url.replace("http:", "https:"))

    assert (code, first_failure(findings)[0]) == (3, "TLS")
    assert "its port has to speak TLS" in first_failure(findings)[1]


async def test_a_proxy_that_refuses() -> None:
    async with FaultServer() as proxy:
        address = proxy.url.replace("//", "//me:pass%20word%20of%20proxy@")
        code, findings = await diagnose_server("https://reach.invalid", HTTPS_PROXY=address, NO_PROXY="other.test")
        assert findings["proxy"]["seen"].endswith(f"NO_PROXY is other.test. Requests go by way of {proxy.url}.")

    check, told = first_failure(findings)
    assert (code, check) == (3, "TLS")
    assert "The proxy refuses the connection" in told
    sent = base64.b64decode(proxy.requests[0].headers["proxy-authorization"].split()[1])
    assert (sent, proxy.requests[0].method) == (b"me:pass word of proxy", "CONNECT")


@pytest.mark.parametrize(
    ("url", "check", "told"),
    [
        ("https://reach.invalid", "DNS", "nslookup reach.invalid"),
        (f"https://{'a' * 70}.test", "DNS", "has no address"),
        ("https://127.0.0.1:9", "TCP", "Nothing listens there"),
    ],
)
def test_names_and_ports_that_do_not_exist(url: str, check: str, told: str) -> None:
    code, findings = diagnose(REACH_API_URL=url)

    assert (code, first_failure(findings)[0]) == (3, check)
    assert told in first_failure(findings)[1]
    assert findings["request"]["seen"] == "It needs TLS."


@pytest.mark.parametrize(
    ("error", "told"), [(TimeoutError(), "A firewall drops it"), (ConnectionResetError(104, "reset"), "broke off")]
)
def test_failures_of_sockets(error: OSError, told: str) -> None:
    finding = explain_failure(error, "reach.test", 443)

    assert told in f"{finding.seen} {finding.advice}"


@pytest.mark.parametrize(
    ("variable", "value"), [("HTTPS_PROXY", "socks5://localhost"), ("SSL_CERT_FILE", "/nowhere/at/all.pem")]
)
def test_a_variable_that_cannot_be_used(variable: str, value: str) -> None:
    code, findings = diagnose(**{variable: value})

    assert (code, first_failure(findings)[0]) == (2, "proxy")
    assert variable in first_failure(findings)[1]


async def test_a_proxy_that_speaks_tls_is_left_to_the_request() -> None:
    async with FaultServer() as proxy:
        _, findings = await diagnose_server("https://reach.invalid", HTTPS_PROXY=proxy.url.replace("http:", "https:"))

    assert findings["TLS"]["status"] == "skipped"
    assert first_failure(findings)[0] == "request"


# --- this machine ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"PARTNER_API_KEY": "k"}, ""),  # a token is set: the key may be for another program
        ({"X-Tenant-Id": "acme"}, "X-Tenant-Id is not read; set REACH_TENANT_ID, which is sent as the header"),
        ({"reach-tenant-id": "acme"}, "reach-tenant-id is not read; set REACH_TENANT_ID."),
        ({"REACH_BASE_URL": "https://x.test"}, "REACH_BASE_URL is not read; set REACH_API_URL."),
        ({"REACH_LOGS": "x"}, "REACH_LOGS (did you mean REACH_MCP_HOST?) is no setting."),
        ({"REACH_API_URL": "https://reach.test/api/batches"}, "has the path /api/batches"),
        ({"REACH_API_URL": "http://reach.test"}, "travels unencrypted"),
        ({"REACH_TENANT_ID": "X-Tenant-Id: acme"}, "holds a whole header"),
    ],
)
def test_settings_that_look_right_and_are_not(environment: dict[str, str], told: str) -> None:
    _, findings = diagnose(transport=demo_transport(), **environment)

    assert findings["settings"]["status"] == ("warning" if told else "ok")
    assert told in findings["settings"]["seen"]


def test_a_mistyped_setting_leaves_nothing_to_check_but_hosts() -> None:
    code, findings = diagnose(REACH_MCP_DEADLIN="3")

    assert (code, first_failure(findings)[0]) == (2, "settings")
    assert "did you mean REACH_MCP_DEADLINE" in findings["settings"]["seen"]
    assert {each["status"] for each in findings.values()} == {"failed", "skipped"}


def test_the_key_of_the_vendors_guide_is_no_credential() -> None:
    code, findings = diagnose(transport=demo_transport(), REACH_API_TOKEN="", PARTNER_API_KEY="k" * 20)

    assert (code, first_failure(findings)[0]) == (2, "credential")
    assert "PARTNER_API_KEY is not read; set REACH_API_TOKEN (a JWT)" in findings["settings"]["seen"]


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        (None, "failed", "REACH_MCP_CALLERS_FILE can't be read: No such file or directory. Name a readable file that"),
        ("", "failed", "names an empty file. Put the callers into it."),
        ("[callers.x]", "failed", "callers.x.tokens must be a list"),
        (f'[callers.x]\ntokens = ["sha256:{"0" * 64}"]\ntenants = "any"', "ok", "callers show a token"),
    ],
)
def test_callers(text: str | None, status: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "callers.toml"
    if text is not None:
        file.write_text(text)
    code, findings = diagnose("--demo", REACH_MCP_CALLERS_FILE=str(file))

    assert (code, findings["callers"]["status"]) == (2 if status == "failed" else 0, status)
    assert told in f"{findings['callers']['seen']} {findings['callers']['advice']}"
    assert findings["reading"]["status"] == "ok"


def test_shared_cache_that_does_not_answer_is_a_warning() -> None:
    key = base64.urlsafe_b64encode(bytes(32)).decode()
    cache = {"REACH_MCP_CACHE_URL": "redis://:a-password@127.0.0.1:1/0", "REACH_MCP_CACHE_KEY": key}
    code, findings = diagnose("--demo", **cache)

    assert (code, findings["cache"]["status"]) == (0, "warning")
    assert "does not answer (ConnectionError" in findings["cache"]["seen"]
    assert "a-password" not in str(findings)


SIGNING = {"REACH_API_TOKEN": "", "REACH_PARTNER_ID": "p1", "REACH_JWT_SECRET": SECRET}


@pytest.mark.parametrize(
    ("environment", "status", "told"),
    [
        ({}, "ok", f"A token of {len(TOKEN)} characters from REACH_API_TOKEN."),
        ({"REACH_PARTNER_ID": "p1", "REACH_JWT_SECRET": SECRET}, "warning", "is set too and not used"),
        (SIGNING, "ok", "JWTs are signed for partner p1"),  # at any time: they are renewed
        (SIGNING | {"REACH_JWT_SECRET": TENANT}, "warning", "The secret is a JWT itself"),
        (SIGNING | {"REACH_JWT_SECRET": "k" * 31}, "warning", "The secret is shorter than 32 bytes"),
    ],
)
def test_credentials(environment: dict[str, str], status: str, told: str) -> None:
    _, findings = diagnose(transport=demo_transport(), now=AT + 1e9, **environment)

    assert findings["credential"]["status"] == status
    assert told in findings["credential"]["seen"]
    assert findings["token"]["status"] == ("warning" if environment.get("REACH_API_TOKEN", TOKEN) else "ok")


@pytest.mark.parametrize(
    ("credential", "status", "told"),
    [
        (TOKEN, "warning", "An API key is none"),
        (TENANT, "ok", "tenantExternalId acme, iat 2026-11-23T11:59:00Z, exp 2026-11-23T13:00:00Z, email (not"),
        (token(partnerId="p1"), "ok", "Unknown scope: partnerId p1."),
        (token(exp=AT - 7200), "failed", "It ended 2 h ago"),
        (token(nbf=AT + 7200, exp=AT + 9000), "failed", "not valid before 2 h from now"),
        (token(exp=AT + 300), "warning", "It ends in 5 min"),
        (token(exp=AT * 1000), "warning", "not in seconds"),
    ],
)
def test_tokens(credential: str, status: str, told: str) -> None:
    _, findings = diagnose(transport=demo_transport(), REACH_API_TOKEN=credential)

    assert findings["token"]["status"] == status
    assert told in findings["token"]["seen"]
    assert "eve@" not in json.dumps(findings)


@pytest.mark.parametrize(
    ("command", "variables", "status", "told"),
    [
        (sys.executable, {"REACH_API_TOKEN": "x"}, "ok", "Started by cursor (reach in "),
        (sys.executable, {"REACH_MCP_DEADLINE": "x"}, "failed", "cursor: Wrong setting: REACH_MCP_DEADLINE can't be"),
        ("/gone/embedreach-mcp", {}, "failed", "cursor starts /gone/embedreach-mcp, which does not exist"),
        (sys.executable, {"X-Tenant-Id": "x"}, "warning", "cursor: X-Tenant-Id is not read"),
    ],
)
def test_hosts(command: str, variables: dict[str, str], status: str, told: str, empty_home: Path) -> None:
    entry = {"command": command, "args": ["-m", "reach_mcp"], "env": variables}
    (empty_home / ".cursor").mkdir()
    (empty_home / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": {"reach": entry}}))

    code, findings = diagnose("--demo")

    assert (code, findings["hosts"]["status"]) == (2 if status == "failed" else 0, status)
    assert told in findings["hosts"]["seen"]
    assert findings["hosts"]["seen"].count("(reach in ") == 1  # the home is the project's folder here


@pytest.mark.parametrize(
    ("folder", "entry", "told"),
    [
        ("", {"args": ["--demo"]}, "Run `embedreach-mcp install cursor --demo --name mine --yes` to correct it."),
        ("", {}, "Run `embedreach-mcp install cursor --name mine --yes` to correct it."),
        ("project", {}, "Run `embedreach-mcp install cursor --name mine --scope project --yes` to correct it."),
        ("", {"env": {"REACH_TENANT_ID": "t"}}, "Write into its entry mine how it is started here: "),
    ],
)
def test_the_command_of_an_entry_is_corrected_in_place(
    folder: str, entry: dict[str, object], told: str, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = empty_home / folder / ".cursor" / "mcp.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"mcpServers": {"mine": {"command": "/gone/embedreach-mcp"} | entry}}))
    monkeypatch.chdir(empty_home / folder)

    assert diagnose("--demo")[1]["hosts"]["advice"].startswith(told)


@pytest.mark.parametrize("lost", [False, True])
def test_a_broken_file_of_a_host_is_a_warning(lost: bool, empty_home: Path) -> None:
    (empty_home / ".claude.json").write_text("{ bad")
    (empty_home / ".cursor").mkdir()
    entries = {"reach": {"command": "/gone/embedreach-mcp"}} if lost else {}
    (empty_home / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": entries}))
    code, findings = diagnose("--demo")

    assert (code, findings["hosts"]["status"]) == ((2, "failed") if lost else (0, "warning"))
    assert "claude-code: " in findings["hosts"]["seen"]
    assert ".claude.json is not valid JSON: line 1" in findings["hosts"]["seen"]


def test_a_token_of_another_tenant_is_seen_without_reach() -> None:
    _, findings = diagnose(transport=demo_transport(), REACH_API_TOKEN=TENANT, REACH_TENANT_ID="other")

    assert findings["token"]["status"] == "warning"
    assert findings["token"]["seen"].endswith("The tenant is set to other.")


# --- Reach -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("apart", "status"), [(5, "ok"), (600, "warning"), (-7200, "failed"), (4e8, "failed")])
async def test_clocks(apart: float, status: str) -> None:
    async with FaultServer(instead(b"", status=401)) as server:
        _, findings = await anyio.to_thread.run_sync(partial(diagnose, REACH_API_URL=server.url, now=AT + apart))

    assert findings["clock"]["status"] == status
    assert "at Reach 2026-11-23T12:00:00Z" in findings["clock"]["seen"]


@pytest.mark.parametrize(
    ("fault", "environment", "status", "told"),
    [
        (None, {"REACH_TENANT_ID": "acme"}, "ok", "The tenant is acme."),
        (None, {"REACH_API_TOKEN": TENANT}, "ok", "The token's own tenant."),
        (None, {"REACH_API_TOKEN": PARTNER}, "warning", "no tenant is set"),
        (instead(b"", status=400), {"REACH_API_TOKEN": PARTNER}, "failed", "this credential needs one"),
        (instead(b'{"message": "tenant?"}', status=400), {}, "failed", "this credential needs one"),
        (instead(b"", status=400), {}, "skipped", "another reason"),
        (instead(b"", status=403), {"REACH_TENANT_ID": "acm"}, "failed", "may not read tenant acm"),
        (instead(b'{"message": "none"}', status=404), {"REACH_TENANT_ID": "acm"}, "failed", "may not read tenant acm"),
        (instead(b"", status=403), {"REACH_API_TOKEN": TENANT, "REACH_TENANT_ID": "x"}, "failed", "the JWT is of acme"),
    ],
)
async def test_tenants(fault: Fault | None, environment: dict[str, str], status: str, told: str) -> None:
    async with FaultServer(fault) as server:
        code, findings = await diagnose_server(server.url, **environment)

    assert findings["tenant"]["status"] == status
    assert told in findings["tenant"]["seen"]
    assert code == {"failed": 2, "skipped": 3}.get(status, 0)


# --- the whole -------------------------------------------------------------------------------------------------------


def test_the_demo_needs_nothing() -> None:
    result = run("--demo", REACH_API_TOKEN="")

    assert result.exit_code == 0
    assert result.stdout.endswith("\nEverything works.\n")
    assert "ok       reading     142 batches read" in result.stdout
    assert {len(line) <= 100 for line in result.stdout.splitlines()} == {True}


def test_people_read_what_to_do_below_what_was_seen() -> None:
    result = run(REACH_API_URL="https://127.0.0.1:9", HTTPS_PROXY="", X_TENANT_ID="acme")

    assert "\nfailed   TCP         127.0.0.1 port 9: " in result.stdout
    assert f"\n{' ' * 21}-> Check host and port of REACH_API_URL" in result.stdout
    assert result.stdout.endswith("\nFailed: TCP. Correct the first one, then run doctor again.\n")
    assert "with 1 warning." in run("--demo", X_TENANT_ID="acme").stdout
    assert "may not read tenant elsewhere" in run("--demo", "--tenant-id", "elsewhere").stdout


async def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Secrets in every setting that takes one, and an API that repeats what it was sent."""

    def echo(request: Request, _: bytes) -> list[bytes | Act]:
        sent = request.headers["authorization"]
        texts = [sent, SECRET, sent.removeprefix("Bearer ").encode().hex(), "key-of-the-guide-1234"]
        return [reply(json.dumps({"message": f"tenant {texts}"}).encode(), status=403)]

    key_file = tmp_path / "key"
    key_file.write_text(SECRET)
    secrets: dict[str, Any] = {
        "PARTNER_API_KEY": "key-of-the-guide-1234",
        "REACH_MCP_AUTH_TOKEN": "alice:token-of-alice-1234,token-of-bob-5678",
        "REACH_MCP_TOKEN_KEY": "key-of-since-tokens-1234",
        "HTTP_PROXY": "http://me:password-of-proxy@127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,password-of-proxy,token-of-bob-5678",
    }
    shown = ""
    async with FaultServer(echo) as server:
        secrets |= {"REACH_API_URL": server.url, "REACH_TENANT_ID": TENANT}
        signing = {"REACH_API_TOKEN": "", "REACH_PARTNER_ID": "p1", "REACH_JWT_SECRET_FILE": str(key_file)}
        for own in (signing | {"REACH_API_TOKEN": TENANT, "REACH_JWT_SECRET": SECRET}, signing):
            for options in ((), ("--json",)):
                result = await anyio.to_thread.run_sync(partial(run, *options, **(secrets | own)))
                assert "403" in result.stdout, result.output
                shown += result.output
        sent = {request.headers["authorization"].removeprefix("Bearer ") for request in server.requests}

    assert "[redacted]" in shown
    hidden = (*sent, SECRET, "key-of-", "password-of", "token-of-", *(each.rpartition(".")[2] for each in sent))
    assert [each for each in hidden if each in shown or each.encode().hex() in shown] == []
