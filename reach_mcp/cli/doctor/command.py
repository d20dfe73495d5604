"""The command `doctor`: runs the checks in order, and prints each finding as soon as it is there."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import anyio
import click

from reach_mcp.api import errors
from reach_mcp.api.redaction import redact
from reach_mcp.cli.doctor import local, network, reach
from reach_mcp.cli.doctor.findings import Examination, Finding, Status, misconfigured, skip, unreachable
from reach_mcp.cli.output import clean, json_text, terminal_width
from reach_mcp.cli.session import Session, demo_option
from reach_mcp.logs import hide_tokens
from reach_mcp.render.formatting import plural
from reach_mcp.settings import ConfigurationError

CHECKS: dict[str, tuple[Callable[[Examination], Awaitable[Finding]], str]] = {
    "settings": (local.check_settings, ""),
    "callers": (local.check_callers, "settings"),
    "cache": (network.check_cache, "settings"),
    "credential": (local.check_credential, "settings"),
    "token": (local.check_token, "credential"),
    "hosts": (local.check_hosts, ""),
    "proxy": (network.check_proxy, "settings"),
    "DNS": (network.check_dns, "proxy"),
    "TCP": (network.check_tcp, "DNS"),
    "TLS": (network.check_tls, "TCP"),
    "request": (reach.check_request, "credential TLS"),
    "clock": (reach.check_clock, "settings"),
    "tenant": (reach.check_tenant, "credential"),
    "answer": (reach.check_answer, "request"),
    "reading": (reach.check_reading, "answer"),
}
"""Each check by its name, and the names of those without which it makes no sense."""
NETWORK = ("proxy", "DNS", "TCP", "TLS")
ADVICE = {
    **dict.fromkeys((errors.TimedOut, errors.Stalled), "Reach, or a proxy on the way, is slow. Try again in a minute."),
    errors.NoConnection: "The connection opens and then breaks off: by a proxy or firewall on the way, or by Reach. "
    "Try again in a minute, then ask those who run the network.",
    errors.NotJSON: "A proxy or a sign-in page answers instead of Reach, or cuts the answer short. Check "
    "REACH_API_URL, HTTPS_PROXY and NO_PROXY.",
    errors.BadRequest: "Read the reason that Reach gives, and look at the tenant below.",
}
"""Advice for one request of ours, where the error's own is for the call of a tool."""
OURS = (errors.InvalidArgument, errors.CredentialMissing, errors.Unauthorized, errors.Forbidden)
COLOURS: dict[Status, str] = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "bright_black"}
INDENT = " " * 21
_SECRET_NAME = re.compile("(?!.*_FILE$).*(KEY|TOKEN|SECRET|PASSWORD)", re.IGNORECASE)


@dataclass(frozen=True)
class Diagnosis:
    """All findings, in the order of the checks."""

    exit_code: int
    findings: list[Finding]


async def examine(examination: Examination) -> AsyncIterator[Finding]:
    """The finding of each check. One that needs a check that failed is skipped. No finding has a secret."""
    blocked: set[str] = set()
    for name, (check, needs) in CHECKS.items():
        cause = next((each for each in needs.split() if each in blocked), None)
        if cause:
            finding = skip(f"It needs {cause}.")
        elif name in NETWORK and (examination.settings.demo or examination.session.transport is not None):
            finding = skip("No network is used.")
        else:
            finding = await run_check(check, examination)
        if cause or finding.status == "failed":
            blocked.add(name)
        secrets = list(find_secrets(examination))
        seen, advice = (clean(hide_tokens(redact(text, secrets))) for text in (finding.seen, finding.advice))
        yield replace(finding, check=name, seen=seen, advice=advice)


async def run_check(check: Callable[[Examination], Awaitable[Finding]], examination: Examination) -> Finding:
    try:
        return await check(examination)
    except ConfigurationError as error:
        return misconfigured(str(error), local.WHERE)
    except errors.ReachError as error:
        examination.error = examination.error or error
        quotes = f" {error.introduces}: {'; '.join(error.quotes)}." if error.quotes else ""
        wait = f" Reach asks to wait {error.retry_after:g} s." if error.retry_after is not None else ""
        fail = misconfigured if isinstance(error, OURS) else unreachable
        return fail(f"{error.message}{quotes}{wait}", ADVICE.get(type(error), error.advice))
    except network.FAILURES as error:
        return network.explain_failure(error, *examination.target)


def find_secrets(examination: Examination) -> Iterator[str]:
    """What the client holds, variables that have the name of a secret, whole and in parts, and passwords of proxies."""
    if "client" in vars(examination):
        yield from examination.client.credential.secrets()
    for name, value in examination.environment.items():
        if name.upper().endswith("_PROXY"):
            yield from re.findall(r"//[^/@]*:([^/@]*)@", value)
        elif _SECRET_NAME.match(name):
            yield from (value, *re.split(r"[\s,:\"']+", value))


@click.command("doctor")
@click.option("--tenant-id", help="Try this tenant in place of REACH_TENANT_ID.")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as one JSON object.")
@demo_option
@click.pass_context
def doctor_command(ctx: click.Context, tenant_id: str | None, as_json: bool) -> None:
    """Check settings, credential, network and Reach, and say what to do. No secret is shown.

    Exit codes: 0 nothing failed, 2 a setting, the credential, a host's entry or the clock is wrong, 3 the network or
    Reach fails.

    \b
    Examples:
      embedreach-mcp doctor
      embedreach-mcp doctor --demo --json
    """
    examination = Examination(ctx.ensure_object(Session), dict(os.environ), tenant_id)
    diagnosis = anyio.run(diagnose, examination, not as_json)
    click.echo(json_text(diagnosis) if as_json else summarise(diagnosis))
    ctx.exit(diagnosis.exit_code)


async def diagnose(examination: Examination, show: bool) -> Diagnosis:
    """All findings, each printed meanwhile if `show`. What can be corrected here counts before what cannot."""
    findings = []
    async for finding in examine(examination):
        findings.append(finding)
        if show:
            click.echo(format_finding(finding))
    if "client" in vars(examination):
        await examination.client.__aexit__()
    return Diagnosis(min((each.exit_code for each in findings if each.exit_code), default=0), findings)


def format_finding(finding: Finding) -> str:
    """Status, name and what was seen, with the advice below."""
    width = terminal_width()
    lines = textwrap.wrap(finding.seen, width, initial_indent=INDENT, subsequent_indent=INDENT)
    lines += textwrap.wrap(finding.advice, width, initial_indent=f"{INDENT}-> ", subsequent_indent=f"{INDENT}   ")
    head = click.style(f"{finding.status:9}", fg=COLOURS[finding.status]) + f"{finding.check:12}"
    return head + "\n".join(lines).removeprefix(INDENT)


def summarise(diagnosis: Diagnosis) -> str:
    failed = [finding.check for finding in diagnosis.findings if finding.status == "failed"]
    warnings = sum(finding.status == "warning" for finding in diagnosis.findings)
    if failed:
        return f"\nFailed: {', '.join(failed)}. Correct the first one, then run doctor again."
    return "\nEverything works" + (f", with {plural(warnings, 'warning')}." if warnings else ".")
