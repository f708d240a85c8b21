"""Which database server settings name, and of which kind an image is."""

from __future__ import annotations

import pytest

from pytest_mailu.core.databases import MARIADB, POSTGRESQL, ROUNDCUBE, server_among, server_in


@pytest.mark.parametrize(
    ("settings", "server"),
    [
        ({}, None),
        ({"DB_FLAVOR": "sqlite"}, None),
        ({"DB_FLAVOR": "something"}, None),
        ({"DB_FLAVOR": "postgresql"}, POSTGRESQL),
        ({"DB_FLAVOR": "mysql"}, MARIADB),
        ({"SQLALCHEMY_DATABASE_URI": "sqlite:////data/main.db"}, None),
        ({"SQLALCHEMY_DATABASE_URI": "postgresql://a:b@database/mailu"}, POSTGRESQL),
        ({"SQLALCHEMY_DATABASE_URI": " mysql+mysqlconnector://a:b@database/mailu"}, MARIADB),
        ({"SQLALCHEMY_DATABASE_URI": "mariadb+mariadbconnector://a:b@database/mailu"}, MARIADB),
        # core/admin/mailu/configuration.py: where DB_FLAVOR is set, the URL is made anew of the other settings.
        ({"SQLALCHEMY_DATABASE_URI": "postgresql://a:b@database/mailu", "DB_FLAVOR": "mysql"}, MARIADB),
        ({"SQLALCHEMY_DATABASE_URI": "postgresql://a:b@database/mailu", "DB_FLAVOR": "sqlite"}, None),
    ],
)
def test_settings_name_a_server(settings: dict[str, str], server: object) -> None:
    assert server_in(settings) is server
    for_roundcube = {
        "SQLALCHEMY_DATABASE_URI_ROUNDCUBE" if name.startswith("SQL") else f"ROUNDCUBE_{name}": value
        for name, value in settings.items()
    }
    assert server_in(for_roundcube, ROUNDCUBE) is server
    assert server_in(for_roundcube) is None


@pytest.mark.parametrize(
    ("image", "server"),
    [
        ("postgres:13", POSTGRESQL),
        ("docker.io/library/postgres:16-alpine@sha256:00", POSTGRESQL),
        ("registry.example:5000/bitnami/postgresql:16", POSTGRESQL),
        ("mariadb", MARIADB),
        ("mysql:8", MARIADB),
        ("redis:alpine", None),
        ("ghcr.io/mailu/admin:2024.06", None),
    ],
)
def test_an_image_is_of_a_kind_by_its_name(image: str, server: object) -> None:
    assert server_among(["redis:alpine", image]) is server
