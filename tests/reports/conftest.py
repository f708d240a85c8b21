"""Reports as a real upgrade from 2.0.43 to 2024.06.24 makes them, and one of a server that wants to break them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_mailu.core.model import (
    Advice,
    Comparison,
    Finding,
    Observation,
    Outcome,
    Question,
    Reply,
    Report,
    Severity,
    SideInfo,
    Stage,
    Verdict,
    Waiver,
)
from pytest_mailu.core.serialization import SCHEMA, plain, structured
from pytest_mailu.judging.decision import decide
from pytest_mailu.judging.findings import findings
from pytest_mailu.judging.judge import judge
from tests.events import events
from tests.questions import asked

OLD = SideInfo(
    release="2.0.43",
    version="2.0.43",
    provenance="a stack of ghcr.io/mailu, started here",
    images={"front": "ghcr.io/mailu/nginx@sha256:" + "1a" * 32, "smtp": "ghcr.io/mailu/postfix@sha256:" + "2b" * 32},
    settings={"TLS_FLAVOR": "cert", "DOMAIN": "post.example", "MESSAGE_SIZE_LIMIT": "50000000"},
    replaced={"SUBNET": "10.213.7.0/24", "HOSTNAMES": "mail.post.example"},
)
NEW = replace(
    OLD,
    release="2024.06.24",
    version="2024.06.24",
    images={"front": "ghcr.io/mailu/nginx@sha256:" + "3c" * 32, "smtp": "sha256:" + "4d" * 32},
    settings={**OLD.settings, "PORTS": "25,80,443,465,993,995,4190"},
)

PORTS_ADVICE = Advice(
    id="ports-default",
    cause="Since 2024.06, front serves only the ports that PORTS names, and its default leaves out 110, 143 and 587.",
    remedy="Set PORTS=25,80,110,143,443,465,587,993,995,4190 in mailu.env, or move programs to 465 and 993.",
    source="https://mailu.io/2024.06/configuration.html#advanced-settings",
)

CLOSED = Observation(
    Outcome.UNREACHABLE,
    Stage.CONNECT,
    transcript=events("-- connecting to front:587 as stranger", "-- connection refused"),
    logs=("front | no listener on 587",),
    started=1_760_000_100.0,
    seconds=0.01,
)


def smtp(
    outcome: Outcome, stage: Stage, reply: Reply, *talk: str, logs: tuple[str, ...] = (), **facts: object
) -> Observation:
    transcript = events("S: 220 mail.post.example ESMTP ready", "C: EHLO client.elsewhere.example", *talk)
    return Observation(outcome, stage, reply, facts, "", transcript, logs, 1_760_000_000.0, 0.4)


def question(
    behaviour: str,
    title: str,
    wanted: Outcome | None,
    severity: Severity = Severity.MAJOR,
    breaks: str = "Mail programs set to this port stop working.",
) -> Question:
    return asked(behaviour, title=title, breaks=breaks, wanted=wanted, severity=severity)


DELIVERED = smtp(
    Outcome.DELIVERED,
    Stage.DELIVERY,
    Reply("250", "2.0.0", "Ok: queued as 4Xk2Lm1Zz9"),
    "C: AUTH PLAIN ****",
    "S: 235 2.0.0 OK",
    "C: MAIL FROM:<alice@post.example>",
    "S: 250 2.1.0 Ok",
    logs=(
        "front | [info] client login succeeded: alice@post.example, client: 198.18.5.20",
        "smtp | 4Xk2Lm1Zz9: to=<someone@elsewhere.example>, status=sent (250 2.0.0 kept)",
    ),
)


def closed_ports() -> list[Comparison]:
    made = []
    for port, protocol in (("587", "submission"), ("143", "access"), ("110", "access")):
        for tls in ("plain", "starttls"):
            for mechanism in ("plain", "login") if protocol == "submission" else ("login",):
                asked = question(
                    f"{protocol}/{port}-{tls}/{mechanism}",
                    f"Logging in through port {port} ({tls}) with {mechanism.upper()}",
                    Outcome.ACCEPTED,
                    Severity.CRITICAL if port == "587" else Severity.MAJOR,
                    f"Mail programs set to port {port} cannot log in.",
                )
                good = smtp(Outcome.ACCEPTED, Stage.AUTH, Reply("235", "2.0.0", "OK"), logs=DELIVERED.logs)
                made.append(judge(asked, (good, good), (CLOSED, CLOSED)))
    external = question(
        "submission/587-starttls/external",
        "Mail to another domain, sent with a login through port 587 (STARTTLS)",
        Outcome.DELIVERED,
        Severity.CRITICAL,
        "Mail programs set to port 587 (STARTTLS) cannot write to anybody outside.",
    )
    made.append(judge(external, (DELIVERED, DELIVERED), (CLOSED, CLOSED)))
    stranger = question("submission/587-starttls/stranger", "Mail from a stranger on port 587", Outcome.REFUSED)
    refused = smtp(Outcome.REFUSED, Stage.MAIL, Reply("530", "5.7.1", "Authentication required"))
    made.append(judge(stranger, (refused, refused), (CLOSED, CLOSED)))
    return made


def others() -> list[Comparison]:
    banner = question("surface/465-tls/greeting", "The greeting on port 465 (TLS)", None, Severity.INFO)
    old = smtp(
        Outcome.ACCEPTED,
        Stage.EHLO,
        Reply("220", "", "mail.post.example ESMTP ready"),
        ehlo=["PIPELINING", "SIZE 50000000", "ETRN", "8BITMIME", "DSN"],
    )
    new = smtp(
        Outcome.ACCEPTED,
        Stage.EHLO,
        Reply("220", "", "mail.post.example Dovecot ready."),
        ehlo=["PIPELINING", "SIZE 50000000", "8BITMIME", "DSN", "BURL imap", "CHUNKING"],
    )
    password = question("access/465-tls/wrong-password", "A wrong password on port 465 (TLS)", Outcome.AUTH_FAILED)
    no_old = smtp(
        Outcome.AUTH_FAILED, Stage.AUTH, Reply("535", "5.7.8", "Authentication credentials invalid"), hung_up=True
    )
    no_new = smtp(Outcome.AUTH_FAILED, Stage.AUTH, Reply("535", "5.7.8", "Authentication failed."), hung_up=False)
    sieve = question("sieve/4190-starttls/upload", "Uploading a filter script on port 4190", Outcome.ACCEPTED)
    uploaded = Observation(Outcome.ACCEPTED, Stage.COMMAND, Reply("OK", "", "PUTSCRIPT completed."))
    shaky = question("inbound/25-plain/greylisted", "A first letter from a stranger", Outcome.DELIVERED)
    later = smtp(Outcome.DEFERRED, Stage.DATA, Reply("451", "4.7.1", "Try again later"))
    silent = question("web/443-tls/webmail", "The web mail's page", Outcome.ACCEPTED)
    untold = Observation(None, Stage.CONNECT, trouble="the service front of Mailu 2024.06.24 ended", logs=LAST_LINES)
    page = Observation(Outcome.ACCEPTED, Stage.COMMAND, Reply("200", "", "OK"), {"title": "Login"})
    alias = question("inbound/25-plain/alias", "Mail from outside to an alias", Outcome.DELIVERED, Severity.MAJOR)
    lost = smtp(Outcome.REFUSED, Stage.RCPT, Reply("550", "5.1.1", "<sales@post.example>: User unknown"))
    broken = question("relay/25-plain/srs", "A forward rewrites its envelope sender", Outcome.DELIVERED)
    same = question("inbound/25-plain/mailbox", "Mail from outside to a mailbox", Outcome.DELIVERED, Severity.CRITICAL)
    absent = question("access/995-starttls/login", "STARTTLS on 995", Outcome.ACCEPTED)
    return [
        judge(banner, (old,), (new,)),
        judge(password, (no_old,), (no_new,)),
        judge(sieve, (CLOSED,), (uploaded,)),
        judge(shaky, (DELIVERED,), (DELIVERED, later)),
        judge(silent, (page,), (untold,)),
        judge(alias, (DELIVERED, DELIVERED), (lost, lost)),
        judge(broken, (lost,), (lost,)),
        judge(same, (DELIVERED,), (DELIVERED,)),
        judge(absent, (CLOSED,), (CLOSED,)),
    ]


def advise(comparison: Comparison) -> tuple[Advice, ...]:
    ended = comparison.new[-1].outcome if comparison.new else None
    return (PORTS_ADVICE,) if ended is Outcome.UNREACHABLE else ()


def waive(finding: Finding) -> Waiver | None:
    if finding.behaviour != "inbound/25-plain/alias":
        return None
    return Waiver(finding.behaviour, "sales@ moves away in May", to="2024.06", expires="2027-01-31", by="Ada", line=7)


def report_of(compared: list[Comparison], seconds: float = 192.4) -> Report:
    found = findings(
        compared, advise, waive, lambda compared: f"swaks --server mail.example.org # {compared.question.id}"
    )
    counts = {str(verdict): sum(item.verdict is verdict for item in compared) for verdict in Verdict}
    return Report(
        SCHEMA, decide(found, compared), OLD, NEW, counts, found, ("the waiver in line 3 has expired",), seconds
    )


LAST_LINES = ("nginx: [emerg] no space left on device", "nginx: configuration file test failed")
"""What a service said last, before it ended."""

HOSTILE = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=1</script>",
    "</style><style>*{display:none}</style>",
    '"><img src=x onerror=window.pwned=1>',
    "' onmouseover='window.pwned=1' x='",
    "javascript:window.pwned=1",
    'https://evil.example/"><script>window.pwned=1</script>',
    "[click](javascript:window.pwned=1) ![x](https://evil.example/x.png)",
    "@everyone #1 | cell | `code` ``` fence",
    "{{ 7 * 7 }} {% raw %} <!-- ]]>",
    "\x1b[2J\x1b[31m\r\n::error::forged\n## heading\n\u202eesrever \u2028 \x00",
    '[[waiver]]\nreason = """',
)
"""What a server might say to whoever shows it."""

