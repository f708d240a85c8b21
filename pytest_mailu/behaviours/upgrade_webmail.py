"""What web mail itself keeps, before and after an upgrade in place: contacts and identities (Roundcube's database)."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_mailu.behaviours.better import FUNCTION
from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB_MAIL
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ELSEWHERE, own_mailbox
from pytest_mailu.core.setups import Feature
from pytest_mailu.probe.admin_site import SECONDS
from pytest_mailu.probe.dav import lines
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.roundcube import OWN_CONTACTS
from pytest_mailu.probe.roundcube_script import calls
from pytest_mailu.probe.web_mails import open_roundcube
from pytest_mailu.wire.transport.errors import CannotAsk

KEEPER = own_mailbox("lived-in-webmail")
WRITER = own_mailbox("lived-in-identities")
GROUP = "Família & friends"
PEOPLE: Mapping[str, tuple[str, str]] = {
    "zoe": ("Zoë", "O'Hara"),
    "olga": ("Ольга", "Иванова"),
    "shop": ('The "Corner"', "Shop, Ltd; London"),
    "alone": ("Alone", "Nobody"),
}
"""Local part of the address → first and last name; all but the last one are in the group."""
IDENTITIES: tuple[Mapping[str, str], ...] = (
    {
        "name": "Jörg Müller",
        "organization": "Müller & Söhne",
        "signature": "-- \nJörg\nTel. +49 30 1234",
        "standard": "1",
    },
    {
        "name": "Choir of St. James",
        "email": f"choir@{ELSEWHERE}",
        "reply-to": f"office@{ELSEWHERE}",
        "bcc": KEEPER.address,
        "organization": "",
        "signature": "Sing!",
    },
)
"""The first one is set in the place of the one that web mail makes for a new user; the other one is added."""


async def _collect(probe: Probe) -> None:
    async with open_roundcube(probe, KEEPER) as mail:
        answer = await mail.run("group-create", task="addressbook", _source=OWN_CONTACTS, _name=GROUP)
        made = next(calls(str(answer.get("exec", "")), "this.insert_contact_group"), [])
        if not made or not isinstance(made[0], dict):
            raise CannotAsk("web mail did not make a group of contacts")
        for word, (first, last) in PEOPLE.items():
            fields = {"_source": OWN_CONTACTS, "_firstname": first, "_surname": last, "_name": f"{first} {last}"}
            address = {"_email[]": f"{word}@{ELSEWHERE}", "_subtype_email[]": "home", "_notes": f"Met in 2016: {word}."}
            member = {} if word == "alone" else {"_gid": str(made[0].get("id"))}
            await mail.save("save", {**fields, **address, **member}, "addressbook")


@behaviour(
    "upgrade/webmail/contacts",
    needs=WEB_MAIL,
    of_setup=(Feature.ROUNDCUBE,),
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={**FUNCTION, "contacts.*": Direction.FIXED},
    severity=Severity.CRITICAL,
    in_place=True,
    live=_collect,
    timeout=SECONDS,
)
async def contacts(probe: Probe) -> Observation:
    """Contacts in web mail from before the upgrade, with their groups

    The addresses that people have collected in web mail for years are gone.

    webmails/start.py (roundcube.db in the folder `webmail`, and its migration), since 2.0; Mailu #3419, #3726
    """
    async with open_roundcube(probe, KEEPER) as mail:
        text = await mail.export_contacts()
    cards = [lines(card) for card in text.split("BEGIN:VCARD")[1:]]
    found = {_address(card): card for card in cards}
    outcome = Outcome.LOST if len(cards) < len(PEOPLE) else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.COMMAND, Reply("200"), number=len(cards), contacts=found)


def _address(card: list[str]) -> str:
    said = next((line for line in card if line.startswith("EMAIL")), "")
    return said.rpartition(":")[2] or "without an address"


async def _introduce(probe: Probe) -> None:
    async with open_roundcube(probe, WRITER) as mail:
        number = (await mail.compose())["_from"]
        first, second = IDENTITIES
        fields = {f"_{name}": value for name, value in {"email": WRITER.address, **first}.items()}
        await mail.save("save-identity", {"_iid": number, **fields})
        await mail.save("save-identity", {"_iid": "", **{f"_{name}": value for name, value in second.items()}})


@behaviour(
    "upgrade/webmail/identities",
    needs=WEB_MAIL,
    of_setup=(Feature.ROUNDCUBE,),
    endpoint=HTTPS_443,
    wanted=Outcome.ACCEPTED,
    better={**FUNCTION, "identities.*": Direction.FIXED},
    severity=Severity.MAJOR,
    in_place=True,
    live=_introduce,
    timeout=SECONDS,
)
async def identities(probe: Probe) -> Observation:
    """Identities in web mail from before the upgrade, with names, addresses and signatures

    Users write without their name and signature, or under another address.

    Roundcube, program/actions/settings/identity_save.php; webmails/start.py (roundcube.db), since 2.0
    """
    async with open_roundcube(probe, WRITER) as mail:
        found = await mail.identities()
    named = {each["name"]: each for each in found}
    outcome = Outcome.LOST if len(named) < len(IDENTITIES) else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.COMMAND, Reply("200"), number=len(found), identities=named)
