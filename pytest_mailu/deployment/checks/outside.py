"""What stands outside of Mailu, as far as copies of it lie in `outside/`: DNS zones and filters of Fail2Ban."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.checks.ports import served
from pytest_mailu.deployment.files import Text
from pytest_mailu.deployment.model import Place
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.subject import Subject

LINE_LIMIT = 5000
_SRV = re.compile(r"\bSRV\s+\d+\s+\d+\s+(?P<port>\d+)\s+(?P<target>\S+)", re.IGNORECASE)
_TLSA_KEY = re.compile(r"\bTLSA\s+2\s+1\s+0\b", re.IGNORECASE)
_REPORT = re.compile(r"_report\._dmarc\S*\s.*\bTXT\b.*\"v=DMARC1\"", re.IGNORECASE)
_SERVICES = re.compile(r"_(submission|submissions|imap|imaps|pop3|pop3s|sieve)\._tcp", re.IGNORECASE)


def check(subject: Subject) -> Iterator[Note]:
    """Notes on zone files (`*.zone`) and on Fail2Ban's filters (`*.conf`) below `outside/`."""
    for path, text in sorted(subject.after.outside.items()):
        if path.endswith(".zone"):
            yield from _zone(subject, path, text)
        elif path.endswith((".conf", ".local")):
            yield from _filters(subject, path, text)


def _zone(subject: Subject, path: str, text: Text) -> Iterator[Note]:
    before, after = served(subject.old, subject.before), served(subject.new, subject.after)
    for number, line in enumerate(text.lines[:LINE_LIMIT], 1):
        if line.lstrip().startswith(";"):
            continue
        place = Place(text.shown, number)
        found = _SRV.search(line)
        if found and found["target"] != "." and (name := _SERVICES.search(line)):
            port = int(found["port"][:5])
            if port in before and port not in after:
                notice = subject.catalogue.notice("dns/srv-closed-port")
                made = about(
                    notice,
                    title=f"The SRV record of {name[1]} names port {port}, which {subject.new} does not serve",
                    place=place,
                    id=f"outside/{path}/srv-{name[1].lower()}",
                )
                line_ = _SRV.sub("SRV 0 0 0 .", line.strip())
                yield replace(made, write=line_).lost(Outcome.UNREACHABLE)
        for pattern, id_, title in (
            (_TLSA_KEY, "dns/tlsa-whole-key", "A TLSA record has the whole key of ISRG Root X1"),
            (_REPORT, "dns/dmarc-report", "The record for DMARC reports lacks its semicolon"),
        ):
            if pattern.search(line):
                notice = subject.catalogue.notice(id_)
                name_ = id_.rpartition("/")[2]
                yield about(
                    notice, title=title, place=place, id=f"outside/{path}/{name_}", severity=Severity.MINOR
                ).broken(Outcome.ALTERED)


def _filters(subject: Subject, path: str, text: Text) -> Iterator[Note]:
    """Filters for lines that old logs and new does not."""
    for number, line in enumerate(text.lines[:LINE_LIMIT], 1):
        if not re.match(r"\s*failregex\s*=|\s+\S", line):
            continue
        for id_, words in (("fail2ban/2024.06", "client login failed"), ("fail2ban/2024.06", "Login failed for")):
            notice = subject.catalogue.notice(id_)
            if words in line and "AUTH not supported" not in line and notice.concerns(subject.old, subject.new):
                yield about(
                    notice,
                    title=f"A filter of Fail2Ban looks for {words!r}, which {subject.new} does not log for logins",
                    place=Place(text.shown, number),
                    id=f"outside/{path}/failregex",
                ).lost()
