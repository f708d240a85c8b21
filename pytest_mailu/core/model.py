"""The frozen values that everything else passes around.

Read this file first. A *behaviour* is asked of two *sides*; each answer is an *observation*; two observations
compared are a *finding* with a *verdict*; all verdicts together are the *decision*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from pytest_mailu.core.endpoints import Endpoint
from pytest_mailu.core.in_place import InPlace, Origin
from pytest_mailu.core.transcript import Event

Facts: TypeAlias = Mapping[str, Any]
"""What was seen, as JSON can carry it: strings, numbers, booleans, None, lists and objects with string keys."""


class Outcome(StrEnum):
    """What became of the thing that was tried."""

    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DEFERRED = "deferred"
    LOST = "lost"
    ALTERED = "altered"
    AUTH_FAILED = "auth-failed"
    TLS_FAILED = "tls-failed"
    NOT_OFFERED = "not-offered"
    UNREACHABLE = "unreachable"
    UNANSWERED = "unanswered"


PROTECTIONS = frozenset({Outcome.REFUSED, Outcome.AUTH_FAILED, Outcome.TLS_FAILED, Outcome.NOT_OFFERED})
"""Wanting one of these is wanting a protection: whatever keeps the thing from happening serves."""


def met(wanted: Outcome | None, outcome: Outcome) -> bool:
    """Whether an outcome is the wanted one; a closed port meets every protection."""
    if wanted is None:
        return True
    if wanted in PROTECTIONS:
        return outcome in PROTECTIONS or outcome is Outcome.UNREACHABLE
    return outcome is wanted


class Stage(StrEnum):
    """How far a conversation got before its outcome was clear."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DELIVERY = "delivery"
    COMMAND = "command"
    SETTINGS = "settings"


class Verdict(StrEnum):
    """What two observations of one behaviour amount to."""

    SAME = "same"
    CHANGED = "changed"
    REGRESSED = "regressed"
    GAINED = "gained"
    ABSENT = "absent"
    BROKEN = "broken"
    INCONCLUSIVE = "inconclusive"
    UNSTABLE = "unstable"


class Severity(StrEnum):
    """How much it hurts when the behaviour goes; the order of declaration is worst first."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class Decision(StrEnum):
    """The one answer of a run."""

    GO = "go"
    GO_WITH_WAIVERS = "go-with-waivers"
    NO_GO = "no-go"
    CANNOT_TELL = "cannot-tell"


class SideName(StrEnum):
    """The two halves of a comparison."""

    OLD = "old"
    NEW = "new"


class Problem(StrEnum):
    """Why a comparison gives no verdict on the releases."""

    NOT_RECORDED = "not-recorded"
    NOT_ASKED = "not-asked"
    UNSTEADY = "unsteady"


class CauseKind(StrEnum):
    """What a root cause is known by."""

    KNOWN = "known"
    PORT_CLOSED = "port-closed"
    END = "end"
    DETAILS = "details"
    UNCERTAIN = "uncertain"


class FailOn(StrEnum):
    """What fails a run: `--mailu-fail-on`.

    A severity: regressions of that severity or worse. `regressed`: every regression. `changed`: every regression and
    every change. `never`: nothing fails, and the decision is that of `major`.
    """

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"
    REGRESSED = "regressed"
    CHANGED = "changed"
    NEVER = "never"


class Action(StrEnum):
    """What a finding asks of the administrator; the order of declaration is most urgent first."""

    FIX_BEFORE = "fix-before"
    DO = "do"
    TELL = "tell-people"
    LOOK = "look"
    NOTHING = "nothing"


class LeftOut(StrEnum):
    """Why a behaviour was not compared."""

    DESELECTED = "deselected"
    """By `-k`, `-m`, ids or a conftest."""
    SLOW = "slow"
    """`--mailu-deep` compares it."""
    IN_PLACE = "in-place"
    """`--mailu-in-place` compares it."""
    OWN = "own"
    """An option that brings the user's own accounts, such as `--mailu-export`, compares it."""
    SETUP = "set-up"
    """The set-up of the run cannot answer it."""
    SERVICE = "service"
    """It needs an optional service that the run does not start."""
    NEWER = "newer"
    """Newer than both recordings."""
    UNKNOWN = "unknown"
    """In a recording, and not in the matrix: of a newer version, or of somebody's own conftest.py."""
    NOT_REACHED = "not-reached"
    """The run ended before it."""


