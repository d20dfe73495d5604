"""What a test knows of the server that misbehaves: where it is, and what was asked there."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.builders import Json


@dataclass(frozen=True)
class Site:
    """A place on the server that nobody else asks."""

    ports: dict[str, int]
    authority: Path
    """The certificate to name in SSL_CERT_FILE."""
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def url(self, fault: str, *, times: int | str = 1, origin: str = "") -> str:
        """A base URL whose first `times` requests meet the fault."""
        return f"{origin or self.origin('plain')}/{self.key}/{times}/{fault}"

    def origin(self, port: str, *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.ports[port]}"

    def tally(self) -> Json:
        """What the server has seen under this site's key, and how many connections it has open."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["plain"], timeout=10)
        connection.request("GET", f"/tally/{self.key}")
        told: Json = json.loads(connection.getresponse().read())
        connection.close()
        return told

    def open_connections(self, *, down_to: int = 0) -> list[str]:
        """What the open connections were last asked for, once they are as few as that or two seconds have passed."""
        end = time.monotonic() + 2
        while len(targets := list(self.tally()["open"])) > down_to and time.monotonic() < end:
            time.sleep(0.01)  # the other process needs a moment to see that a connection has ended
        return targets
