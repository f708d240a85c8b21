"""Files that somebody (or something) has garbled end in a finding or in one clear line, never in anything else."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import load
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.fix import propose
from pytest_mailu.deployment.reader import Sources, read_deployment
from tests.deployment.test_deployments import FOLDERS

JUNK = (
    *("", "~", "[]", "{}", "- x", "\t", ": :", "!!binary aGk=", "!reset", "!override []", "${X", "$", "${A:-${B:-}}"),
    *("é\u2028", "0x1F", "1e9", "999999999999", "-1", "*a", "&a", "<<: [1]", "|", ">-", "'", '"', "\u0660", "²"),
    *("[[", "a: [b, {c: d}]", "::1", "[::1]:25:25", "1-2:3", "/tcp", "fe80::/999", "10.0.0.0/33", "0/0", "\r"),
)
SERIES = (("1.9.50", "2.0.43"), ("2.0.43", "2024.06.57"), ("2024.06.1", "master"), ("1.9.0", "master"))


def garble(folder: Path, chance: random.Random) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for _ in range(chance.randint(1, 4)):
        path = chance.choice(files)
        lines = path.read_text().split("\n")
        at = chance.randrange(len(lines))
        line, junk = lines[at], chance.choice(JUNK)
        name, mark, _ = line.partition("=" if path.suffix == ".env" else ":")
        lines[at : at + 1] = chance.choice(
            [[junk], [line, chance.choice(lines)], [], [line + junk], [f"{name}{mark} {junk}"], [f"  {line}"]]
        )
        path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    "value", ["9" * 5_000, f"25,{'9' * 5_000},587", "²", f"1:{'9' * 5_000}", f"10.0.0.0/{'9' * 5_000}"]
)
@pytest.mark.parametrize("series", SERIES, ids="-".join)
def test_numbers_that_are_none_give_findings(tmp_path: Path, value: str, series: tuple[str, str]) -> None:
    """Python refuses to read a number of more than 4,300 digits."""
    old, new = map(Release.parse, series)
    names = [setting.name for setting in load().settings]
    images = ("clamav/clamav-debian", "ghcr.io/mailu/nginx", "apache/tika", "redis")
    services = "".join(f"  s{n}: {{image: '{name}:{value}', env_file: mailu.env}}\n" for n, name in enumerate(images))
    (tmp_path / "docker-compose.yml").write_text(f"services:\n{services}")
    for start in range(0, len(names), 40):  # or the file would be too large
        (tmp_path / "mailu.env").write_text("".join(f"{name}={value}\n" for name in names[start : start + 40]))
        deployment = read_deployment(Sources(tmp_path))
        propose(deployment, check(deployment, old, new), new)


@pytest.mark.parametrize("seed", range(120))
def test_a_garbled_deployment_gives_findings_or_one_line(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    folder = tmp_path / "mailu"
    shutil.copytree(chance.choice(FOLDERS), folder)
    garble(folder, chance)
    old, new = map(Release.parse, chance.choice(SERIES))
    problem = None
    try:
        deployment = read_deployment(Sources(folder))
    except UsageError as error:
        problem = error
    if problem is None:
        propose(deployment, check(deployment, old, new), new)
    else:
        assert "\n" not in problem.cause
        assert len(problem.cause) < 400
        assert problem.remedy
