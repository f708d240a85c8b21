"""The scanner of macros: a document whose macro runs by itself is kept out, and other documents arrive."""

from __future__ import annotations

from pytest_mailu.behaviours.better import ARRIVES
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.scanners_messages import AUTOMATIC, DOCUMENTS, WITH_OLETOOLS, inbound, kept_out, submitted
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC, SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Severity
from pytest_mailu.probe.probe import Probe

_AFFECTED = "People who send documents with such macros are refused."


@behaviour(
    "scanners/oletools/inbound/{document}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=WITH_OLETOOLS,
    wanted=Outcome.REFUSED,
    affected=_AFFECTED,
    deep={"document": ("doc",)},
    severity=Severity.CRITICAL,
    each={"document": AUTOMATIC},
)
async def automatic(probe: Probe, document: str) -> Observation:
    """Document from outside with a macro that runs when it is opened ({document}) does not reach a mailbox

    Documents that start programs reach users by mail.

    Mailu core/rspamd/conf/external_services.conf and force_actions.conf, 2.0 to master (SCAN_MACROS)
    """
    return kept_out(probe, await inbound(probe, AUTOMATIC[document]))


@behaviour(
    "scanners/oletools/submitted/{document}",
    endpoint=SUBMISSIONS_465,
    needs=WITH_OLETOOLS,
    wanted=Outcome.REFUSED,
    affected=_AFFECTED,
    deep={"document": ("doc", "slk")},
    severity=Severity.CRITICAL,
    each={"document": AUTOMATIC},
)
async def users_automatic(probe: Probe, document: str) -> Observation:
    """Document with a macro that runs when it is opened ({document}), sent by a user, does not reach another user

    One user's infected computer infects the others.

    Mailu core/rspamd/conf/external_services.conf and force_actions.conf, 2.0 to master (SCAN_MACROS)
    """
    return kept_out(probe, await submitted(probe, AUTOMATIC[document]))


@behaviour(
    "scanners/oletools/harmless/{document}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    needs=WITH_OLETOOLS,
    wanted=Outcome.DELIVERED,
    better=ARRIVES,
    deep={"document": ("slk",)},
    severity=Severity.CRITICAL,
    each={"document": DOCUMENTS},
)
async def harmless(probe: Probe, document: str) -> Observation:
    """Document from outside without a macro that runs by itself ({document}) arrives

    Office documents do not arrive where macros are looked for.

    Mailu core/rspamd/conf/external_services.conf and composites.conf, 2.0 to master (SCAN_MACROS)
    """
    return await inbound(probe, DOCUMENTS[document])
