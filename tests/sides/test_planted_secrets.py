"""Markers are planted wherever a deployment holds secrets; none is readable in a report or a recording.

The stack is a stand-in that repeats everything it was given, in every channel that a real one has: outputs of commands,
logs, facts, transcripts, errors. What is between it and the files is the real thing.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_mailu.behaviours import Matrix, behaviour
from pytest_mailu.core import serialization
from pytest_mailu.core.commands import CommandResult
from pytest_mailu.core.errors import StackError
from pytest_mailu.core.model import Observation, Outcome, Reply, Severity, SideInfo, Stage
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.probe.probe import Probe
from pytest_mailu.reports.folder import FORMATS, write
from pytest_mailu.running.whole_run import compare_sides
from pytest_mailu.stack.compose.command import Compose
from pytest_mailu.stack.data.own import Survey
from pytest_mailu.stack.docker.networks import choose_layout
from pytest_mailu.stack.evidence.log_line import LogLine
from pytest_mailu.stack.plan import StackPlan
from pytest_mailu.stack.settings.environment import settings_for

NAMES = (
    *(
        "SECRET_KEY",
        "API_TOKEN",
        "DB_PW",
        "DB_USER",
        "RELAYUSER",
        "RELAYPASSWORD",
        "INITIAL_ADMIN_PW",
        "ROUNDCUBE_DB_PW",
    ),
    *(
        "RECAPTCHA_PRIVATE_KEY",
        "RECAPTCHA_PUBLIC_KEY",
        "SQLALCHEMY_DATABASE_URI",
        "PROXY_AUTH_HEADER",
        "STATS_ENDPOINT",
    ),
    *("WELCOME_BODY", "WELCOME_SUBJECT", "LOGO_BACKGROUND_SECRET", "FETCHMAIL_OPTIONS", "QUOTA_STORAGE_URL"),
    *("SLACK_HOOK", "MATRIX_ROOM", "S3_KEY", "S3_SECRET", "AWS_ID", "RESTIC_REPOSITORY", "SENTRY", "VAULT_ADDR"),
    *(
        "LICENCE",
        "PIN_CODE",
        "OTP_SEED",
        "LDAP_BIND",
        "SMTP_LOGIN",
        "MYAPP_PASSWORD",
        "MyApp_Phrase",
        "x_api",
        "HOOK_URL",
    ),
)
"""Settings of mailu.env: Mailu's own secrets, and names that nobody here knows."""
URLS = ("WEBSITE", "LOGO_URL", "RELAYHOST", "REAL_IP_HEADER", "SITENAME", "DOMAIN_OF_OTHERS")
"""Settings with a URL with a password, public ones among them."""
SERVICE = tuple(f"SERVICE_VALUE_{number}" for number in range(30))
OVERRIDES = tuple(f"override_password_{number}" for number in range(20))
SHAPES = (
    "plain",
    "with blank",
    "wïth-ümläut",
    'with"quote',
    "with'quote",
    "with%percent",
    "with&amp",
    "with\\back",
    "a/b+c==",
)


