"""The entry point of the plugin: options and hooks; everything else is loaded only where two sides are named."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from pytest_mailu.face import hookspecs
from pytest_mailu.face.fixtures import mailu_new, mailu_old  # noqa: F401
from pytest_mailu.face.options import OPTIONS, Option, sides_missing

_STARTERS = ("mailu_from", "mailu_to", "mailu_check", "mailu_deployment")
"""Options that say that a run is about Mailu."""
INI_KINDS: dict[str, Literal["bool", "linelist", "args"]] = {"flag": "bool", "paths": "linelist", "names": "args"}
"""How pytest reads options of the ini file that are not one text."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register every option twice: for the command line and, with underscores, for the ini file."""
    group = parser.getgroup("mailu", "comparing two Mailu releases")
    for option in OPTIONS:
        group.addoption(option.flag, help=option.help, default=None, **_arguments(option))
        if option.ini:
            parser.addini(option.dest, option.help, INI_KINDS.get(option.kind, "string"), default=None)


def _arguments(option: Option) -> dict[str, Any]:
    """How argparse reads an option of its kind."""
    match option.kind:
        case "flag":
            return {"action": "store_true"}
        case "paths" | "names":
            return {"action": "append", "metavar": option.metavar}
        case "optional":
            return {"nargs": "?", "const": "", "metavar": option.metavar}
        case _:
            return {"choices": option.choices or None, "metavar": option.metavar}


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer the hooks of `hookspecs`."""
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Keep pytest's root folder, and with it its cache, out of the folders that our options name.

    pytest looks for its root folder before it loads plugins: it takes `/mailu` in `--mailu-deployment /mailu` for an
    argument of its own (`_pytest.config.findpaths.determine_setup`).
    """
    known = early_config.known_args_namespace
    named = any(option.kind in ("path", "paths", "side") and getattr(known, option.dest, None) for option in OPTIONS)
    if named and not known.rootdir and not known.file_or_dir and early_config.inipath is None:
        early_config._rootpath = early_config.invocation_params.dir


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Do what runs no test: print the plan, or remove what dead runs left."""
    if not config.option.mailu_plan and config.option.mailu_sweep is None:
        return None
    from pytest_mailu.face.commands import plan_session, sweep
    from pytest_mailu.face.configuration import usage_errors

    with usage_errors():
        chosen: str | None = config.option.mailu_sweep
        return sweep(chosen) if chosen is not None else plan_session(config)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the controller or the worker where two sides are named; otherwise do nothing."""
    config.addinivalue_line("markers", "mailu(family, severity, variant): set on every behaviour of the Mailu matrix")
    if not any(config.getoption(name) or config.getini(name) for name in _STARTERS):
        for arg in config.args:
            if "mailu::" in arg:
                raise pytest.UsageError(str(sides_missing(arg)))
        for option in OPTIONS:
            if option.ini and config.getoption(option.dest) is not None:
                raise pytest.UsageError(str(sides_missing(option.flag)))
        return
    # These imports take time, and test runs that are not about Mailu must not pay for it.
    from pytest_mailu.face.configuration import plan_of, usage_errors
    from pytest_mailu.face.controller import Controller
    from pytest_mailu.face.worker import Worker

    role = Worker if hasattr(config, "workerinput") else Controller
    with usage_errors():
        config.pluginmanager.register(role(config, plan_of(config)), "mailu-active")
