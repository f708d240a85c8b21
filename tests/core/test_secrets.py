"""What must not be shown is masked, by value, in every form it may be written in; the rest stays readable."""

from __future__ import annotations

import base64
import html
import json
import quopri
import re
import time
import tomllib
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from pytest_mailu.core.model import Observation, Outcome, Reply, Stage
from pytest_mailu.core.secrets import (
    MASK,
    PUBLIC,
    Redactor,
    is_credential,
    is_public,
    secrets_in,
    secrets_in_text,
    shown,
    without_secrets_in_command,
)
from pytest_mailu.core.transcript import Event, Kind, Speaker

SECRET = 'pä55 w/örd+&<"\\'


def test_a_setting_that_is_not_on_the_list_is_masked() -> None:
    assert shown("DOMAIN", "example.com") == "example.com"
    assert shown("AUTH_REQUIRE_TOKENS", "True") == "True"
    for name in ("SECRET_KEY", "API_TOKEN", "DB_PW", "RELAYUSER", "UNHEARD_OF", "SLACK_HOOK", "domain", ""):
        assert shown(name, "something") == MASK
    assert shown("SECRET_KEY", "") == ""


def test_every_name_on_the_list_is_a_setting_of_mailus_and_none_holds_a_credential() -> None:
    text = (files("pytest_mailu.deployment.catalogue") / "data" / "settings.toml").read_text("utf-8")
    known = {setting["name"] for setting in tomllib.loads(text)["setting"]}
    assert known >= PUBLIC
    hidden = ("SECRET_KEY", "API_TOKEN", "DB_PW", "RELAYPASSWORD", "INITIAL_ADMIN_PW", "RECAPTCHA_PRIVATE_KEY")
    assert not any(is_public(name) for name in (*hidden, "SQLALCHEMY_DATABASE_URI", "WELCOME_BODY", "LOGO_URL"))
    assert all(is_credential(name) for name in hidden)


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text,
        lambda text: f"before {text} after {text}",
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        repr,
        lambda text: quote(text, safe=""),
        quote,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(f"\0anna@kontor.example\0{text}".encode()).decode(),
        lambda text: base64.b64encode(f"\0a@kontor.example\0{text}, and more".encode()).decode(),
        lambda text: base64.urlsafe_b64encode(f"ab{text}".encode()).decode(),
        lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
        quote_plus,
        lambda text: quopri.encodestring(text.encode()).decode(),
        lambda text: quopri.encodestring(f"{'x' * 70} {text}".encode()).decode(),
        lambda text: quopri.encodestring(f"{'x' * 66} {text}".encode()).decode().replace("\n", "\r\n"),
        lambda text: repr(text.encode()),
        ascii,
        lambda text: text.replace("ä", "\\303\\244").replace("ö", "\\303\\266"),
    ],
)
def test_a_secret_is_masked_however_it_is_written(written: Callable[[str], str]) -> None:
    text = written(SECRET)
    masked = Redactor([SECRET]).text(text)
    assert MASK in masked
    hidden = (
        "pä55",
        "55",
        "w/",
        "örd",
        "rd+",
        "55 w",
        *(base64.b64encode(SECRET.encode()[n:])[3:-4].decode() for n in range(3)),
    )
    assert not any(part in masked for part in (*hidden, text.strip('"')))


def test_passwords_in_urls_are_masked_whether_or_not_they_are_known() -> None:
    masked = Redactor().text("connecting to postgresql://mailu:hunter22@db.example:5432/mailu and http://x@y/")
    assert masked == f"connecting to postgresql://mailu:{MASK}@db.example:5432/mailu and http://x@y/"


def test_a_secret_that_begins_with_another_one_is_masked_as_a_whole() -> None:
    assert Redactor(["hunter", "hunter22"]).text("hunter22 hunter") == f"{MASK} {MASK}"


@pytest.mark.parametrize("end", ["", "…"])
def test_a_secret_that_was_cut_off_is_masked_as_well(end: str) -> None:
    assert Redactor(["hunter22-and-more"]).text(f"pass hunter22-an{end}") == f"pass {MASK}{end}"
    assert Redactor(["hunter22-and-more"]).text("the hunt") == "the hunt"
    cut = f"{end or '…'} and others; hunter22-and…, hunt…"
    assert Redactor(["hunter22-and-more"]).text(f"pass hunter22-an{cut}") == (
        f"pass {MASK}{end or '…'} and others; {MASK}…, hunt…"
    )


def test_short_secrets_are_not_looked_for_within_base64() -> None:
    """Four characters of Base64 are in every long text by chance."""
    assert Redactor(["ab1!"]).text(base64.b64encode(b"ab1!").decode()) == MASK
    assert Redactor(["ab1!"]).text("YjEh xhYjEh") == "YjEh xhYjEh"


def test_the_password_of_a_url_is_masked_as_the_program_gets_it_too() -> None:
    """Errors of a database have it without the escapes of the URL."""
    settings = {"SQLALCHEMY_DATABASE_URI": "mysql://mailu:S%2Bcret%40pw+1@db/mailu"}
    for secrets in (secrets_in(settings), secrets_in_text("uri: mysql://mailu:S%2Bcret%40pw+1@db/mailu")):
        for password in ("S%2Bcret%40pw+1", "S+cret@pw+1", "S+cret@pw 1", "S%2bcret%40pw+1"):
            assert Redactor(secrets).text(f"denied ({password})") == f"denied ({MASK})"
    assert secrets_in({"WEBSITE": "https://me:%41%42@example.com/"}) == {"%41%42"}


