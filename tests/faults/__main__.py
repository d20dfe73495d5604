"""Put a call through every fault and write `docs/faults.md`: `python -m tests.faults`."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import anyio
import stamina

from tests.faults.conftest import running_site
from tests.faults.site import Site
from tests.faults.table import FAULTS, PAGE, meet, row, write_page


async def _rows(served: Site) -> list[str]:
    return [row(fault, await meet(fault, Site(served.ports, served.authority))) for fault in FAULTS]


def main() -> None:
    logging.disable()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder)) as served,
        stamina.set_testing(True, attempts=100, cap=True),
    ):
        rows = anyio.run(_rows, served)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(write_page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
