"""Makes the plan of a run from pytest's command line and ini file."""

from __future__ import annotations

import datetime
import math
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_mailu.core.compose_files import together
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import FailOn, RunInfo
from pytest_mailu.core.optional_services import check_offered, services_named
from pytest_mailu.core.plan import Plan, ReleaseSpec, is_path, side_spec
from pytest_mailu.core.releases import Release
from pytest_mailu.core.setups import DEFAULT, SetUp, setup_named
from pytest_mailu.core.version import __version__
from pytest_mailu.deployment.fix import check_folder
from pytest_mailu.deployment.reader import Sources
from pytest_mailu.face.deployment import files_of, release_in_use, services_in_use, setup_in_use
from pytest_mailu.face.options import OPTIONS, Option
from pytest_mailu.judging.wavering import ENOUGH
from pytest_mailu.reports import folder
from pytest_mailu.running.engine_logs import ENGINE

WAIVERS = "mailu-waivers.toml"
PASSED_ON = ("DOCKER_ORG", "DOCKER_PREFIX")
"""Variables that Mailu's own compose files read from the environment."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Raise UsageError as pytest's own: pytest prints it and exits with status 4."""
    try:
        yield
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


def plan_of(config: pytest.Config) -> Plan:
    """The plan that command line, ini file and environment give; raises UsageError where it is not valid."""
    given = {option.dest: _value(config, option) for option in OPTIONS if option.ini}
    files = files_of(
        Sources(*(_path(given[f"mailu_{name}"]) for name in ("deployment", "env", "compose", "overrides")))
    )
    _check_files(given, files)
    compose_new = _path(given["mailu_compose_new"])
    if given["mailu_from"] is None and given["mailu_to"] is not None and files.given:
        given["mailu_from"] = release_in_use(files)
    for dest, option in (("mailu_from", "--mailu-from"), ("mailu_to", "--mailu-to")):
        if given[dest] is None:
            raise UsageError(f"{option} is missing", "Name both sides: pytest --mailu-from 2.0 --mailu-to 2024.06")
    waivers = _path(given["mailu_waivers"])
    if waivers is None and (config.rootpath / WAIVERS).is_file():
        waivers = config.rootpath / WAIVERS
    env_new = _path(given["mailu_env_new"])
    old, new = side_spec(str(given["mailu_from"])), side_spec(str(given["mailu_to"]))
    releases = [spec.release for spec in (old, new) if isinstance(spec, ReleaseSpec)]
    plan = Plan(
        old=old,
        new=new,
        setups=_setups(given, files, releases, compose_new, env_new),
        env=files.env,
        env_new=env_new,
        compose=files.compose,
        compose_new=compose_new,
        overrides=files.overrides,
        deployment=files.folder,
        check_only=bool(given["mailu_check"]),
        fix=_path(given["mailu_fix"]),
        logs=_logs(given["mailu_logs"]),
        log_names=bool(given["mailu_logs_names"]),
        in_place=bool(given["mailu_in_place"]),
        via=_releases(given["mailu_via"]),
        data=_path(given["mailu_data"]),
        data_names=bool(given["mailu_data_names"]),
        export=_path(given["mailu_export"]),
        pull=str(given["mailu_pull"]),
        keep=bool(given["mailu_keep"]),
        report=_path(given["mailu_report"]),
        waivers=waivers,
        fail_on=FailOn(str(given["mailu_fail_on"])),
        timeout=_number(given["mailu_timeout"], "--mailu-timeout", least=1.0, example=300),
        deep=bool(given["mailu_deep"]),
        repeat=round(_number(given["mailu_repeat"], "--mailu-repeat", least=1.0, most=ENOUGH, example=3, integer=True)),
        seed=_seed(given["mailu_seed"]),
        environ={name: os.environ[name] for name in PASSED_ON if name in os.environ},
    )
    plan.check()
    if plan.report is not None:
        folder.check(plan.report)
        if not hasattr(config, "workerinput"):  # a worker of pytest-xdist comes after its controller
            folder.try_out(plan.report)
    return plan


def _check_files(given: Mapping[str, object], files: Sources) -> None:
    """Raise UsageError for options that are about files, where none are named or a folder cannot be written."""
    if given["mailu_check"] and not files.given:
        raise UsageError("--mailu-check: no files are named", "Add --mailu-deployment /mailu, or --mailu-env FILE.")
    if given["mailu_logs"] is not None and not files.given:
        raise UsageError("--mailu-logs: no files are named", "Add --mailu-deployment /mailu.")
    if given["mailu_logs_names"] and given["mailu_logs"] is None:
        raise UsageError("--mailu-logs-names: there are no logs", "Add --mailu-logs FILE.")
    if (fix := _path(given["mailu_fix"])) is not None:
        if not files.given:
            raise UsageError("--mailu-fix: no files are named", "Add --mailu-deployment /mailu.")
        check_folder(fix)


