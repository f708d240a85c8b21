"""What of a user's access outlives a change by an administrator: mail sessions, the password, tokens."""

from __future__ import annotations

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.web_sessions import outlived
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.probe.admin_site import SECONDS
from pytest_mailu.probe.probe import Probe


@behaviour(
    "access/session/{what}",
    endpoint=IMAPS_993,
    severity=Severity.MINOR,
    each={"what": ("disabled", "password-changed")},
    timeout=SECONDS,
)
async def elsewhere(probe: Probe, what: str) -> Observation:
    """What still works when an administrator has the user {what}: the mail session, the old password, a token

    A session, password or token goes on, or ends, where it did not before.

    core/admin/mailu/internal/nginx.py (check_credentials), core/admin/mailu/models.py, 1.9 to master
    """
    seen = await outlived(probe, what)
    return probe.seen(Outcome.ACCEPTED, Stage.AUTH, mail_session=seen.mail, password=seen.login, token=seen.token)
