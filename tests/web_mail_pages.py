"""Web mail as people see it, in a real browser: its pages are scripts, and these break too."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from pytest_mailu import Observation, Outcome, Probe, Stage, Vantage
from pytest_mailu.behaviours.webmail_mailbox import note, put
from pytest_mailu.behaviours.webmail_reading import READER
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.population import HOSTNAME
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import LOGIN
from pytest_mailu.probe.running_stack import FRONT
from pytest_mailu.probe.web_mail import web_mail_path
from tests.chromium import chromium

SECONDS = 40
"""How long a page may take, and how long its scripts may take to draw the list of messages."""
AFTER_ERROR_SECONDS = 5
"""How long the list is waited for once a script has ended with an error that nothing has caught."""
LISTS: Mapping[WebMailKind, str] = {
    WebMailKind.ROUNDCUBE: "return !!(window.rcmail && rcmail.message_list && document.querySelector('#messagelist'))",
    WebMailKind.SNAPPYMAIL: "return !!(document.querySelector('.messageList')?.offsetParent)",
    WebMailKind.RAINLOOP: "return !!(document.querySelector('.b-message-list-wrapper')?.offsetParent)",
}
"""What is true once the scripts have drawn the list of messages."""
UNCAUGHT = "Uncaught"
"""In the error of a script that nothing has caught."""
MANIFEST = " Manifest: "
"""What is told of SnappyMail's manifest: browsers ask for it without cookies, and get the login page."""
SHOWN = "document.body.innerText.includes('%s')"
"""Whether a word is on the page, as far as it is shown."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether the message was seen in the list, and the errors of scripts and of what they load."""

    drawn: bool
    errors: tuple[str, ...]


async def in_browser(probe: Probe) -> Observation:
    """Open the web mail of this set-up, and look for a message that is in the INBOX."""
    kind, token = WebMailKind(probe.stack.setup.web_mails[0]), probe.unique_word()
    await put(probe, READER, note(f"Seen in a browser {token}"))
    async with relay(probe) as port:
        seen = await asyncio.to_thread(look, port, web_mail_path(probe), f"{LISTS[kind]} && {SHOWN % token}")
    outcome = Outcome.ACCEPTED if seen.drawn else Outcome.LOST
    return probe.seen(outcome, Stage.COMMAND, errors=list(seen.errors))


@asynccontextmanager
async def relay(probe: Probe) -> AsyncIterator[int]:
    """A port of 127.0.0.1 that leads to the web server of the stack, as a client outside reaches it."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while content := await reader.read(1 << 16):
                writer.write(content)
                await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A browser makes a connection that is closed anew; one that stays open and silent it waits for.
        with closing(writer):
            there = await probe.connector.connect(FRONT, probe.at(HTTPS_443).port, Vantage.STRANGER)
            inner_reader, inner_writer = await asyncio.open_connection(sock=there)
            await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def look(port: int, path: str, condition: str) -> Seen:
    """Log in to the web site, go to web mail, and wait for what a script of ours finds there."""
    rules = f"--host-resolver-rules=MAP {HOSTNAME}:443 127.0.0.1:{port}"
    with (
        tempfile.TemporaryDirectory() as profile,
        chromium(Path(profile), "--ignore-certificate-errors", rules) as chrome,
    ):
        chrome.set_page_load_timeout(SECONDS)
        name = login_page(chrome, f"https://{HOSTNAME}{LOGIN}")
        name.send_keys(READER.address)
        chrome.find_element(By.NAME, "pw").send_keys(READER.password)
        chrome.find_element(By.NAME, "submitAdmin").click()
        # Where the login leads is not the same everywhere; that it led to another page is.
        waited(lambda: staleness_of(name)(chrome), chrome)
        chrome.get(f"https://{HOSTNAME}{path}/")
        chrome.get_log("browser")
        chrome.refresh()
        seen = drawing(chrome, condition)
        if (seen.drawn and not seen.errors) or any(UNCAUGHT in error for error in seen.errors):
            return seen
        # What is missing without an error of a script was not loaded: people load the page once more.
        chrome.refresh()
        return drawing(chrome, condition)


def login_page(chrome: Chrome, url: str) -> WebElement:
    """Open the login page, anew where the browser could not load it; the field for the name."""
    fields: list[WebElement] = []

    def opened() -> bool:
        chrome.get(url)
        fields[:] = chrome.find_elements(By.NAME, "email")
        return bool(fields)

    assert waited(opened, chrome), chrome.page_source[-1000:]
    return fields[0]


def drawing(chrome: Chrome, condition: str) -> Seen:
    """Wait for the list; not for long where a script has ended with an error."""
    errors: list[str] = []
    broken_since: list[float] = []

    def drawn() -> bool:
        severe = (str(entry["message"])[:300] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE")
        errors.extend(message for message in severe if MANIFEST not in message)
        return bool(chrome.execute_script(condition))

    def ended() -> bool:
        if any(UNCAUGHT in error for error in errors):
            broken_since.append(time.monotonic())
        return bool(broken_since) and time.monotonic() - broken_since[0] > AFTER_ERROR_SECONDS

    waited(lambda: drawn() or ended(), chrome)
    return Seen(drawn(), tuple(errors[:20]))


def waited(condition: Callable[[], bool], chrome: Chrome) -> bool:
    """Whether a condition comes true in time."""
    try:
        WebDriverWait(chrome, SECONDS).until(lambda _: condition())
    except TimeoutException:
        return False
    return True
