"""Lines of `extra_hosts:`: what shadows a service, what is right by chance, and what is the user's good right."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mailu.core.model import Verdict
from pytest_mailu.core.releases import Release
from pytest_mailu.deployment.checks.registry import check
from pytest_mailu.deployment.reader import Sources, read_deployment, with_settings
from pytest_mailu.judging.judge import judge

FILE = """
services:
  smtp: {{image: "ghcr.io/mailu/postfix:2.0", {more} extra_hosts: ["{line}"]}}
  imap: {{image: "ghcr.io/mailu/dovecot:2.0", networks: {{default: {{ipv4_address: 10.44.0.7}}}}}}
  antispam: {{image: "ghcr.io/mailu/rspamd:2.0"}}
  db: {{image: "postgres:16", network_mode: host}}
networks: {{default: {{ipam: {{config: [{{subnet: 10.44.0.0/24}}]}}}}}}
"""


def verdicts(folder: Path, line: str, old: str, new: str, more: str = "", env_new: str = "") -> dict[str, Verdict]:
    (folder / "docker-compose.yml").write_text(FILE.format(line=line, more=more))
    before = after = read_deployment(Sources(folder))
    if env_new:
        (folder / "new.env").write_text(env_new)
        after = with_settings(before, folder / "new.env")
    notes = check(before, Release.parse(old), Release.parse(new), after)
    return {
        note.id.removeprefix("settings/compose/smtp/extra_hosts/"): judge(note.question, [note.old], [note.new]).verdict
        for note in notes
        if "/extra_hosts/" in note.id
    }


@pytest.mark.parametrize(
    ("line", "old", "new", "found"),
    [
        ("imap:10.20.30.40", "2.0.43", "2024.06.24", {"imap": Verdict.REGRESSED}),
        ("imap:10.20.30.40", "1.9.50", "2.0.43", {"imap": Verdict.BROKEN}),
        ("imap:10.44.0.7", "1.9.50", "2.0.43", {}),
        ("antispam:10.44.0.7", "2.0.43", "2024.06.24", {"antispam": Verdict.BROKEN}),
        ("antispam:host-gateway", "2.0.43", "2024.06.24", {"antispam": Verdict.BROKEN}),
        ("antispam:10.44.0.8", "2.0.43", "2024.06.24", {"antispam": Verdict.BROKEN}),
        ("ldap:10.44.0.8", "2024.06.24", "2024.06.57", {"ldap": Verdict.BROKEN}),
        ("ldap:10.44.0.1", "2024.06.24", "2024.06.57", {}),
        ("ldap:10.20.30.40", "2024.06.24", "2024.06.57", {}),
        ("db:host-gateway", "2024.06.24", "2024.06.57", {}),
        ("ldap:[fd00::7]", "2024.06.24", "2024.06.57", {}),
        ("ldap:nonsense", "2024.06.24", "2024.06.57", {}),
    ],
)
def test_lines(tmp_path: Path, line: str, old: str, new: str, found: dict[str, Verdict]) -> None:
    assert verdicts(tmp_path, line, old, new) == found
    assert verdicts(tmp_path, line, old, new, more="network_mode: host,") == {}
