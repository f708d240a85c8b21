"""Every form of the web site, sent right, wrong, and with each optional part empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import WEB
from pytest_mailu.behaviours.site_forms import FETCH_FORMS, FORMS, Form, Values
from pytest_mailu.core.endpoints import HTTPS_443
from pytest_mailu.core.model import Direction, Observation, Outcome, Reply, Severity, Stage
from pytest_mailu.core.population import ADMIN
from pytest_mailu.probe.admin_site import LOGIN, SECONDS, Site, flash, form
from pytest_mailu.probe.probe import Probe
from pytest_mailu.probe.shared import shared
from pytest_mailu.wire.http.client import HttpReply
from pytest_mailu.wire.transport.errors import NotServed

form_behaviour = partial(behaviour, needs=WEB, endpoint=HTTPS_443, timeout=SECONDS)
"""Declares a behaviour of forms."""
ALL = {**FORMS, **FETCH_FORMS}
FETCHED = "fetchmail"
"""The variant in which users may have mail fetched."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a form: the status, where it leads, and what its message boxes say.

    `form` is where it was sent. `entered` says whether the form is shown again with what was filled in.
    """

    status: int
    location: str
    said: str
    form: str = ""
    entered: bool = False

    @property
    def handled(self) -> bool:
        """Whether it is none of the server's own errors."""
        return self.status < 500

    @property
    def taken(self) -> bool:
        """Whether the form was taken: then releases redirect to another page. 2024.06 redirects to the form if not."""
        return self.status in (302, 303) and not self.location.startswith(LOGIN) and self.location != self.form


@dataclass(frozen=True, slots=True)
class Filled:
    """A form that was sent: with right values, with each optional part empty, and with wrong values.

    `saved` are the fields that were read back as sent; `listed` whether the object is where it is listed; `kept`
    whether wrong values changed nothing; `removal` is the answer to deleting what was made, and `gone` whether it left
    the list.
    """

    right: Answer
    saved: tuple[str, ...] = ()
    listed: bool = True
    empty: Mapping[str, Answer] = field(default_factory=dict)
    wrong: Mapping[str, Answer] = field(default_factory=dict)
    kept: bool = True
    removal: Answer | None = None
    gone: bool = False


class _Sender:
    """Sends one form again and again in one session."""

    def __init__(self, site: Site, form_: Form, probe: Probe) -> None:
        self._site = site
        self._form = form_
        self._probe = probe
        self._fields: dict[str, str] = {}
        self._paths = f"{site.admin}{form_.path}"

    async def open(self) -> None:
        """Fetch the form. Raises NotServed(NOT_OFFERED, COMMAND) where there is none."""
        page = await self._site.page(self._form.path)
        if page.status == 404:
            raise NotServed(Outcome.NOT_OFFERED, Stage.COMMAND, Reply("404"))
        page = await self._site.inner_page(self._form.path)
        # All that a browser would send, texts that are empty too: master's validators take no field that is missing.
        self._fields = form(page.text)

    async def send(self, values: Values) -> tuple[Answer, str]:
        """Send the form with these values and a new word; the answer, and that word."""
        word = self._probe.unique_word()
        filled = {name: value.replace("{word}", word) for name, value in values.items()}
        for name in ("pw", "password"):
            if filled.get(name):
                self._probe.transcript.hide(filled[name])
        reply = await self._site.http.post(self._paths, data={**self._fields, **filled}, follow=False)
        shown = form(reply.text) if reply.status == 200 else {}
        # Passwords are never shown again, and what is wrong may be left out.
        own = {name: value for name, value in filled.items() if value not in ("", "y", self._fields.get(name))}
        entered = any(shown.get(name) == value for name, value in own.items() if "pw" not in name)
        return replace(_answer(reply), form=self._paths, entered=entered), word


def _answer(reply: HttpReply) -> Answer:
    return Answer(reply.status, urlsplit(reply.header("location")).path, flash(reply.text))


