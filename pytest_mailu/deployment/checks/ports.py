"""Ports: what each release serves with these settings, and what the compose file publishes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.model import Deployment, Place, Port, Service, Setting
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
ENV_FILE = "mailu.env"
DEFAULT_PORTS = "25,80,443,465,993,995,4190"
LEFT_OUT = frozenset((110, 143, 587))
ROOT = "PORTS leaves out 110, 143 and 587"
"""As the advice on what the stacks do has it (judging/advice/ports.toml): foretold and happened are one finding."""
_PORT = re.compile(r"[0-9]{1,5}")
_SOURCE = "core/nginx/conf/nginx.conf (2.0.43); core/nginx/dovecot/proxy.conf and socrate/system.py (2024.06.57)"


def served(release: Release, deployment: Deployment) -> frozenset[int]:
    """The ports that `front` listens on in a release, with a certificate that works."""
    flavor = deployment.value("TLS_FLAVOR", "front") or "cert"
    tls = flavor != "notls"
    if not release.since("2024.06"):
        return frozenset((25, 80, 110, 143, 587)) | (frozenset((443, 465, 993, 995)) if tls else frozenset())
    ports = deployment.value("PORTS", "front")
    # Not stripped, as front does not strip them either.
    named = set((DEFAULT_PORTS if ports is None else ports).split(","))
    with_tls = set((deployment.value("TLS", "front") or DEFAULT_PORTS).split(",")) if tls else set()
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
    yield from _certbot(subject)
    if front is None or now is None or front.network_mode == "host":
        for port in sorted(before | after if front is None else before):
            yield _port(subject, port, before, after, None)
        return
    published = {port.target: port for port in front.ports if port.protocol == "tcp"}
    published_after = {port.target: port for port in now.ports if port.protocol == "tcp"}
    behind_proxy = not published
    offered = before if behind_proxy else before & published.keys()
    for port in sorted(offered):
        if not behind_proxy and port in after and port not in published_after:
            yield _unpublished(subject, published[port], now)
        else:
            yield _port(subject, port, offered, after, published_after.get(port))
    for port in sorted((after - before) if published else ()):
        yield _new_port(subject, port, now.ports, published=port in published_after)
    usual = {entry.port for entry in subject.catalogue.published_ports if subject.new in entry}
    for port in sorted(published_after.keys() - before - after - usual):
        yield _nobody(published_after[port])


def _certbot(subject: Subject) -> Iterator[Note]:
    """Let's Encrypt asks port 80 for each new certificate: what front publishes has to include it."""
    front = subject.service(subject.after, "front")
    setting = subject.after.settings.get("TLS_FLAVOR")
    if front is None or setting is None or setting.value not in ("letsencrypt", "mail-letsencrypt"):
        return
    tcp = [port for port in front.ports if port.protocol == "tcp"]
    if front.network_mode or not tcp or any(port.target == 80 for port in tcp):
        return
    yield About(
        id="ports/80/letsencrypt",
        title=f"TLS_FLAVOR={setting.value} needs port 80, and front does not publish it",
        breaks="Let's Encrypt cannot reach the server: the certificate is not renewed, and runs out within 90 days.",
        source="core/nginx/letsencrypt.py (2.0.43); https://github.com/Mailu/Mailu/issues/2720",
        severity=Severity.MAJOR,
        place=tcp[0].place,
        remedy="Publish port 80 of front, or pass /.well-known/acme-challenge/ of a proxy on to it.",
        write=_publish(80, tcp[0]),
    ).broken()


def _publish(port: int, like: Port) -> str:
    """The line that publishes a port on the same address as another one."""
    address = f"[{like.host}]:" if ":" in like.host else f"{like.host}:" if like.host else ""
    return f'- "{address}{port}:{port}"'


def _port(subject: Subject, port: int, before: frozenset[int], after: frozenset[int], at: Port | None) -> Note:
    """What becomes of a port; `before` are those that clients reach today, `after` those that new serves."""
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
    closed = [str(one) for one in sorted(LEFT_OUT & (before - after))]
    line = ports_line(deployment, served(subject.old, subject.before))
    setting = _ports_setting(deployment)
    place = setting.place if setting else _home(deployment)
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
        edits=_edits(deployment, line),
        root=ROOT if port in LEFT_OUT else "",
        together=f"PORTS leaves out {', '.join(closed)}" if port in LEFT_OUT else "",
    ).lost(Outcome.UNREACHABLE)


def _unpublished(subject: Subject, today: Port, front: Service) -> Note:
    """A port that front serves in both releases, and that the new compose file alone does not publish."""
    line = _publish(today.target, today)
    return About(
        id=f"ports/{today.target}",
        title=f"The new compose file does not publish port {today.target}, and today's does",
        breaks=USES.get(today.target, "Clients connect here."),
        source="the two compose files",
        severity=SEVERITIES.get(today.target, Severity.MAJOR),
        place=front.ports[-1].place if front.ports else front.place,
        remedy=f"Add the line to the ports of {front.name}.",
        write=line,
    ).lost(Outcome.UNREACHABLE)


def _ports_setting(deployment: Deployment) -> Setting | None:
    """PORTS as `front` reads it."""
    front = deployment.services.get("front")
    own = front.environment.get("PORTS") if front else None
    return Setting("PORTS", own.value, own.place, own.value) if own else deployment.settings.get("PORTS")


def _home(deployment: Deployment) -> Place:
    """Where a new setting goes: behind the last line of mailu.env, else of `environment:` of front."""
    front = deployment.services.get("front")
    if deployment.env_file is None and front is not None and front.environment:
        return max((given.place for given in front.environment.values()), key=lambda place: place.line)
    text = deployment.env_file
    return Place(text.shown, len(text.text.rstrip("\n").split("\n")) + 1) if text else Place(ENV_FILE, 1)


def _edits(deployment: Deployment, line: str) -> tuple[Edit, ...]:
    """The change of PORTS; none where it would be a new line in a compose file."""
    if (setting := _ports_setting(deployment)) is not None:
        return (Edit.of(setting, line),)
    return () if deployment.in_compose(_home(deployment)) else (Edit(line),)


def ports_line(deployment: Deployment, wanted: frozenset[int]) -> str:
    """The line of mailu.env that keeps every port that is served today, beside the new default."""
    given = deployment.value("PORTS", "front")
    words = {word.strip() for word in (DEFAULT_PORTS if given is None else given).split(",") if word.strip()}
    numbers = sorted({int(word) for word in words if _PORT.fullmatch(word)} | wanted)
    return f"PORTS={','.join(map(str, numbers))}"


def _new_port(subject: Subject, port: int, ports: tuple[Port, ...], *, published: bool) -> Note:
    example = next((other for other in ports if other.target in (993, 465, 25)), ports[-1])
    line = _publish(port, example)
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
