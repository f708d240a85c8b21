"""What a usual run leaves to `--mailu-deep`, beyond what takes long by itself.

A usual run has to be over in the time in which people wait for it: 45 s after both stacks are up, on two cores. Nearly
all of that is Mailu's own work, and most of it goes into letters on their way (about 0.15 s of processor time each),
so what is left out are variations: a relation of each is asked in any case, and tells of the same cause. For what the
shipped recordings show, a test sees to that.
"""

from __future__ import annotations

from pytest_mailu.core.globs import any_of

VARIATIONS = (
    # One program shows what becomes of a token that is not valid.
    "access/993-tls/token-deleted",
    "access/993-tls/token-bound-elsewhere",
    "access/993-tls/token-of-another",
    # Letters whose content or envelope is another, where the way is the same.
    "inbound/25-starttls/upper-case",
    "inbound/25/attachment-zip",
    "inbound/25/body-*",
    "inbound/25/helo-*",
    "inbound/25/line-end-*",
    "inbound/25/pipelining",
    "inbound/25/alias-of-two-bob",
    "inbound/25/alias-with-detail",
    "inbound/25/some-of-many",
    "inbound/25/twice",
    "inbound/25/two-letters",
    "inbound/25/list-mail",
    "inbound/25/postmaster",
    "inbound/25/authentication-results",
    "inbound/25/brings-spam-headers",
    "inbound/25/without-signature",
    "inbound/25/sender-with-spf-*",
    "submission/*/body-*",
    "submission/*/line-end-*",
    "submission/*/hides-*",
    "submission/*/dsn-*",
    "submission/*/null-sender",
    "submission/*/two-letters",
    "submission/*/8bit-to-mailbox",
    "submission/587-starttls/many-recipients",
    "submission/587-starttls/own-*",
    "submission/587-starttls/to-alias",
    # What happens to a next hop's answer at one stage happens at the others.
    "relay/next-hop/*-at-mail",
    "relay/next-hop/*-at-data",
    "relay/mx/null-mx",
    "relay/mx/second-mx",
    "relay/mx/by-address",
    "relay/25/*-as-outsider",
    "relay/25/*-to-mailbox",
    "relay/srs/alias",
    "relay/alias/refused-elsewhere",
    "relay/forward/no-copy-stays",
    "relay/mx/no-such-domain",
    "relay/srs/bounce-comes-back",
    # One automatic reply and one filter of each kind.
    "inbound/away/once",
    "sieve/effect/vacation-*",
    "sieve/effect/discard",
    "sieve/effect/redirect-copy",
    "sieve/effect/body",
    "sieve/effect/detail",
    "sieve/effect/flags",
    # Reading and searching, as they differ by a word or an order.
    "mailbox/993/search/own-header",
    "mailbox/993/search/references",
    "mailbox/993/search/state",
    "mailbox/993/search/phrase",
    "mailbox/993/search/body",
    "mailbox/993/search/umlaut",
    "mailbox/993/thread/*",
    "mailbox/993/sort",
    "mailbox/993/condstore",
    "mailbox/993/qresync",
    "mailbox/993/junk-to-trash",
    "mailbox/993/append-fetch/large",
    "mailbox/delivery/search",
    "mailbox/993/append-date",
    "mailbox/995/beside-imap",
    "mailbox/995/deleted-without-quit",
    # Commands in containers, and seconds in which nobody asks anything.
    "inside/front/versions",
    "inside/antispam/versions",
    "inside/smtp/versions",
    "inside/front/doveconf",
    "inside/antispam/sockets",
    "inside/antispam/processes",
    "inside/admin/processes",
    "inside/quiet",
)
"""Globs over ids, as in waivers."""


def is_variation(id: str) -> bool:
    """Whether a behaviour of the package is one of them."""
    return any_of(VARIATIONS, id)