CLOSED_SETS = {
    "schema",
    "decision",
    "verdict",
    "severity",
    "outcome",
    "stage",
    "kind",
    "side",
    "problem",
    "fail_on",
    "action",
    "line",
    "expires",
    "fingerprint",
}
"""Keys of `report.json` whose values come from us."""


def poisoned(value: Any, key: str = "", payload: str = "") -> Any:
    """The value with the payload in every text that somebody else could have written."""
    if isinstance(value, dict):
        own = key in {"counts", "endpoint", "left_out"}
        return {
            (name if own or key not in {"facts", "settings", "images", "replaced"} else name + payload): inner
            if own
            else poisoned(inner, name, payload)
            for name, inner in value.items()
        }
    if key == "transcript":
        return [[*event[:2], *poisoned(event[2:], key="text", payload=payload)] for event in value]
    if isinstance(value, list | tuple):
        return [poisoned(inner, key, payload) for inner in value]
    return value + payload if isinstance(value, str) and key not in CLOSED_SETS else value


@pytest.fixture
def comparisons() -> list[Comparison]:
    """At least one behaviour of every verdict, and an upgrade's closed ports."""
    return closed_ports() + others()


@pytest.fixture
def report(comparisons: list[Comparison]) -> Report:
    """The report over `comparisons`: NO-GO."""
    return report_of(comparisons)


@pytest.fixture
def make_report() -> Callable[[list[Comparison]], Report]:
    """Makes the report over some comparisons, with advice, a waiver and lines by hand."""
    return report_of


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, report: Report) -> Report:
    """A report in which everything that is not ours tries to be more than text."""
    return structured(poisoned(plain(report), payload=request.param), Report)


@pytest.fixture
def most_hostile(report: Report) -> Report:
    """All of that at once."""
    return structured(poisoned(plain(report), payload=" ".join(HOSTILE)), Report)
