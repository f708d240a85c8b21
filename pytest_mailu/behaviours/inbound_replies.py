"""Texts of automatic replies: each kind arrives as the absent user wrote it. Mailu puts them into a Sieve script."""

from __future__ import annotations

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.endpoints import SMTP_25_OPPORTUNISTIC
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, User, drawn_for, own_mailbox
from pytest_mailu.core.text import TEXT_LIMIT, show_line
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.waiting import ARRIVAL_SECONDS
from pytest_mailu.stack.world.control import Arrival

AWAY = "I am away."
USERS = {
    kind: own_mailbox(f"replies-{kind}", **{"reply": AWAY, **fields})
    for kind, fields in {
        **{
            f"text-{name}": {"reply": f"So long: <drawn {name}>."}
            for name in ("quotes", "backslash", "latin-1", "other-scripts", "emoji", "signs", "long")
        },
        "text-lines": {"reply": "First line\n\nThird line,\n\tindented\n"},
        "text-dots": {"reply": "First line\n.\n..\n.fourth line\nlast line"},
        **{
            f"subject-{name}": {"reply_subject": f"Away: <drawn {name}>"}
            for name in ("quotes", "backslash", "other-scripts", "signs")
        },
        "subject-empty": {"reply_subject": ""},
        **{
            f"name-{name}": {"displayed_name": f"Jane <drawn {name}>"}
            for name in ("quotes", "backslash", "other-scripts")
        },
        "name-comma": {"displayed_name": "Doe, Jane"},
        "name-parentheses": {"displayed_name": "Jane (sales) Doe"},
        "name-address": {"displayed_name": "jane@home.example"},
    }.items()
}
"""A user with an automatic reply for each kind: of its text, of its subject, and of the user's displayed name."""
ALWAYS = ("text-quotes", "text-dots", "subject-other-scripts", "name-comma")


@behaviour(
    "inbound/away/{kind}",
    endpoint=SMTP_25_OPPORTUNISTIC,
    # No outcome is wanted: a reply that is altered serves better than none, and less than one that is as written.
    better=FUNCTION | {"as_written": Direction.TRUE},
    severity=Severity.MAJOR,
    each={"kind": USERS},
    deep={"kind": tuple(kind for kind in USERS if kind not in ALWAYS)},
    # They have drawn text in them, which is another in another run.
    volatile=("facts.text", "facts.subject", "facts.name"),
    timeout=60.0,
)
async def as_written(probe: Probe, kind: str) -> Observation:
    """Automatic reply of the kind "{kind}" arrives as the absent user wrote it

    People who write to an absent user are not told, or read something else.

    RFC 5228 section 2.4.2 (quoted strings); Mailu core/admin/mailu/internal/templates/default.sieve; Mailu #3260
    """
    user = drawn_for(USERS[kind], probe.stack.seed)
    author = f"caller-{probe.unique_word()}@{ELSEWHERE}"
    sent = probe.mail.compose(to=user.address, sender=author)
    reply = await probe.mail.deliver(sent)
    found = await probe.world.arrivals(recipient=author, wait=ARRIVAL_SECONDS)
    if not found:
        kept = await probe.mail.in_mailbox(sent, user, reply)
        # Without the message there is no reply either: what became of it is the answer then.
        return kept if kept.outcome is not Outcome.DELIVERED else probe.seen(Outcome.LOST, Stage.DELIVERY, reply)
    differs = differences(found[0], user)
    outcome = Outcome.ALTERED if differs else Outcome.DELIVERED
    return probe.seen(outcome, Stage.DELIVERY, reply, as_written=not differs, **differs)


def differences(arrival: Arrival, user: User) -> dict[str, str]:
    """What is not as the user wrote it: `text`, `subject` and `name` as they arrived, and the type of a reply without
    text."""
    message = arrival.message
    if message.get_content_type() != "text/plain":
        return {"type": message.get_content_type()}
    text = "\n".join(str(message.get_content()).splitlines()).strip()
    author = message["From"].addresses if message["From"] else ()
    # Where a header field was folded is no part of its value.
    subject = " ".join(str(message["Subject"] or "").split())
    found = {"text": text, "subject": subject, "name": author[0].display_name if author else ""}
    written = {"text": user.reply.strip(), "subject": user.reply_subject, "name": user.displayed_name}
    return {name: show_line(value, TEXT_LIMIT) for name, value in found.items() if value != written[name]}
