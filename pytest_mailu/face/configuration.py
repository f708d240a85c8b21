"""Makes the plan of a run from pytest's command line and ini file."""

from __future__ import annotations

import datetime
import math
import os
import secrets
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_mailu import __version__
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import FailOn, RunInfo
from pytest_mailu.core.plan import Plan, is_path, side_spec
from pytest_mailu.deployment.fix import check_folder
from pytest_mailu.deployment.reader import Sources
from pytest_mailu.face.deployment import files_of, release_in_use
from pytest_mailu.face.options import OPTIONS, Option

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
    if given["mailu_check"] and not files.given:
        raise UsageError("--mailu-check: no files are named", "Add --mailu-deployment /mailu, or --mailu-env FILE.")
    if given["mailu_logs"] is not None and not files.given:
        raise UsageError("--mailu-logs: no files are named", "Add --mailu-deployment /mailu.")
    if (fix := _path(given["mailu_fix"])) is not None:
        if not files.given:
            raise UsageError("--mailu-fix: no files are named", "Add --mailu-deployment /mailu.")
        check_folder(fix)
    if given["mailu_from"] is None and given["mailu_to"] is not None and files.given:
        given["mailu_from"] = release_in_use(files)
    for dest, option in (("mailu_from", "--mailu-from"), ("mailu_to", "--mailu-to")):
        if given[dest] is None:
            raise UsageError(f"{option} is missing", "Name both sides: pytest --mailu-from 2.0 --mailu-to 2024.06")
    waivers = _path(given["mailu_waivers"])
    if waivers is None and (config.rootpath / WAIVERS).is_file():
        waivers = config.rootpath / WAIVERS
    plan = Plan(
        old=side_spec(str(given["mailu_from"])),
        new=side_spec(str(given["mailu_to"])),
        env=files.env,
        env_new=_path(given["mailu_env_new"]),
        compose=files.compose,
        overrides=files.overrides,
        deployment=files.folder,
        check_only=bool(given["mailu_check"]),
        fix=_path(given["mailu_fix"]),
        logs=_path(given["mailu_logs"]),
        pull=str(given["mailu_pull"]),
        keep=bool(given["mailu_keep"]),
        report=_path(given["mailu_report"]),
        waivers=waivers,
        fail_on=FailOn(str(given["mailu_fail_on"])),
        timeout=_number(given["mailu_timeout"], "--mailu-timeout", least=1.0, example=300),
        deep=bool(given["mailu_deep"]),
        repeat=round(_number(given["mailu_repeat"], "--mailu-repeat", least=1.0, example=3, whole=True)),
        seed=_seed(given["mailu_seed"]),
        environ={name: os.environ[name] for name in PASSED_ON if name in os.environ},
    )
    plan.check()
    return plan


def run_info(config: pytest.Config, plan: Plan) -> RunInfo:
    """Date, version, command and settings files of this run, for its report."""
    files = (plan.env, plan.env_new, plan.compose, plan.overrides, plan.waivers)
    arguments = list(config.invocation_params.args)
    if plan.starts_stacks and config.getoption("mailu_seed") is None:
        arguments.append(f"--mailu-seed={plan.seed}")  # or the command would not repeat this run
    return RunInfo(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        plugin=__version__,
        command=shlex.join(["pytest", *map(str, arguments)]),
        files=tuple(path.name for path in files if path is not None),
    )


def _value(config: pytest.Config, option: Option) -> object:
    """The command line wins over the ini file, and that over the default. Paths in the ini file are relative to it."""
    given = config.getoption(option.dest)
    if given is not None:
        return Path(given).absolute() if option.kind == "path" else given
    given = config.getini(option.dest)
    if not given:
        return option.default
    if option.choices and given not in option.choices:
        raise UsageError(f"{option.dest} = {given} in the ini file", f"Choose one of {', '.join(option.choices)}.")
    folder = Path.cwd() if config.inipath is None else config.inipath.parent
    if option.kind == "path":
        return folder / given
    return str(folder / given) if option.kind == "side" and is_path(given) else given


def _seed(given: object) -> int:
    if given is None:
        return secrets.randbelow(10**9)
    return round(_number(given, "--mailu-seed", least=0.0, example=1, whole=True))


def _path(given: object) -> Path | None:
    return given if isinstance(given, Path) else None


def _number(given: object, option: str, *, least: float, example: int, whole: bool = False) -> float:
    try:
        number = float(str(given))
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= least and (number.is_integer() or not whole)):
        kind = "whole number" if whole else "number"
        raise UsageError(f"{option}: {given} is not a {kind} of at least {least:g}", f"For example: {option} {example}")
    return number
