"""Round after round: asks `admin` for the accounts elsewhere, has fetchmail fetch from each, and says how that went.

`LAB_FETCH` has the names of what is to go wrong here: `again` (fetchmail forgets what it has fetched), `not-kept`
(what the user wants to keep is deleted by IMAP).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNTS = "http://admin:8080/lab/fetch"
DATA = Path("/data")
ROUND_SECONDS = float(os.environ.get("FETCHMAIL_DELAY", "600"))
FAULTS = frozenset(os.environ.get("LAB_FETCH", "").split())
Account = dict[str, Any]


def accounts() -> list[Account]:
    with urllib.request.urlopen(ACCOUNTS, timeout=20) as answer:
        found: list[Account] = json.load(answer)
        return found


def fetch(account: Account) -> str:
    """Runs fetchmail for one account; what it says where something went wrong."""
    seen = DATA / "seen"
    if "again" in FAULTS:
        seen.unlink(missing_ok=True)
    done = subprocess.run(
        ["fetchmail", "--fetchmailrc", "-", "--idfile", str(seen), "--pidfile", "/run/fetchmail.pid", "--nosyslog"],
        input=configuration(account),
        env={**os.environ, "HOME": str(DATA)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    # 1 is "nothing there" (fetchmail(1), EXIT CODES).
    return "" if done.returncode in (0, 1) else done.stdout


def configuration(account: Account) -> str:
    """One account in fetchmail's own words (fetchmail(1), THE RUN CONTROL FILE)."""
    imap = account["protocol"] == "imap"
    keep = account["keep"] and not (imap and "not-kept" in FAULTS)
    folders = ", ".join(quoted(mutf7(name.strip())) for name in account["folders"].split(",") if name.strip())
    words = [
        *("set no bouncemail\npoll", quoted(account["host"]), "protocol", "imap" if imap else "pop3"),
        *("service", str(account["port"]), *(() if imap else ("uidl",))),
        *("username", quoted(account["username"]), "password", quoted(account["password"])),
        *("is", quoted(account["user"]), "here", "smtpname", quoted(account["user"])),
        *(("folder", folders) if imap and folders else ()),
        *(("smtphost", '"smtp/25"') if account["scan"] else ("smtphost", '"imap/2525"', "lmtp")),
        *(("ssl", "sslcertck", "sslcertpath", '"/etc/ssl/certs"') if account["tls"] else ()),
        *(("keep",) if keep else ("nokeep", "fetchall")),
    ]
    return " ".join(words) + "\n"


def quoted(text: str) -> str:
    """A string of the file; of the escapes for a quotation mark, fetchmail's lexer only takes that by number."""
    escaped = text.replace("\\", "\\\\").replace('"', "\\x22")
    return f'"{escaped}"'


def mutf7(text: str) -> str:
    """The name of a folder as IMAP carries it (RFC 3501 section 5.1.3)."""
    parts, other = [], ""
    for letter in [*text, ""]:
        if letter and not letter.isascii():
            other += letter
            continue
        if other:
            encoded = base64.b64encode(other.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            parts.append(f"&{encoded}-")
            other = ""
        parts.append("&-" if letter == "&" else letter)
    return "".join(parts)


def told(number: str, trouble: str) -> None:
    request = urllib.request.Request(f"{ACCOUNTS}/{number}", json.dumps(trouble).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        answer.read()


def main() -> None:
    while True:
        try:
            for account in accounts():
                trouble = fetch(account)
                if trouble:
                    print(account["username"], " ".join(trouble.split()), flush=True)
                told(account["id"], trouble)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            print(f"fetchmail: {error}", flush=True)
        time.sleep(ROUND_SECONDS)


if __name__ == "__main__":
    main()
