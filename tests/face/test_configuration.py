"""From command line and ini file to a plan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import FailOn
from pytest_mailu.core.plan import Plan, RecordedSpec, ReleaseSpec, caveats, side_spec
from pytest_mailu.core.releases import Release
from pytest_mailu.core.setups import DEFAULT, FROM_FILES, SetUp, setup_named
from pytest_mailu.face.configuration import plan_of, run_info
from pytest_mailu.face.options import OPTIONS

OWN_FILES = SetUp(FROM_FILES, "what your own files describe", in_force=True)
SIDES = ("--mailu-from=recorded:2.0.43", "--mailu-to=recorded:2024.06.24")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTEST_ADDOPTS", "DOCKER_ORG", "DOCKER_PREFIX"):
        monkeypatch.delenv(name, raising=False)


def plan(pytester: pytest.Pytester, *args: str) -> Plan:
    return plan_of(pytester.parseconfig(*args))


def touched(pytester: pytest.Pytester, *names: str) -> None:
    for name in names:
        (pytester.path / name).parent.mkdir(parents=True, exist_ok=True)
        (pytester.path / name).touch()


def test_two_sides_are_all_that_is_needed(pytester: pytest.Pytester) -> None:
    made = plan(pytester, "--mailu-from", "2.0", "--mailu-to", "2024.06.24")
    assert made == Plan(ReleaseSpec(Release("2.0")), ReleaseSpec(Release("2024.06", 24)), seed=made.seed)
    assert made.seed != plan(pytester, "--mailu-from", "2.0", "--mailu-to", "2024.06.24").seed
    assert made.starts_stacks
    assert (made.fail_on, made.pull, made.timeout, made.repeat, made.keep) == (
        FailOn.MAJOR,
        "missing",
        120.0,
        1,
        False,
    )


def test_options_of_the_command_line_reach_the_plan_together(pytester: pytest.Pytester) -> None:
    touched(pytester, "mailu.env", "new.env", "compose.yml", "new.yml", "waivers.toml", "over/x")
    made = plan(
        pytester,
        *SIDES,
        "--mailu-env=mailu.env",
        "--mailu-env-new=new.env",
        "--mailu-compose=compose.yml",
        "--mailu-compose-new=new.yml",
        "--mailu-overrides=over",
        "--mailu-report=out",
        "--mailu-waivers=waivers.toml",
        "--mailu-fail-on=changed",
        "--mailu-pull=never",
        "--mailu-timeout=2.5",
        "--mailu-repeat=5",
        "--mailu-seed=7",
        "--mailu-keep",
    )
    here = pytester.path
    assert made == Plan(
        old=RecordedSpec("recorded:2.0.43"),
        new=RecordedSpec("recorded:2024.06.24"),
        setups=(OWN_FILES,),
        env=here / "mailu.env",
        env_new=here / "new.env",
        compose=here / "compose.yml",
        compose_new=here / "new.yml",
        overrides=here / "over",
        report=here / "out",
        waivers=here / "waivers.toml",
        fail_on=FailOn.CHANGED,
        pull="never",
        timeout=2.5,
        repeat=5,
        seed=7,
        keep=True,
    )
    assert not made.starts_stacks


def test_options_of_the_ini_file_reach_the_plan_together_with_paths_relative_to_it(pytester: pytest.Pytester) -> None:
    names = ("mailu.env", "new.env", "compose.yml", "new.yml", "waivers.toml", "over/x")
    touched(pytester, *(f"conf/{name}" for name in names))
    pytester.makefile(
        ".ini",
        **{
            "conf/pytest": """
            [pytest]
            mailu_from = rec/old.json
            mailu_to = recorded:2024.06.24
            mailu_env = mailu.env
            mailu_env_new = new.env
            mailu_compose = compose.yml
            mailu_compose_new = new.yml
            mailu_overrides = over
            mailu_report = out
            mailu_waivers = waivers.toml
            mailu_fail_on = never
            mailu_pull = always
            mailu_timeout = 60
            mailu_repeat = 2
            mailu_seed = 8
            mailu_keep = true
            """
        },
    )
    made = plan(pytester, "-c", "conf/pytest.ini")
    there = pytester.path / "conf"
    assert made == Plan(
        old=RecordedSpec(str(there / "rec/old.json")),
        new=RecordedSpec("recorded:2024.06.24"),
        setups=(OWN_FILES,),
        env=there / "mailu.env",
        env_new=there / "new.env",
        compose=there / "compose.yml",
        compose_new=there / "new.yml",
        overrides=there / "over",
        report=there / "out",
        waivers=there / "waivers.toml",
        fail_on=FailOn.NEVER,
        pull="always",
        timeout=60.0,
        repeat=2,
        seed=8,
        keep=True,
    )


RELEASES = ("--mailu-from=2.0.43", "--mailu-to=2024.06.24")
IN_PLACE = (*RELEASES, "--mailu-in-place")
EACH: dict[str, tuple[tuple[str, ...], str, str, object]] = {
    "mailu-from": (("--mailu-to=2024.06.24",), "2.0", "old", ReleaseSpec(Release("2.0"))),
    "mailu-to": (("--mailu-from=2.0.43",), "master", "new", ReleaseSpec(Release("master"))),
    "mailu-deployment": (SIDES, "mailu", "deployment", Path("mailu")),
    "mailu-fix": ((*SIDES, "--mailu-deployment=mailu"), "fixed", "fix", Path("fixed")),
    "mailu-logs": ((*SIDES, "--mailu-deployment=mailu"), "log", "logs", (Path("log"),)),
    "mailu-logs-names": ((*SIDES, "--mailu-deployment=mailu", "--mailu-logs=log"), "true", "log_names", True),
    "mailu-check": ((*SIDES, "--mailu-deployment=mailu"), "true", "check_only", True),
    "mailu-setup": (RELEASES, "notls", "setups", (setup_named("notls"),)),
    "mailu-with": (RELEASES, "webmail", "setups", (DEFAULT.with_services(frozenset({"webmail"}), frozenset()),)),
    "mailu-without": (RELEASES, "webmail", "setups", (DEFAULT.with_services(frozenset(), frozenset({"webmail"})),)),
    "mailu-env": (SIDES, "file", "env", Path("file")),
    "mailu-env-new": (SIDES, "file", "env_new", Path("file")),
    "mailu-compose": (SIDES, "compose.yml", "compose", Path("compose.yml")),
    "mailu-compose-new": ((*SIDES, "--mailu-compose=compose.yml"), "file", "compose_new", Path("file")),
    "mailu-overrides": (SIDES, "mailu", "overrides", Path("mailu")),
    "mailu-report": (SIDES, "out", "report", Path("out")),
    "mailu-waivers": (SIDES, "file", "waivers", Path("file")),
    "mailu-fail-on": (SIDES, "changed", "fail_on", FailOn.CHANGED),
    "mailu-pull": (SIDES, "never", "pull", "never"),
    "mailu-timeout": (SIDES, "2.5", "timeout", 2.5),
    "mailu-repeat": (SIDES, "5", "repeat", 5),
    "mailu-seed": (SIDES, "7", "seed", 7),
    "mailu-deep": (SIDES, "true", "deep", True),
    "mailu-in-place": (RELEASES, "true", "in_place", True),
    "mailu-via": (("--mailu-from=1.9", "--mailu-to=2024.06", "--mailu-in-place"), "2.0", "via", (Release("2.0"),)),
    "mailu-data": (IN_PLACE, "mailu", "data", Path("mailu")),
    "mailu-data-names": ((*IN_PLACE, "--mailu-data=mailu"), "true", "data_names", True),
    "mailu-export": (RELEASES, "file", "export", Path("file")),
    "mailu-keep": (SIDES, "true", "keep", True),
}
"""Every option that an ini file may have: what else is given, its value, and what the plan has then."""


@pytest.mark.parametrize("name", [option.name for option in OPTIONS if option.ini])
@pytest.mark.parametrize("place", ["command line", "ini file"])
def test_every_option_reaches_the_plan_from_either_place(pytester: pytest.Pytester, name: str, place: str) -> None:
    beside, text, attribute, wanted = EACH[name]
    touched(pytester, "file", "log", "mailu/mailu.env")
    pytester.makefile(".yml", compose="services: {}\n")
    if place == "ini file":
        pytester.makeini(f"[pytest]\n{name.replace('-', '_')} = {text}\n")
    flag = [] if place == "ini file" else [f"--{name}" if text == "true" else f"--{name}={text}"]
    assert getattr(plan(pytester, *beside, *flag), attribute) == _at(pytester.path, wanted)


def _at(folder: Path, wanted: object) -> object:
    """The value with its paths in the folder."""
    if isinstance(wanted, tuple):
        return tuple(_at(folder, each) for each in wanted)
    return folder / wanted if isinstance(wanted, Path) else wanted


def test_the_command_line_wins_over_the_ini_file_and_that_over_the_default(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmailu_from = 1.9\nmailu_fail_on = changed\nmailu_report = ini\nmailu_timeout = 7\n")
    made = plan(pytester, *SIDES, "--mailu-fail-on=never", "--mailu-report=cli")
    assert made.old == RecordedSpec("recorded:2.0.43")
    assert (made.fail_on, made.report, made.timeout, made.repeat) == (FailOn.NEVER, pytester.path / "cli", 7.0, 1)


def test_a_pyproject_file_is_an_ini_file_too(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\nmailu_from = "2.0"\nmailu_to = "master"\nmailu_report = "out"\n'
    )
    made = plan(pytester)
    assert (made.new, made.report) == (ReleaseSpec(Release("master")), pytester.path / "out")


def test_a_path_is_taken_where_no_ini_file_is_as_well(pytester: pytest.Pytester) -> None:
    made = plan(pytester, *SIDES, "-o", "mailu_report=out")
    assert made.report == pytester.path / "out"


def test_an_absolute_path_of_the_ini_file_stays(pytester: pytest.Pytester, tmp_path: Path) -> None:
    pytester.makeini(f"[pytest]\nmailu_report = {tmp_path / 'out'}\n")
    assert plan(pytester, *SIDES).report == tmp_path / "out"


def test_a_waivers_file_in_the_root_folder_is_found_and_another_one_may_be_named(pytester: pytest.Pytester) -> None:
    assert plan(pytester, *SIDES).waivers is None
    touched(pytester, "mailu-waivers.toml", "other.toml")
    assert plan(pytester, *SIDES).waivers == pytester.path / "mailu-waivers.toml"
    assert plan(pytester, *SIDES, "--mailu-waivers=other.toml").waivers == pytester.path / "other.toml"


def test_where_the_images_come_from_is_taken_from_the_environment(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_ORG", "registry.example/mailu")
    assert plan(pytester, *SIDES).environ == {"DOCKER_ORG": "registry.example/mailu"}


@pytest.mark.parametrize(
    ("args", "cause"),
    [
        ([], "--mailu-from is missing"),
        (["--mailu-to=2.0"], "--mailu-from is missing"),
        (["--mailu-from=2.0"], "--mailu-to is missing"),
        (["--mailu-from=2.0", "--mailu-to=nonsense"], "'nonsense' is not a Mailu release"),
        (["--mailu-from=2.0", "--mailu-to=3.1"], "pytest-mailu does not know the series of Mailu 3.1"),
        (["--mailu-from=2.0", "--mailu-to="], "'' is not a Mailu release"),
        (["--mailu-from=2024.06", "--mailu-to=2.0"], "Mailu cannot go from 2024.06 back to 2.0"),
        ([*SIDES, "--mailu-env=none.env"], "--mailu-env: there is no file"),
        ([*SIDES, "--mailu-env-new=none.env"], "--mailu-env-new: there is no file"),
        ([*SIDES, "--mailu-compose=none.yml"], "--mailu-compose: there is no file"),
        ([*SIDES, "--mailu-compose=file", "--mailu-compose-new=none.yml"], "--mailu-compose-new: there is no file"),
        ([*SIDES, "--mailu-compose-new=file"], "--mailu-compose-new: the compose file of today is missing"),
        (
            [*SIDES, "--mailu-deployment=empty", "--mailu-compose-new=file"],
            "--mailu-compose-new: the compose file of today is missing",
        ),
        ([*SIDES, "--mailu-waivers=none.toml"], "--mailu-waivers: there is no file"),
        ([*SIDES, "--mailu-overrides=none"], "--mailu-overrides: there is no folder"),
        ([*SIDES, "--mailu-report=file"], "--mailu-report: "),
        ([*SIDES, "--mailu-timeout=soon"], "--mailu-timeout: soon is not a number"),
        ([*SIDES, "--mailu-timeout=0"], "--mailu-timeout: 0 is not a number of at least 1"),
        ([*SIDES, "--mailu-timeout=inf"], "--mailu-timeout: inf is not a number"),
        ([*SIDES, "--mailu-timeout=nan"], "--mailu-timeout: nan is not a number"),
        ([*SIDES, "--mailu-repeat=0"], "--mailu-repeat: 0 is not a whole number"),
        ([*SIDES, "--mailu-repeat=1.5"], "--mailu-repeat: 1.5 is not a whole number"),
        ([*SIDES, "--mailu-repeat=61"], "--mailu-repeat: 61 is more than 60"),
        ([*SIDES, "-o", "mailu_fail_on=sometimes"], "mailu_fail_on = sometimes"),
        ([*SIDES, "-o", "mailu_pull=maybe"], "mailu_pull = maybe"),
        ([*SIDES, "-o", "mailu_deep=perhaps"], "mailu_deep in the ini file: invalid truth value 'perhaps'"),
        ([*SIDES, "--mailu-data=empty"], "--mailu-data needs --mailu-in-place"),
        ([*SIDES, "--mailu-via=2.0"], "--mailu-via needs --mailu-in-place"),
    ],
)
def test_what_makes_no_plan_is_a_usage_error_with_a_remedy(
    pytester: pytest.Pytester, args: list[str], cause: str
) -> None:
    touched(pytester, "file", "empty/mailu.env")
    with pytest.raises(UsageError) as caught:
        plan(pytester, *args)
    assert caught.value.cause.startswith(cause)
    assert caught.value.remedy


@pytest.mark.parametrize("pair", [("2.0.43", "2.0.43"), ("2.0.43", "2.0.12"), ("2.0", "2.0.1"), ("1.9", "master")])
def test_the_same_release_twice_and_an_earlier_patch_are_allowed(
    pytester: pytest.Pytester, pair: tuple[str, str]
) -> None:
    made = plan(pytester, "--mailu-from", pair[0], "--mailu-to", pair[1])
    assert (str(made.old), str(made.new)) == pair


@pytest.mark.parametrize("pair", [("recorded:2024.06.24", "2.0"), ("2024.06", "some.json")])
def test_a_recording_may_be_compared_with_any_release(pytester: pytest.Pytester, pair: tuple[str, str]) -> None:
    made = plan(pytester, "--mailu-from", pair[0], "--mailu-to", pair[1])
    assert (str(made.old), str(made.new)) == pair
    assert made.starts_stacks


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("2.0", ReleaseSpec(Release("2.0"))),
        ("2024.6.24", ReleaseSpec(Release("2024.06", 24))),
        ("master", ReleaseSpec(Release("master"))),
        ("recorded:2.0.43", RecordedSpec("recorded:2.0.43")),
        ("some.json", RecordedSpec("some.json")),
        ("/a/b.json", RecordedSpec("/a/b.json")),
    ],
)
def test_what_a_text_names(text: str, spec: object) -> None:
    assert side_spec(text) == spec
    assert str(spec) in (text, "2024.06.24")


def test_the_command_in_the_report_repeats_the_run_with_its_seed(pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig("--mailu-from=2.0", "--mailu-to=2024.06", "-k", "a and b")
    made = plan_of(config)
    command = run_info(config, made).command
    assert "--mailu-from=2.0 --mailu-to=2024.06 -k 'a and b'" in command
    assert command.endswith(f"--mailu-seed={made.seed}")
    recordings = pytester.parseconfig(*SIDES)
    assert "seed" not in run_info(recordings, plan_of(recordings)).command


def test_the_report_tells_two_files_of_one_name_apart(pytester: pytest.Pytester) -> None:
    touched(pytester, "now/docker-compose.yml", "then/docker-compose.yml", "more.env")
    named = ("--mailu-compose=now/docker-compose.yml", "--mailu-compose-new=then/docker-compose.yml")
    config = pytester.parseconfig(*SIDES, *named, "--mailu-env-new=more.env")
    assert run_info(config, plan_of(config)).files == (
        "more.env",
        "now/docker-compose.yml",
        "then/docker-compose.yml",
    )


def test_the_report_names_the_override_that_compose_takes_beside_a_file(pytester: pytest.Pytester) -> None:
    touched(pytester, "docker-compose.yml", "docker-compose.override.yml")
    config = pytester.parseconfig(*SIDES, "--mailu-compose=docker-compose.yml")
    assert run_info(config, plan_of(config)).files == ("docker-compose.yml", "docker-compose.override.yml")


FILES = dict.fromkeys(("env", "env_new", "compose", "compose_new", "overrides"), Path("x"))
NEVER = "checked, not applied: recordings keep the settings that they were made with."
ALONE = "only: the recording keeps the settings that it was made with."


@pytest.mark.parametrize(
    ("old", "new", "names", "said"),
    [
        ("2.0", "2024.06", FILES, []),
        ("a.json", "2024.06", ["env_new", "compose_new"], []),
        ("a.json", "2024.06", ["compose"], [f"--mailu-compose applied to 2024.06 {ALONE}"]),
        ("a.json", "2024.06", ["compose", "compose_new"], [f"--mailu-compose {NEVER}"]),
        (
            "2.0",
            "b.json",
            FILES,
            [f"--mailu-env-new, --mailu-compose-new {NEVER}", f"--mailu-env, --mailu-overrides applied to 2.0 {ALONE}"],
        ),
        ("a.json", "b.json", ["compose", "compose_new"], [f"--mailu-compose, --mailu-compose-new {NEVER}"]),
    ],
)
def test_files_that_a_recording_cannot_apply_are_said_for_the_side_that_they_are_about(
    old: str, new: str, names: Iterable[str], said: list[str]
) -> None:
    asked = Plan(side_spec(old), side_spec(new), **{name: FILES[name] for name in names})  # type: ignore[arg-type]
    assert list(caveats(asked)) == said


def test_every_option_has_a_twin_in_the_ini_file_and_says_what_it_does(pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig(*SIDES)
    for option in OPTIONS:
        assert option.help
        assert config.getoption(option.dest) in (None, *(side.partition("=")[2] for side in SIDES))
        if option.ini:
            assert not config.getini(option.dest)
