"""Effects of Sieve scripts on mail. Scripts are uploaded at the `imap` service itself, whether 4190 is served or
not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import MAILBOX
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, User, own_mailbox
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe
from pytest_mailu.stack.world.control import Arrival

UNFILTERED = own_mailbox("sieve-unfiltered")
STARS = 10
"""Of 15 (sieve_spamtest_max_value in core/dovecot/conf/dovecot.conf): 67 %, less than the 80 % of Mailu's threshold."""
OWN_SPAM_SETTINGS: Mapping[str, tuple[User, int, str, list[str]]] = {
    "left-unread": (own_mailbox("spam-left-unread", spam_read=False), 14, "Junk", []),
    "switched-off": (own_mailbox("spam-switched-off", spam_filter=False), 14, "INBOX", []),
    "below-threshold": (own_mailbox("spam-usual-threshold"), STARS, "INBOX", []),
    "lower-threshold": (own_mailbox("spam-lower-threshold", spam_threshold=50), STARS, "Junk", ["\\Seen"]),
}
"""What users set of spam: a mailbox with that, the stars of X-Spam-Level, and the folder and flags that are wanted."""
SORTER = own_mailbox("sieve-sorter")
FORWARDER = own_mailbox("sieve-forwarder")
HOLIDAY = own_mailbox("sieve-holiday")
"""Each user has one active script, which all behaviours with that user share."""
SILENT = {"lists": own_mailbox("sieve-silent-lists"), "automatic-mail": own_mailbox("sieve-silent-automatic-mail")}
"""Each vacation filter has a mailbox of its own: Dovecot 2.3 can forget whom it answered where two messages come to
one mailbox at once."""

RULES = """require ["fileinto", "mailbox", "imap4flags", "copy", "subaddress", "envelope", "body"];
if header :contains "Subject" "rule-fileinto" { fileinto :create "Sorted"; stop; }
if envelope :detail "to" "rule-detail" { fileinto :create "Detailed"; stop; }
if body :text :contains "rule-body" { fileinto :create "Read"; stop; }
if header :contains "Subject" "rule-flags" { addflag ["\\\\Flagged", "$label1"]; keep; stop; }
if header :contains "Subject" "rule-copy" { fileinto :copy :create "Copied"; keep; stop; }
if header :contains "Subject" "rule-discard" { discard; stop; }
""".replace("\n", "\r\n")
SENDING = f"""require ["copy", "reject"];
if header :contains "Subject" "rule-redirect" {{ redirect "someone@{ELSEWHERE}"; stop; }}
if header :contains "Subject" "rule-copy" {{ redirect :copy "someone@{ELSEWHERE}"; stop; }}
if header :contains "Subject" "rule-reject" {{ reject "Not wanted here, said the filter."; stop; }}
""".replace("\n", "\r\n")
AWAY = 'require ["vacation"];\r\nvacation :days 7 :subject "Away" "I am at the sea.";\r\n'

SORTED: Mapping[str, tuple[str, list[str]]] = {
    "fileinto": ("Sorted", []),
    "detail": ("Detailed", []),
    "body": ("Read", []),
    "flags": ("INBOX", ["$label1", "\\Flagged"]),
}
"""Rule → folder and flags."""
NOT_PEOPLE: Mapping[str, Mapping[str, str]] = {
    "lists": {"List-Id": "<talk.elsewhere.example>", "Precedence": "list"},
    "automatic-mail": {"Auto-Submitted": "auto-generated"},
}


async def filtered(probe: Probe, user: User, script: str) -> None:
    """Upload `script` and make it a user's active one."""
    async with probe.filters(user) as sieve:
        await sieve.putscript("probe", script)
        await sieve.setactive("probe")


async def _lands(probe: Probe, message: Message, user: User, folder: str, flags: list[str]) -> Observation:
    seen = await probe.mail.in_mailbox(message, user, await probe.mail.deliver(message))
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    right = seen.facts["folder"] == folder and seen.facts["flags"] == flags and seen.facts["copies"] == 1
    where: dict[str, Any] = {key: seen.facts[key] for key in ("folder", "flags", "copies")}
    return probe.seen(Outcome.DELIVERED if right else Outcome.ALTERED, Stage.DELIVERY, seen.reply, **where)


