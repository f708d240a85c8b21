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
_TLSA = re.compile(r"\bTLSA\s+\d+\s+\d+\s+\d+\s+[0-9a-f]{4}", re.IGNORECASE)
_ROOT_X2 = "762195c225586ee6c0237456e2107dc54f1efc21f61a792ebd515913cce68332"
"""The SHA-256 of the key of ISRG Root X2, as core/admin/mailu/models.py of 2024.06 shows it."""
_STS = re.compile(r"(^|\s)_mta-sts\S*\s.*\bTXT\b.*v=STSv1", re.IGNORECASE)
_STS_HOST = re.compile(r"(^|\s)mta-sts\S*\s.*\b(A|AAAA|CNAME)\s", re.IGNORECASE)
_REPORT = re.compile(r"_report\._dmarc\S*\s.*\bTXT\b.*\"v=DMARC1\"", re.IGNORECASE)
_SERVICES = re.compile(r"_(submission|submissions|imap|imaps|pop3|pop3s|sieve)\._tcp", re.IGNORECASE)


def check(subject: Subject) -> Iterator[Note]:
    """Notes on zone files (`*.zone`) and on Fail2Ban's filters (`*.conf`) below `outside/`."""
    for path, text in sorted(subject.after.outside.items()):
        if path.endswith(".zone"):
            yield from _zone(subject, path, text)
            yield from _second_root(subject, path, text)
            yield from _mta_sts(subject, path, text)
        elif path.endswith((".conf", ".local")):
            yield from _filters(subject, path, text)


def _zone(subject: Subject, path: str, text: Text) -> Iterator[Note]:
    before, after = served(subject.old, subject.before), served(subject.new, subject.after)
    for number, line in _numbered(text):
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


def _numbered(text: Text) -> Iterator[tuple[int, str]]:
    """The records with their lines, without comments."""
    for number, line in enumerate(text.lines[:LINE_LIMIT], 1):
        if line.strip() and not line.lstrip().startswith(";"):
            yield number, line


def shows_tlsa(subject: Subject) -> bool:
    """Whether a zone file shows which TLSA records there are."""
    zones = (text for path, text in subject.after.outside.items() if path.endswith(".zone"))
    return any(_TLSA.search(line) for text in zones for _, line in _numbered(text))


def _second_root(subject: Subject, path: str, text: Text) -> Iterator[Note]:
    """TLSA records for Let's Encrypt's first root alone, where the new release gets certificates of the second, too."""
    notice = subject.catalogue.notice("dns/tlsa-x2")
    if not notice.concerns(subject.old, subject.new) or not subject.holds(notice.when):
        return
    records = [(number, line) for number, line in _numbered(text) if _TLSA.search(line)]
    if not records or any(_ROOT_X2 in line.replace(" ", "").lower() for _, line in records):
        return
    number, line = records[-1]
    made = about(
        notice,
        id=f"outside/{path}/tlsa-x2",
        title="The TLSA records lack the second root of Let's Encrypt (ISRG Root X2)",
        place=Place(text.shown, number),
    )
    write = f"{line[: _found(_TLSA, line)].strip()} TLSA 2 1 1 {_ROOT_X2}"
    yield replace(made, write=write).changed({"roots": "X1"}, {"roots": "X1 and X2"})


def _found(pattern: re.Pattern[str], line: str) -> int:
    found = pattern.search(line)
    return found.start() if found else 0


def _mta_sts(subject: Subject, path: str, text: Text) -> Iterator[Note]:
    """A record for MTA-STS whose policy no certificate of Mailu's can be shown for."""
    names = {name.strip().lower() for name in (subject.after.value("HOSTNAMES") or "").split(",")}
    for number, line in _numbered(text):
        if not _STS.search(line) or any(name.startswith("mta-sts.") for name in names):
            continue
        elsewhere = any(_STS_HOST.search(other) for _, other in _numbered(text))
        if elsewhere and not any("mta-sts" in each for each in subject.after.overrides):
            continue
        domain = subject.after.value("DOMAIN") or "example.org"
        made = about(
            subject.catalogue.notice("dns/mta-sts"),
            id=f"outside/{path}/mta-sts",
            title="There is a record for MTA-STS, and HOSTNAMES has no mta-sts name",
            place=Place(text.shown, number),
            severity=Severity.MINOR,
        )
        hosts = ",".join([*sorted(filter(None, names)), f"mta-sts.{domain}"])
        yield replace(made, write=f"HOSTNAMES={hosts}").broken(Outcome.ALTERED)
        return


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
