"""Checks on this machine: settings, credential, and the hosts that start this program."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from reach_mcp.api.auth import PartnerSecret, read_claims
from reach_mcp.cli.doctor.findings import Examination, Finding, misconfigured, ok, skip, warn
from reach_mcp.cli.hosts import HostEntry, find_broken_files, find_entries, own_command
from reach_mcp.cli.output import iso
from reach_mcp.render.formatting import exact_duration
from reach_mcp.settings import LOOPBACK, find_errors, known_variables, unknown_variables
from reach_mcp.transports.auth import build_callers

WHERE = "Correct it where it is set: in the host's configuration, or in the shell."
REPAIR = "Repair the file, then restart the host."
FRESH = "Set a fresh JWT, or set REACH_PARTNER_ID with REACH_JWT_SECRET: JWTs are then signed and renewed for you."
_CREDENTIAL = "REACH_API_TOKEN (a JWT), or REACH_PARTNER_ID with REACH_JWT_SECRET"
MEANT = {
    **dict.fromkeys(("PARTNER_API_KEY", "REACH_API_KEY", "REACH_PARTNER_API_KEY"), _CREDENTIAL),
    **dict.fromkeys(("REACH_TOKEN", "REACH_JWT"), "REACH_API_TOKEN"),
    **dict.fromkeys(("REACH_URL", "REACH_BASE_URL"), "REACH_API_URL"),
    "X_TENANT_ID": "REACH_TENANT_ID, which is sent as the header reach-tenant-id",
}
"""Settings for names that people use instead. The vendor's sync guide has PARTNER_API_KEY and X-Tenant-Id."""
SHOWN_CLAIMS = ("partnerId", "type", "tenantExternalId", "externalId")
"""Claims whose values are shown. Of others only the names are: they may hold personal data."""
MAX_SECONDS = 1e11
"""A larger `exp` is no time in seconds."""
SOON_SECONDS, TOLERATED_SECONDS = 600, 60
MIN_SECRET_BYTES = 32
"""The least length of a key for HS256 (RFC 7518, 3.2)."""


async def check_settings(examination: Examination) -> Finding:
    """Values that can be read, no foreign or mistyped names, and an address as the API has it."""
    settings, api = examination.settings, urlsplit(examination.settings.api_url)
    used = [name for name in known_variables() if examination.environment.get(name)]
    odd = list(find_foreign(name for name, value in examination.environment.items() if value))
    if api.path:
        odd.append(f"REACH_API_URL has the path {api.path}: it takes the address alone.")
    if api.scheme == "http" and api.hostname not in LOOPBACK:
        odd.append("REACH_API_URL is an http address: the credential travels unencrypted.")
    if re.match(r"[\w-]+-id\s*[:=]", settings.tenant_id or "", re.IGNORECASE):
        odd.append("REACH_TENANT_ID holds a whole header: it takes the value alone.")
    seen = f"Set: {', '.join(used)}." if used else "No variable is set: defaults are in force."
    return warn(" ".join([seen, *odd]), WHERE) if odd else ok(seen)


def find_foreign(names: Iterable[str]) -> Iterator[str]:
    """Sentences on variables that look as if they were for this program, and are not read."""
    known, rest, names = known_variables(), [], sorted(names)
    for name in names:
        plain = name.upper().replace("-", "_")
        meant = MEANT.get(plain) or (plain if plain in known and "-" in name else "")
        if not meant:
            rest.append(name)
        elif not any(each.startswith(tuple(re.findall(r"REACH_\w+", meant))) for each in names):
            yield f"{name} is not read; set {meant}."
    yield from (f"{unknown} is no setting." for unknown in unknown_variables(rest, prefix="REACH_"))


async def check_callers(examination: Examination) -> Finding:
    """Whether `serve --http` would start: tokens and files of its callers, keys. Raises ConfigurationError."""
    callers = build_callers(examination.settings)
    return ok(await callers.describe()) if callers else skip("No tokens are set.")


async def check_credential(examination: Examination) -> Finding:
    """A credential that can be read, and which of several counts."""
    settings, credential = examination.settings, examination.client.credential
    token = credential.token()
    if settings.demo:
        return ok("The demo needs none.")
    if isinstance(credential, PartnerSecret):
        seen = f"JWTs are signed for partner {settings.partner_id} with REACH_JWT_SECRET, and renewed."
        secrets = [secret for secret in credential.secrets() if secret != token]
        if any(map(read_claims, secrets)):
            return warn(f"{seen} The secret is a JWT itself.", "Set it as REACH_API_TOKEN.")
        short = any(len(secret.encode()) < MIN_SECRET_BYTES for secret in secrets)
        told = f"{seen} The secret is shorter than {MIN_SECRET_BYTES} bytes, which HS256 needs."
        return warn(told, "Check that it was copied whole.") if short else ok(seen)
    seen = f"A token of {len(token)} characters from REACH_API_TOKEN{'' if settings.api_token else '_FILE'}."
    if settings.partner_id or settings.jwt_secret or settings.jwt_secret_file:
        return warn(f"{seen} The partner's secret is set too and not used.", "Unset the one that should not count.")
    return ok(seen)


