"""Messages that a scanner looks at: what is to be kept out, what is to arrive, and how either is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP

from pytest_mailu.behaviours.declaration import EVERYTHING
from pytest_mailu.core.eicar import EICAR
from pytest_mailu.core.endpoints import SUBMISSIONS_465
from pytest_mailu.core.model import Observation, Outcome, Stage
from pytest_mailu.core.optional_services import ANTIVIRUS, OLETOOLS
from pytest_mailu.core.population import User, own_mailbox
from pytest_mailu.probe import documents
from pytest_mailu.probe.messages import Message
from pytest_mailu.probe.probe import Probe

READER = own_mailbox("scanned-reader")
WRITER = own_mailbox("scanned-writer")
CLEAN = b"Nothing but a line of text.\r\n" * 20


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file by its name, or a whole message, in which it is attached."""

    name: str
    content: bytes
    forwarded: bool = False

    def to(self, message: Message) -> Message:
        """The message with the file, or with another message that has it."""
        if not self.forwarded:
            return message.with_attachment(self.name, self.content)
        inner = EmailMessage(policy=SMTP)
        inner["Subject"] = "See what I was sent"
        inner.set_content("It is attached.\n")
        inner.add_attachment(self.content, maintype="application", subtype="octet-stream", filename=self.name)
        return message.with_attachment("", inner)


def forms_of(content: bytes) -> Mapping[str, Attachment]:
    """A file as it is, in archives, and in base64 within a message that is attached."""
    in_archive = documents.archive({"document.dat": content})
    return {
        "file": Attachment("document.dat", content),
        "zip": Attachment("documents.zip", in_archive),
        "zip-in-zip": Attachment("documents.zip", documents.archive({"inner.zip": in_archive})),
        "forwarded": Attachment("documents.zip", in_archive, forwarded=True),
    }


VIRUSES = forms_of(EICAR)
HARMLESS = forms_of(CLEAN)
AUTOMATIC = {
    "docm": Attachment("letter.docm", documents.word("A letter", documents.AUTOMATIC)),
    "doc": Attachment("letter.doc", documents.word_97(documents.AUTOMATIC)),
    "slk": Attachment("table.slk", documents.sheet(automatic=True)),
}
"""Documents with a macro that runs when they are opened."""
DOCUMENTS = {
    "docx": Attachment("letter.docx", documents.word("A letter")),
    "docm": Attachment("letter.docm", documents.word("A letter", documents.CALLED)),
    "slk": Attachment("table.slk", documents.sheet(automatic=False)),
}
"""Documents without macros, and one with a macro that only runs when it is called."""

BAD: Mapping[str, Attachment] = {ANTIVIRUS: VIRUSES["zip"], OLETOOLS: AUTOMATIC["docm"]}
GOOD: Mapping[str, Attachment] = {ANTIVIRUS: HARMLESS["zip"], OLETOOLS: DOCUMENTS["docx"]}
"""For each scanner, what it is to keep out, and what it looks at and lets pass."""

WITH_ANTIVIRUS = EVERYTHING | {ANTIVIRUS}
WITH_OLETOOLS = EVERYTHING | {OLETOOLS}


def with_scanner(scanner: str, **_: str) -> frozenset[str]:
    """What a behaviour about one of the scanners needs."""
    return EVERYTHING | {scanner}


def from_outside(probe: Probe, attachment: Attachment, reader: User = READER) -> Message:
    """A signed message of a stranger with an attachment."""
    return attachment.to(probe.mail.compose(to=reader.address, signed=False)).signed()


async def inbound(probe: Probe, attachment: Attachment) -> Observation:
    """What becomes of a message from outside with an attachment. Raises NotServed where it is not taken."""
    message = from_outside(probe, attachment)
    return await probe.mail.in_mailbox(message, READER, await probe.mail.deliver(message))


async def submitted(probe: Probe, attachment: Attachment, to: str = READER.address) -> Observation:
    """The same of one that a user sends, to another user or to somebody elsewhere. Raises NotServed likewise."""
    message = attachment.to(probe.mail.compose(to=to, sender=WRITER.address))
    reply = await probe.mail.submit(message, SUBMISSIONS_465, WRITER)
    if to == READER.address:
        return await probe.mail.in_mailbox(message, READER, reply)
    return await probe.mail.at_world(message, reply)


def kept_out(probe: Probe, seen: Observation) -> Observation:
    """The same of something that nobody must get: it is kept out as well where it is taken and thrown away.

    Its sender does not hear of that: the fact `discarded`.
    """
    if seen.outcome is not Outcome.LOST:
        return seen
    discarded = probe.seen(Outcome.REFUSED, Stage.DELIVERY, seen.reply)
    return probe.with_facts(discarded, **seen.facts, discarded=True)
