"""A database as Mailu's admin makes it, as far as the plugin looks at it (core/admin/mailu/models.py of 2.0.43)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SCHEMA = """
create table alembic_version (version_num varchar(32) not null primary key);
create table domain (name varchar(80) primary key, max_users integer, signup_enabled boolean, comment varchar(255));
create table alternative (name varchar(80) primary key, domain_name varchar(80) references domain (name));
create table relay (name varchar(80) primary key, smtp varchar(80), comment varchar(255));
create table user (
  localpart varchar(80), password varchar(255), quota_bytes bigint, global_admin boolean default 0,
  enabled boolean default 1, forward_enabled boolean default 0, forward_destination varchar(255),
  reply_enabled boolean default 0, reply_subject varchar(255), displayed_name varchar(160) default '',
  email varchar(255) not null primary key, domain_name varchar(80) references domain (name), comment varchar(255)
);
create table alias (
  localpart varchar(80), destination varchar(1023), wildcard boolean default 0, email varchar(255) primary key,
  domain_name varchar(80) references domain (name), comment varchar(255)
);
create table token (
  id integer primary key, user_email varchar(255) references user (email), password varchar(255), ip varchar(255)
);
create table fetch (
  id integer primary key, user_email varchar(255) references user (email), host varchar(255), username varchar(255),
  password varchar(255)
);
create table manager (domain_name varchar(80) references domain (name), user_email varchar(255));
"""


def make(
    path: Path, *statements: str, users: int = 3, domain: str = "kontor.example", schema: str = "7ac252f2bbbf"
) -> Path:
    """A database with a domain, `users` users and an alias, and then whatever `statements` do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        connection.execute("insert into alembic_version values (?)", (schema,))
        connection.execute("insert into domain (name) values (?)", (domain,))
        connection.executemany(
            "insert into user (localpart, domain_name, email, password) values (?, ?, ?, 'x')",
            [(f"person{number}", domain, f"person{number}@{domain}") for number in range(users)],
        )
        connection.execute(
            "insert into alias (localpart, domain_name, email, destination) values ('info', ?, ?, ?)",
            (domain, f"info@{domain}", f"person0@{domain}"),
        )
        for statement in statements:
            connection.execute(statement)
    return path
