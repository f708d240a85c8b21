"""The family `settings` of a run: what the files of the user's deployment mean for its two releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_mailu.behaviours.declaration import ANY_VARIANT, Behaviour
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Comparison, Observation, Question
from pytest_mailu.core.plan import Plan
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import load
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.fix import Proposal, propose
from pytest_mailu.deployment.host import Host
from pytest_mailu.deployment.log_counts import count, summary, with_counts
from pytest_mailu.deployment.masking import masked, redactor_for
from pytest_mailu.deployment.model import Deployment
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.reader import Sources, read_deployment, with_compose, with_settings
from pytest_mailu.judging.judge import QUIET, judge
from pytest_mailu.running.engine_logs import ENGINE, engine_lines
from pytest_mailu.running.host import host_of


@dataclass(frozen=True, slots=True)
class SettingsCheck:
    """The notes on a deployment by id. `problem` says why there are none although files were named.

    `unseen` says what was not looked at, and what to do.
    `proposal` has the files for the new release where `--mailu-fix` asks for them; `logs` is what `--mailu-logs` tells.
    """

    notes: Mapping[str, Note] = field(default_factory=dict)
    deployment: Deployment | None = None
    problem: str = ""
    proposal: Proposal | None = None
    logs: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def behaviours(self) -> tuple[Behaviour, ...]:
        """Each note as a member of the matrix."""
        return tuple(as_behaviour(note.question) for note in self.notes.values())

    def comparison(self, id: str) -> Comparison:
        """The note of an id, judged."""
        note = self.notes[id]
        return judge(note.question, [note.old], [note.new])


def as_behaviour(question: Question) -> Behaviour:
    """A member of the matrix whose answer is in the notes; asking it is a mistake of ours."""

    async def ask(_: object) -> Observation:
        raise LookupError(question.id)

    return Behaviour(question, ask, variant=ANY_VARIANT)


def sources_of(plan: Plan) -> Sources:
    """The files that a plan names."""
    return Sources(plan.deployment, plan.env, plan.compose, plan.overrides)


def settings_check(plan: Plan, old: str, new: str) -> SettingsCheck:
    """The notes on the plan's deployment; none where the plan names no file.

    Raises UsageError for files that cannot be read, where the check was asked for. Otherwise `problem` says so: the
    stacks are started with these files, and tell more.
    """
    sources = sources_of(plan)
    if not sources.given:
        return SettingsCheck()
    try:
        releases = Release.parse(old), Release.parse(new)
        before = read_deployment(sources)
        after = with_compose(before, sources, plan.compose_new) if plan.compose_new else before
        after = with_settings(after, plan.env_new) if plan.env_new else after
    except UsageError as error:
        if plan.deployment is not None or not plan.starts_stacks:
            raise
        return SettingsCheck(problem=f"The settings were not checked: {error.cause}")
    machine, unseen = _machine(before.root)
    notes = check(before, *releases, after, machine=machine)
    log_summary: tuple[str, ...] = ()
    if plan.logs:
        files = [path for path in plan.logs if path != Path(ENGINE)]
        lines = engine_lines(before.root) if len(files) < len(plan.logs) else ()
        counts = count(files, load(), releases[0], lines)
        relaynets = before.value("RELAYNETS") or ""
        notes = tuple(with_counts(note, counts, relaynets, names=plan.log_names) for note in notes)
        log_summary = summary(counts, relaynets)
    found = [note for note in notes if judge(note.question, [note.old], [note.new]).verdict not in QUIET]
    proposal = propose(after, found, releases[1]) if plan.fix is not None else None
    hidden = redactor_for(before, after)
    told = tuple(masked(note, hidden, before, after) for note in notes)
    return SettingsCheck(
        {note.id: note for note in told}, before, proposal=proposal, logs=hidden.value(log_summary), unseen=unseen
    )


def _machine(folder: Path) -> tuple[Host | None, tuple[str, ...]]:
    """The machine that runs the deployment; where its engine does not answer, lines that say so and what to do."""
    try:
        return host_of(folder), ()
    except UsageError as error:
        return None, (error.cause, f"→ {error.remedy}")
