"""The users, aliases and domains of the mail server under test, and the senders outside: one declaration for both
sides.

`stack.accounts` creates them, `stack.world` serves their DNS zones, and behaviours name them by the constants below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_mailu.core.drawn import PASSWORDS, TEXTS, draw
from pytest_mailu.core.errors import UsageError

DOMAIN = "post.example"
"""Mailu's main domain. Not under `.test`: the web login refuses such addresses (Mailu 2.0, email validator)."""
HOSTNAME = "mail.post.example"
SECOND_HOSTNAME = "imap.post.example"
"""Another name of the same server, for what is about several: `HOSTNAMES` has it there, and the world's DNS."""
ALTERNATIVE = "alternative.example"
"""An alternative domain of `DOMAIN`: every address of it stands for the same local part at `DOMAIN`."""
INTERNATIONAL = "xn--mnchen-3ya.example"
"""A further domain with mailboxes whose name is not ASCII (RFC 5890): münchen.example."""
RELAYED = "relayed.example"
"""A domain that Mailu relays to a host of the world."""
UNKNOWN_DOMAIN = "nowhere-here.example"
"""A domain that exists outside but that Mailu does not serve; for relay attempts use `ELSEWHERE`."""

ELSEWHERE = "elsewhere.example"
"""A well-configured domain outside: MX, SPF, DKIM and DMARC are in order, and its hosts have names."""
FORGED = "forged.example"
"""A domain outside whose SPF record authorises no host (`-all`) and whose DMARC policy is `reject`."""

MX_HOST = "mx.elsewhere.example"
RELAY_HOST = "relay.elsewhere.example"
MAILBOX_HOST = "mailboxes.elsewhere.example"
"""Where mailboxes are that a user has elsewhere, for IMAP and POP3."""
IMPOSTOR_HOST = "impostor.elsewhere.example"
"""The same servers under a name that their certificate does not have."""
RELAY_USER = "relay-login"
RELAY_PASSWORD = "relay-secret"  # noqa: S105 - it opens nothing but the test's own relay host

STRANGER_HOST = "client.elsewhere.example"
OTHER_STRANGER_HOST = "client.other.example"
RELAYNET_HOST = "printer.relaynet.example"
PROXY_HOST = "proxy.other.example"
FAR_PROXY_HOST = "far-proxy.other.example"


@dataclass(frozen=True, slots=True)
class User:
    """A mailbox. `reply` and `reply_subject` are its automatic reply's.

    What a run draws (see `drawn_for`): a password of the class `draws` of `drawn.PASSWORDS`, and a text of the class
    KIND of `drawn.TEXTS` for each `<drawn KIND>` in the reply, its subject and the displayed name.
    """

    name: str
    password: str
    domain: str = DOMAIN
    enabled: bool = True
    imap: bool = True
    pop3: bool = True
    quota_bytes: int = 1_000_000_000
    forward: tuple[str, ...] = ()
    keep: bool = True
    reply: str = ""
    spoof: bool = False
    draws: str = ""
    reply_subject: str = "Away"
    displayed_name: str = ""
    spam_filter: bool = True
    spam_read: bool = True
    """Whether spam is marked as read; 1.9 always does."""
    spam_threshold: int | None = None
    """Per cent; None leaves Mailu's own."""

    @property
    def address(self) -> str:
        """The address mail is written to."""
        return f"{self.name}@{self.domain}"


@dataclass(frozen=True, slots=True)
class Alias:
    """An address that stands for others; `wildcard` takes `%` as "any text" (Mailu docs, webadministration)."""

    name: str
    destinations: tuple[str, ...]
    domain: str = DOMAIN
    wildcard: bool = False

    @property
    def address(self) -> str:
        """The address mail is written to."""
        return f"{self.name}@{self.domain}"


