"""Ports: what each release serves with these settings, and what the compose file publishes of it."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.model import Deployment, Place, Port
from pytest_mailu.deployment.note import About, Edit, Note
from pytest_mailu.deployment.subject import Subject

USES = {
    25: "Other mail servers deliver mail here.",
    80: "Browsers and Let's Encrypt come here; it redirects to HTTPS.",
    110: "Mail programs fetch mail by POP3 with STARTTLS here.",
    143: "Mail programs read mail by IMAP with STARTTLS here.",
    443: "Browsers reach web mail and administration here.",
    465: "Mail programs send mail with TLS here.",
    587: "Mail programs send mail with STARTTLS here; without it they may fall back to 25: 554 Relay access denied.",
    993: "Mail programs read mail by IMAP with TLS here.",
    995: "Mail programs fetch mail by POP3 with TLS here.",
    4190: "Mail programs manage filter rules (ManageSieve) here.",
}
SEVERITIES = {25: Severity.CRITICAL, 443: Severity.CRITICAL, 587: Severity.CRITICAL, 143: Severity.CRITICAL}
OPEN_UNTIL = 5
"""Up to 2024.06.4, Dovecot in front opens 110 and 143 whatever PORTS says (2024.06.5: newsfragments/3307.bugfix)."""
DEFAULT_PORTS = "25,80,443,465,993,995,4190"
ROOT = "PORTS leaves out 110, 143 and 587"
"""As the advice on what the stacks do has it (judging/advice/ports.toml): foretold and happened are one finding."""
_SOURCE = "core/nginx/conf/nginx.conf (2.0.43); core/nginx/dovecot/proxy.conf and socrate/system.py (2024.06.57)"


def served(release: Release, deployment: Deployment) -> frozenset[int]:
    """The ports that `front` listens on in a release, with a certificate that works."""
    flavor = deployment.value("TLS_FLAVOR") or "cert"
    tls = flavor != "notls"
    if not release.since("2024.06"):
        return frozenset((25, 80, 110, 143, 587)) | (frozenset((443, 465, 993, 995)) if tls else frozenset())
    ports = deployment.value("PORTS")
    # Not stripped, as front does not strip them either.
    named = set((DEFAULT_PORTS if ports is None else ports).split(","))
    with_tls = set((deployment.value("TLS") or DEFAULT_PORTS).split(",")) if tls else set()
    # Without 4190 in PORTS, Mailu's section for it is left out, and Dovecot opens 4190 by its own default.
    open_ = {25, 4190} | {port for port in (110, 143, 587) if str(port) in named}
    early = release.patch is not None and release.series == "2024.06" and release.patch < OPEN_UNTIL
    # Dovecot opens its ports with TLS by itself, also where PORTS leaves them out.
    open_ |= {port for port in (443, 465, 993, 995) if str(port) in with_tls}
    if early:
        open_ |= {110, 143}
    if "80" in named or flavor in ("mail", "mail-letsencrypt", "notls"):
        open_.add(80)
    return frozenset(open_)


def check(subject: Subject) -> Iterator[Note]:
    """A note for each port of `front` that is published, and for each that only the new release serves."""
    before, after = served(subject.old, subject.before), served(subject.new, subject.after)
    front = subject.service(subject.before, "front")
    now = subject.service(subject.after, "front")
    if front is None or now is None or front.network_mode == "host":
        for port in sorted(before | after if front is None else before):
            yield _port(subject, port, before, after, None)
        return
    published = {port.target: port for port in front.ports if port.protocol == "tcp"}
    published_after = {port.target for port in now.ports if port.protocol == "tcp"}
    behind_proxy = not published
    for port in sorted(before if behind_proxy else before & published.keys()):
        reached = after if behind_proxy else after & published_after
        yield _port(subject, port, before, reached, published.get(port))
    for port in sorted((after - before) if published else ()):
        yield _new_port(subject, port, now.ports, published=port in published_after)
    usual = {entry.port for entry in subject.catalogue.published_ports if subject.new in entry}
    for port in sorted(published.keys() - before - after - usual):
        yield _nobody(published[port])


def _port(subject: Subject, port: int, before: frozenset[int], after: frozenset[int], at: Port | None) -> Note:
    deployment = subject.after
    made = About(
        id=f"ports/{port}",
        title=f"Port {port} of {subject.new}",
        breaks=USES.get(port, "Clients connect here."),
        source=_SOURCE,
        severity=SEVERITIES.get(port, Severity.MAJOR),
        place=at.place if at else None,
    )
    if port in before and port in after:
        return made.same()
    line = ports_line(deployment, served(subject.old, subject.before))
    setting = deployment.settings.get("PORTS")
    place = setting.place if setting else Place(_env_name(deployment), _end(deployment))
    return About(
        id=made.id,
        title=f"{subject.new} does not serve port {port}",
        breaks=made.breaks,
        source=made.source,
        severity=made.severity,
        place=place,
        cause=f"From 2024.06 on, only the ports of PORTS are served; its default is {DEFAULT_PORTS}.",
        remedy="To keep the port, "
        + ("change the line." if setting else "add the line.")
        + " Or move the programs to 465, 993 and 995 with SSL/TLS.",
        write=line,
        edits=(Edit(line, line=setting.place.line if setting else 0, last=setting.place.line if setting else 0),),
        root=ROOT if port in (110, 143, 587) else "",
    ).lost(Outcome.UNREACHABLE)


def ports_line(deployment: Deployment, wanted: frozenset[int]) -> str:
    """The line of mailu.env that keeps every port that is served today, beside the new default."""
    given = deployment.value("PORTS")
    words = {word.strip() for word in (DEFAULT_PORTS if given is None else given).split(",") if word.strip()}
    numbers = sorted({int(word) for word in words if word.isdecimal()} | wanted)
    return f"PORTS={','.join(map(str, numbers))}"


def _new_port(subject: Subject, port: int, ports: tuple[Port, ...], *, published: bool) -> Note:
    example = next((other for other in ports if other.target in (993, 465, 25)), ports[-1])
    address = f"[{example.host}]:" if ":" in example.host else f"{example.host}:" if example.host else ""
    line = f'- "{address}{port}:{port}"'
    if published:
        return About(
            id=f"ports/{port}",
            title=f"{subject.new} serves port {port}",
            breaks=USES.get(port, "Clients connect here."),
            source=_SOURCE,
            place=example.place,
            severity=Severity.MINOR,
        ).gained(Outcome.UNREACHABLE)
    return About(
        id=f"ports/{port}",
        title=f"{subject.new} serves port {port}, and the compose file does not publish it",
        breaks=USES.get(port, "Clients connect here.") + " They cannot, until it is published.",
        source="setup/flavors/compose/docker-compose.yml (2024.06.0)",
        severity=Severity.MINOR,
        place=example.place,
        remedy="To offer it, add a line to the ports of front.",
        write=line,
    ).changed({"served": False, "published": False}, {"served": True, "published": False})


def _nobody(port: Port) -> Note:
    return About(
        id=f"ports/{port.target}",
        title=f"Port {port.target} is published, and front serves it in neither release",
        breaks="Clients that come to this port are refused.",
        source=_SOURCE,
        severity=Severity.MINOR,
        place=port.place,
        remedy="Remove the line from the ports of front, or serve the port.",
    ).broken()


def _env_name(deployment: Deployment) -> str:
    return deployment.env_file.shown if deployment.env_file else "mailu.env"


def _end(deployment: Deployment) -> int:
    """The line behind the last one of mailu.env, where a new setting goes."""
    if deployment.env_file is None:
        return 1
    return len(deployment.env_file.text.rstrip("\n").split("\n")) + 1