class Markers:
    """Makes a marker for each place, and remembers it."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        number = len(self.planted)
        marker = f"mArk{number:03d}{SHAPES[number % len(SHAPES)]}zZ{number * 7919:06d}"
        self.planted[place] = marker
        return marker

    def plain(self, place: str) -> str:
        """One of letters and digits, for where a shape would end the value."""
        number = len(self.planted)
        self.planted[place] = f"mArk{number:03d}qzZ{number * 7919:06d}"
        return self.planted[place]


@dataclass
class Gossip:
    """A stack that tells everything it knows. With `fails`, it does so while it starts."""

    plan: StackPlan
    run: Any
    engine: Any
    compose: Any
    subnets: Any
    progress: Any
    fails: bool = False
    survey: Survey = field(default_factory=Survey)
    secrets: frozenset[str] = frozenset()
    events_lost: bool = False
    known: list[str] = field(default_factory=list)
    databases: tuple[str, ...] = ()

    async def up(self) -> None:
        self.layout = choose_layout([])
        self.world = SimpleNamespace(proxy=None)
        self.services = self
        self.settings = settings_for(self.plan.release, self.layout, "k" * 16, self.plan.user)
        self.known = [f"{name}={value}" for name, value in self.plan.user.items()]
        self.known += [f"{name}={value}" for name, value in self.settings.values.items()]
        self.known.append(repr(dict(self.plan.user)))
        self.known.append(json.dumps(dict(self.plan.user)))
        core = self.plan.core or {"services": {}}
        self.known.append(json.dumps(core["services"]))
        self.known += [
            line for files in self.plan.files.values() for text in files.values() for line in text.decode().splitlines()
        ]
        assert self.plan.overrides is not None
        for path in self.plan.overrides.rglob("*.cf"):
            self.known += path.read_text().splitlines()
        for line in self.known:
            self.progress(line)
        if self.fails:
            raise StackError(self.known[0], self.known[1], tuple(self.known), service="smtp", own_doing=True)

    def info(self) -> SideInfo:
        return SideInfo(
            release=str(self.plan.release),
            provenance=" ".join(self.known),
            settings=self.settings.shown(),
            replaced=dict(self.settings.replaced),
        )

    async def exec(self, service: str, *command: str) -> CommandResult:
        return CommandResult(1, "\n".join(self.known), "\n".join(self.known))

    async def all_logs_since(self, moment: float) -> list[LogLine]:
        return [LogLine("smtp", moment + 1, line) for line in self.known]

    async def external_interference(self) -> str:
        return ""

    async def no_room(self) -> None:
        return None

    async def check_alive(self) -> None:
        return None

    async def apply(self, variant: object) -> None:
        return None

    async def down(self) -> None:
        return None


@behaviour("inside/smtp/gossip", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def gossip(probe: Probe) -> Observation:
    """Everything

    Nothing.

    RFC 5321
    """
    said = await probe.stack.services.exec("smtp", "postconf")
    lines = tuple(said.output.splitlines())
    return Observation(
        Outcome.REFUSED,
        Stage.COMMAND,
        reply=Reply("554", text=said.output),
        facts={"postconf": dict(enumerate_text(lines)), "doveconf": list(lines), said.errors[:500]: 1},
        logs=lines,
        trouble="",
    )


@behaviour("inside/smtp/breaks", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def breaks(probe: Probe) -> Observation:
    """A behaviour that fails with everything in its exception

    Nothing.

    RFC 5321
    """
    raise ValueError((await probe.stack.services.exec("smtp", "postconf")).output)


def enumerate_text(lines: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return ((str(number), line) for number, line in enumerate(lines))


def deployment(folder: Path, mark: Markers) -> Plan:
    """A deployment with markers everywhere."""
    env = []
    for name in NAMES:
        value = mark(name)
        quote = '"' if "'" in value else "'"
        env.append(f"{name}={quote}{value}{quote}")
    env += [f"{name}=https://me:{mark.plain(name)}@example.com/" for name in URLS]
    (folder / "mailu.env").write_text("\n".join(env) + "\nDOMAIN=example.com\n", "utf-8")
    overrides = folder / "overrides" / "postfix"
    overrides.mkdir(parents=True)
    (overrides / "postfix.cf").write_text("".join(f"{name} = static:me:{mark.plain(name)}\n" for name in OVERRIDES))
    (folder / "hooks.cf").write_text(f"api_token = {mark.plain('mounted file')}\n")
    services: dict[str, Any] = {
        name: {"image": f"ghcr.io/mailu/{image}:2.0", "env_file": ["mailu.env"]}
        for name, image in (("front", "nginx"), ("admin", "admin"), ("imap", "dovecot"), ("smtp", "postfix"))
    }
    services["antispam"] = {"image": "ghcr.io/mailu/rspamd:2.0", "volumes": ["./hooks.cf:/overrides/hooks.cf:ro"]}
    services["redis"] = {"image": "redis:alpine", "command": ["redis-server", "--requirepass", mark.plain("command")]}
    services["mine"] = {
        "image": "registry.example/mine:1",
        "environment": {name: mark.plain(name) for name in SERVICE},
        "command": f"run --token={mark.plain('option')} https://a:{mark.plain('command url')}@example.com/",
    }
    (folder / "compose.yml").write_text(json.dumps({"services": services}))
    return Plan(
        side_spec("2.0.43"),
        side_spec("2024.06.24"),
        env=folder / "mailu.env",
        compose=folder / "compose.yml",
        overrides=folder / "overrides",
    )


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where the progress lines go, and what has been told; no engine is asked."""
    lines: list[str] = []

    async def prepare(self: Any) -> None:
        self.engine, self.subnets, self.compose = None, None, await Compose.find({})

    monkeypatch.setattr("pytest_mailu.stack.engine_session.EngineSession.prepare", prepare)
    return lines


