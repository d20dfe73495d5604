"""What changed since an earlier answer, by a token that carries what the comparison needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenBinding:
    """Ties a token to the tenant it is of. With a key, which all replicas have to share, tokens are authenticated."""

    tenant: str = ""
    key: bytes = b""
