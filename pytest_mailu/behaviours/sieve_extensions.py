"""A script for every Sieve extension that Dovecot's Pigeonhole knows, with special characters: the server takes it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.probe import Probe

USER = own_mailbox("sieve-extensions")

SCRIPTS: Mapping[str, str] = MappingProxyType(
    {
        "fileinto": 'fileinto "INBOX/Größe & \\"Menge\\" [50%] {a}";',
        "reject": 'reject text:\nNein, "danke".\n..\nGrüße\n.\n;',
        "ereject": 'ereject "No \\\\ thanks: 東京";',
        "envelope": 'if envelope :is "from" "" { discard; }',
        "encoded-character": 'if header :contains "Subject" "${unicode:20AC}${hex:40}" { keep; }',
        "vacation": 'vacation :days 3 :subject "Weg: \\"Grüße\\"" :from "\\"A, B\\" <a@post.example>" "Bin weg.";',
        "vacation-seconds": 'vacation :seconds 1800 "Bin kurz weg.";',
        "subaddress": 'if envelope :detail "to" "a+b" { keep; }',
        "comparator-i;ascii-numeric": 'if header :comparator "i;ascii-numeric" :is "X-Number" "7" { keep; }',
        "relational": 'if header :count "ge" "Received" "20" { discard; }',
        "regex": 'if header :regex "Subject" "^\\\\[([a-z0-9 -]+)\\\\] (.*)$" { keep; }',
        "imap4flags": 'addflag ["\\\\Flagged", "$label1", "Größe"]; keep;',
        "copy": 'redirect :copy "a@post.example";',
        "include": 'include :personal :optional "Größe";',
        "variables": 'set :upper "größe" "ab${c}"; if string "${größe}" "" { keep; } set "x" "a";',
        "body": 'if body :text :contains "größe" { keep; }',
        "enotify": 'notify :message "Größe: neue Post" "mailto:a@post.example";',
        "environment": 'if environment :contains "name" "pigeonhole" { keep; }',
        "mailbox": 'if mailboxexists "Größe" { keep; }',
        "date": 'if date :value "ge" "date" "hour" "18" { keep; }',
        "index": 'if header :index 2 :contains "Received" "by" { keep; }',
        "ihave": 'if ihave "fileinto" { keep; }',
        "duplicate": "if duplicate :days 1 { discard; }",
        "mime": 'if header :mime :type "Content-Type" "image" { keep; }',
        "foreverypart": "foreverypart { break; }",
        "extracttext": 'foreverypart { extracttext :first 10 "a"; break; }',
        "spamtest": 'if spamtest :value "ge" :comparator "i;ascii-numeric" "5" { keep; }',
        "spamtestplus": 'if spamtest :percent :value "gt" :comparator "i;ascii-numeric" "80" { keep; }',
        "virustest": 'if virustest :value "eq" :comparator "i;ascii-numeric" "5" { keep; }',
        "editheader": 'addheader "X-Seen" "größe, \\"quoted\\""; deleteheader "X-Other";',
        "special-use": 'if specialuse_exists "\\\\Junk" { keep; }',
        "mboxmetadata": 'if metadata "INBOX" "/private/comment" "größe" { keep; }',
        "servermetadata": 'if servermetadata "/private/comment" "größe" { keep; }',
        "imapsieve": 'if environment :is "imap.cause" "COPY" { keep; }',
        "fcc": 'vacation :fcc "Sent" "Bin weg.";',
        "vnd.dovecot.environment": 'if environment :is "vnd.dovecot.username" "a" { keep; }',
        "vnd.dovecot.report": 'report "abuse" "größe" "a@post.example";',
    }
)
"""An extension, as RFC 5228 section 6.2 registers it, and what a script does with it."""
_ALSO = {
    "vacation-seconds": ("vacation",),
    "comparator-i;ascii-numeric": (),
    "date": ("relational",),
    "spamtest": ("relational", "comparator-i;ascii-numeric"),
    "spamtestplus": ("relational", "comparator-i;ascii-numeric"),
    "virustest": ("relational", "comparator-i;ascii-numeric"),
    "extracttext": ("foreverypart", "variables"),
    "imapsieve": ("environment",),
    "fcc": ("vacation",),
    "vnd.dovecot.environment": ("environment",),
}
"""Further extensions that a script needs."""


def script(extension: str) -> str:
    """The whole script, with CRLF line ends."""
    wanted = ", ".join(f'"{name}"' for name in (extension, *_ALSO.get(extension, ())))
    return f"# Größe\n require [{wanted}];\n{SCRIPTS[extension]}\n".replace("\n", "\r\n")


def path(extension: str) -> str:
    """The extension as a part of an id."""
    return extension.replace(";", "-")


@behaviour(
    "sieve/extension/{name}",
    better=FUNCTION,
    severity=Severity.MINOR,
    each={"name": tuple(map(path, SCRIPTS))},
)
async def extension(probe: Probe, name: str) -> Observation:
    """Script that uses the Sieve extension {name} is accepted

    Filters with this extension cannot be saved any more; saved ones stop working, and all mail arrives in the inbox.

    RFC 5228 section 6.2; RFC 5804 section 2.12 (CHECKSCRIPT); Mailu core/dovecot/conf/dovecot.conf (sieve_extensions)
    """

    async def ask(own: Probe) -> dict[str, Reply | None]:
        answers: dict[str, Reply | None] = {}
        async with own.filters(USER) as sieve:
            offered = (await sieve.capability()).get("SIEVE", "").split()
            for known in SCRIPTS:
                answer = await sieve.command("CHECKSCRIPT ", script(known).encode()) if known in offered else None
                answers[path(known)] = None if answer is None else answer.reply
        return answers

    reply = (await probe.shared("sieve: a script for each extension", ask))[name]
    if reply is None:
        return probe.seen(Outcome.NOT_OFFERED, Stage.COMMAND)
    return probe.seen(Outcome.ACCEPTED if reply.code == "OK" else Outcome.REFUSED, Stage.COMMAND, reply)