@behaviour(
    "sieve/effect/{rule}",
    wanted=Outcome.DELIVERED,
    deep={"rule": ("detail", "body", "flags")},
    severity=Severity.MAJOR,
    each={"rule": SORTED},
)
async def sorts(probe: Probe, rule: str) -> Observation:
    """User's filter sorts or flags a message ({rule})

    Filters exist, but mail stays unsorted.

    RFC 5228 section 4.1; RFC 5490 (:create), 5233 (:detail), 5173 (body), 5232 (flags)
    """
    await filtered(probe, SORTER, RULES)
    folder, flags = SORTED[rule]
    to = SORTER.address.replace("@", "+rule-detail@") if rule == "detail" else SORTER.address
    body: dict[str, Any] = {"body": "This is about the rule-body of it.\r\n"} if rule == "body" else {}
    message = probe.mail.compose(to=to, subject=f"rule-{rule}", **body)
    return await _lands(probe, message, SORTER, folder, flags)


@behaviour("sieve/effect/discard", wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MAJOR)
async def discard(probe: Probe) -> Observation:
    """User's filter discards a message

    Unwanted mail is in the mailbox again.

    RFC 5228 section 4.4
    """
    await filtered(probe, SORTER, RULES)
    unwanted, chaser = (probe.mail.compose(to=SORTER.address, subject=words) for words in ("rule-discard", "A chaser"))
    reply = await probe.mail.deliver(unwanted)
    followed = await probe.mail.in_mailbox(chaser, SORTER, await probe.mail.deliver(chaser))
    if followed.outcome is not Outcome.DELIVERED:
        return followed
    # A later message has arrived, so this one was handled as well.
    async with probe.mailbox(SORTER) as mailbox:
        found = await mailbox.wait_for_message(unwanted.message_id, 0.0)
    return probe.seen(Outcome.DELIVERED if found else Outcome.ACCEPTED, Stage.DELIVERY, reply)


@behaviour("sieve/effect/redirect", wanted=Outcome.DELIVERED, severity=Severity.MAJOR)
async def redirect(probe: Probe) -> Observation:
    """User's filter redirects a message to another domain

    Redirected mail is lost.

    RFC 5228 section 4.2
    """
    await filtered(probe, FORWARDER, SENDING)
    message = probe.mail.compose(to=FORWARDER.address, subject="rule-redirect")
    return await probe.mail.at_world(message, await probe.mail.deliver(message))


@behaviour("sieve/effect/redirect-copy", wanted=Outcome.DELIVERED, deep=True, severity=Severity.MAJOR)
async def redirect_copy(probe: Probe) -> Observation:
    """User's filter redirects a copy of a message and keeps the message

    The message or its copy is lost.

    RFC 3894 section 3
    """
    await filtered(probe, FORWARDER, SENDING)
    message = probe.mail.compose(to=FORWARDER.address, subject="rule-copy")
    reply = await probe.mail.deliver(message)
    kept = await probe.mail.in_mailbox(message, FORWARDER, reply)
    return await probe.mail.at_world(message, reply) if kept.outcome is Outcome.DELIVERED else kept