async def check_token(examination: Examination) -> Finding:
    """The kind of the token, its claims, and the time in which it is valid by this machine's clock."""
    claims, now = examination.claims, examination.session.now()
    if examination.settings.demo:
        return skip("The demo's token is no JWT.")
    if not claims:
        return warn("The token is not a JWT, which has three parts with dots between. An API key is none.", FRESH)
    times = {name: value for name in ("iat", "nbf", "exp") if isinstance(value := claims.get(name), int | float)}
    if not all(0 <= value < MAX_SECONDS for value in times.values()):
        return warn("A time of the token is not in seconds.", "Sign it with iat and exp in seconds since 1970.")
    partner, tenant = claims.get("type") == "partner", "tenantExternalId" in claims
    shown = [f"{name} {claims[name]}" for name in SHOWN_CLAIMS if name in claims]
    shown += [f"{name} {iso(value)}" for name, value in times.items()]
    shown += [f"{name} (not shown)" for name in sorted(claims.keys() - times.keys() - set(SHOWN_CLAIMS))]
    seen = f"{'Partner' if partner else 'Tenant' if tenant else 'Unknown'} scope: {', '.join(shown)}."
    own, named = claims.get("tenantExternalId"), examination.tenant
    left = times.get("exp", MAX_SECONDS) - now
    wait = max(times.get("iat", 0), times.get("nbf", 0)) - now
    if isinstance(examination.client.credential, PartnerSecret):  # renewed before it ends
        return ok(seen)
    if left <= 0:
        return misconfigured(f"{seen} It ended {exact_duration(-left)} ago.", FRESH)
    if wait > TOLERATED_SECONDS:
        advice = f"Look at the clock below. If it is right, the JWT was signed by a wrong one. {FRESH}"
        return misconfigured(f"{seen} It is not valid before {exact_duration(wait)} from now.", advice)
    if own and named and own != named:
        return warn(f"{seen} The tenant is set to {named}.", "Leave REACH_TENANT_ID out, or set a JWT of that tenant.")
    return warn(f"{seen} It ends in {exact_duration(left)}.", FRESH) if left < SOON_SECONDS else ok(seen)


async def check_hosts(examination: Examination) -> Finding:
    """Which hosts of this machine start this program, whether they can, and files of theirs that are broken."""
    place = Path.home(), examination.environment, sys.platform, Path.cwd()
    entries, broken = find_entries(*place), find_broken_files(*place)
    if not entries and not broken:
        return skip("No known host here starts embedreach-mcp.", "`embedreach-mcp install HOST` adds it to one.")
    started = ", ".join(f"{entry.host} ({entry.name} in {entry.file})" for entry in entries)
    seen = " ".join([f"Started by {started}." if entries else "No known host here starts embedreach-mcp.", *broken])
    lost = [entry for entry in entries if not shutil.which(entry.command)]
    if lost:
        told = " ".join(f"{entry.host} starts {entry.command}, which does not exist." for entry in lost)
        return misconfigured(f"{seen} {told}", advise_command(lost[0]))
    wrong = [f"{entry.host}: {error}" for entry in entries for error in find_errors(dict(entry.variables))]
    if wrong:
        return misconfigured(" ".join([seen, *wrong]), "Correct it in the file of the host, then restart the host.")
    odd = [f"{entry.host}: {told}" for entry in entries for told in find_foreign(name for name, _ in entry.variables)]
    return warn(" ".join([seen, *odd]), WHERE if odd else REPAIR) if odd or broken else ok(seen)


def advise_command(entry: HostEntry) -> str:
    """How to correct the command of an entry, and nothing else of it."""
    if entry.variables:  # a new entry would lose them
        return f"Write into its entry {entry.name} how it is started here: {shlex.join(own_command())}"
    options = [*(["--demo"] if "--demo" in entry.args else []), "--name", entry.name]
    options += ["--scope", "project"] if entry.scope == "project" else []
    return f"Run `embedreach-mcp {shlex.join(['install', entry.host, *options, '--yes'])}` to correct it."
