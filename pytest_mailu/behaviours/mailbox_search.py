"""Finding and ordering mail over IMAP: SEARCH, SORT and THREAD.

Search uses a full-text index unless FULL_TEXT_SEARCH is off: Xapian up to 2.0, flatcurve since 2024.06. Mailu's
settings for flatcurve (`fts_header_excludes` in core/dovecot/conf/dovecot.conf, with `fts_enforced`) leave out
Message-ID, References and X- headers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.helpers import stored_message, temporary_folder
from pytest_mailu.behaviours.needs import MAILBOX
from pytest_mailu.core.endpoints import IMAPS_993
from pytest_mailu.core.model import Direction, Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.questions import Answers, in_one_session
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.imap.session import ImapSession

Criteria: TypeAlias = Callable[[str], tuple[str, ...]]
"""The arguments of SEARCH for a word: the command, and literals behind it."""

SEARCHER = own_mailbox("searcher")
INDEXED = own_mailbox("search-indexed")

WORDS: Mapping[str, Criteria] = {
    "subject": lambda word: (f"SUBJECT s{word}",),
    "from": lambda word: (f"FROM f{word}",),
    "body": lambda word: (f"BODY b{word}",),
    "text": lambda word: (f"TEXT b{word}",),
    "umlaut": lambda word: ("CHARSET UTF-8 SUBJECT ", f"größe{word}"),
    "phrase": lambda word: (f'BODY "the b{word} of them"',),
}
EXACTLY: Mapping[str, Criteria] = {
    "message-id": lambda word: (f'HEADER Message-ID "<m{word}@{ELSEWHERE}>"',),
    "references": lambda word: (f'HEADER References "<r{word}@{ELSEWHERE}>"',),
    "own-header": lambda word: (f"HEADER X-Ticket x{word}",),
    "part-of-a-word": lambda word: (f"BODY {word[3:9]}",),
}
_ALPHABET = str.maketrans("0123456789", "ghjkmnpqrt")


def nonsense(probe: Probe) -> str:
    """A word of letters only, which no index splits or stems."""
    return f"q{probe.unique_word().translate(_ALPHABET)}z"


def needle(word: str) -> bytes:
    """A message with another unique word in each header and in the body."""
    return "\r\n".join(
        (
            f"From: f{word}@{ELSEWHERE}",
            "To: reader@post.example",
            f"Subject: =?utf-8?q?gr=C3=B6=C3=9Fe{word}?= and s{word}",
            f"Message-ID: <m{word}@{ELSEWHERE}>",
            f"References: <r{word}@{ELSEWHERE}>",
            f"X-Ticket: x{word}",
            "Date: Sat, 03 Feb 2001 04:05:06 +0000",
            "",
            f"This is the b{word} of them all.",
            "",
        )
    ).encode()


@shared
async def _searched(probe: Probe) -> Answers[tuple[list[int], list[int]]]:
    """The UIDs of three messages, of which the second is the needle, and those found, by each of the criteria."""
    word = nonsense(probe)

    @asynccontextmanager
    async def three_messages() -> AsyncIterator[ImapSession]:
        async with temporary_folder(probe, SEARCHER) as (imap, name):
            for content in (stored_message(), needle(word), stored_message()):
                await imap.append(name, content)
            await imap.noop()
            yield imap

    def by(criteria: Criteria) -> Callable[[ImapSession], Awaitable[tuple[list[int], list[int]]]]:
        async def found(imap: ImapSession) -> tuple[list[int], list[int]]:
            first, *literals = criteria(word)
            of_all = await imap.search("ALL")
            return of_all, await imap.search(first, *(literal.encode() for literal in literals))

        return found

    questions = {name: by(criteria) for name, criteria in {**WORDS, **EXACTLY}.items()}
    return await in_one_session(three_messages, questions)


async def _search(probe: Probe, by: str) -> Observation:
    of_all, found = (await _searched(probe))[by]
    outcome = Outcome.ACCEPTED if found == of_all[1:2] else Outcome.LOST
    return probe.seen(outcome, Stage.COMMAND, found=len(found), of=len(of_all))


@behaviour(
    "mailbox/993/search/{by}",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    deep={"by": ("body", "umlaut", "phrase")},
    severity=Severity.MAJOR,
    each={"by": WORDS},
)
async def search(probe: Probe, by: str) -> Observation:
    """IMAP SEARCH by {by} finds the one message

    Users do not find their mail.

    RFC 9051 section 6.4.4; Mailu docs, "Configuration reference" (FULL_TEXT_SEARCH)
    """
    return await _search(probe, by)


@behaviour(
    "mailbox/993/search/{by}",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    deep={"by": ("references", "own-header")},
    severity=Severity.MINOR,
    better={"found": Direction.MORE},
    each={"by": EXACTLY},
)
async def search_exactly(probe: Probe, by: str) -> Observation:
    """IMAP SEARCH by {by}

    Programs that look up messages this way (synchronisation, ticket systems, scripts) do not find them.

    RFC 9051 section 6.4.4: any header, any part of a string; Mailu core/dovecot/conf/dovecot.conf
    (fts_header_excludes)
    """
    return await _search(probe, by)


@behaviour(
    "mailbox/993/search/state",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.MAJOR,
)
async def search_state(probe: Probe) -> Observation:
    """IMAP SEARCH by flags, date and size

    Views such as "unread" or "flagged" are wrong.

    RFC 9051 section 6.4.4
    """
    async with temporary_folder(probe, SEARCHER) as (imap, name):
        await imap.append(name, stored_message(), ("\\Seen",))
        await imap.append(name, needle("old"), ("\\Flagged", "\\Seen"))
        await imap.append(name, stored_message(body="x" * 70 + "\r\n" + ("x" * 70 + "\r\n") * 100))
        await imap.noop()
        uids = await imap.search("ALL")
        wanted = {
            "UNSEEN": uids[2:],
            "FLAGGED": uids[1:2],
            "SENTBEFORE 1-Jan-2010": uids[1:2],
            "LARGER 5000": uids[2:],
            "OR FLAGGED UNSEEN": uids[1:],
            "SEEN UNFLAGGED": uids[:1],
        }
        right = {criteria: await imap.search(criteria) == expected for criteria, expected in wanted.items()}
    return probe.seen(Outcome.ACCEPTED if all(right.values()) else Outcome.LOST, Stage.COMMAND, right=right)


@behaviour("mailbox/delivery/search", wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MAJOR)
async def search_delivered(probe: Probe) -> Observation:
    """New message is found by a word of its text

    Users do not find new mail.

    RFC 9051 section 6.4.4; Mailu core/dovecot/conf/dovecot.conf (fts_autoindex)
    """
    word = nonsense(probe)
    message = probe.mail.compose(to=INDEXED.address, body=f"Where is the {word} of the house?\r\n")
    seen = await probe.mail.in_mailbox(message, INDEXED, await probe.mail.deliver(message))
    if seen.outcome is not Outcome.DELIVERED:
        return seen
    async with probe.imap(IMAPS_993) as imap:
        await imap.login(INDEXED.address, INDEXED.password)
        await imap.select()
        found = await imap.search(f"TEXT {word}")
    return probe.seen(Outcome.ACCEPTED if len(found) == 1 else Outcome.LOST, Stage.COMMAND, found=len(found))


@behaviour(
    "mailbox/993/sort", needs=MAILBOX, endpoint=IMAPS_993, wanted=Outcome.ACCEPTED, deep=True, severity=Severity.MINOR
)
async def sort(probe: Probe) -> Observation:
    """IMAP SORT by subject, sender, date and size

    Programs that let the server sort, web mail among them, list messages in a wrong order.

    RFC 5256 section 3
    """
    async with temporary_folder(probe, SEARCHER) as (imap, name):
        for number, (subject, year) in enumerate((("Re: beta", 2003), ("alpha", 2001), ("gamma", 2002))):
            head = f"From: {'cab'[number]}@{ELSEWHERE}\r\nSubject: {subject}\r\n"
            date = f"Date: Sat, 03 Feb {year} 04:05:06 +0000\r\n\r\n"
            await imap.append(name, (head + date).encode() + b"x\r\n" * (10, 30, 20)[number])
        await imap.noop()
        uids = await imap.search("ALL")
        wanted = {
            "SUBJECT": [1, 0, 2],
            "REVERSE DATE": [0, 2, 1],
            "FROM": [1, 2, 0],
            "SIZE": [0, 2, 1],
        }
        right = {key: await imap.sort(key) == [uids[index] for index in order] for key, order in wanted.items()}
    return probe.seen(Outcome.ACCEPTED if all(right.values()) else Outcome.ALTERED, Stage.COMMAND, right=right)


@behaviour(
    "mailbox/993/thread/{by}",
    needs=MAILBOX,
    endpoint=IMAPS_993,
    wanted=Outcome.ACCEPTED,
    deep=True,
    severity=Severity.MINOR,
    each={"by": ("references", "refs")},
)
async def thread(probe: Probe, by: str) -> Observation:
    """IMAP THREAD by {by} groups conversations

    Programs that let the server group messages, web mail among them, split conversations.

    RFC 5256 section 3 (REFERENCES); REFS is Dovecot's own
    """
    async with temporary_folder(probe, SEARCHER) as (imap, name):
        for number, answers in enumerate(("", "<t0@x.example>", "", "<t0@x.example> <t1@x.example>")):
            head = f"Subject: {'other' if number == 2 else 'talk'}\r\nMessage-ID: <t{number}@x.example>\r\n"
            more = f"References: {answers}\r\n" if answers else ""
            date = f"Date: Sat, 03 Feb 2001 04:05:0{number} +0000\r\n\r\n"
            await imap.append(name, f"{head}{more}{date}x\r\n".encode())
        await imap.noop()
        one, two, three, four = await imap.search("ALL")
        threads = await imap.thread(by.upper())
    right = sorted(threads, key=str) == sorted([[one, two, four], [three]], key=str)
    return probe.seen(Outcome.ACCEPTED if right else Outcome.ALTERED, Stage.COMMAND, threads=len(threads))
