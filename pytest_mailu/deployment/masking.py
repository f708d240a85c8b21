"""What of a deployment's files must not be shown, and its notes without it.

Checks quote files: a setting in a title, a line to write. Most ask `shown` before; here nothing gets through that they
did not think of: passwords in URLs, in overrides, and under another name than the setting that is shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.core.secrets import Redactor, is_credential, secrets_in, secrets_in_text
from pytest_mailu.deployment.files import Text
from pytest_mailu.deployment.model import Deployment, Place, Setting
from pytest_mailu.deployment.note import Note


def redactor_for(*deployments: Deployment) -> Redactor:
    """Masks the values of all settings that may not be shown.

    A plain word under a name that is none of a credential (`DB_USER=roundcube`) stays: it is in our own sentences, too.
    """
    secrets: set[str] = set()
    for deployment in deployments:
        for setting in (*deployment.settings.values(), *deployment.variables.values()):
            for value in _values(setting):
                if is_credential(setting.name) or not _is_word(value):
                    secrets |= secrets_in({setting.name: value})
        for service in deployment.services.values():
            for name, given in service.environment.items():
                if is_credential(name) or not _is_word(given.value):
                    secrets |= secrets_in({name: given.value})
    return Redactor(secrets)


def masked(note: Note, redactor: Redactor, *deployments: Deployment) -> Note:
    """The note without secrets; also without those that the line assigns of which it speaks."""
    said = [note.write, *(_line(deployment, note.place) for deployment in deployments)]
    note = redactor.value(note)
    return Redactor(here).value(note) if (here := frozenset().union(*map(secrets_in_text, said))) else note


def _values(setting: Setting) -> Iterator[str]:
    yield setting.value
    yield setting.raw
    for earlier in setting.earlier:
        yield earlier.value


def _is_word(value: str) -> bool:
    return value.isascii() and value.isalpha() and value.islower()


def _line(deployment: Deployment, place: Place | None) -> str:
    """The line of a place; empty where it is in none of the files."""
    if place is None:
        return ""
    lines = _texts(deployment).get(place.file, "").split("\n")
    return lines[place.line - 1] if 0 < place.line <= len(lines) else ""


def _texts(deployment: Deployment) -> dict[str, str]:
    texts: list[Text] = [*deployment.compose_files, *deployment.env_files, *deployment.overrides.values()]
    if deployment.dot_env is not None:
        texts.append(deployment.dot_env)
    return {text.shown: text.text for text in texts}