class Vantage(StrEnum):
    """Where a client stands when it connects."""

    STRANGER = "stranger"
    OTHER_STRANGER = "other-stranger"
    INSIDE = "inside"
    RELAYNET = "relaynet"
    PROXY = "proxy"
    """The reverse proxy that Mailu knows, of two in a row the nearer one."""
    FAR_PROXY = "far-proxy"
    """The first one of two proxies in a row."""
    STRANGER_IPV6 = "stranger-ipv6"
    """This and the next three: the same over IPv6, in a set-up that has it."""
    OTHER_STRANGER_IPV6 = "other-stranger-ipv6"
    NEIGHBOUR_IPV6 = "neighbour-ipv6"
    """Another address in the network of `OTHER_STRANGER_IPV6`."""
    RELAYNET_IPV6 = "relaynet-ipv6"

    @property
    def over_ipv6(self) -> bool:
        """Whether it is there in a set-up with IPv6 only."""
        return self.endswith("-ipv6")


class Direction(StrEnum):
    """The direction in which a fact serves people; the other one is a loss."""

    MORE = "more"
    """A number: a smaller one, or none any more, is a loss."""
    FEWER = "fewer"
    """A number: a larger one is a loss."""
    KEPT = "kept"
    """A member of a list, or a key: one that is removed is a loss, one that is added is none."""
    TRUE = "true"
    """A yes or no: a no where there was a yes is a loss."""
    FIXED = "fixed"
    """A value that people rely on: any other one is a loss."""
    SERVED = "served"
    """An outcome: what was delivered or accepted, altered at worst, and is not any more, is a loss."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of a server.

    `code` is the protocol's own status (`554`, `NO`, `-ERR`, `404`), `enhanced` the finer one where there is one:
    RFC 3463's `5.7.1`, the response code of IMAP (RFC 9051 section 7.1) or ManageSieve (RFC 5804 section 1.3).
    """

    code: str = ""
    enhanced: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one side did when it was asked once.

    `outcome` is None when the question could not be put; `trouble` then says why.
    `started` is seconds since the epoch, `seconds` a duration.
    """

    outcome: Outcome | None
    stage: Stage
    reply: Reply | None = None
    facts: Facts = field(default_factory=dict)
    trouble: str = ""
    transcript: tuple[Event, ...] = ()
    logs: tuple[str, ...] = ()
    started: float = 0.0
    seconds: float = 0.0

    @property
    def begun(self) -> float:
        """When the first of it happened: before `started` where others had done it already."""
        return self.started + min([0.0, *(event.seconds or 0.0 for event in self.transcript)])


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two observations differ. `kind` is `added`, `removed` or `changed`."""

    path: str
    kind: str
    old: Any = None
    new: Any = None


@dataclass(frozen=True, slots=True)
class Advice:
    """Why something changed and what to do about it, with where it is documented.

    `title` says what to do on one line; `paste` is what to paste for it (settings, commands), if anything.
    """

    id: str
    cause: str
    remedy: str
    source: str
    action: Action = Action.LOOK
    title: str = ""
    paste: str = ""


@dataclass(frozen=True, slots=True)
class SideInfo:
    """Where one half of the comparison came from.

    `images` maps a service to its image digest, or to the image id where the image is local only.
    `settings` holds the values in force; `replaced` what the plugin had to put in the place of the user's own; `setup`
    names the set-up (`core.setups`).
    """

    release: str
    version: str = ""
    provenance: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)
    setup: str = "default"


