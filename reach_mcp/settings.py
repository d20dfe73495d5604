"""Every setting, read from the environment and overridden by flags; secrets never show in a repr.

The README's table of settings is generated from this class: a field's description is its row.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

OF_REACH = ("api_url", "api_token", "api_token_file", "partner_id", "jwt_secret", "jwt_secret_file", "tenant_id")
"""Settings that are Reach's own, and so might be those of other programs: they are called REACH_…, ours REACH_MCP_…."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ConfigurationError(Exception):
    """A setting is missing or wrong. The message names it and says what would be right."""


class Settings(BaseSettings):
    """What an operator can set, in the environment as `REACH_API_URL` or `REACH_MCP_DEADLINE`. Empty is unset."""

    model_config = SettingsConfigDict(
        alias_generator=lambda name: f"REACH_{'' if name in OF_REACH else 'MCP_'}{name.upper()}",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    api_url: str = Field("https://api.embedreach.com", description="Base URL of the Reach API.")
    api_token: SecretStr | None = Field(
        None, description="A Reach JWT, tenant- or partner-scoped. Lasts as long as its `exp`."
    )
    api_token_file: Path | None = Field(None, description="File with the JWT, read again whenever it changes.")
    partner_id: str | None = Field(None, description="Your partner id; with the secret, the server signs its own JWTs.")
    jwt_secret: SecretStr | None = Field(
        None, description="The secret shared with Reach that signs partner JWTs (HS256)."
    )
    jwt_secret_file: Path | None = Field(None, description="File with that secret, read again whenever it changes.")
    tenant_id: str | None = Field(None, description="Pins the tenant: a call that names another one is refused.")
    deadline: float = Field(45.0, gt=0, le=600, description="Seconds a call may take; then it answers in part.")
    max_body_mb: float = Field(32.0, gt=0, le=1024, description="Largest answer accepted from Reach, in MB.")
    max_requests: int = Field(4, ge=1, le=64, description="Requests in flight to Reach, over all calls.")
    max_calls: int = Field(8, ge=1, le=256, description="Calls at work at once; more wait, caller by caller.")
    reuse_seconds: float = Field(
        30.0,
        ge=0,
        le=600,
        description="How long follow-up calls answer from one reading of all pages; 0 reads anew each time.",
    )
    reuse_mb: float = Field(128.0, ge=0, le=4096, description="Most MB of such readings, by bytes read.")
    answer_tokens: int = Field(
        4000, ge=800, le=20_000, description="Most tokens of one answer, text and structured content together."
    )
    answer_parts: Literal["both", "text", "structured"] = Field(
        "both", description="`text` or `structured` for hosts that show both twice."
    )
    mask_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Secret that masks external ids and personal text in answers and logs; unset, nothing is masked.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on with `serve --http`.")
    port: int = Field(8765, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    auth_token: SecretStr | None = Field(
        None, description="Bearer token that HTTP callers must show. Needed off loopback."
    )
    auth_token_file: Path | None = Field(None, description="File with that bearer token.")
    allowed_hosts: str = Field("", description="Host headers accepted besides loopback, comma-separated.")
    allowed_origins: str = Field("", description="Browser origins accepted, comma-separated.")
    shutdown_seconds: int = Field(5, ge=0, le=300, description="Grace for open calls when HTTP shuts down.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is logged to stderr.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or one JSON object a line.")
    demo: bool = Field(False, description="Serve the embedded demo API; no credential needed.")
    demo_tenant: Literal["northwind", "healthy", "empty", "hostile"] = Field(
        "northwind", description="Which tenant of the demo to serve."
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_placeholders(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A host may pass the placeholder of a field that was left empty on as it stands in the manifest."""
        return {name: value for name, value in values.items() if not str(value).startswith("${user_config.")}

    @field_validator("api_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        try:
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # urllib reads the port late
            usable = False
        if not usable:
            raise ValueError("must be an http or https URL such as https://api.embedreach.com")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must bear no user name, password, query or fragment; the token has a setting of its own")
        return value.rstrip("/")

    def caller_token(self) -> str | None:
        """The bearer token that HTTP callers must show, from its setting or its file."""
        return secret(self.auth_token, self.auth_token_file, "REACH_MCP_AUTH_TOKEN")


def load_settings(**flags: Any) -> Settings:
    """Settings of the environment, with every flag that is not None laid over them.

    Raises ConfigurationError that names each wrong variable; values are not repeated, they may be secret.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"{_variable(e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors())
        raise ConfigurationError(f"Wrong setting: {wrong}.") from None


def _variable(location: tuple[int | str, ...]) -> str:
    """The variable of a setting that is named by it or, where a flag set it, by its field."""
    field = Settings.model_fields.get(str(location[0]))
    return str(field.alias if field else location[0])


def secret(value: SecretStr | None, file: Path | None, name: str) -> str | None:
    """A secret from its setting or, that being unset, from its file; None when neither is set."""
    if value is not None:
        return value.get_secret_value().strip()
    if file is None:
        return None
    return read_secret(file, f"{name}_FILE")


def read_secret(file: Path, name: str) -> str:
    """The content of a secret's file without surrounding white space; ConfigurationError when it has none."""
    try:
        content = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is not text"
        raise ConfigurationError(
            f"{name} can't be read: {reason}. Name a readable file that holds the secret."
        ) from None
    if not content:
        raise ConfigurationError(f"{name} names an empty file. Put the secret into it.")
    return content