@behaviour("sieve/effect/reject", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def reject(probe: Probe) -> Observation:
    """User's filter rejects a message, and the sender is told why

    Senders never learn that their message was rejected, or it arrives all the same.

    RFC 5429 section 2.2
    """
    await filtered(probe, FORWARDER, SENDING)
    sender = f"caller-{probe.unique_word()}@{ELSEWHERE}"
    message = probe.mail.compose(to=FORWARDER.address, sender=sender, subject="rule-reject")
    reply = await probe.mail.deliver(message)
    notifications = await probe.world.arrivals(recipient=sender, wait=12.0)
    async with probe.mailbox(FORWARDER) as mailbox:
        there = await mailbox.wait_for_message(message.message_id, 0.0)
    if there or not notifications:
        return probe.seen(Outcome.DELIVERED if there else Outcome.LOST, Stage.DELIVERY, reply)
    reason = b"said the filter" in (notifications[0].content or b"")
    return probe.seen(Outcome.ACCEPTED, Stage.DELIVERY, reply, reason_given=reason, **_reply_facts(notifications[0]))


@behaviour("sieve/effect/vacation-once", wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MAJOR, timeout=60.0)
async def vacation_once(probe: Probe) -> Observation:
    """User's vacation filter answers a sender who writes twice only once

    Senders are not told that the user is absent, or are told with every message.

    RFC 5230 sections 4.2 and 4.4
    """
    await filtered(probe, HOLIDAY, AWAY)
    twice, other = (f"caller-{probe.unique_word()}@{ELSEWHERE}" for _ in range(2))
    for sender in (twice, twice, other):
        message = probe.mail.compose(to=HOLIDAY.address, sender=sender)
        reply = await probe.mail.deliver(message)
        seen = await probe.mail.in_mailbox(message, HOLIDAY, reply)
        if seen.outcome is not Outcome.DELIVERED:
            return seen
        # Dovecot notes whom it has answered only when the answer has gone, and the message is delivered: one right
        # behind would get an answer too.
        await probe.world.arrivals(recipient=sender, wait=12.0)
        await probe.mail.leaves_queue(message, reply)
    # The other sender's answer was sent last: every answer to the first one is there before it, or never comes.
    last = await probe.world.arrivals(recipient=other, wait=12.0)
    answers = await probe.world.arrivals(recipient=twice, wait=0.0)
    if not last or not answers:
        return probe.seen(Outcome.LOST, Stage.DELIVERY, answers=len(answers), to_other=len(last))
    outcome = Outcome.ACCEPTED if len(answers) == 1 else Outcome.ALTERED
    return probe.seen(outcome, Stage.DELIVERY, answers=len(answers), **_reply_facts(answers[0]))


@behaviour(
    "sieve/effect/vacation-not-to-{whom}",
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.MAJOR,
    each={"whom": NOT_PEOPLE},
    timeout=60.0,
)
async def vacation_not_to(probe: Probe, whom: str) -> Observation:
    """User's vacation filter does not answer {whom}

    Everyone on a mailing list is told that the user is absent, or two machines answer each other.

    RFC 5230 section 4.6; RFC 3834 section 2
    """
    await filtered(probe, SILENT[whom], AWAY)
    machine, person = (f"caller-{probe.unique_word()}@{ELSEWHERE}" for _ in range(2))
    for sender, headers in ((machine, NOT_PEOPLE[whom]), (person, {})):
        message = probe.mail.compose(to=SILENT[whom].address, sender=sender, headers=headers)
        seen = await probe.mail.in_mailbox(message, SILENT[whom], await probe.mail.deliver(message))
        if seen.outcome is not Outcome.DELIVERED:
            return seen
    if not await probe.world.arrivals(recipient=person, wait=12.0):
        return probe.seen(Outcome.LOST, Stage.DELIVERY)
    answered = await probe.world.arrivals(recipient=machine, wait=0.0)
    return probe.seen(Outcome.ALTERED if answered else Outcome.ACCEPTED, Stage.DELIVERY)


@behaviour("sieve/effect/marked-as-spam", wanted=Outcome.DELIVERED, severity=Severity.MAJOR)
async def marked_as_spam(probe: Probe) -> Observation:
    """Message marked as spam is stored in Junk without a user's filter

    Spam arrives in the inbox, or a user's own threshold has no effect.

    Mailu core/admin/mailu/internal/templates/default.sieve (spamtest over X-Spam-Level, more than 80 %)
    """
    # Rspamd gives marks of its own only to what it finds suspicious; these are as a filter before Mailu gives them.
    message = probe.mail.compose(to=UNFILTERED.address, headers={"X-Spam-Level": "*" * 14})
    return await _lands(probe, message, UNFILTERED, "Junk", ["\\Seen"])


@behaviour(
    "sieve/effect/spam-{settings}",
    wanted=Outcome.DELIVERED,
    severity=Severity.MAJOR,
    each={"settings": OWN_SPAM_SETTINGS},
)
async def own_spam_settings(probe: Probe, settings: str) -> Observation:
    """Message marked as spam goes where the user's own settings of spam say ({settings})

    Users find spam in the inbox, or miss messages that they wanted to see.

    Mailu core/admin/mailu/internal/templates/default.sieve (spam_enabled, spam_threshold, spam_mark_as_read); #3068
    """
    user, stars, folder, flags = OWN_SPAM_SETTINGS[settings]
    message = probe.mail.compose(to=user.address, headers={"X-Spam-Level": "*" * stars})
    return await _lands(probe, message, user, folder, flags)


@behaviour("sieve/inside/extensions", needs=MAILBOX, better={"extensions": Direction.KEPT}, severity=Severity.MINOR)
async def extensions(probe: Probe) -> Observation:
    """Sieve extensions that filters may use

    Filters that need a removed extension stop working: all mail arrives in the inbox.

    RFC 5804 section 1.7 (SIEVE, NOTIFY); Mailu core/dovecot/conf/dovecot.conf (sieve_extensions)
    """
    async with probe.filters(SORTER) as sieve:
        offered = await sieve.capability()
    facts: dict[str, Any] = {
        "extensions": sorted(offered.get("SIEVE", "").split()),
        "notify": offered.get("NOTIFY", "").split(),
    }
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, **facts)


def _reply_facts(arrival: Arrival) -> dict[str, Any]:
    """The headers by which people and machines recognise an automatic reply."""
    message = arrival.message
    return {
        "envelope_sender": arrival.sender,
        "subject": str(message["Subject"]).partition(":")[0],
        "auto_submitted": str(message["Auto-Submitted"]).partition(" ")[0],
        "from": str(message["From"]),
        "type": message.get_content_type(),
    }