@shared
async def filled_in(probe: Probe, name: str) -> Filled:
    """One form, sent in every manner. Raises NotServed where there is no such form."""
    asked = ALL[name]
    who = asked.by or ADMIN
    async with Site.open(probe) as site:
        await site.login(who.address, who.password)
        sender = _Sender(site, asked, probe)
        await sender.open()
        right, word = await sender.send(asked.right)
        seen = Filled(right)
        if right.handled:
            saved, listed = await _read(site, asked, word)
            seen = replace(seen, saved=saved, listed=listed)
        empty = {field_: (await sender.send({**asked.right, field_: ""}))[0] for field_ in asked.optional}
        if asked.wrong and asked.optional:
            # The optional parts have changed what is edited: wrong values are to leave right ones as they are.
            _, word = await sender.send(asked.right)
        wrong = {case: (await sender.send({**asked.right, **values}))[0] for case, values in asked.wrong.items()}
        kept = not asked.wrong or (await _read(site, asked, word)) == (seen.saved, seen.listed)
        if asked.removed:
            removal, gone = await _removed(site, asked, word)
            seen = replace(seen, removal=removal, gone=gone)
    return replace(seen, empty=empty, wrong=wrong, kept=kept)


async def _removed(site: Site, asked: Form, word: str) -> tuple[Answer, bool]:
    """Delete what was made, and look whether it is listed still."""
    path = asked.removed.replace("{word}", word)
    page = await site.page(path)
    token = form(page.text).get("csrf_token", "")
    reply = await site.http.post(site.admin + path, data={"csrf_token": token}, follow=False)
    listed = await site.page(asked.gone)
    # The page says what was deleted, too: what is still there can be deleted once more.
    return _answer(reply), listed.status == 200 and f"{site.admin}{path}" not in listed.text


async def _read(site: Site, asked: Form, word: str) -> tuple[tuple[str, ...], bool]:
    """The fields that are as they were sent, and whether the object is listed (where it has no form of its own)."""
    page = await site.page(asked.reads.replace("{word}", word))
    if page.status != 200 or urlsplit(page.url).path.startswith(LOGIN):
        return (), False
    if asked.key:
        return (), asked.key.replace("{word}", word) in page.text
    shown = form(page.text)
    same = [
        name
        for name, value in asked.right.items()
        if name not in asked.hidden and _settled(shown.get(name, "")) == _settled(value.replace("{word}", word))
    ]
    return tuple(sorted(same)), bool(same)


def _settled(value: str) -> str:
    """A value without what forms add: blanks after commas, and a line feed before the text of an area."""
    return value.replace("\r\n", "\n").strip("\n").replace(", ", ",")


def _with(names: Mapping[str, Form], what: str) -> tuple[str, ...]:
    """The forms of which there is something to ask."""
    match what:
        case "saved":
            return tuple(name for name, each in names.items() if not each.key)
        case "removed":
            return tuple(name for name, each in names.items() if each.removed)
        case "empty":
            return tuple(name for name, each in names.items() if each.optional)
        case _:
            return tuple(name for name, each in names.items() if each.wrong)


@form_behaviour(
    "admin/form/{name}",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"name": FORMS},
)
@form_behaviour(
    "admin/form/{name}",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"name": FETCH_FORMS},
    variant=FETCHED,
    deep=True,
)
async def right(probe: Probe, name: str) -> Observation:
    """Form {name} of the web site: right values are saved

    Administrators, or users, cannot do this on the web site.

    core/admin/mailu/ui/forms.py and views, 1.9 to master
    """
    seen = await filled_in(probe, name)
    outcome = Outcome.ACCEPTED if seen.right.handled and seen.listed else Outcome.REFUSED
    outcome = outcome if seen.right.handled else Outcome.UNANSWERED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(seen.right.status), "", seen.right.said))


