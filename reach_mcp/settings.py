"""Every setting, read from the environment and overridden by flags. Secrets never show in a repr.

The table of settings in the docs is generated from this class: a field's description is its row.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from reach_mcp.wrong_values import describe_errors

REACH_SETTINGS = ("api_url", "api_token", "api_token_file", "partner_id", "jwt_secret", "jwt_secret_file", "tenant_id")
"""Settings of the Reach API itself: their variables start with REACH_, those of this server with REACH_MCP_."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_PLACEHOLDER = re.compile(
    r"(?:Bearer )?(?:\$?\{+[^{}]*\}+|\$[A-Z_][A-Z0-9_]*|%[A-Z0-9_]+%|<[^<>]*>|\[[A-Za-z _-]+\]|\.{3}|…"
    r"|(?i:(?:your|insert|enter|paste|replace)[ _-][a-z _-]+|[a-z _-]+[ _-]here|change[ _-]?me))"
)
LEFT_EMPTY = "${user_config."
"""Desktop hosts pass this placeholder on for a field that the user left empty: it counts as unset."""


class ConfigurationError(Exception):
    """A setting is missing or wrong. The message names it and says which value is right."""

    kind = "configuration_error"


class Settings(BaseSettings):
    """The settings of an operator: environment variables such as `REACH_API_URL` or `REACH_MCP_DEADLINE`.

    An empty variable counts as unset.
    """

    model_config = SettingsConfigDict(
        alias_generator=lambda name: f"REACH_{'' if name in REACH_SETTINGS else 'MCP_'}{name.upper()}",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    api_url: str = Field("https://api.embedreach.com", description="Base URL of the Reach API.")
    api_token: SecretStr | None = Field(
        None, description="A Reach JWT, tenant- or partner-scoped. It is valid until its `exp`."
    )
    api_token_file: Path | None = Field(None, description="File with the JWT, read again whenever it changes.")
    partner_id: str | None = Field(None, description="Your partner id. With the secret, the server signs its own JWTs.")
    jwt_secret: SecretStr | None = Field(
        None, description="The secret shared with Reach that signs partner JWTs (HS256)."
    )
    jwt_secret_file: Path | None = Field(None, description="File with that secret, read again whenever it changes.")
    tenant_id: str | None = Field(None, description="Pins the tenant: a call that names another one is refused.")
    deadline: float = Field(45.0, gt=0, le=600, description="Seconds a call may take. After that it answers in part.")
    max_body_mb: float = Field(32.0, gt=0, le=1024, description="Largest response accepted from Reach, in MB.")
    max_requests: int = Field(4, ge=1, le=64, description="Requests in flight to Reach; with a cache, of all replicas.")
    max_calls: int = Field(8, ge=1, le=256, description="Calls at work at once. More wait, with a share per caller.")
    reuse_seconds: float = Field(
        30.0, ge=0, le=600, description="How long follow-up calls answer from one snapshot. 0 reads every time."
    )
    reuse_mb: float = Field(128.0, ge=0, le=4096, description="Most MB of such snapshots, by bytes read.")
    cache_url: SecretStr | None = Field(None, description="Redis or Valkey where replicas share snapshots and slots.")
    cache_key: SecretStr | None = Field(None, description="Fernet keys for it, comma-separated. The first encrypts.")
    answer_bytes: int = Field(
        8000, ge=4000, le=100_000, description="Most bytes of a concise answer, in each form. Detailed: three times."
    )
    answer_parts: Literal["both", "text", "structured"] = Field(
        "both", description="`text` or `structured` for hosts that show the other form twice or not at all."
    )
    error_messages: bool = Field(True, description="Show the API's free-text error messages in answers.")
    token_key: SecretStr | None = Field(
        None, min_length=16, description="Key shared by all replicas that authenticates `since` tokens."
    )
    host: str = Field("127.0.0.1", description="Address to listen on with `serve --http`.")
    port: int = Field(8765, ge=0, le=65535, description="Port to listen on. 0 takes a free one.")
    auth_token: SecretStr | None = Field(
        None,
        description="Bearer tokens of HTTP callers, comma-separated, each as `token` or `name:token`. "
        "Required off loopback, at least 16 characters each there.",
    )
    auth_token_file: Path | None = Field(
        None, description="File with such tokens, one a line, read again whenever it changes."
    )
    auth: Literal["none", "static", "oauth"] | None = Field(
        None,
        description="How HTTP callers show who they are. Unset: `static` where tokens or a callers file are set, else "
        "`none`, which is for loopback alone.",
    )
    callers_file: Path | None = Field(
        None,
        description="TOML file of named callers with token hashes, tenants and expiry, read again whenever it changes.",
    )
    oauth_issuer: str | None = Field(None, description="The issuer of access tokens, exactly as in their `iss`.")
    oauth_audience: str = Field(
        "",
        description="The public URL of this server, such as https://mcp.example.com/mcp, which tokens have in their "
        "`aud`. Other accepted audiences may follow, comma-separated.",
    )
    oauth_jwks_url: str | None = Field(
        None, description="The issuer's JWKS. Unset: the `jwks_uri` of its `.well-known` metadata."
    )
    oauth_scopes: str = Field("", description="Scopes that a token must have, all of them, comma-separated.")
    oauth_tenants_claim: str = Field(
        "tenants", description="The claim with the tenants of a caller, a string or a list. Without it: no tenant."
    )
    credential: Literal["server", "caller", "caller-required"] = Field(
        "server",
        description="The credential for calls over HTTP: the server's, the caller's from its header "
        "`Reach-Authorization` if it sends one, or the caller's alone.",
    )
    calls_per_minute: int = Field(
        0, ge=0, le=100_000, description="MCP requests of one HTTP caller per minute. 0: no limit."
    )
    allowed_hosts: str = Field("", description="Host headers accepted besides loopback, comma-separated.")
    allowed_origins: str = Field("", description="Browser origins accepted, comma-separated.")
    trusted_proxies: str = Field("", description="Addresses or networks of proxies whose X-Forwarded-For is believed.")
    max_connections: int = Field(256, ge=8, le=10_000, description="HTTP connections open at once.")
    drain_seconds: int = Field(0, ge=0, le=300, description="Seconds after SIGTERM in which calls are still taken.")
    shutdown_seconds: int = Field(5, ge=0, le=300, description="Grace for open calls at shutdown.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged to stderr.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or one JSON object a line.")
    metrics_port: int | None = Field(None, ge=0, le=65535, description="Port of its own for `/metrics`. Unset: none.")
    audit: str | None = Field(None, description="File for one JSON line per call; `-` is stdout, over HTTP alone.")
    send_trace: bool = Field(False, description="Send the `traceparent` of a call on to Reach.")
    demo: bool = Field(False, description="Serve the embedded demo API. No credential is needed.")
    demo_tenant: Literal["northwind", "healthy", "empty"] = Field(
        "northwind", description="The tenant of the demo to serve: northwind, healthy or empty."
    )

    @field_validator("api_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        try:
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # urllib parses the port when it is asked for
            usable = False
        if not usable:
            raise ValueError("must be an http or https URL such as https://api.embedreach.com")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must have no user name, password, query or fragment. The token has its own setting")
        return value.rstrip("/")

    @field_validator("api_token_file", "jwt_secret_file", "auth_token_file", "callers_file", mode="before")
    @classmethod
    def _clean_path(cls, value: object) -> object:
        """A path without the quotes that `set NAME="..."` keeps on Windows, and with the home directory for `~`."""
        return Path(value.strip(" \"'")).expanduser() if isinstance(value, str) else value

    @field_validator("oauth_issuer", "oauth_jwks_url")
    @classmethod
    def _check_identity_url(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        local = parts.scheme == "http" and parts.hostname in LOOPBACK
        if value and not (local or (parts.hostname and parts.scheme == "https")):
            raise ValueError("must be an https URL such as https://login.example.com")
        return value

    @field_validator("oauth_audience")
    @classmethod
    def _check_audience(cls, value: str) -> str:
        parts = urlsplit((split_list(value) or [""])[0])
        if value and not (parts.hostname and parts.scheme in ("http", "https")):
            raise ValueError("must begin with the public URL of this server, such as https://mcp.example.com/mcp")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: str) -> str:
        if any("/" in host or "*" in host for host in split_list(value)):
            raise ValueError("takes host names without scheme, path or *, such as mcp.example.com or 10.0.0.5:8765")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        for origin in split_list(value):
            parts = urlsplit(origin)
            if "*" in origin or not parts.scheme or not parts.netloc or parts.path:
                raise ValueError("takes origins with scheme and without path or *, such as https://chat.example.com")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        try:
            return ",".join(str(ip_network(name)) for name in split_list(value))
        except ValueError:
            raise ValueError("takes addresses or networks of proxies, such as 10.0.0.2 or 10.0.0.0/24") from None


def split_list(value: str) -> list[str]:
    """The parts of a comma-separated setting, without blanks."""
    return [part.strip() for part in value.split(",") if part.strip()]


class Loaded(NamedTuple):
    """Settings with the default in place of each wrong value, the variables that are wrong, and sentences on them."""

    settings: Settings
    wrong: frozenset[str]
    errors: list[str]


def load_settings(**flags: Any) -> Settings:
    """Settings of the environment, overridden by every flag that is not None.

    Raises ConfigurationError that names each wrong or mistyped variable. Values are not repeated: they may be secret.
    """
    loaded = load_valid(**flags)
    if loaded.errors:
        raise ConfigurationError(" ".join(loaded.errors))
    return loaded.settings


def load_valid(**flags: Any) -> Loaded:
    """Settings as `load_settings` reads them, whatever is wrong with some."""
    aliases = {name: str(field.alias) for name, field in Settings.model_fields.items()}
    return _load(Settings, os.environ, {aliases[name]: value for name, value in flags.items() if value is not None})


def find_errors(environment: Mapping[str, str]) -> list[str]:
    """Sentences on wrong variables that a host sets. Values with `${`, which the host fills, are skipped."""
    known, plain = known_variables(), {name: value for name, value in environment.items() if "${" not in value}
    return _load(_Given, plain, {name: plain[name] for name in known if plain.get(name)}).errors


class _Given(Settings):
    """Settings from arguments alone."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, init_settings: Any, **__: Any) -> tuple[Any]:  # type: ignore[override]
        return (init_settings,)


def _load(kind: type[Settings], environment: Mapping[str, str], given: dict[str, Any]) -> Loaded:
    defaults = {str(field.alias): field.default for field in Settings.model_fields.values()}
    errors, (empty, unfilled) = _find_mistyped(environment), _find_placeholders(environment)
    if unfilled:
        errors.append(
            f"Unfilled placeholder in {', '.join(unfilled)}: the host passed it on as it is written. "
            "Put the value itself there, or leave the variable out."
        )
    given = {name: defaults[name] for name in (*empty, *unfilled)} | given
    try:
        return Loaded(kind(**given), frozenset(unfilled), errors)
    except ValidationError as error:
        errors.append(f"Wrong setting: {describe_errors(Settings, error, limit=error.error_count())}.")
        wrong = frozenset(str(one["loc"][0]) for one in error.errors(include_input=False))
        right = kind(**given | {name: defaults[name] for name in wrong})
        return Loaded(right, wrong.union(unfilled), errors)


def known_variables() -> list[str]:
    """The environment variables of all settings."""
    return [str(field.alias) for field in Settings.model_fields.values()]


def unknown_variables(environment: Iterable[str], prefix: str = "REACH_MCP_") -> list[str]:
    """Variables with the prefix that are no setting, each with the nearest name where there is one."""
    known = known_variables()
    names = sorted(name for name in environment if name.startswith(prefix) and name not in known)
    return [f"{ascii(name[:80])[1:-1]}{_hint(name, known)}" for name in names]


def _hint(name: str, known: Iterable[str]) -> str:
    """The setting that was probably meant: compared without the prefix, which all have in common."""
    parts = {each.removeprefix("REACH_").removeprefix("MCP_"): each for each in known}
    near = difflib.get_close_matches(name.removeprefix("REACH_").removeprefix("MCP_"), parts, n=1, cutoff=0.5)
    return f" (did you mean {parts[near[0]]}?)" if near else ""


def _find_mistyped(environment: Iterable[str]) -> list[str]:
    """A sentence on variables that nearly are one of ours, if there are any: their value would be ignored."""
    known = known_variables()
    candidates = sorted(name for name in environment if name.startswith("REACH_") and name not in known)
    near = [(name, difflib.get_close_matches(name, known, n=1, cutoff=0.85)) for name in candidates]
    mistyped = [f"{name} is no setting, did you mean {match[0]}?" for name, match in near if match]
    return [f"Mistyped setting: {' '.join(mistyped)}"] if mistyped else []


def _find_placeholders(environment: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Our variables that a host left empty, and those with any other placeholder."""
    found = {name: environment[name].strip(" \t\r\n\"'`") for name in known_variables() if name in environment}
    empty = [name for name, value in found.items() if value.startswith(LEFT_EMPTY)]
    return empty, [name for name, value in found.items() if name not in empty and _PLACEHOLDER.fullmatch(value)]