def readable(markers: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """Which marker is readable where. The end of a marker is enough to know it by."""
    return [
        f"{place} in {name}"
        for place, marker in markers.items()
        for name, text in texts.items()
        if marker in text or marker[-8:] in text or marker[:7] in text
    ]


def test_no_marker_is_readable_in_reports_recordings_and_progress(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_mailu.sides.release.Stack", Gossip)
    mark = Markers()
    plan = deployment(tmp_path, mark)
    assert len(mark.planted) >= 90
    added = []
    report, recordings = compare_sides(
        plan, Matrix([*_declared(gossip), *_declared(breaks)]), None, added.append, said.append
    )
    folder = tmp_path / "report"
    write(folder, report, added, recordings)
    texts = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert set(texts) == {"report.json", "old.json", "new.json", *FORMATS}
    texts["the report itself"] = serialization.dumps(report)
    texts["progress"] = "\n".join(said)
    assert_told(said)
    assert "inside/smtp/gossip" in texts["old.json"]
    assert "****" in texts["old.json"]
    assert readable(mark.planted, texts) == []
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_no_marker_is_readable_where_a_stack_does_not_start(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass
    class Fails(Gossip):
        fails: bool = True

    monkeypatch.setattr("pytest_mailu.sides.release.Stack", Fails)
    mark = Markers()
    plan = deployment(tmp_path, mark)
    matrix = Matrix([*_declared(gossip), *_declared(breaks)])
    texts: dict[str, str] = {}
    try:
        report, recordings = compare_sides(plan, matrix, notify=said.append)
        texts = {
            "report": serialization.dumps(report),
            **{str(n): serialization.dumps(r) for n, r in enumerate(recordings)},
        }
    except StackError as error:
        texts = {"error": f"{error} {error.__context__!r} {error.__cause__!r}"}
    texts["progress"] = "\n".join(said)
    assert_told(said)
    assert readable(mark.planted, texts) == []


def assert_told(said: Sequence[str]) -> None:
    """The stack has told everything as progress, of both sides, and what was a secret is masked there."""
    for side in ("old", "new"):
        lines = [line for line in said if line.startswith(f"{side} ")]
        assert len([line for line in lines if "****" in line]) >= len(NAMES) + len(OVERRIDES)


def test_composes_own_message_quotes_no_secret(tmp_path: Path, said: list[str]) -> None:
    mark = Markers()
    deployment(tmp_path, mark)
    text = (
        (tmp_path / "compose.yml")
        .read_text()
        .replace('"image": "redis:alpine"', '"imagee": "x", "image": "redis:alpine"')
    )
    env = mark.plain("bad interpolation")
    broken = json.loads(text)
    broken["services"]["mine"]["environment"]["DB_PASSWORD"] = "${" + env
    (tmp_path / "compose.yml").write_text(json.dumps(broken))
    plan = Plan(side_spec("2.0.43"), side_spec("2024.06.24"), compose=tmp_path / "compose.yml")
    with pytest.raises(Exception, match="cannot read") as caught:
        compare_sides(plan, Matrix(_declared(gossip)))
    assert readable(mark.planted, {"error": str(caught.value)}) == []


def _declared(function: Any) -> list[Any]:
    return list(Matrix([function]))
