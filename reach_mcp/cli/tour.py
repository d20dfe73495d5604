"""`demo`: one question about the demo tenant and its answer, in one minute."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import anyio
import click

from reach_mcp.analysis.report import Question, explain
from reach_mcp.cli.output import Clock, terminal_width, to_text
from reach_mcp.cli.session import Session
from reach_mcp.cli.tables import report_explanation

SITUATION = """\
Northwind, a field service firm, uploads customers, locations, invoices and appointments to Reach every night.
Today hundreds of its records are stuck: they wait for records that are missing, and after 24 hours they are deleted."""

QUESTION = "Why are our records stuck, what do we lose first, and what should we send?"
CALL = "explain_pending_dependencies {}"

NEXT = """\
Try next:
  embedreach-mcp explain --demo --focus appointments:apt_5001   why one record waits, down to the root
  embedreach-mcp explain --demo --view plan                     everything to send, best first
  embedreach-mcp explain --demo --view cycles                   records that wait for each other
  embedreach-mcp batch --demo bat_cus_0912                      one batch and its errors
  embedreach-mcp list --demo --status failure                   batches that failed"""


@click.command("demo")
@click.pass_context
def demo_command(ctx: click.Context) -> None:
    """Show one question and its answer on the built-in demo tenant, and how to connect a host.

    \b
    Example:
      embedreach-mcp demo
    """
    session = ctx.ensure_object(Session)
    session.demo = True
    analysis = anyio.run(lambda: session.read_all(None, details=True))
    explanation = explain(analysis, Question(limit=5))
    brief = replace(report_explanation(explanation), after=[])
    answer = to_text(brief, Clock(explanation.as_of, session.zone), terminal_width())
    asked = f'Somebody asks: "{QUESTION}"\nThe model calls: {CALL}\nThe answer, as a person reads it:'
    click.echo("\n\n".join([SITUATION, asked, answer, NEXT, how_to_connect()]))


def how_to_connect() -> str:
    """The entry of a host's configuration, with the interpreter that runs this."""
    entry = {"command": sys.executable, "args": ["-m", "reach_mcp", "--demo"]}
    return f"""\
Connect a host (with --demo; for your own data leave it out and set REACH_API_TOKEN):
  Claude Code:     claude mcp add reach-demo -- {sys.executable} -m reach_mcp --demo
  Claude Desktop:  {json.dumps({"mcpServers": {"reach-demo": entry}})}
  Other hosts and HTTP: docs/hosts.md, docs/http.md"""
