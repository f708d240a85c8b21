"""The antivirus: the test virus is kept out, in every wrapping, and what is clean arrives.

ClamAV has one signature of ours, for the test file that every scanner knows (EICAR): see
pytest_mailu/stack/compose/antivirus.py.
"""

from __future__ import annotations

from pytest_mailu.behaviours.better import ARRIVES
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.scanners_messages import HARMLESS, VIRUSES, WITH_ANTIVIRUS, inbound, kept_out, submitted
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC, SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Severity
from pytest_mailu.core.population import ELSEWHERE
from pytest_mailu.probe.probe import Probe

_AFFECTED = "People who send the test virus on purpose are refused."
_NESTED = {"form": ("zip-in-zip",)}


@behaviour(
    "scanners/antivirus/inbound/{form}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=WITH_ANTIVIRUS,
    wanted=Outcome.REFUSED,
    affected=_AFFECTED,
    deep=_NESTED,
    severity=Severity.CRITICAL,
    each={"form": VIRUSES},
)
async def virus(probe: Probe, form: str) -> Observation:
    """Message from outside with the test virus ({form}) does not reach a mailbox

    Viruses from strangers reach users by mail.

    Mailu core/rspamd/conf/antivirus.conf, 1.9 to master; eicar.org
    """
    return kept_out(probe, await inbound(probe, VIRUSES[form]))


@behaviour(
    "scanners/antivirus/clean/{form}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=WITH_ANTIVIRUS,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    deep=_NESTED,
    severity=Severity.CRITICAL,
    each={"form": HARMLESS},
)
async def clean(probe: Probe, form: str) -> Observation:
    """Message from outside with a clean attachment ({form}) arrives

    Attachments do not arrive where a virus scanner runs.

    Mailu core/rspamd/conf/antivirus.conf, 1.9 to master
    """
    return await inbound(probe, HARMLESS[form])


@behaviour(
    "scanners/antivirus/submitted/{form}",
    endpoint=SUBMISSIONS_465,
    needs=WITH_ANTIVIRUS,
    wanted=Outcome.REFUSED,
    affected=_AFFECTED,
    deep={"form": ("file", "zip-in-zip", "forwarded")},
    severity=Severity.CRITICAL,
    each={"form": VIRUSES},
)
async def users_virus(probe: Probe, form: str) -> Observation:
    """Test virus ({form}) that a user sends does not reach another user

    One user's infected computer infects the others.

    Mailu core/rspamd/conf/antivirus.conf, 1.9 to master
    """
    return kept_out(probe, await submitted(probe, VIRUSES[form]))


@behaviour(
    "scanners/antivirus/outgoing",
    endpoint=SUBMISSIONS_465,
    needs=WITH_ANTIVIRUS,
    wanted=Outcome.REFUSED,
    affected=_AFFECTED,
    severity=Severity.CRITICAL,
)
async def outgoing(probe: Probe) -> Observation:
    """Test virus that a user sends to another domain does not leave the server

    The server sends viruses, and is put on block lists.

    Mailu core/rspamd/conf/antivirus.conf, 1.9 to master
    """
    return kept_out(probe, await submitted(probe, VIRUSES["zip"], f"reader@{ELSEWHERE}"))


@behaviour(
    "scanners/antivirus/submitted-clean",
    endpoint=SUBMISSIONS_465,
    needs=WITH_ANTIVIRUS,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    severity=Severity.CRITICAL,
)
async def users_clean(probe: Probe) -> Observation:
    """Clean attachment that a user sends reaches another user

    Users cannot send attachments where a virus scanner runs.

    Mailu core/rspamd/conf/antivirus.conf, 1.9 to master
    """
    return await submitted(probe, HARMLESS["zip"])


@behaviour(
    "scanners/antivirus/action/reject",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=WITH_ANTIVIRUS,
    wanted=Outcome.REFUSED,
    affected=_AFFECTED,
    severity=Severity.MAJOR,
    variant="virus-refused",
    deep=True,
)
async def refused(probe: Probe) -> Observation:
    """With ANTIVIRUS_ACTION=reject, the sender of a virus is told so

    Senders whose message was wrongly taken for a virus never hear of it.

    Mailu docs, "Configuration reference" (ANTIVIRUS_ACTION), 1.9 to master
    """
    return await inbound(probe, VIRUSES["zip"])


@behaviour(
    "scanners/antivirus/action/discard",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=WITH_ANTIVIRUS,
    wanted=Outcome.REFUSED,
    affected=_AFFECTED,
    severity=Severity.MAJOR,
    variant="virus-discarded",
    deep=True,
)
async def discarded(probe: Probe) -> Observation:
    """With ANTIVIRUS_ACTION=discard, a virus does not reach a mailbox

    Viruses from strangers reach users by mail.

    Mailu docs, "Configuration reference" (ANTIVIRUS_ACTION), 1.9 to master
    """
    return kept_out(probe, await inbound(probe, VIRUSES["zip"]))