ADMIN = User("admin", "admin-secret-1")
ALICE = User("alice", "alice-secret-1")
BOB = User("bob", "bob-secret-1")
CAROL = User("carol", "carol-secret-1")
DISABLED = User("disabled", "disabled-secret-1", enabled=False)
NO_IMAP = User("noimap", "noimap-secret-1", imap=False)
NO_POP3 = User("nopop3", "nopop3-secret-1", pop3=False)
UMLAUT = User("umlaut", "Grüße-€-пароль-1")
RESERVED = User("reserved", "a%b:c&d=e+f#g?h/i")
QUOTES = User("quotes", 'sp ace "quote" \\back{3}')
LONG = User("long", "long-" + "x" * 180)
FULL = User("full", "full-secret-1", quota_bytes=1_000)
AWAY = User("away", "away-secret-1", reply="I am away.")
AWAY_ONCE = User("away-once", "away-once-secret-1", reply="I am away.")
"""As `AWAY`, for the behaviour that asks whether a sender is answered only once."""
KEEPS = User("keeps", "keeps-secret-1", forward=("forwarded-kept@elsewhere.example",))
PASSES = User("passes", "passes-secret-1", forward=("forwarded-only@elsewhere.example",), keep=False)
SPOOFER = User("spoofer", "spoofer-secret-1", spoof=True)
READINESS = User("readiness", "readiness-secret-1")
"""Used while a stack starts, and by no behaviour."""

PEOPLE = (
    *(ADMIN, ALICE, BOB, CAROL, DISABLED, NO_IMAP, NO_POP3, UMLAUT, RESERVED, QUOTES, LONG, FULL, AWAY, KEEPS, PASSES),
    *(AWAY_ONCE, SPOOFER, READINESS),
)

_OWN_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_DRAWN = re.compile(r"<drawn ([a-z0-9-]+)>")
_BOX = re.compile(rf"\bbox-{_OWN_NAME.pattern}")
_own_mailboxes: dict[str, User] = {}


def own_mailbox(name: str, **more: Any) -> User:
    """A mailbox that nothing else uses: ask for it at the top of a module, once for each name.

    Its local part is `box-` and the name (lower-case letters, digits, hyphens). Observations show that as `<mailbox>`.
    `more` are fields of `User`. Raises UsageError for a name that is taken or has other characters.
    """
    if not _OWN_NAME.fullmatch(name) or name in _own_mailboxes:
        raise UsageError(
            f"the mailbox name {name!r} is taken or has characters other than a-z, 0-9 and hyphens",
            "Name a mailbox of its own for each purpose.",
        )
    _own_mailboxes[name] = User(f"box-{name}", f"{name}-secret-1", **more)
    return _own_mailboxes[name]


def drawn_for(user: User, seed: int) -> User:
    """The user with what a run with this seed draws for it; most users have everything of their own."""

    def filled(text: str) -> str:
        return _DRAWN.sub(lambda match: draw(TEXTS, match[1], seed), text)

    return replace(
        user,
        password=draw(PASSWORDS, user.draws, seed) if user.draws else user.password,
        reply=filled(user.reply),
        reply_subject=filled(user.reply_subject),
        displayed_name=filled(user.displayed_name),
    )


def drawn_mailboxes(name: str) -> Mapping[str, User]:
    """Own mailboxes, one for each class of passwords: `name-CLASS`."""
    return {kind: own_mailbox(f"{name}-{kind}", draws=kind) for kind in PASSWORDS}


def users(seed: int = 0) -> tuple[User, ...]:
    """Every user that a stack needs: `PEOPLE`, and the own mailboxes that were asked for so far."""
    return tuple(drawn_for(user, seed) for user in (*PEOPLE, *_own_mailboxes.values()))


def hide_own_mailboxes(text: str) -> str:
    """The text with `<mailbox>` in the place of the local parts of own mailboxes, whose names do not matter."""
    return _BOX.sub("<mailbox>", text)


SALES = Alias("sales", (ALICE.address,))
TEAM = Alias("team", (ALICE.address, BOB.address))
WILDCARD = Alias("wild-%", (CAROL.address,), wildcard=True)
OUTSIDE = Alias("outside", (f"someone@{ELSEWHERE}",))
ODD_ADDRESSES = {
    "dots": Alias("first.middle.last", (CAROL.address,)),
    "underscore": Alias("with_under_score", (CAROL.address,)),
    "hyphens": Alias("with-hyphen--twice", (CAROL.address,)),
    "digits": Alias("0123456789", (CAROL.address,)),
    "long": Alias("local-part-of-64-octets-" + "x" * 40, (CAROL.address,)),
}
"""Aliases by the kind of their local part; RFC 5321 section 4.5.3.1.1 allows 64 octets."""
REFUSED_OUTSIDE = Alias("refused-outside", (f"rcpt-550-outside@{ELSEWHERE}",))
"""An alias whose destination the world's server refuses (`worldapp.scripts`)."""
ALIASES = (SALES, TEAM, WILDCARD, OUTSIDE, REFUSED_OUTSIDE, *ODD_ADDRESSES.values())
