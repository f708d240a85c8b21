"""`--mailu-fix`: the user's files with the proposed lines in their places, comments and order kept, as new texts.

Pure: it makes texts. Writing them into a new folder is `write`, which never touches a file that exists.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.files import Text
from pytest_mailu.deployment.lines import compose_line, env_line
from pytest_mailu.deployment.model import Deployment
from pytest_mailu.deployment.note import Edit, Note
from pytest_mailu.deployment.subject import IMAGE_NAMES

NOTES = "NOTES.md"
DIFF = "changes.diff"


@dataclass(frozen=True, slots=True)
class Proposal:
    """`files` maps paths to new texts; `changed` is how many lines of the user's files differ."""

    files: Mapping[str, str] = field(default_factory=dict)
    changed: int = 0


@dataclass(frozen=True, slots=True)
class _Applied:
    text: str
    left: tuple[Edit, ...]


def propose(deployment: Deployment, notes: Iterable[Note], new: Release) -> Proposal:
    """Every file of the deployment that has to change for the new release, and the notes on the rest."""
    told = list(notes)
    edits = [edit for note in told for edit in note.edits]
    texts = {text.shown: text for text in deployment.compose_files}
    texts |= {text.shown: text for text in deployment.env_files}
    env_name = deployment.env_file.shown if deployment.env_file else "mailu.env"
    texts.setdefault(env_name, Text(env_name, ""))
    if (dot_env := deployment.dot_env) is not None:
        texts[dot_env.shown] = dot_env
        if (version := deployment.variables.get("MAILU_VERSION")) is not None:
            edits.append(Edit(f"MAILU_VERSION={new}", dot_env.shown, version.place.line, version.place.line))
    edits += _tags(deployment, new, {(edit.file, edit.line) for edit in edits})
    env_names = {env_name, *(text.shown for text in deployment.env_files), *([dot_env.shown] if dot_env else [])}
    made: dict[str, str] = {}
    left = [edit for edit in edits if (edit.file or env_name) not in texts]
    for name, text in texts.items():
        own = list(dict.fromkeys(edit for edit in edits if (edit.file or env_name) == name))
        applied = _apply(text, own, is_env=name in env_names)
        left += applied.left
        if applied.text != text.text:
            made[name] = applied.text
    before = {name: texts[name].text for name in made}
    files = {**made, DIFF: "".join(_diff(before, made)), NOTES: _notes_page(told, left, new)}
    return Proposal(files, sum(_changed_lines(before[name], text) for name, text in made.items()))


def _tags(deployment: Deployment, new: Release, taken: set[tuple[str, int]]) -> Iterator[Edit]:
    """The lines that name the release: the images of Mailu, where no other change takes the line."""
    for service in deployment.services.values():
        image = service.image
        if image is None or service.repository.rpartition("/")[2] not in IMAGE_NAMES:
            continue
        if (image.place.file, image.place.line) in taken:
            continue
        written = service.written
        if "MAILU_VERSION:-" in written:
            changed = re.sub(r"(?<=MAILU_VERSION:-)[^}]*", str(new), written)
        elif service.tag and written.endswith(f":{service.tag}"):
            changed = f"{written.removesuffix(service.tag)}{new}"
        else:
            continue
        if changed != written:
            yield Edit(f"image: {changed}", image.place.file, image.place.line, image.place.line)


def _apply(text: Text, edits: Sequence[Edit], *, is_env: bool) -> _Applied:
    """The text with the edits in their lines. An edit that does not fit its line is left to a person."""
    lines = text.text.split("\n")
    left: list[Edit] = []
    taken: set[int] = set()
    added: list[str] = []
    for edit in edits:
        if edit.line == 0:
            added += (edit.text or "").split("\n")
            continue
        span = range(edit.line, max(edit.last, edit.line) + 1)
        if taken & set(span) or edit.line > len(lines):
            left.append(edit)
            continue
        old = lines[edit.line - 1]
        replaced = env_line(old, edit.text) if is_env else compose_line(old, edit.text)
        if replaced is None:
            left.append(edit)
            continue
        taken |= set(span)
        lines[edit.line - 1] = replaced
        for number in span[1:]:
            lines[number - 1] = f"# {lines[number - 1]}" if edit.text is None else "\0"
    kept = [line for line in lines if line != "\0"]
    if added:
        while kept and not kept[-1].strip():
            kept.pop()
        kept += [*dict.fromkeys(added), ""]
    return _Applied("\n".join(kept), tuple(left))


def _diff(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name, text in after.items():
        old, new = before[name].splitlines(keepends=True), text.splitlines(keepends=True)
        for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}"):
            yield line if line.endswith("\n") else f"{line}\n"


def _changed_lines(old: str, new: str) -> int:
    """How many lines differ; one that took the place of another counts once."""
    codes = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for tag, a, b, c, d in codes if tag != "equal")


def _notes_page(notes: Sequence[Note], left: Sequence[Edit], new: Release) -> str:
    lines = [f"# What to look at for Mailu {new}", ""]
    lines += ["The files beside this one have what could be changed line by line. `changes.diff` shows it.", ""]
    if left:
        lines += ["## To change by hand", ""]
        for edit in left:
            lines.append(f"* {edit.file or 'mailu.env'}, line {edit.line}: `{edit.text or 'remove the line'}`")
        lines.append("")
    lines += ["## Everything that was found", ""]
    for note in notes:
        if not note.remedy:
            continue
        where = f" ({note.place})" if note.place else ""
        lines += [f"### {note.question.title}{where}", "", note.cause or note.question.breaks, "", f"Do: {note.remedy}"]
        if note.write:
            lines += ["", "```", note.write, "```"]
        lines.append("")
    return "\n".join(lines)


def check_folder(folder: Path) -> None:
    """Raise UsageError where the folder holds something, or is no folder."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        raise UsageError(f"--mailu-fix: {folder} is not a folder", "Name a folder that does not exist yet.")
    if any(folder.iterdir()):
        raise UsageError(f"--mailu-fix: {folder} is not empty", "Name a folder that does not exist yet.")


def write(folder: Path, proposal: Proposal) -> None:
    """Write the proposed files into a new folder, readable by their owner alone: they may hold secrets.

    Raises UsageError where that is not possible.
    """
    check_folder(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in proposal.files.items():
            path = folder / Path(name).name if Path(name).is_absolute() or ".." in Path(name).parts else folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(
            f"--mailu-fix: {error.filename or folder} cannot be written: {error.strerror}", "Name another folder."
        ) from None
