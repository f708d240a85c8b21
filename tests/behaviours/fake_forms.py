"""A web site that has the forms of `behaviours.site_forms`, and saves what it is sent, or does not."""

from __future__ import annotations

import re
from html import escape

from pytest_mailu.behaviours.admin_forms import ALL
from pytest_mailu.behaviours.site_forms import Form
from tests.behaviours.fake_site import LOGIN_PAGE, FakeSite, Manner

EDITING = "/user/edit/"
PASSWORD_FIELDS = {"pw": "", "pw2": ""}


class FormSite(FakeSite):
    """`faults`: `forgets` (says it saved), `empty-500`, `wrong-500`, `takes-wrong`, `stays` (deletes nothing).

    As on master, editing a user ends in an error where a field is missing that browsers send empty.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__(Manner.SAVES)
        self.faults = frozenset(faults)
        self.objects: dict[str, dict[str, str]] = {}
        self.links: dict[str, str] = {}
        self.said = ""

    def answer(self, method: str, path: str, data: dict[str, str]) -> tuple[int, str, str]:
        self.asked.append(f"{method} {path}")
        if path.startswith(LOGIN_PAGE):
            return (302, "/admin/", "") if method == "POST" else (200, "", "Log in")
        place = path.removeprefix("/admin")
        if method == "GET":
            return 200, "", self._shown(place)
        if data.get("csrf_token") != "abc":
            return 400, "", "no token"
        sent = [asked for asked in ALL.values() if asked.path == place]
        for asked in ALL.values():
            if asked.removed and (found := _matched(asked.removed, place)) is not None:
                if "stays" not in self.faults:
                    self.objects.pop(self._name(asked, found), None)
                self.said = place
                return 302, "/admin/list", ""
        return self._sent(max(sent, key=lambda asked: _alike(asked, data)), data) if sent else (404, "", "")

    def _sent(self, asked: Form, data: dict[str, str]) -> tuple[int, str, str]:
        wrong = any(
            values and all(_matched(value, data.get(name, "")) is not None for name, value in values.items())
            for values in asked.wrong.values()
        )
        if asked.path.startswith(EDITING) and not PASSWORD_FIELDS.keys() <= data.keys():
            return 500, "", "'NoneType' object has no attribute 'strip'"
        if wrong and "wrong-500" in self.faults:
            return 500, "", "Internal Server Error"
        if wrong and "takes-wrong" not in self.faults:
            return 200, "", self._shown(asked.path)
        if any(not data.get(name) for name in asked.optional) and "empty-500" in self.faults:
            return 500, "", "Internal Server Error"
        if "forgets" not in self.faults:
            words = [found for name, value in asked.right.items() if (found := _matched(value, data.get(name, "")))]
            name = self._name(asked, words[0] if words else "")
            self.objects[name] = data
            if asked.removed:
                self.links[name] = f'<a href="/admin{asked.removed.replace("{word}", words[0] if words else "")}">x</a>'
        return 302, "/admin/list", ""

    @staticmethod
    def _name(asked: Form, word: str) -> str:
        return (asked.key or asked.reads).replace("{word}", word)

    def _shown(self, place: str) -> str:
        """The fields of the object whose page this is; and everything that is listed."""
        fields = {"csrf_token": "abc", **self.objects.get(place, {})}
        if place.startswith(EDITING):
            fields |= PASSWORD_FIELDS
        inputs = "".join(
            f'<textarea name="{name}">\n{escape(value)}</textarea>'
            if name == "reply_body"
            else f'<input name="{name}" value="{escape(value)}">'
            for name, value in fields.items()
        )
        said = f'<div class="alert">{escape(self.said)} deleted</div>' if self.said else ""
        self.said = ""
        rows = (f"<td>{escape(name.rpartition('/')[2])}</td>{self.links.get(name, '')}" for name in self.objects)
        return said + inputs + "".join(rows)


def _alike(asked: Form, data: dict[str, str]) -> int:
    """How many right values of a form have been sent."""
    return sum(_matched(value, data.get(name, "")) is not None for name, value in asked.right.items())


def _matched(pattern: str, text: str) -> str | None:
    """The word that stands in the place of `{word}`, the empty string where there is none; None for another text."""
    found = re.fullmatch(re.escape(pattern).replace(r"\{word\}", "([0-9a-f]+)"), text)
    return None if found is None else (found[1] if found.groups() else "")
