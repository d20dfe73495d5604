"""Our errors as messages of the command line, each with its exit code."""

from __future__ import annotations

import click

from reach_mcp.analysis.errors import QuestionError
from reach_mcp.api.errors import BatchNotFound, CredentialMissing, Forbidden, InvalidArgument, ReachError, Unauthorized
from reach_mcp.cli.session import UNREACHABLE, USAGE
from reach_mcp.render.sanitize import visible
from reach_mcp.settings import ConfigurationError

MAX_ERROR_CHARS = 2_000
OPTIONS = ("tenant_id", "batch_type", "created_after", "created_before")
NAMES = {name: f"--{name.replace('_', '-')}" for name in OPTIONS} | {"list_batches": "embedreach-mcp list"}
"""Names of tools and arguments in errors, and of the commands and options that stand for them."""

CORRECTABLE = (InvalidArgument, BatchNotFound, CredentialMissing, Unauthorized, Forbidden)
"""Errors that another argument or setting avoids."""

NO_CREDENTIAL = (
    "Set REACH_API_TOKEN or REACH_API_TOKEN_FILE (a JWT), or REACH_PARTNER_ID with REACH_JWT_SECRET or "
    "REACH_JWT_SECRET_FILE; or add --demo to try it without one."
)
"""Advice without the words about a server."""


def translate(error: Exception) -> Exception:
    """Our errors as a message with an exit code; any other exception as it is."""
    advice = getattr(error, "advice", "")
    advice = NO_CREDENTIAL if advice == CredentialMissing.advice else advice
    text = " ".join(f"{getattr(error, 'message', error)} {advice}".split())
    for name, option in NAMES.items():
        text = text.replace(name, option)
    match error:
        case ConfigurationError() | QuestionError():
            return _failure(visible(text, MAX_ERROR_CHARS), USAGE)
        case ReachError():
            quotes = "; ".join(f'"{visible(quote)}"' for quote in error.quotes)
            code = USAGE if isinstance(error, CORRECTABLE) else UNREACHABLE
            return _failure(f"{text} {error.introduces}: {quotes}" if quotes else text, code)
        case _:
            return error


def _failure(message: str, code: int) -> click.ClickException:
    failure = click.ClickException(message)
    failure.exit_code = code  # type: ignore[misc]  # click declares it for the class, and reads it here
    return failure
