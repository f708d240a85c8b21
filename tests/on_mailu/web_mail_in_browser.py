"""Web mail in a real browser, on stacks of Mailu: its pages are scripts, and these break too.

No test of the package by itself: it needs images of Mailu, Chromium with its driver, and a name on the command line:

    pytest tests/on_mailu/web_mail_in_browser.py --mailu-from 2.0.43 --mailu-to 2024.06.24 --mailu-setup snappymail
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from pytest_mailu import ALICE, Observation, Outcome, Probe, Stage, Vantage
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import LOGIN
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.web_mail import web_mail_path

SECONDS = 40
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--ignore-certificate-errors",
    "--window-size=1280,1000",
)
LISTS: Mapping[WebMailKind, str] = {
    WebMailKind.ROUNDCUBE: "return !!(window.rcmail && rcmail.message_list && document.querySelector('#messagelist'))",
    WebMailKind.SNAPPYMAIL: "return !!(document.querySelector('.messageList')?.offsetParent)",
    WebMailKind.RAINLOOP: "return !!(document.querySelector('.b-message-list-wrapper')?.offsetParent)",
}
"""What is true once the scripts have drawn the list of messages."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether the list of messages was drawn, and the errors of scripts and of what they load."""

    drawn: bool
    errors: tuple[str, ...]


@asynccontextmanager
async def relay(probe: Probe) -> AsyncIterator[int]:
    """A port of 127.0.0.1 that leads to the web server of the stack, as a client outside reaches it."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while content := await reader.read(1 << 16):
                writer.write(content)
                await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await probe.connector.connect(FRONT, probe.at(HTTPS_443).port, Vantage.STRANGER)
        inner_reader, inner_writer = await asyncio.open_connection(sock=there)
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def look(port: int, path: str, kind: WebMailKind) -> Seen:
    """Log in to the web site, go to web mail, and wait for its list of messages."""
    binary, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.fail("no browser: install chromium and chromium-driver")
    options = ChromeOptions()
    options.binary_location = binary
    with tempfile.TemporaryDirectory() as profile:
        rules = f"--host-resolver-rules=MAP {HOSTNAME}:443 127.0.0.1:{port}"
        for flag in (*FLAGS, rules, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        chrome = Chrome(options=options, service=ChromeService(driver))
        try:
            chrome.set_page_load_timeout(SECONDS)
            chrome.get(f"https://{HOSTNAME}{LOGIN}")
            chrome.find_element(By.NAME, "email").send_keys(ALICE.address)
            chrome.find_element(By.NAME, "pw").send_keys(ALICE.password)
            chrome.find_element(By.NAME, "submitAdmin").click()
            WebDriverWait(chrome, SECONDS).until(lambda page: LOGIN not in page.current_url)
            chrome.get(f"https://{HOSTNAME}{path}/")
            chrome.get_log("browser")
            chrome.refresh()
            drawn = waited(lambda: bool(chrome.execute_script(LISTS[kind])), chrome)
            errors = [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]
            return Seen(drawn, tuple(str(entry["message"])[:300] for entry in errors[:20]))
        finally:
            chrome.quit()


def waited(condition: Callable[[], bool], chrome: Chrome) -> bool:
    """Whether a condition comes true in time."""
    try:
        WebDriverWait(chrome, SECONDS).until(lambda _: condition())
    except TimeoutException:
        return False
    return True


async def in_browser(probe: Probe) -> Observation:
    """Open the web mail of this set-up."""
    kind = WebMailKind(probe.stack.setup.web_mails[0])
    async with relay(probe) as port:
        seen = await asyncio.to_thread(look, port, web_mail_path(probe), kind)
    outcome = Outcome.ACCEPTED if seen.drawn else Outcome.LOST
    return probe.seen(outcome, Stage.COMMAND, errors=list(seen.errors))


@pytest.mark.parametrize("side", ["mailu_old", "mailu_new"])
def test_the_scripts_of_web_mail_draw_the_list_of_messages(side: str, request: pytest.FixtureRequest) -> None:
    seen = request.getfixturevalue(side).ask(in_browser, timeout=4 * SECONDS)
    assert seen.outcome is Outcome.ACCEPTED, seen
    assert seen.facts["errors"] == []