def test_a_notation_within_a_notation_hides_no_secret() -> None:
    for secret in ("it's", 'a"b\\c', "gr\u00f6\u00dfe 1", "line 1\nline 2", "a<b>&c"):
        nested = (json.dumps({"x": repr(secret)}), repr(json.dumps(secret)), json.dumps(json.dumps(secret)))
        for text in (*nested, html.escape(repr(secret))):
            assert Redactor([secret]).text(text).count(MASK) == 1, (secret, text)


def test_everything_in_an_observation_is_redacted_and_it_stays_an_observation() -> None:
    event = Event(Speaker.SERVER, Kind.LINE, f"250 {SECRET}", 0.5)
    seen = Observation(
        Outcome.ACCEPTED,
        Stage.COMMAND,
        reply=Reply("250", text=SECRET),
        facts={"postconf": {"x": [SECRET, 1, None]}, SECRET: True},
        transcript=(event,),
        logs=(f"smtp | {SECRET}",),
        trouble=SECRET,
    )
    redacted = Redactor([SECRET]).value(seen)
    assert SECRET not in repr(redacted)
    assert (redacted.outcome, redacted.stage, redacted.reply and redacted.reply.code) == (
        seen.outcome,
        seen.stage,
        "250",
    )
    assert redacted.facts["postconf"]["x"][1:] == [1, None]
    assert redacted.transcript[0].seconds == 0.5
    assert Redactor().value(seen) == seen


def test_short_and_common_values_do_not_make_every_text_unreadable() -> None:
    settings = {
        "UNHEARD_OF": "25",
        "OTHER": "true",
        "MODE": "default",
        "COPY": "post.example",
        "DOMAIN": "post.example",
    }
    assert secrets_in(settings) == frozenset()
    assert secrets_in({"UNHEARD_OF": "2.0.43"}, ["2.0.43"]) == frozenset()
    assert secrets_in({"DB_PW": "ab1!"}) == {"ab1!"}
    assert secrets_in({"WEBSITE": "https://me:hunter22@example.com/"}) == {"hunter22"}
    assert secrets_in({"KEY_PEM": "-----BEGIN-----\nMIIabcdef\n"}) >= {"MIIabcdef"}


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("services:\n  db:\n    environment:\n      DB_PASSWORD: hunter22\n    - API_TOKEN=t0ken-123\n", "t0ken-123"),
        ("      POSTGRES_PASSWORD: 'hunter22'\n", "hunter22"),
        ("smtp_sasl_password_maps = static:me:hunter22\n", "hunter22"),
        ("export SECRET_KEY=hunter22\nSECRET_KEY=hunter23", "hunter23"),
        ("command: redis-server --requirepass hunter22", "hunter22"),
        ("uri: mysql://me:hunter22@db/x", "hunter22"),
    ],
)
def test_secrets_are_found_in_files_of_many_kinds(text: str, secret: str) -> None:
    assert secret in secrets_in_text(text)


def test_paths_and_variables_are_no_secrets() -> None:
    assert secrets_in_text("smtpd_tls_key_file = /certs/key.pem\npassword: ${DB_PASSWORD}\n") == frozenset()


def test_a_command_line_loses_its_passwords() -> None:
    assert without_secrets_in_command("redis-server --requirepass hunter22 --port 1", "x") == (
        "redis-server --requirepass x --port 1"
    )
    assert without_secrets_in_command("run --token=hunter22 http://a:hunter22@b", "x") == "run --token=x http://a:x@b"


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 500_000,
        "://" * 150_000,
        "://a:" * 100_000,
        "://" + "a:" * 200_000,
        "=" * 500_000,
        "password=" * 50_000,
        "\n- " * 150_000,
    ],
)
def test_hostile_text_costs_no_time(hostile: str) -> None:
    started = time.monotonic()
    Redactor(["hunter22", "a" * 40]).text(hostile)
    secrets_in_text(hostile)
    assert time.monotonic() - started < 10


def test_values_of_any_depth_and_kind_are_taken_as_they_are() -> None:
    value: Any = {"a": [(1, 2.5, None, True, b"bytes")], 1: "x"}
    assert Redactor(["hunter22"]).value(value) == value


PEOPLE = Redactor(["topsecret"], ["kontor.example", "xn--mnchen-3ya.de"])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("imap(anna.muster+x@kontor.example)<7>: ok", f"imap({MASK})<7>: ok"),
        ("to=<o'neil@Kontor.Example>, relay=none", f"to=<{MASK}>, relay=none"),
        ("/user/anna%40kontor.example/edit", f"/user/{MASK}/edit"),
        ("MX of kontor.example.", f"MX of {MASK}."),
        ("an info@münchen.de b", f"an {MASK} b"),
        ("alice@post.example topsecret", f"alice@post.example {MASK}"),
        ("kontor.example-two", "kontor.example-two"),
    ],
)
def test_people_of_the_users_domains_are_masked(text: str, masked: str) -> None:
    assert PEOPLE.text(text) == masked
    assert (PEOPLE | ["another"]).text(text) == masked
    assert Redactor(["topsecret"]).with_people_of(["kontor.example", "xn--mnchen-3ya.de"]).text(text) == masked