@form_behaviour(
    "admin/form/{name}-removed",
    wanted=Outcome.ACCEPTED,
    severity=Severity.MAJOR,
    each={"name": _with(FORMS, "removed")},
)
async def removed(probe: Probe, name: str) -> Observation:
    """What was made with the form {name} of the web site is deleted there

    Administrators cannot delete on the web site what they, or others, have made.

    core/admin/mailu/ui/views (confirmation_required), 1.9 to master
    """
    seen = await filled_in(probe, name)
    if seen.removal is None:
        return probe.seen(Outcome.NOT_OFFERED, Stage.COMMAND)
    outcome = Outcome.UNANSWERED if not seen.removal.handled else Outcome.ACCEPTED if seen.gone else Outcome.REFUSED
    return probe.seen(outcome, Stage.COMMAND, Reply(str(seen.removal.status), "", seen.removal.said))


@form_behaviour(
    "admin/form/{name}-fields",
    better={"saved": Direction.KEPT},
    severity=Severity.MAJOR,
    each={"name": _with(FORMS, "saved")},
)
async def saved(probe: Probe, name: str) -> Observation:
    """Form {name} of the web site: the fields that are saved as they were sent

    What is filled in is not what applies afterwards.

    core/admin/mailu/ui/forms.py and views, 1.9 to master: read back from the form that shows them
    """
    return probe.seen(Outcome.ACCEPTED, Stage.COMMAND, saved=list((await filled_in(probe, name)).saved))


@form_behaviour(
    "admin/form/{name}-parts-empty",
    better={"handled": Direction.KEPT, "taken": Direction.KEPT},
    severity=Severity.MAJOR,
    each={"name": _with(FORMS, "empty")},
)
@form_behaviour(
    "admin/form/{name}-parts-empty",
    better={"handled": Direction.KEPT, "taken": Direction.KEPT},
    severity=Severity.MAJOR,
    each={"name": _with(FETCH_FORMS, "empty")},
    variant=FETCHED,
    deep=True,
)
async def empty(probe: Probe, name: str) -> Observation:
    """Form {name} of the web site: each part that may be left empty is left empty

    Users who leave an optional field empty get an error; nothing is saved.

    core/admin/mailu/ui/forms.py and views, 1.9 to master; #4025 (an account to fetch from, without folders)
    """
    answers = (await filled_in(probe, name)).empty
    return _told(probe, answers, taken=[case for case, answer in answers.items() if answer.taken])


@form_behaviour(
    "admin/form/{name}-wrong",
    better={"handled": Direction.KEPT, "kept": Direction.TRUE, "entered": Direction.KEPT},
    severity=Severity.MINOR,
    each={"name": _with(FORMS, "wrong")},
)
@form_behaviour(
    "admin/form/{name}-wrong",
    better={"handled": Direction.KEPT, "kept": Direction.TRUE, "entered": Direction.KEPT},
    severity=Severity.MINOR,
    each={"name": _with(FETCH_FORMS, "wrong")},
    variant=FETCHED,
    deep=True,
)
async def wrong(probe: Probe, name: str) -> Observation:
    """Form {name} of the web site: wrong values get an answer, and not a server error (500)

    Users who make a mistake get an error page, or lose what they typed, or the wrong value is saved.

    core/admin/mailu/ui/forms.py and views, 1.9 to master
    """
    seen = await filled_in(probe, name)
    refused = [case for case, answer in seen.wrong.items() if not answer.taken]
    entered = [case for case, answer in seen.wrong.items() if answer.entered]
    return _told(probe, seen.wrong, refused=refused, entered=entered, kept=seen.kept)


def _told(probe: Probe, answers: Mapping[str, Answer], **facts: Any) -> Observation:
    handled = [case for case, answer in answers.items() if answer.handled]
    outcome = Outcome.ACCEPTED if len(handled) == len(answers) else Outcome.UNANSWERED
    statuses = {case: answer.status for case, answer in answers.items()}
    return probe.seen(outcome, Stage.COMMAND, answers=statuses, handled=handled, **facts)