def run_info(config: pytest.Config, plan: Plan) -> RunInfo:
    """Date, version, command and settings files of this run, for its report."""
    composed = [file for path in (plan.compose, plan.compose_new) if path is not None for file in together(path)]
    files = (plan.env, plan.env_new, *composed, plan.overrides, plan.waivers)
    arguments = list(config.invocation_params.args)
    if plan.starts_stacks and config.getoption("mailu_seed") is None:
        arguments.append(f"--mailu-seed={plan.seed}")  # or the command would not repeat this run
    return RunInfo(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        plugin=__version__,
        command=shlex.join(["pytest", *map(str, arguments)]),
        files=_names_of([path for path in files if path is not None]),
    )


def _names_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """The files by name, with their folder where two have the same name."""
    twice = {path.name for path in paths if sum(path.name == other.name for other in paths) > 1}
    return tuple(f"{path.parent.name}/{path.name}" if path.name in twice else path.name for path in paths)


def _setups(
    given: Mapping[str, object],
    files: Sources,
    releases: Sequence[Release],
    compose_new: Path | None,
    env_new: Path | None,
) -> tuple[SetUp, ...]:
    """The set-ups that are named, each once; else the one of the user's files, if there are any.

    Each has the optional services of the user's compose file and those of `--mailu-with`, but not those of
    `--mailu-without`, nor those that one of `releases` does not have. `compose_new` and `env_new` are the files of the
    new side, where it has some of its own.
    """
    added = services_named(_names(given["mailu_with"]), "--mailu-with")
    check_offered(added, releases, "--mailu-with")
    removed = services_named(_names(given["mailu_without"]), "--mailu-without")
    if both := sorted(added & removed):
        raise UsageError(f"--mailu-with and --mailu-without both name {both[0]}", "Name it once.")
    theirs = services_in_use(files) if files.given else frozenset()
    theirs_new = None if compose_new is None or not files.given else services_in_use(files, compose_new)
    setups = [setup_named(name) for name in dict.fromkeys(_names(given["mailu_setup"]))]
    if files.given:
        in_use = setup_in_use(files, compose_new, env_new)
        setups = [setup.with_web_mail_of(in_use) for setup in setups] or [in_use]
    if not setups and (added or removed):
        setups = [DEFAULT]
    return tuple(setup.with_services(added, removed, theirs, theirs_new).among(releases) for setup in setups)


def _names(given: object) -> list[str]:
    """The names in an option that may be given several times, each time with several in commas."""
    texts = given if isinstance(given, list) else []
    return [name.strip() for text in texts for name in str(text).split(",") if name.strip()]


def _logs(given: object) -> tuple[Path, ...]:
    """The log files; the word `engine` is no path."""
    paths = [path for path in given if isinstance(path, Path)] if isinstance(given, list) else []
    return tuple(Path(ENGINE) if path.name == ENGINE and not path.exists() else path for path in paths)


def _value(config: pytest.Config, option: Option) -> object:
    """The command line wins over the ini file, and that over the default. Paths in the ini file are relative to it."""
    given = config.getoption(option.dest)
    if given is not None:
        if option.kind == "paths":
            return [Path(path).absolute() for path in given]
        return Path(given).absolute() if option.kind == "path" else given
    try:
        given = config.getini(option.dest)
    except (ValueError, pytest.UsageError) as error:  # which does not say of which option it speaks
        raise UsageError(f"{option.dest} in the ini file: {error}", "Write true or false.") from None
    if not given:
        return option.default
    if option.choices and given not in option.choices:
        raise UsageError(f"{option.dest} = {given} in the ini file", f"Choose one of {', '.join(option.choices)}.")
    home = Path.cwd() if config.inipath is None else config.inipath.parent
    if option.kind == "paths":
        return [home / path for path in given]
    if option.kind == "path":
        return home / given
    return str(home / given) if option.kind == "side" and is_path(given) else given


def _seed(given: object) -> int:
    if given is None:
        return secrets.randbelow(10**9)
    return round(_number(given, "--mailu-seed", least=0.0, example=1, integer=True))


def _releases(given: object) -> tuple[Release, ...]:
    """The releases in a list with commas; raises UsageError for one that there is not."""
    return tuple(Release.parse(name) for name in str(given or "").split(",") if name.strip())


def _path(given: object) -> Path | None:
    return given if isinstance(given, Path) else None


def _number(
    given: object, option: str, *, least: float, most: float = math.inf, example: int, integer: bool = False
) -> float:
    try:
        number = float(str(given))
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= least and (number.is_integer() or not integer)):
        kind = "whole number" if integer else "number"
        raise UsageError(f"{option}: {given} is not a {kind} of at least {least:g}", f"For example: {option} {example}")
    if number > most:
        raise UsageError(f"{option}: {given} is more than {most:g}", f"For example: {option} {example}")
    return number
