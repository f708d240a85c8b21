"""Services that have to be set up in another way: resolver, antivirus, search in attachments, Docker Swarm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from packaging.version import Version

from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.deployment.checks.from_notice import about
from pytest_mailu.deployment.model import Service
from pytest_mailu.deployment.note import Edit, Note
from pytest_mailu.deployment.subject import Subject

CLAMAV = re.compile(r"(^|/)clamav/clamav(-debian)?$")
"""ClamAV's own images, also by way of a mirror."""
HEALTH_CHECK_SINCE = Version("1.4")
"""From this release on, ClamAV's images write no file of their process number."""
TIKA_CURED = Version("3.2.2")
"""The first release without CVE-2025-54988: https://nvd.nist.gov/vuln/detail/CVE-2025-54988"""
SWARM = frozenset(("mode", "replicas", "placement", "update_config", "rollback_config", "endpoint_mode"))
"""What only Docker Swarm reads below `deploy:`."""


def check(subject: Subject) -> Iterator[Note]:
    """Notes on services whose image stays what it is, and that do not work as they stand."""
    yield from _resolver(subject)
    if (antivirus := subject.service(subject.after, "antivirus")) is not None:
        yield from _antivirus(subject, antivirus)
    if (tika := subject.service(subject.after, "fts_attachments")) is not None:
        yield from _tika(subject, tika)
    yield from _swarm(subject)


def _resolver(subject: Subject) -> Iterator[Note]:
    """Without a resolver of its own, admin asks the host's; from 1.9.8 on it does not start unless that validates."""
    notice = subject.catalogue.notice("compose/resolver")
    admin = subject.service(subject.after, "admin")
    if admin is None or admin.dns or subject.service(subject.after, "resolver") is not None:
        return
    if subject.old < notice.since <= subject.new:
        yield about(
            notice, id="compose/resolver/none", title="There is no service resolver", place=admin.place
        ).changed({"needs DNSSEC": False}, {"needs DNSSEC": True})


def _version(service: Service) -> Version | None:
    """The release that a tag such as `1.4-debian` or `2.9.2.1-full` names; None for a moving tag."""
    try:
        return Version(service.tag.partition("-")[0])
    except ValueError:  # InvalidVersion is one; a number of thousands of digits is another
        return None


def _antivirus(subject: Subject, service: Service) -> Iterator[Note]:
    if not CLAMAV.search(service.repository):
        return
    release, health = _version(service), service.healthcheck
    if health is not None and "clamd.pid" in health.value and (release is None or release >= HEALTH_CHECK_SINCE):
        yield about(
            subject.catalogue.notice("compose/clamav-health-check"),
            id=f"compose/{service.name}/healthcheck",
            title=f"The health check of {service.name} never succeeds",
            place=health.place,
            severity=Severity.MINOR,
        ).broken(Outcome.ALTERED)
    preload = subject.after.settings.get("LD_PRELOAD")
    if service.env_files and preload is not None and preload.value:
        yield about(
            subject.catalogue.notice("compose/clamav-env-file"),
            id=f"compose/{service.name}/env-file",
            title=f"{service.name} gets LD_PRELOAD from {preload.place}",
            place=service.env_files[0].place,
        ).broken(Outcome.ALTERED)


def _tika(subject: Subject, service: Service) -> Iterator[Note]:
    release = _version(service)
    if service.image is None or release is None or release >= TIKA_CURED:
        return
    notice = subject.catalogue.notice("compose/tika-tag")
    line = f"image: {service.repository}:latest-full"
    made = about(
        notice,
        id=f"compose/{service.name}/tag",
        title=f"{service.name} is Tika {release}, which has a known security hole",
        place=service.image.place,
        severity=Severity.MINOR,
    )
    yield replace(made, write=line, edits=(Edit.at(service.image.place, line),)).broken(Outcome.ALTERED)


def _swarm(subject: Subject) -> Iterator[Note]:
    notice = subject.catalogue.notice("compose/stack-flavor")
    if not notice.concerns(subject.old, subject.new):
        return
    for _, service in subject.mailu_services(subject.after):
        if found := [service.deploy[key] for key in service.deploy if key in SWARM]:
            yield about(
                notice, id="compose/swarm", title="The compose file is written for Docker Swarm", place=found[0]
            ).changed({"set-up page": True}, {"set-up page": False})
            return
