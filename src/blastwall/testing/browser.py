"""A real Chromium for tests: one process, started as an empty machine without a display needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from blastwall.testing.servers import SERVERS, browser_environment, find_chromium

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{unpacked}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}</cachedir>
</fontconfig>
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium with a profile of its own, and the fonts that `make servers` unpacked.

    Raises:
        ServerMissing: it is not installed.
    """
    program = find_chromium()
    with TemporaryDirectory(prefix="blastwall-browser-") as folder, sync_playwright() as playwright:
        fonts = Path(folder) / "fonts.conf"
        fonts.write_text(_FONTS.format(unpacked=SERVERS / "debian", folder=folder))
        browser = playwright.chromium.launch(
            executable_path=program,
            args=list(_ARGUMENTS),
            env={**browser_environment(), "FONTCONFIG_FILE": str(fonts)},
        )
        with browser:
            yield browser
