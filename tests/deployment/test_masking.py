"""No secret of a deployment's files is readable in what the check of settings says, whatever it quotes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_mailu.behaviours import Matrix
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.core.serialization import dumps
from pytest_mailu.running.settings_check import SettingsCheck, settings_check
from pytest_mailu.running.whole_run import compare_sides

SECRET = "sEcReT9zQ1wX"
IMAGES = {"front": "nginx", "admin": "admin", "imap": "dovecot", "smtp": "postfix", "antispam": "rspamd"}
COMPOSE = {
    "services": {
        **{name: {"image": f"ghcr.io/mailu/{image}:2.0", "env_file": "mailu.env"} for name, image in IMAGES.items()},
        "redis": {"image": "redis:alpine", "command": ["redis-server", "--requirepass", SECRET]},
    }
}
NAMES = ("SECRET_KEY", "API_TOKEN", "DB_PW", "TLS_KEYPAIR_FILENAME_SECRET", "MY_PHRASE", "QUOTA_STORAGE_URL")
URLS = ("SUBNET", "WEBSITE", "RELAYHOST", "TLS_FLAVOR", "WEBMAIL", "RELAYNETS", "MESSAGE_RATELIMIT", "TZ", "LOGO_URL")
OVERRIDES = {
    "postfix/postfix.cf": f"smtp_sasl_password_maps = static:me:{SECRET}$x\nmaps = mysql://u:{SECRET}@db/$x\n",
    "dovecot/dovecot.conf": f'password = "{SECRET}$y"\n',
    "roundcube/mine.inc.php": f"$config['des_key'] = '{SECRET}';\n$config['db_dsnw'] = 'mysql://u:{SECRET}@db/x';\n",
    "rspamd/worker-controller.inc": f'password = "{SECRET}"; enable_password = "{SECRET}$z";\n',
    "nginx/mine.conf": f'proxy_set_header X-Token "{SECRET}$q";\n',
}


def plan_of(folder: Path, env: str, fix: Path | None = None) -> Plan:
    """The check of a deployment with these settings."""
    (folder / "docker-compose.yml").write_text(json.dumps(COMPOSE, indent=1))
    (folder / "mailu.env").write_text(f"DOMAIN=example.com\n{env}")
    for name, text in OVERRIDES.items():
        path = folder / "overrides" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Plan(side_spec("2.0.43"), side_spec("2024.06.24"), deployment=folder, check_only=True, fix=fix)


def told(check: SettingsCheck) -> str:
    """Everything of it that is shown."""
    return "\n".join((*map(repr, check.notes.values()), *check.logs))


def test_no_secret_of_any_file_is_readable_in_the_notes_or_the_report(tmp_path: Path) -> None:
    env = [f"{name}={SECRET}" for name in NAMES] + [f"{name}=https://me:{SECRET}@example.com/" for name in URLS]
    plan = plan_of(tmp_path, "\n".join(env) + "\n", tmp_path / "fixed")
    check = settings_check(plan, "2.0.43", "2024.06.24")
    assert len(check.notes) > 20
    assert "****" in told(check)
    assert SECRET not in told(check)
    report, recordings = compare_sides(plan, Matrix(check.behaviours))
    assert len(report.findings) > 20
    assert SECRET not in dumps(report) + "".join(map(dumps, recordings))


def test_a_plain_word_under_a_harmless_name_is_no_secret(tmp_path: Path) -> None:
    env = "ROUNDCUBE_DB_USER=required\nDB_USER=compose\nTLS_FLAVOR=wrong\n"
    check = settings_check(plan_of(tmp_path, env), "2.0.43", "2024.06.24")
    assert "****e file" not in told(check)
    assert "docker-compose.yml" in told(check)


@pytest.mark.parametrize("value", [f"${{{SECRET}", f"${{a {SECRET}}}"])
def test_a_value_that_is_read_as_a_variable_is_not_quoted(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings_check(plan_of(tmp_path, f"DB_PW={value}\n"), "2.0.43", "2024.06.24")
    assert "mailu.env, line 2: $" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_value_that_is_read_as_an_alias_is_not_quoted(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "")
    (tmp_path / "docker-compose.yml").write_text(f"services:\n  a:\n    environment:\n      DB_PW: *{SECRET}\n")
    with pytest.raises(UsageError, match="line 4: there is no anchor") as caught:
        settings_check(plan, "2.0.43", "2024.06.24")
    assert SECRET not in str(caught.value)
