"""The databases of a stack: the user's is never connected to, and a new one stands in its place."""

from __future__ import annotations

import pytest

from pytest_mailu.core.databases import ADMIN, MARIADB, POSTGRESQL, ROUNDCUBE, Database
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.docker.networks import choose_layout
from pytest_mailu.stack.settings.databases import (
    ROUNDCUBE_SERVICE,
    SERVICE,
    databases_of,
    password_of,
    service_of_theirs,
)
from pytest_mailu.stack.settings.environment import Settings, settings_for

LAYOUT = choose_layout([])
PASSWORD = password_of("k" * 16)
CORE = ("front", "admin", "redis")
URI = "SQLALCHEMY_DATABASE_URI"


def made(user: dict[str, str], *services: str, **more: bool) -> Settings:
    """The settings of a stack with the user's settings and these services beside the core."""
    databases = databases_of(user, (*CORE, *services), **more)
    return settings_for(
        Release.parse("2024.06.24"),
        LAYOUT,
        "k" * 16,
        user,
        services=services,
        databases=databases,
        database_password=PASSWORD,
    )


def test_with_sqlite_there_is_no_database_server() -> None:
    assert databases_of({}, CORE) == ()
    settings = made({"DB_FLAVOR": "sqlite", "DB_HOST": "db.lan"})
    assert "DB_HOST" not in settings.values
    assert "DB_FLAVOR" not in settings.values


def test_a_server_on_another_machine_gives_way_to_one_of_the_run_and_the_report_says_so() -> None:
    user = {
        "DB_FLAVOR": "postgresql",
        "DB_HOST": "db.lan:5433",
        "DB_USER": "theirs-user",
        "DB_PW": "theirs-password",
        "DB_NAME": "theirs-name",
    }
    assert databases_of(user, CORE) == (Database(ADMIN, POSTGRESQL, SERVICE, SERVICE, image=POSTGRESQL.image),)
    settings = made(user)
    found = {name: settings.values[name] for name in user}
    assert found == {
        "DB_FLAVOR": "postgresql",
        "DB_HOST": "database",
        "DB_USER": "mailu",
        "DB_PW": PASSWORD,
        "DB_NAME": "mailu",
    }
    assert settings.replaced["DB_HOST"] == (
        f"**** → database: the run brings a database of its own, {POSTGRESQL.image}, in the place of yours"
    )
    assert "DB_FLAVOR" not in settings.replaced
    said = str(settings.replaced) + str(settings.shown())
    assert not any(word in said for word in ("db.lan", "theirs", PASSWORD))
    assert settings.shown()["DB_HOST"] == "database"


@pytest.mark.parametrize("host", ["postgres", "postgres:5433", "mailu-db", "mailu-db:5433"])
def test_the_service_of_the_user_s_compose_file_is_used_also_by_another_name(host: str) -> None:
    user = {"DB_FLAVOR": "postgresql", "DB_HOST": host, "DB_PW": "theirs"}
    port = host.partition(":")[2]
    (found,) = databases_of(user, (*CORE, "postgres"), {"mailu-db": "postgres"})
    assert (found.service, found.brought) == ("postgres", False)
    assert found.host == ("postgres:5433" if port else "postgres")
    assert service_of_theirs(user, (*CORE, "postgres"), {"mailu-db": "postgres"}) == "postgres"


@pytest.mark.parametrize("port", ["9" * 5_000, "123456", "x", "²"])
def test_a_port_that_is_none_is_the_server_s_own(port: str) -> None:
    (found,) = databases_of({"DB_FLAVOR": "postgresql", "DB_HOST": f"postgres:{port}"}, (*CORE, "postgres"))
    assert found.host == "postgres"


def test_without_a_host_mailu_looks_for_a_service_called_database() -> None:
    (found,) = databases_of({"DB_FLAVOR": "mysql"}, (*CORE, "database"))
    assert (found.service, found.server, found.brought) == ("database", MARIADB, False)


def test_a_url_keeps_its_driver_and_its_collation_and_nothing_that_leads_out() -> None:
    user = {
        URI: "mysql+mysqlconnector://me:secret%40word@db.lan:3307/mine?collation=utf8mb4_unicode_ci&ssl_ca=/x&host=b"
    }
    settings = made(user)
    value = f"mysql+mysqlconnector://mailu:{PASSWORD}@database/mailu?collation=utf8mb4_unicode_ci"
    assert settings.values[URI] == value
    assert settings.shown()[URI] == value.replace(PASSWORD, "****")
    assert settings.replaced[URI].startswith("**** → mysql+mysqlconnector://mailu:****@database/mailu?collation=")
    assert not any(word in str(settings.replaced) for word in ("db.lan", "secret", "mine", PASSWORD))


@pytest.mark.parametrize("url", ["postgresql://", "postgresql://a:b@[/x?y", "postgresql://@:@/?=&;"])
def test_a_broken_url_names_a_database_of_the_run(url: str) -> None:
    assert made({URI: url}).values[URI] == f"postgresql://mailu:{PASSWORD}@database/mailu"


