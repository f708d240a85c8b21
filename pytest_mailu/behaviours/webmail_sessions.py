"""Sessions of web mail: how many a user may have, and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB_MAIL, of_web_mail
from pytest_mailu.behaviours.web_sessions import CHANGES, Change
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ADMIN, own_mailbox
from pytest_mailu.core.setups import WEB_MAILS
from pytest_mailu.core.web_mails import WebMailKind
from pytest_mailu.probe.admin_site import SECONDS, Site, browser
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.web_mail import WebMail
from pytest_mailu.probe.web_mails import open_web_mail, try_to_enter
from pytest_mailu.wire.transport.errors import CannotAsk, NotServed

LEAVER = own_mailbox("webmail-leaves")
BUSY = own_mailbox("webmail-has-sessions")
IDLER = own_mailbox("webmail-is-left-alone")
BROWSERS = 6
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 16.0
"""Seconds: an eighth, and twice, of what the variant `short-sessions` lets a session be unused."""
pause_for = asyncio.sleep
ENDS: Mapping[str, Change] = {name: CHANGES[name] for name in ("disabled", "password-changed")}
LOCKED_OUT = {name: own_mailbox(f"webmail-{name}") for name in ENDS}


@behaviour(
    "webmail/{mail}/session/several",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"mail": WEB_MAILS},
    deep=True,
    timeout=SECONDS,
)
async def several(probe: Probe, mail: WebMailKind) -> Observation:
    """{mail.words} serves one user in several browsers at the same time

    Users who have web mail open at work, at home and on the telephone are shut out of one of them.

    core/dovecot/conf/dovecot.conf (mail_max_userip_connections): for the IMAP server, all come from web mail's address
    """
    async with AsyncExitStack() as stack:
        boxes = [await stack.enter_async_context(open_web_mail(mail, probe, BUSY)) for _ in range(BROWSERS)]
        await asyncio.gather(*(box.subjects() for box in boxes))
        # The first one has not been forgotten for the last.
        await boxes[0].subjects()
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, Reply("200"))


@behaviour(
    "webmail/{mail}/session/site-log-out",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    affected="Users have to log in to web mail again.",
    each={"mail": WEB_MAILS},
    timeout=SECONDS,
)
async def site_log_out(probe: Probe, mail: WebMailKind) -> Observation:
    """Log-out of the web site ends the session of {mail.words}, for who has copied its cookies as well

    Who has got hold of a session keeps on reading mail after the user has logged out.

    core/admin/mailu/sso/views/base.py (logout), core/admin/mailu/utils.py (verify_temp_token), since 2.0
    """
    async with open_web_mail(mail, probe, LEAVER) as box, browser(probe) as thief:
        thief.bring(box.http.cookies)
        stolen = await try_to_enter(mail, probe, thief)
        if stolen is None or not await _goes_on(stolen):
            raise CannotAsk("copied cookies open no session that could outlive the log-out")
        await box.http.get("/sso/logout")
        open_still = await _goes_on(stolen) or await try_to_enter(mail, probe, thief) is not None
    return probe.seen(Outcome.ACCEPTED if open_still else Outcome.REFUSED, Stage.COMMAND)


@behaviour(
    "webmail/{mail}/session/{what}",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    severity=Severity.MAJOR,
    affected="Users have to log in to web mail again.",
    each={"mail": WEB_MAILS, "what": ENDS},
    timeout=SECONDS,
)
async def ends(probe: Probe, mail: WebMailKind, what: str) -> Observation:
    """Session of {mail.words} ends when an administrator has the user {what}

    Who has stolen a session, or was locked out, keeps on reading and sending mail.

    core/admin/mailu/internal/views/auth.py (user_authentication), core/admin/mailu/models.py (User.set_password)
    """
    change, user = ENDS[what], LOCKED_OUT[what]
    async with open_web_mail(mail, probe, user) as box, Site.open(probe) as administrator:
        await box.subjects()
        await administrator.login(ADMIN.address, ADMIN.password)
        await change.do(administrator, user)
        try:
            if not await change.done(probe, administrator, user):
                raise CannotAsk(f"the administration did not save that the user was {what.replace('-', ' ')}")
            open_still = await _goes_on(box)
        finally:
            await change.undo(administrator, user)
    return probe.seen(Outcome.ACCEPTED if open_still else Outcome.REFUSED, Stage.COMMAND)


@behaviour(
    "webmail/{mail}/session/unused",
    needs=WEB_MAIL,
    of_setup=of_web_mail,
    endpoint=HTTPS_443,
    wanted=Outcome.REFUSED,
    better={"lasts_while_used": Direction.TRUE},
    severity=Severity.MAJOR,
    affected="Users have to log in to web mail again after a while.",
    variant="short-sessions",
    each={"mail": WEB_MAILS},
    deep=True,
    timeout=SECONDS,
)
async def unused(probe: Probe, mail: WebMailKind) -> Observation:
    """Session of {mail.words} ends when nobody uses it (SESSION_TIMEOUT), and not before

    The next user of a computer reads the mail of somebody who has forgotten to log out, or users are logged out while
    they read.

    core/admin/mailu/utils.py (MailuSession.save), core/nginx/conf/nginx.conf (`auth_request`), since 2.0
    """
    looks, pause = 0, SHORTEST_PAUSE
    async with open_web_mail(mail, probe, IDLER) as box:
        # Each look is a use, so the pauses have to grow until one is longer than the session may be unused.
        while pause <= LONGEST_PAUSE:
            await pause_for(pause)
            if not await _goes_on(box):
                break
            looks, pause = looks + 1, pause * 2
    ended = pause <= LONGEST_PAUSE
    return probe.seen(Outcome.REFUSED if ended else Outcome.ACCEPTED, Stage.COMMAND, lasts_while_used=looks > 0)


async def _goes_on(box: WebMail) -> bool:
    """Whether a session still shows the list of messages."""
    try:
        await box.subjects()
    except NotServed as end:
        if end.outcome is not Outcome.REFUSED:
            raise
        return False
    return True