@dataclass(frozen=True, slots=True)
class Question:
    """What a behaviour is, without the code that asks: what reports and recordings need to know of it.

    `wanted` is the outcome that serves people, or None where there is none and only facts are recorded.
    `breaks` says who loses what when it goes; `source` what that rests on. `endpoint` is where it is asked, or None
    where that is no endpoint of the mail server, or several; `operation` is the rest of the id. `directions` maps globs
    over difference paths (`facts.found`) to the direction in which such a fact serves people. `affected` says whom a
    difference concerns that breaks nothing: a changed fact, or a protection that is stricter than before.
    """

    id: str
    title: str
    breaks: str
    source: str
    wanted: Outcome | None
    severity: Severity
    endpoint: Endpoint | None = None
    operation: str = ""
    directions: Mapping[str, Direction] = field(default_factory=dict, hash=False)
    affected: str = ""

    @property
    def family(self) -> str:
        """The first part of the id."""
        return self.id.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Why:
    """Why a comparison gives no verdict: on which side, what kind of problem, and the details in words."""

    side: SideName
    problem: Problem
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.side}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One behaviour on both sides: every attempt, what differs, and what that means.

    Of an upgrade in place, `fresh` is what new did on a fresh install, `origin` where that matters, and `hop` the
    release that lost something.
    """

    question: Question
    verdict: Verdict
    old: tuple[Observation, ...]
    new: tuple[Observation, ...]
    differences: tuple[Difference, ...] = ()
    why: Why | None = None
    fresh: tuple[Observation, ...] = ()
    origin: Origin | None = None
    hop: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """The root cause of a finding. Findings with the same text (`str`) have one cause and are told as one.

    * known: an advice entry explains it; `advice` is its id, `words` are its headline.
    * port-closed, end: how `side` ended. Where `side` is old, that is over on new.
    * details: only details differ: `paths` (without list members), in one `family`.
    * uncertain: `why` says what kept the comparison from a verdict.
    """

    kind: CauseKind
    side: SideName | None = None
    outcome: Outcome | None = None
    stage: Stage | None = None
    code: str = ""
    enhanced: str = ""
    family: str = ""
    paths: tuple[str, ...] = ()
    why: Why | None = None
    advice: str = ""
    words: str = ""

    def __str__(self) -> str:
        match self.kind:
            case CauseKind.KNOWN:
                text = self.words
            case CauseKind.PORT_CLOSED:
                text = "port closed"
            case CauseKind.END:
                text = " ".join(filter(None, (f"{self.outcome} at {self.stage}", self.code, self.enhanced)))
            case CauseKind.DETAILS:
                text = f"{self.family}: {', '.join(self.paths)}"
            case CauseKind.UNCERTAIN:
                unsteady = self.why is not None and self.why.problem is Problem.UNSTEADY
                text = f"{Verdict.UNSTABLE if unsteady else Verdict.INCONCLUSIVE}: {self.why}"
        return f"no longer: {text}" if self.side is SideName.OLD else text


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that somebody has accepted.

    `behaviour` is an id or a glob over ids; `from_` and `to` are release ranges; `path` is a glob that every difference
    has to match; `line` is where the entry starts in its file.
    """

    behaviour: str
    reason: str
    from_: str = ""
    to: str = ""
    path: str = ""
    fingerprint: str = ""
    expires: str = ""
    by: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A comparison worth telling, with why it happened, what it means and what to do.

    `breaks` says who loses what, where something broke, and `affected` whom a difference concerns that broke nothing;
    both may be empty. `root` is the text of `cause`: findings that share it have one cause and are told as one.
    `fingerprint` depends on behaviour, verdict, outcomes, stages and difference paths, not on texts.
    """

    behaviour: str
    family: str
    title: str
    breaks: str
    source: str
    verdict: Verdict
    severity: Severity
    root: str
    cause: Cause
    old: Observation | None
    new: Observation | None
    differences: tuple[Difference, ...]
    fingerprint: str
    why: Why | None = None
    advice: tuple[Advice, ...] = ()
    waiver: Waiver | None = None
    reproduce: str = ""
    endpoint: Endpoint | None = None
    operation: str = ""
    action: Action = Action.LOOK
    affected: str = ""
    origin: Origin | None = None
    hop: str = ""

    @property
    def means(self) -> str:
        """What it means for whom, in a sentence: what broke, else whom the difference concerns; may be empty."""
        return self.breaks or self.affected


@dataclass(frozen=True, slots=True)
class RunInfo:
    """How a report was made: `date` (ISO 8601, UTC), this plugin's version, the command, names of settings files."""

    date: str = ""
    plugin: str = ""
    command: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a run has to say; every report format is made from this and nothing else.

    `fail_on` is the gate that the decision went through. `seconds` is a duration. `matrix` is how many behaviours there
    are, `selected` how many of them were chosen to be compared; `left_out` has the ids of the others, by reason. `gaps`
    says in sentences what keeps the run from a decision beside its findings; `caveats` what the decision does not cover
    although it was asked for; `in_place` what the rehearsal of an upgrade in place has to say. `setup` is the name of
    the set-up in which both sides were compared.
    """

    schema: int
    decision: Decision
    old: SideInfo
    new: SideInfo
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    fail_on: FailOn = FailOn.MAJOR
    selected: int = 0
    matrix: int = 0
    left_out: Mapping[LeftOut, tuple[str, ...]] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    run: RunInfo = field(default_factory=RunInfo)
    in_place: InPlace | None = None
    setup: str = "default"


@dataclass(frozen=True, slots=True)
class Recording:
    """All observations of one side.

    `matrix` is the version of the package it was made with; `behaviours` are all ids of the matrix of that time, those
    that were not asked included.
    """

    schema: int
    matrix: str
    side: SideInfo
    behaviours: tuple[str, ...]
    observations: Mapping[str, tuple[Observation, ...]]
