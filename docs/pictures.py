"""Photograph the demo's report in Chromium. Run `python -m docs.pictures [BROWSER]`.

Writes docs/images/report-light.png and report-dark.png.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from docs.generate import NOW
from reach_mcp.api.transport import asgi_transport
from reach_mcp.cli.main import cli
from reach_mcp.cli.session import Session
from reach_mcp.demo.api import build_demo_api
from reach_mcp.demo.story import DEFAULT_TENANT, build_story

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = "1100,900"
SCHEMES = {"dark": 0, "light": 1}
"""Numbers of `preferredColorScheme` in Chromium."""
MAX_BYTES = 150_000


def write_report(file: Path) -> None:
    """The demo's report as HTML, at a fixed time."""
    transport = asgi_transport(build_demo_api(build_story(NOW), default_tenant=DEFAULT_TENANT))
    session = Session(transport=transport, now=NOW.timestamp, zone=UTC)
    CliRunner().invoke(cli, ["report", "--demo", "-o", str(file)], obj=session, catch_exceptions=False)


def photograph(browser: str, page: Path, scheme: str) -> Path:
    image = IMAGES / f"report-{scheme}.png"
    options = ["--headless=new", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={page.parent / 'profile'}"]
    options += [f"--window-size={SIZE}", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"]
    # The page is our own and has no script, so the browser needs no sandbox, which it has not for root.
    subprocess.run([browser, *options, f"--screenshot={image}", page.as_uri()], check=True, capture_output=True)  # noqa: S603
    return image


def main() -> None:
    browser = sys.argv[1] if sys.argv[1:] else next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("No Chromium was found: give its path.")
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "report.html"
        write_report(page)
        images = [photograph(browser, page, scheme) for scheme in SCHEMES]
    for image in images:
        size = image.stat().st_size
        sys.stdout.write(f"{image.relative_to(ROOT)}: {size:,} bytes\n")
        if size > MAX_BYTES:
            sys.exit(f"{image.name} is larger than {MAX_BYTES:,} bytes: make SIZE smaller.")


if __name__ == "__main__":
    main()
