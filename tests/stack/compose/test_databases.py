"""The database services of a stack: brought by the run, or the user's own made anew."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mailu.core.databases import ADMIN, MARIADB, POSTGRESQL, ROUNDCUBE, Database
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.compose.command import CONFIGURED, sealed, template
from pytest_mailu.stack.compose.databases import first_statements, new_password, with_databases, without_database
from pytest_mailu.stack.compose.optional import with_services

BROUGHT = Database(ADMIN, POSTGRESQL, "database", "database", image="postgres:13")
THEIRS = Database(ADMIN, MARIADB, "db", "db", brought=False)
OF_ROUNDCUBE = Database(ROUNDCUBE, POSTGRESQL, "database", "database", image="postgres:13")


def with_theirs(**service: Any) -> dict[str, Any]:
    core = template("mailu")
    core["services"]["db"] = {"image": "mariadb:10.6", "environment": {}, **service}
    return core


def test_a_server_of_the_run_is_sealed_in_and_keeps_its_data_in_a_volume() -> None:
    core = with_databases(template("mailu"), [BROUGHT], "made-up")
    service = core["services"]["database"]
    assert service["image"] == "postgres:13"
    assert service["environment"] == {
        "POSTGRES_USER": "mailu",
        "POSTGRES_PASSWORD": "made-up",
        "POSTGRES_DB": "mailu",
    }
    assert service["volumes"] == ["database:/var/lib/postgresql/data"]
    assert "database" in core["volumes"]
    assert service["networks"] == {"default": {}}
    assert "NET_RAW" in service["cap_drop"]
    assert "database" not in template("mailu")["services"]
    model = sealed(core, {"SECRET_KEY": "k"}, {"a": "b"}, CONFIGURED, {})
    assert "SECRET_KEY" not in model["services"]["database"]["environment"]


def test_the_user_s_service_gets_users_and_passwords_of_the_run_and_keeps_the_rest() -> None:
    environment = {
        "MARIADB_PASSWORD": "theirs",
        "MYSQL_ROOT_PASSWORD": "theirs",
        "MARIADB_ROOT_PASSWORD_HASH": "theirs",
        "MYSQL_DATABASE": "theirs",
        "MYSQL_USER": "theirs",
        "MARIADB_PASSWORD_FILE": "/theirs",
        "MARIADB_AUTO_UPGRADE": "1",
        "TZ": "Etc/UTC",
    }
    core = with_databases(with_theirs(environment=environment, command="--x"), [THEIRS], "made-up")
    service = core["services"]["db"]
    assert service["image"] == "mariadb:10.6"
    assert service["command"] == "--x"
    assert service["environment"] == {
        "MARIADB_AUTO_UPGRADE": "1",
        "TZ": "Etc/UTC",
        "MYSQL_USER": "mailu",
        "MYSQL_PASSWORD": "made-up",
        "MYSQL_DATABASE": "mailu",
        "MYSQL_ROOT_PASSWORD": "made-up",
    }


@pytest.mark.parametrize("place", ["/var/lib/mysql", "/var/lib", "/var/lib/mysql/data", "/var/lib/mysql:rw"])
def test_data_that_has_a_volume_gets_no_second_one(place: str) -> None:
    core = with_databases(with_theirs(volumes=[f"data-1:{place}"]), [THEIRS], "x")
    assert core["services"]["db"]["volumes"] == [f"data-1:{place}"]


def test_data_without_a_volume_gets_one_that_an_upgrade_in_place_carries_over() -> None:
    core = with_databases(with_theirs(volumes=["data-1:/backup"]), [THEIRS], "x")
    assert core["services"]["db"]["volumes"] == ["data-1:/backup", "db:/var/lib/mysql"]
    assert "db" in core["volumes"]


def test_a_service_of_the_user_with_the_name_that_the_run_needs_is_a_usage_error() -> None:
    core = with_theirs()
    core["services"]["database"] = {"image": "influxdb"}
    with pytest.raises(UsageError, match="has a service database"):
        with_databases(core, [BROUGHT], "x")
    assert "database" in with_databases(without_database(core, "database"), [BROUGHT], "x")["services"]


def test_a_second_database_is_made_at_the_first_start() -> None:
    assert first_statements([BROUGHT], "x") == {}
    files = first_statements([BROUGHT, OF_ROUNDCUBE], "made-up")
    (content,) = files["database"].values()
    assert b"CREATE USER roundcube PASSWORD 'made-up'" in content
    assert b"CREATE DATABASE roundcube OWNER roundcube" in content
    mariadb = first_statements([THEIRS, Database(ROUNDCUBE, MARIADB, "db", "db", brought=False)], "made-up")
    (content,) = mariadb["db"].values()
    assert b"GRANT ALL PRIVILEGES ON roundcube.* TO 'roundcube'@'%'" in content


def test_roundcube_reaches_its_database_in_its_own_network() -> None:
    new, old = Release.parse("2024.06.24"), Release.parse("1.9.50")
    for release, networks in ((new, {"default", "webmail"}), (old, {"default"})):
        core = with_services(template("mailu"), release, ["webmail"])
        service = with_databases(core, [BROUGHT, OF_ROUNDCUBE], "x")["services"]["database"]
        assert set(service["networks"]) == networks


KEPT = Database(ADMIN, MARIADB, "db", "db", brought=False, kept=("pytest_mailu", "o`dd"))


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        (None, ["--init-file=/pytest-mailu/start.sql"]),
        (["mysqld", "--x"], ["mysqld", "--x", "--init-file=/pytest-mailu/start.sql"]),
        ("mysqld --x", "mysqld --x --init-file=/pytest-mailu/start.sql"),
    ],
)
def test_a_copy_of_the_user_s_mariadb_lets_the_run_s_user_in_when_it_starts(command: Any, runs: Any) -> None:
    core = with_databases(with_theirs(command=command), [KEPT], "made-up")
    assert core["services"]["db"]["command"] == runs
    (text,) = first_statements([KEPT], "made-up")["db"].values()
    assert b"IDENTIFIED BY 'made-up'" in text
    assert b"ON `o``dd`.* TO 'pytest_mailu'@'%'" in text


def test_a_copy_of_the_user_s_postgresql_starts_as_theirs_and_its_user_gets_a_password() -> None:
    kept = Database(ADMIN, POSTGRESQL, "db", "db", brought=False, kept=('a"b', "mail"))
    core = with_databases(with_theirs(image="postgres:13"), [kept], "made-up")
    assert "command" not in core["services"]["db"]
    assert first_statements([kept], "made-up") == {}
    assert new_password(kept, "made-up")[-1] == """ALTER ROLE "a""b" PASSWORD 'made-up'"""
