"""Credentials for the Reach API: a token, a token file, or a partner secret that signs its own JWTs."""

from __future__ import annotations

from reach_mcp.settings import Settings


class Credential:
    """A source of bearer tokens."""

    kind = "none"
    """token | token_file | partner_secret | incomplete | none: for status displays."""

    def token(self) -> str:
        """The token to send now. Raises CredentialMissing or ConfigurationError."""
        raise NotImplementedError


def build_credential(settings: Settings) -> Credential:
    """The credential that the settings name: a token, then a token file, then a partner secret, then none."""
    raise NotImplementedError
