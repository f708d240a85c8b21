"""The host is checked where it is known to be the deployment's, and nothing is said where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Outcome, Severity
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.catalogue import load
from pytest_mailu.deployment.checks import host
from pytest_mailu.deployment.host import Host
from pytest_mailu.deployment.model import Deployment, Place, Setting
from pytest_mailu.deployment.note import Note
from pytest_mailu.deployment.subject import Subject
from pytest_mailu.running import host as edge
from pytest_mailu.running.settings_check import settings_check

GOOD = Host("27.3.1", "amd64", "6.1.0-18-amd64", 8 * 10**9, frozenset({"avx", "avx2", "sse4_2", "fpu"}))


def notes(machine: Host | None, old: str = "2.0.43", new: str = "2024.06.24", **settings: str) -> dict[str, Note]:
    place = Place("mailu.env", 1)
    deployment = Deployment(Path(), settings={name: Setting(name, value, place) for name, value in settings.items()})
    subject = Subject(Release.parse(old), Release.parse(new), deployment, deployment, load(), machine)
    return {note.id.removeprefix("settings/host/"): note for note in host.check(subject)}


def test_a_good_host_and_an_unknown_one_have_no_finding() -> None:
    assert notes(GOOD, ANTIVIRUS="clamav", LD_PRELOAD="/usr/lib/libhardened_malloc.so") == {}
    assert notes(None) == {}
    assert notes(Host(), ANTIVIRUS="clamav") == {}


@pytest.mark.parametrize(
    ("machine", "settings", "ids"),
    [
        (Host(cpu_features=frozenset({"sse4_2"}), architecture="amd64"), {}, set()),
        (
            Host(cpu_features=frozenset({"sse4_2"}), architecture="amd64"),
            {"LD_PRELOAD": "/usr/lib/libhardened_malloc.so"},
            {"cpu-feature/avx2"},
        ),
        (Host(cpu_features=frozenset({"fpu"}), architecture="amd64"), {}, {"cpu-feature/sse4_2"}),
        (Host(cpu_features=frozenset({"asimd"}), architecture="arm64"), {}, set()),
        (Host(architecture="riscv64"), {}, {"architecture/amd64-arm64-arm-v7"}),
        (Host(memory=2 * 10**9), {}, set()),
        (Host(memory=2 * 10**9), {"ANTIVIRUS": "clamav"}, {"memory/3-gb"}),
        (Host(memory=950_000_000), {}, set()),
        (Host(engine="26.1.3+dfsg1"), {}, {"engine/26.1.3"}),
        (Host(engine="development"), {}, set()),
        (Host(compose="1.29.2"), {}, {"compose/2"}),
        (Host(compose="v2.40.3"), {}, set()),
        (Host(compose="unknown"), {}, set()),
        (Host(disk=3 * 10**9), {}, {"disk/5-gb"}),
        (Host(disk=50 * 10**9), {}, set()),
        (Host(ipv6=False), {}, set()),
    ],
)
def test_what_a_machine_lacks_is_found(machine: Host, settings: dict[str, str], ids: set[str]) -> None:
    assert set(notes(machine, **settings)) == ids


def test_a_need_that_is_new_is_a_loss_and_one_of_both_releases_is_not() -> None:
    old_cpu = Host(cpu_features=frozenset({"fpu"}), architecture="amd64")
    assert notes(old_cpu, "1.9.50", "2.0.43")["cpu-feature/sse4_2"].new.outcome is Outcome.REFUSED
    assert notes(old_cpu, "1.9.50", "2.0.43")["cpu-feature/sse4_2"].old.outcome is Outcome.ACCEPTED
    assert notes(old_cpu, "2.0.43", "2024.06.24")["cpu-feature/sse4_2"].old.outcome is Outcome.REFUSED
    # towncrier/newsfragments/2906.bugfix at 2.0.22
    assert set(notes(Host(ipv6=False), "1.9.50", "2.0.21")) == {"ipv6/on"}
    assert not notes(Host(ipv6=False), "2.0.21", "2.0.22")
    assert not notes(Host(ipv6=True), "1.9.50", "2.0.21")
    # core/base/libs/socrate/socrate/system.py of master asks for Linux 6.1
    assert notes(Host(kernel="5.15.0-91"), "2024.06.24", "master")["kernel/6.1"].question.severity is Severity.INFO


def test_the_engine_and_the_kernel_say_what_the_machine_is() -> None:
    info = {
        "ServerVersion": "27.3.1",
        "Architecture": "x86_64",
        "KernelVersion": "6.1.0-18-amd64",
        "MemTotal": 8 * 10**9,
    }
    assert edge.from_engine(info, "processor : 0\nflags : fpu avx avx2 sse4_2\nprocessor : 1\nflags : none\n") == GOOD
    assert edge.from_engine({}, "") == Host()
    assert edge.from_engine({"MemTotal": "much"}, "Features : lrcpc").cpu_features == {"lrcpc"}


def test_without_a_local_engine_nothing_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    assert edge.host_of(tmp_path) is None
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setattr(edge, "SOCKET", tmp_path / "none.sock")
    assert edge.host_of(tmp_path) is None


@pytest.fixture
def silent_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One of this machine, at another socket than the usual one, as rootless engines are."""
    (tmp_path / "none.sock").write_text("not a socket")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")


@pytest.mark.usefixtures("silent_engine")
def test_an_engine_that_does_not_answer_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The machine was not checked: its engine did not answer") as raised:
        edge.host_of(tmp_path)
    assert "docker info" in raised.value.remedy


@pytest.mark.usefixtures("silent_engine")
def test_what_the_files_say_is_checked_where_the_engine_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "mailu.env").write_text("TLS_FLAVOR=cert\n")
    found = settings_check(
        Plan(side_spec("2.0.43"), side_spec("2024.06.24"), deployment=tmp_path, check_only=True), "2.0.43", "2024.06.24"
    )
    assert found.notes
    assert found.unseen[0].startswith("The machine was not checked")
    assert found.unseen[1].startswith("→ ")
