"""Checks of Reach itself: the first request, the clock, the tenant, the form of the answer, the whole list."""

from __future__ import annotations

from collections import Counter

from reach_mcp.api.auth import MAX_SKEW_SECONDS
from reach_mcp.api.deadline import MIN_SKEW_SECONDS, Deadline
from reach_mcp.api.decoding import decode_page, parse_answer
from reach_mcp.api.errors import BadRequest
from reach_mcp.api.pagination import BatchReader
from reach_mcp.api.query import BatchQuery
from reach_mcp.cli.doctor.contract import compare
from reach_mcp.cli.doctor.findings import Examination, Finding, misconfigured, ok, skip, unreachable, warn
from reach_mcp.cli.output import iso
from reach_mcp.render.formatting import batches, exact_duration, plural
from reach_mcp.render.glossary import STOPPED
from reach_mcp.tools.snapshot import PAGE_SIZES

SAMPLE = BatchQuery(limit=10, include_pending_details=True)
"""The batches that are compared with the contract."""
MAX_DIFFERENCES = 12


async def check_request(examination: Examination) -> Finding:
    """`GET /api/batches?limit=1`. Raises ReachError."""
    examination.asked = deadline = Deadline(examination.settings.deadline)
    await examination.client.list_batches(BatchQuery(limit=1), tenant=examination.tenant, deadline=deadline)
    seen = "GET /api/batches?limit=1 is answered with status 200"
    if deadline.requests > 1:
        advice = "The network, Reach or this clock is not steady: run doctor again, and look at the other lines."
        return warn(f"{seen}, but only at request {deadline.requests}: those before it failed.", advice)
    return ok(f"{seen}.")


async def check_clock(examination: Examination) -> Finding:
    """The difference between this machine's clock and the `Date` of the API's answer."""
    now, sent = examination.session.now(), examination.asked.server_time if examination.asked else None
    if sent is None:
        return skip("No answer with a Date came.")
    seen, apart = f"Here it is {iso(now)}, at Reach {iso(sent)}", abs(now - sent)
    if apart <= MIN_SKEW_SECONDS:
        return ok(f"{seen}.")
    seen += f": this machine is {exact_duration(apart)} {'ahead' if now > sent else 'behind'}."
    advice = "Set this machine's clock, best by network time. If it is right, a cache answers in place of Reach."
    return misconfigured(seen, advice) if apart > MAX_SKEW_SECONDS else warn(seen, advice)


async def check_tenant(examination: Examination) -> Finding:
    """Whether a tenant is needed, and whether the one that is set can be read."""
    error, tenant, claims = examination.error, examination.tenant, examination.claims
    own, partner = claims.get("tenantExternalId"), claims.get("type") == "partner"
    if examination.asked is None:
        return skip("Reach was not asked.")
    if error is None and partner and not tenant:
        return warn("A partner's JWT, and no tenant is set.", "Set REACH_TENANT_ID, or name tenant_id in each call.")
    if error is None:
        return ok(f"The tenant is {tenant}." if tenant else "The token's own tenant.")
    about_tenant = "tenant" in " ".join([error.advice, *error.quotes]).lower()
    if not about_tenant and not (partner and not tenant and isinstance(error, BadRequest)):
        return skip("The request failed for another reason.")
    if not tenant:
        return misconfigured("No tenant is set, and this credential needs one.", "Set REACH_TENANT_ID=YOUR_TENANT.")
    if own and own != tenant:
        advice = f"Set REACH_TENANT_ID={own}, or leave it out: a tenant-scoped JWT needs none."
        return misconfigured(f"The tenant is {tenant}, and the JWT is of {own}.", advice)
    advice = "Check REACH_TENANT_ID for a slip. Reach may know the tenant by its own id or by yours: try the other."
    return misconfigured(f"The credential may not read tenant {tenant}, or there is none.", advice)


async def check_answer(examination: Examination) -> Finding:
    """Missing and unknown fields, and unknown values, in the newest batches. Raises ReachError."""
    deadline = Deadline(examination.settings.deadline)
    body = await examination.client.fetch_page(SAMPLE, tenant=examination.tenant, deadline=deadline)
    page, found = decode_page(body), Counter(compare(parse_answer(body)))
    found.update(f"{name} is no sensible number" for batch in page.batches for name in batch.unreadable_counters)
    lost = len(page.unreadable) + sum(batch.unreadable_resources for batch in page.batches)
    seen = f"{batches(len(page.batches) + len(page.unreadable))} compared with the documentation"
    if not found and not lost:
        return ok(f"{seen}: no difference.")
    told = "; ".join(
        f"{name.lstrip('.')} ({plural(count, 'time')})" for name, count in found.most_common(MAX_DIFFERENCES)
    )
    advice = "The API has changed: look for an update of embedreach-mcp, and report these names."
    if lost:
        return unreachable(f"{seen}: {told}. {lost} of their parts can't be read.", advice)
    return warn(f"{seen}: {told}. Nothing is lost by it.", advice)


async def check_reading(examination: Examination) -> Finding:
    """All batches, without their pending resources: whether the list can be read whole. Raises ReachError."""
    deadline, tenant = Deadline(examination.settings.deadline), examination.tenant
    reader = BatchReader(examination.client, BatchQuery(), tenant=tenant, deadline=deadline, page_sizes=PAGE_SIZES)
    async for _ in reader.pages():
        pass
    read = reader.coverage
    seen = f"{batches(read.batches)} read in {plural(deadline.requests, 'request')}"
    if read.complete:
        return ok(f"{seen}, all there are.")
    if read.stop == "deadline":
        return warn(f"{seen}, then the time was over.", "Answers count a part. Set REACH_MCP_DEADLINE=120.")
    if read.error is not None:
        raise read.error
    told = STOPPED.get(read.stop) or f"Reach counts {read.total}, and {read.unreadable_batches} can't be read"
    return unreachable(f"{seen}; {told}.", "Run doctor again. If it stays so, report it to Reach.")