def test_a_url_names_the_service_of_the_compose_file() -> None:
    (found,) = databases_of({URI: "postgresql://a:p@ss@db:5432/x"}, (*CORE, "db"))
    assert (found.service, found.host, found.brought) == ("db", "db:5432", False)


def test_a_named_set_up_brings_its_own_server_whatever_the_user_has() -> None:
    user = {URI: "mysql+mysqlconnector://a:b@db/x", "DB_FLAVOR": "postgresql"}
    (found,) = databases_of(user, (*CORE, "db"), brought=True)
    assert (found.service, found.brought, found.image, found.server) == (SERVICE, True, POSTGRESQL.image, POSTGRESQL)
    settings = made(user, "db", brought=True)
    assert URI not in settings.values
    assert settings.values["DB_HOST"] == SERVICE


ROUND = {"WEBMAIL": "roundcube", "ROUNDCUBE_DB_FLAVOR": "mysql", "ROUNDCUBE_DB_HOST": "db.lan"}


def test_roundcube_has_a_database_of_its_own_where_web_mail_runs() -> None:
    assert databases_of(ROUND, CORE) == ()
    (alone,) = databases_of(ROUND, (*CORE, "webmail"))
    assert (alone.whose, alone.service, alone.name) == (ROUNDCUBE, ROUNDCUBE_SERVICE, "roundcube")
    assert databases_of({**ROUND, "WEBMAIL": "snappymail"}, (*CORE, "webmail")) == ()
    settings = made(ROUND, "webmail")
    assert settings.values["ROUNDCUBE_DB_HOST"] == ROUNDCUBE_SERVICE
    assert settings.values["ROUNDCUBE_DB_PW"] == PASSWORD


def test_roundcube_shares_the_server_of_admin_where_it_is_of_one_kind() -> None:
    both = databases_of({**ROUND, "DB_FLAVOR": "mysql"}, (*CORE, "webmail"))
    assert [each.service for each in both] == [SERVICE, SERVICE]
    apart = databases_of({**ROUND, "DB_FLAVOR": "postgresql"}, (*CORE, "webmail"))
    assert [each.service for each in apart] == [SERVICE, ROUNDCUBE_SERVICE]


def test_roundcube_takes_a_url_as_its_own_driver_writes_it() -> None:
    user = {"WEBMAIL": "roundcube", f"{URI}_ROUNDCUBE": "pgsql://a:b@db.lan/rc"}
    assert made(user, "webmail").values[f"{URI}_ROUNDCUBE"] == (
        f"pgsql://roundcube:{PASSWORD}@{ROUNDCUBE_SERVICE}/roundcube"
    )


def test_what_is_added_to_the_url_stays_as_far_as_it_is_harmless() -> None:
    user = {"DB_FLAVOR": "mysql", "DB_APPENDIX": "?collation=utf8mb4_general_ci&ssl_ca=/x"}
    assert made(user).values["DB_APPENDIX"] == "?collation=utf8mb4_general_ci"


def test_the_password_is_that_of_the_data_for_as_long_as_the_key_of_the_stack_is_kept() -> None:
    assert password_of("a") == password_of("a") != password_of("b")
    assert password_of("a").isalnum()


@pytest.mark.parametrize(
    ("user", "kept"),
    [
        ({"DB_FLAVOR": "postgresql", "DB_HOST": "db", "DB_USER": "a", "DB_PW": "theirs", "DB_NAME": "b"}, ("a", "b")),
        ({"DB_FLAVOR": "postgresql", "DB_HOST": "db", "DB_PW": "theirs"}, ("mailu", "mailu")),
        ({URI: "postgresql://a%40x:theirs@db:5432/b?sslmode=require"}, ("a@x", "b")),
        ({URI: "mysql+mysqlconnector://a:theirs@db/b"}, ("pytest_mailu", "b")),
    ],
)
def test_a_copy_of_the_user_s_data_keeps_its_names_and_gets_a_password_of_the_run_s(
    user: dict[str, str], kept: tuple[str, str]
) -> None:
    (found,) = databases_of(user, (*CORE, "db"), kept=True)
    assert (found.kept, found.user, found.name) == (kept, *kept)
    settings = made(user, "db", kept=True)
    text = str({name: value for name, value in settings.values.items() if "DB_" in name or name == URI})
    assert "theirs" not in text
    assert PASSWORD in text
    assert "theirs" not in str(settings.shown())
    if URI in user:
        scheme, place = user[URI].split("://")[0], user[URI].rpartition("@")[2].partition("?")[0]
        assert settings.values[URI] == f"{scheme}://{kept[0].replace('@', '%40')}:{PASSWORD}@{place}"
    assert all("copy of your data" in words for name, words in settings.replaced.items() if "DB_" in name)


def test_only_the_user_s_own_service_has_the_user_s_data() -> None:
    (found,) = databases_of({"DB_FLAVOR": "postgresql", "DB_HOST": "elsewhere"}, CORE, kept=True)
    assert (found.brought, found.kept) == (True, None)
