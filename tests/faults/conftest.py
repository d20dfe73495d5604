"""The fixtures of the client's tests."""

from tests.api.conftest import anyio_backend, bare_network, without_waits

__all__ = ["anyio_backend", "bare_network", "without_waits"]
