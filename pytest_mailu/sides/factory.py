"""Makes the two sides that a plan names."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_mailu.behaviours.upgrade_own import NAMED, OWN
from pytest_mailu.core import population
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.export_file import Export, read_export
from pytest_mailu.core.model import SideInfo
from pytest_mailu.core.optional_services import service_words
from pytest_mailu.core.plan import Plan, RecordedSpec, ReleaseSpec, SideSpec
from pytest_mailu.core.releases import Release, check_names
from pytest_mailu.core.setups import DEFAULT, SetUp, setup_of_side
from pytest_mailu.sides.base import Side
from pytest_mailu.sides.described import DescribedSide
from pytest_mailu.sides.recording import RecordingSide, load

if TYPE_CHECKING:
    from pytest_mailu.sides.release import ReleaseSide
    from pytest_mailu.sides.way_back import MakeSide

Notify: TypeAlias = Callable[[str], None]
"""Takes one line about the progress of the run."""


def sides_of(plan: Plan, notify: Notify) -> tuple[Side, Side, SetUp]:
    """The two sides that a plan names, not opened, and the set-up in which they are compared.

    Raises UsageError where a file of theirs cannot be read, and for a recording of another set-up than was asked for.
    """
    if plan.env is not None or plan.env_new is not None:
        # Also where they are not applied: a mistake in them has to be known before a run that applies them.
        from pytest_mailu.stack.settings.environment import read_env

        for path in (plan.env, plan.env_new):
            if path is not None:
                read_env(path)
    recorded = {label: RecordingSide(load(spec.text)) for label, spec in plan.specs if isinstance(spec, RecordedSpec)}
    setup = _setup(plan, [side.info for side in recorded.values()])
    if len(recorded) == len(plan.specs):
        check_names(recorded["old"].info.release, recorded["new"].info.release)
        return recorded["old"], recorded["new"], setup
    if plan.check_only:
        old, new = (recorded.get(label) or DescribedSide(str(spec)) for label, spec in plan.specs)
        return old, new, setup
    # Docker's SDK takes a while to import; two recordings do not need it.
    from pytest_mailu.sides.release import ReleaseSide
    from pytest_mailu.stack.engine_session import EngineSession

    session = EngineSession(
        stacks=len(plan.specs) - len(recorded), pull=plan.pull == "always", keep=plan.keep, notify=notify
    )

    export = _export(plan)

    def side(label: str, spec: SideSpec) -> Side:
        if isinstance(spec, RecordedSpec):
            return recorded[label]

        def tell(words: str) -> None:
            notify(f"{label} {spec}: {words}")

        return ReleaseSide(label, spec.release, plan, session, tell, setup=setup, export=export)

    return side("old", plan.old), side("new", plan.new), setup


def _setup(plan: Plan, recorded: Sequence[SideInfo]) -> SetUp:
    """The set-up of a run: of what was recorded, else the one that the plan names, else the default.

    Where the user's files say something else than a recording, people go on connecting as they did when it was made.
    """
    asked = plan.setup
    for info in recorded:
        if asked is not None and not asked.in_force and info.setup != asked.name:
            raise UsageError(
                f"--mailu-setup {asked.name}: the recording of {info.release} was made in the set-up {info.setup}",
                f"Add --mailu-setup {info.setup}, or record {info.release} anew with --mailu-report.",
            )
    if asked is not None and recorded:
        asked = asked.of_side(new=isinstance(plan.new, ReleaseSpec))
    kinds = {info.setup for info in recorded}
    if len(kinds) > 1:
        raise UsageError(
            f"the two recordings were made in different set-ups: {' and '.join(sorted(kinds))}",
            "Name two recordings of one set-up.",
        )
    if not recorded:
        return asked or DEFAULT
    services = frozenset.intersection(*(frozenset(info.images) for info in recorded))
    setup = setup_of_side(recorded[0].setup, recorded[0].settings, services)
    web_mails = [info.settings.get("WEBMAIL", "") for info in recorded]
    if asked is not None and asked.in_force:
        web_mails.append(asked.settings.get("WEBMAIL", ""))
    if len(set(web_mails)) > 1:
        setup = replace(setup, web_mail_new=web_mails[-1])
    if asked is None:
        return setup
    if missing := sorted(asked.added - setup.services):
        lacking = next(info for info in recorded if missing[0] not in info.images)
        raise UsageError(
            f"the recording of {lacking.release} was made without {service_words(missing)}",
            f"Leave out --mailu-with {missing[0]}, or record {lacking.release} anew with it and --mailu-report.",
        )
    # What the user's compose file has beyond the recording is started as well, and nobody is asked for it.
    return replace(setup, theirs=asked.theirs & setup.services)


def rehearsed_sides(plan: Plan, notify: Notify) -> tuple[ReleaseSide, ReleaseSide, MakeSide, tuple[Release, ...]]:
    """For an upgrade in place: old, new from scratch, how sides on old's data are made, and the releases to go through.

    Raises UsageError where a file cannot be read.
    """
    from pytest_mailu.sides.release import ReleaseSide
    from pytest_mailu.stack.data.copier import Sources
    from pytest_mailu.stack.data.own import OwnData
    from pytest_mailu.stack.engine_session import EngineSession
    from pytest_mailu.stack.plan import Inherited

    setup = plan.setup or DEFAULT
    # Both from scratch run first; old is at rest while the one on its data runs.
    memory: dict[str, str] = {OWN: NAMED if plan.data_names else ""}
    session = EngineSession(stacks=3, pull=plan.pull == "always", keep=plan.keep, notify=notify)
    releases = tuple(spec.release for _, spec in plan.specs if isinstance(spec, ReleaseSpec))
    way = (releases[0], *plan.via, releases[1])
    given: Inherited | None = None
    export = _export(plan)
    if plan.data is not None:
        own = OwnData(plan.data, names=plan.data_names)
        own.folders()  # a folder that is not there is known before anything is started
        given = Inherited(Sources({}), secrets.token_hex(8), add_accounts=True, own=own, releases=way)

    def side(label: str, release: Release, source: ReleaseSide | None = None) -> ReleaseSide:
        inherited = source.stack.bequest() if source is not None else given if label == "old" else None

        def tell(words: str) -> None:
            notify(f"{label} {release}: {words}")

        made = ReleaseSide(
            label, release, plan, session, tell, setup=setup, inherited=inherited, memory=memory, export=export
        )
        if source is not None and not plan.data_names:
            made.mask_people_of(old.survey.domains)
        return made

    old = side("old", releases[0])
    return old, side("new", releases[1]), side, way[1:]


def _export(plan: Plan) -> Export | None:
    """The accounts that the plan names, without those that the test has as well. Raises UsageError."""
    ours = (population.DOMAIN, population.ALTERNATIVE, population.INTERNATIONAL, population.RELAYED, "münchen.example")
    return None if plan.export is None else read_export(plan.export, ours)
