"""Commands that are run inside containers really run, in BusyBox and in the root file system of Alpine.

The official images are Alpine. Its small root file system is public (repository alpinelinux/docker-alpine, branches
v3.14, v3.18 and v3.20, x86_64/alpine-minirootfs-*.tar.gz): ALPINE_ROOTFS names such archives, with colons between, for
whoever is root. Without it, the program `busybox` (a package of Debian) stands in: the same shell and the same tools.
What the services' own images bring is played by little scripts.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_mailu.behaviours import access_limits, admin_cli, inside, tls_acme
from pytest_mailu.probe import certificate_files
from pytest_mailu.probe.inventory import script, sections
from pytest_mailu.stack.world import acme, certbot
from tests.unpacked import unpack

APPLETS = ("cat", "cmp", "echo", "grep", "head", "ln", "mkdir", "printf", "rm", "sh", "sleep", "test", "true")
ARCHIVES = tuple(filter(None, os.environ.get("ALPINE_ROOTFS", "").split(":")))
MARK = "@0123456789abcdef"


@dataclass
class Shell:
    """A shell with BusyBox's tools and nothing else; `root` is what it takes for `/`, or None for this machine."""

    folder: Path
    root: Path | None
    _bin: Path = field(init=False)

    def __post_init__(self) -> None:
        self._bin = self.folder / "bin" if self.root is None else self.root / "usr" / "local" / "bin"
        self._bin.mkdir(parents=True, exist_ok=True)
        if self.root is None:
            busybox = shutil.which("busybox")
            assert busybox is not None
            for name in APPLETS:
                (self._bin / name).symlink_to(busybox)

    def play(self, programs: Mapping[str, str]) -> None:
        """Put programs of an image into the place: name → script."""
        for name, text in programs.items():
            program = self._bin / name
            program.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
            program.chmod(0o755)

    def path(self, name: str) -> Path:
        """A file of the container, as this machine sees it."""
        return self.folder / name.strip("/") if self.root is None else self.root / name.strip("/")

    def run(self, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script as `sh -c` does."""
        if self.root is None:
            text = re.sub(r" (?=/(?:certs|tmp)/)", f" {self.folder}", text)
            command = [str(self._bin / "sh"), "-c", text, *arguments]
            environ = {"PATH": str(self._bin)}
        else:
            apart = ["unshare", "--mount", "--pid", "--fork", f"--root={self.root}", "--mount-proc=/proc"]
            command = [*apart, "/bin/sh", "-c", text, *arguments]
            environ = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(params=["busybox", *ARCHIVES], ids=lambda name: Path(name).name)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    if request.param == "busybox":
        if shutil.which("busybox") is None:
            pytest.skip("there is no busybox here (a package of Debian)")
        return Shell(tmp_path, None)
    if os.geteuid() != 0:
        pytest.skip("only root can change the root folder")
    root = tmp_path / "root"
    with tarfile.open(request.param) as archive:
        unpack(archive, root)
    return Shell(tmp_path, root)


def prepared(shell: Shell, *folders: str) -> None:
    for folder in folders:
        shell.path(folder).mkdir(parents=True, exist_ok=True)


def test_the_limiter_forgets_its_own_keys_and_no_others(shell: Shell) -> None:
    prepared(shell, "/log")
    log = shell.path("/log/deleted")
    told = "/log/deleted" if shell.root is not None else str(log)
    keys = ("LIMITS:LIMITER/auth-ip/198.18.5.0/24", "auth-user:a b", "session:1", "exempt-alice", "dedup-x", "other")
    listed = "\n".join(f"echo '{key}'" for key in keys)
    shell.play({"redis-cli": f'case "$3" in --scan) {listed.replace(chr(10), "; ")};; del) echo "$4" >> {told};; esac'})
    ran = shell.run(access_limits.FORGET)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert log.read_text("utf-8").splitlines() == [keys[0], keys[1], keys[3], keys[4]]


@pytest.mark.parametrize("kept", [True, False])
def test_a_round_trip_of_the_configuration_is_judged_by_its_files(shell: Shell, kept: bool) -> None:
    prepared(shell, "/tmp", "/log")
    twice = shell.path("/log/twice")
    told = "/log/twice" if shell.root is not None else str(twice)
    changed = "true" if kept else f"if test -e {told}; then echo changed; fi; echo x >> {told}"
    shell.play({"flask": f'if test "$2" = config-export; then echo "domain: []"; {changed}; fi'})
    ran = shell.run(admin_cli.ROUND_TRIP)
    assert ran.stdout.strip().endswith("kept") is kept, ran
    if not kept:
        assert "differ" in ran.stdout + ran.stderr or "EOF" in ran.stdout + ran.stderr
        assert ran.returncode != 0
    assert shell.path("/tmp/before.yml").stat().st_mode & 0o077 == 0, "secrets are for their owner alone"


def test_a_certificate_is_written_as_it_was_given(shell: Shell) -> None:
    prepared(shell, "/certs")
    key, certificate = "-----BEGIN KEY-----\n%s\\n'\"$x\n", "-----BEGIN CERTIFICATE-----\nabc=\n"
    ran = shell.run(certificate_files.WRITE_OWN, "sh", key, certificate)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert shell.path("/certs/key.pem").read_text("utf-8") == key
    assert shell.path("/certs/cert.pem").read_text("utf-8") == certificate


def test_a_certificate_of_certbot_is_issued_once_more_and_taken_away(shell: Shell) -> None:
    prepared(shell, "/certs/letsencrypt")
    texts = {part: f"-----BEGIN {part}-----\n%s\\n'\"$x\n" for part in certbot.PARTS}
    for number in ("1", "2"):
        ran = shell.run(certificate_files.WRITE_LINEAGE, "sh", "mailu", number, *texts.values())
        assert (ran.returncode, ran.stderr) == (0, "")
    for part, text in texts.items():
        live = shell.path(f"/certs/letsencrypt/live/mailu/{part}.pem")
        assert os.readlink(live) == f"../../archive/mailu/{part}2.pem"
        assert live.read_text("utf-8") == text
        assert shell.path(f"/certs/letsencrypt/archive/mailu/{part}1.pem").is_file()
    folder = shell.path("/certs/letsencrypt/live/mailu")
    inside_it = str(folder) if shell.root is None else "/certs/letsencrypt/live/mailu"
    assert shell.run(certificate_files.REMOVE, "sh", inside_it).returncode == 0
    assert not folder.exists()


def test_certbot_is_led_to_an_authority_and_knows_what_was_put_there(shell: Shell) -> None:
    prepared(shell, "/certs", "/tmp")
    folder = shell.path("/tmp/new/letsencrypt")
    inside_it = str(folder) if shell.root is None else "/tmp/new/letsencrypt"
    settings, trusted = acme.settings_of_certbot(acme.ISSUING), acme.trusted()
    ran = shell.run(tls_acme.LEAD, "sh", inside_it, settings, trusted)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (folder / "cli.ini").read_text("utf-8") == settings
    assert (folder / "authority.pem").read_text("utf-8") == trusted
    ran = shell.run(certificate_files.WRITE_RENEWAL, "sh", "mailu", certbot.renewal("mailu"))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert shell.path("/certs/letsencrypt/renewal/mailu.conf").read_text("utf-8") == certbot.renewal("mailu")


@pytest.mark.parametrize("service", inside.SERVICES)
def test_what_is_looked_at_inside_a_service_is_all_answered(shell: Shell, service: str) -> None:
    shell.play(
        {
            "dovecot": "echo 2.3.21",
            "doveconf": 'echo "# Pigeonhole version 0.5.21 (x)"; echo "key = value"',
            "nginx": "echo nginx version: nginx/1.26 >&2",
            "postconf": 'echo "mail_version = 3.9.1"',
            "rspamd": "echo Rapid Spam Filtering System 3.8",
            "python3": "echo Python 3.12",
        }
    )
    asked = inside.commands(service)
    ran = shell.run(script(MARK, asked))
    found = sections(MARK, ran.stdout)
    assert list(found) == list(asked)
    assert not {name: look for name, look in found.items() if look.code}, ran.stderr
    for name in inside.PROGRAMS[service]:
        assert found[f"version-{name}"].output.strip(), name
    if shell.root is not None:
        assert "Alpine Linux" in found["version-system"].output
    looks = [look.output for name, look in found.items() if name in inside.PROCESSES]
    assert looks
    assert all(" (" in look for look in looks), "the processes of /proc are listed"
