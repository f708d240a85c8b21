"""scripts/catalogue.py reads sources without running them and makes the same files each time."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import load
from pytest_mailu.deployment.catalogue.reader import read

TOP = Path(__file__).parents[3]
Load = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import a module of scripts/, and forget it afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(TOP / "scripts"))
    yield importlib.import_module
    for name in [name for name in set(sys.modules) - before if name.startswith(("catalogue", "mailu_sources"))]:
        sys.modules.pop(name)


PYTHON = """
import os
from socrate import system
raise SystemExit("a script that is executed ends here")
args = os.environ.copy()
env = system.set_env()
LIST = "1,2"
args["OWN"] = "x"
print(args["OWN"])
if "PRESENT" in os.environ: pass
a = os.environ.get("PLAIN", "60")
b = env.get("CALCULATED", 30*24)
c = args.get("NAMED", LIST)
d = os.getenv("KEYWORD", default="cert.pem")
e = f'{os.environ["IN_TEXT"]}'
f = system.get_host_address_from_environment("FRONT", "front")
g = os.environ["DEFER"] if "DEFER" in os.environ else "True"
"""


def test_a_python_file_is_parsed_and_not_executed(script: Load) -> None:
    found = script("mailu_sources").python_lookups(PYTHON)
    assert found.reads == {
        "PRESENT": None,
        "PLAIN": "60",
        "CALCULATED": "720",
        "NAMED": "1,2",
        "KEYWORD": "cert.pem",
        "IN_TEXT": None,
        "FRONT_ADDRESS": None,
        "HOST_FRONT": "front",
        "DEFER": "True",
    }


def test_a_template_reads_what_it_does_not_set_itself(script: Load) -> None:
    text = "{% set own = 1 %}{{ AA|default('dane') }}{% if BB == 'x' %}{{ own }}{% endif %}{{ CC or 'front' }}{{ low }}"
    assert script("mailu_sources").template_lookups(text).reads == {"AA": "dane", "BB": None, "CC": "front"}


def test_a_shell_script_reads_what_it_does_not_set_itself(script: Load) -> None:
    assert script("mailu_sources").shell_lookups('OWN=1\necho "$OWN ${AA:-v1} $BB"').reads == {"AA": "v1", "BB": None}


CONFIGURATION = "DEFAULT_CONFIG = {'TIMEOUT': 30*60, 'NAME': None, %s}\n"
COMPOSE = """\
services:
  front:
    image: ${DOCKER_ORG:-%s}/nginx:${MAILU_VERSION:-{{ version }}}
    ports:
      - "{{ bind4 }}:25:25"
    volumes:
      - "{{ root }}/certs:/certs"
{%% if webmail_type != 'none' %%}
  webmail:
    image: ${DOCKER_ORG:-%s}/{{ webmail_type }}:${MAILU_VERSION:-{{ version }}}
{%% endif %%}
networks:
  default:
    driver: bridge
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two tags of different series and a branch master."""

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=master")
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    def write(more: str, home: str) -> None:
        for name, text in (
            ("core/admin/mailu/configuration.py", CONFIGURATION % more),
            ("setup/flavors/compose/docker-compose.yml", COMPOSE % (home, home)),
            ("setup/flavors/compose/mailu.env", "TIMEOUT=1\n"),
            ("core/nginx/Dockerfile", "ARG DISTRO=alpine:3.14.5\nFROM $DISTRO\n"),
        ):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        git("add", ".")
        git("commit", "-m", "more")

    git("init")
    write("'OLD': 'x', 'KEPT': '1'", "mailu")
    git("tag", "1.9.0")
    write("'KEPT': '2'", "ghcr.io/mailu")
    git("tag", "2.0.0")
    git("tag", "2024.06.0")
    return tmp_path


def files_of(script: Load, repository: Path) -> dict[str, str]:
    with script("mailu_sources").Repository(repository) as opened:
        made: dict[str, str] = script("catalogue").files(opened)
    return made


def test_the_files_say_from_when_to_when_and_are_the_same_each_time(script: Load, repository: Path) -> None:
    files = files_of(script, repository)
    assert files_of(script, repository) == files
    settings = {entry.name: entry for entry in read(files["settings.toml"], "settings.toml")["setting"]}
    history = [(str(state.since), str(state.until), state.default) for state in settings["KEPT"].history]
    assert history == [("1.9.0", "2.0.0", "1"), ("2.0.0", "None", "2")]
    assert [str(state.until) for state in settings["OLD"].history] == ["2.0.0"]
    assert settings["TIMEOUT"].history[0].default == "1800"
    assert settings["TIMEOUT"].history[0].documented
    assert not settings["OLD"].history[0].documented
    compose = read(files["compose.toml"], "compose.toml")
    images = {service.name: [state.image for state in service.history] for service in compose["service"]}
    assert images == {
        "front": ["mailu/nginx", "ghcr.io/mailu/nginx"],
        "webmail": ["mailu/{WEBMAIL}", "ghcr.io/mailu/{WEBMAIL}"],
    }
    assert {service.name: service.history[0].profile for service in compose["service"]}["webmail"] == "webmail"
    assert [(mount.host, mount.container) for mount in compose["mount"]] == [("certs", "/certs")]
    assert [port.port for port in compose["published_port"]] == [25]
    (alpine,) = read(files["programs.toml"], "programs.toml")["program"]
    assert (alpine.program, alpine.version, alpine.service) == ("Alpine Linux", "3.14.5", "front")
    assert [str(entry.last) for entry in read(files["releases.toml"], "r")["release_series"]] == [
        "1.9.0",
        "2.0.0",
        "2024.06.0",
        "master",
    ]


def test_a_series_that_has_no_release_yet_has_no_entry(script: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = script("catalogue")
    monkeypatch.setattr(catalogue, "SERIES", ("2.0", "2030.01"))
    (entry,) = catalogue.series(None, [Release.parse("2.0.43"), Release.parse("2.0.44")])
    assert entry == {"series": "2.0", "first": "2.0.43", "last": "2.0.44"}


def test_what_a_person_has_to_write_is_named(script: Load, repository: Path) -> None:
    from pytest_mailu.deployment.catalogue import assemble
    from pytest_mailu.deployment.catalogue.reader import TABLES
    from pytest_mailu.deployment.catalogue.review import review

    files = files_of(script, repository)
    tables = dict.fromkeys(TABLES, ())
    for name, text in files.items():
        tables |= read(text, name)
    missing = review(assemble(tables))
    assert "setting OLD: no kind and meaning from 1.9.0 on; add a [[knowledge.reading]]" in missing
    assert "setting OLD: removed at 2.0, coming from 1.9; add a [[knowledge.change]]" in missing
    assert "setting KEPT: default at 2.0.0, coming from 1.9; add a [[knowledge.change]]" in missing


def test_a_source_that_is_not_in_the_tag_is_named(script: Load, repository: Path) -> None:
    from pytest_mailu.deployment.catalogue import assemble
    from pytest_mailu.deployment.catalogue.reader import TABLES

    text = '[[override]]\nsince = "1.9.0"\npath = "a"\nservice = "front"\nprogram = "nginx"\ncontainer = "/a"\n'
    entry = read(text + 'effect = "merged"\nsource = "core/nothing.py@1.9.0"\n', "o.toml")
    catalogue = assemble(dict.fromkeys(TABLES, ()) | entry)
    with script("mailu_sources").Repository(repository) as opened:
        lost = script("catalogue").lost_sources(catalogue, opened)
    assert lost == ["source core/nothing.py (1.9.0): there is no such file at this tag"]


def test_a_clone_that_is_older_than_the_catalogue_is_told_by_its_tags(script: Load) -> None:
    catalogue = script("catalogue")

    class OldClone:
        def releases(self) -> list[Release]:
            return [Release.parse("1.9.0")]

        def tree(self, release: Release) -> dict[str, str]:
            assert release == Release.parse("1.9.0")
            return {"core/admin/mailu/models.py": "0"}

    told = catalogue.lost_sources(load(), OldClone())
    assert "tag 2.0.0: the clone does not have it; run git fetch --tags there" in told
    assert "source core/nginx/conf/nginx.conf (1.9.0): there is no such file at this tag" in told
    assert not [line for line in told if "core/admin/mailu/models.py (1.9.0)" in line]
