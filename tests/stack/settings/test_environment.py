"""Settings: Mailu's defaults, the user's own, and what has to give way and is reported."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Vantage
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.docker.networks import choose_layout, choose_layout6
from pytest_mailu.stack.settings.environment import REPLACED, Settings, read_env, settings_for

LAYOUT = choose_layout([])
OLD, NEW, ANCIENT = Release.parse("2.0.43"), Release.parse("2024.06.24"), Release.parse("1.9.50")


def made(release: Release = NEW, **user: str) -> Settings:
    return settings_for(release, LAYOUT, "k" * 16, user)


def test_without_a_file_nothing_is_replaced_and_defaults_are_those_of_mailu() -> None:
    settings = made()
    assert settings.replaced == {}
    assert settings.values["TLS_FLAVOR"] == "cert"
    assert settings.values["WEBMAIL"] == "none"
    assert "PORTS" not in settings.values
    assert settings.values["SUBNET"] == str(LAYOUT.inside.network)


def test_the_users_own_settings_come_through() -> None:
    settings = made(PORTS="25,587", MESSAGE_SIZE_LIMIT="1000", UNHEARD_OF="x")
    assert settings.values["PORTS"] == "25,587"
    assert settings.values["MESSAGE_SIZE_LIMIT"] == "1000"
    assert settings.values["UNHEARD_OF"] == "x"
    assert settings.replaced == {}


def test_what_must_give_way_is_told_with_the_reason() -> None:
    settings = made(DOMAIN="example.com", HOSTNAMES="mail.example.com", SUBNET="192.168.203.0/24", SUBNET6="fd00::/64")
    assert settings.replaced["DOMAIN"].startswith("example.com → post.example: ")
    assert "SUBNET6" not in settings.values
    assert set(settings.replaced) == {"DOMAIN", "HOSTNAMES", "SUBNET", "SUBNET6"}


def test_mail_never_leaves_through_the_users_relay_host() -> None:
    settings = made(RELAYHOST="[smtp.provider.example]:587", RELAYUSER="me", RELAYPASSWORD="mine")
    assert settings.values["RELAYHOST"] == ""
    assert "RELAYUSER" not in settings.values
    assert "RELAYPASSWORD" not in settings.values
    assert "smtp.provider.example" in settings.replaced["RELAYHOST"]
    assert "mine" not in str(settings.replaced)


THEIRS = (
    *("DB_FLAVOR", "DB_HOST", "DB_PW", "SQLALCHEMY_DATABASE_URI", "ROUNDCUBE_DB_HOST", "INITIAL_ADMIN_PW"),
    *(
        "ADMIN_ADDRESS",
        "REDIS_ADDRESS",
        "HOST_IMAP",
        "SECRET_KEY_FILE",
        "RATELIMIT_STORAGE_URL",
        "COMPOSE_PROJECT_NAME",
    ),
)


@pytest.mark.parametrize("name", THEIRS)
def test_nothing_of_the_users_other_services_and_data_is_reached(name: str) -> None:
    settings = made(**{name: "something.of.theirs"})
    assert settings.values.get(name) != "something.of.theirs"
    assert name in settings.replaced


def test_fetchmail_comes_often_where_it_runs_and_the_users_own_pause_is_told() -> None:
    user = {"FETCHMAIL_DELAY": "900"}
    assert settings_for(NEW, LAYOUT, "k", user, services=("front",)).values["FETCHMAIL_DELAY"] == "900"
    with_it = settings_for(NEW, LAYOUT, "k", user, services=("front", "fetchmail"))
    assert with_it.values["FETCHMAIL_DELAY"] == "3"
    assert with_it.replaced["FETCHMAIL_DELAY"].startswith("900 → 3: ")


@pytest.mark.parametrize("flavour", ["cert", "letsencrypt", "mail", "mail-letsencrypt", "notls"])
def test_the_flavour_of_tls_stays_the_user_s(flavour: str) -> None:
    settings = made(TLS_FLAVOR=flavour)
    assert settings.values["TLS_FLAVOR"] == flavour
    assert "TLS_FLAVOR" not in settings.replaced


def test_relay_networks_of_the_user_stay_beside_that_of_the_vantage() -> None:
    networks = made(RELAYNETS="192.0.2.0/24, 203.0.113.0/24").values["RELAYNETS"].split(",")
    assert networks == ["192.0.2.0/24", "203.0.113.0/24", str(LAYOUT.relaynet.network)]


@pytest.mark.parametrize(
    ("relaynets", "trusted"),
    [("", False), ("0.0.0.0/0", True), ("192.0.2.0/24, 128.0.0.0/1", True), ("::/0,nonsense", False)],
)
def test_a_stranger_whom_relaynets_trusts_is_known_as_such(relaynets: str, trusted: bool) -> None:
    settings = made(RELAYNETS=relaynets)
    assert settings.relays_for(LAYOUT.stranger.client) == trusted
    assert settings.relays_for(LAYOUT.relaynet.client)


def test_the_login_limiter_leaves_the_harness_alone_but_not_the_other_stranger() -> None:
    exempt = made().values["AUTH_RATELIMIT_EXEMPTION"].split(",")
    assert str(LAYOUT.stranger.network) in exempt
    assert str(LAYOUT.other.network) not in exempt


def test_hashing_is_cheap_unless_the_user_says_otherwise() -> None:
    assert made().values["CREDENTIAL_ROUNDS"] == "4"
    assert made(CREDENTIAL_ROUNDS="12").values["CREDENTIAL_ROUNDS"] == "12"


def test_a_service_that_the_stack_does_not_have_is_switched_off_and_told() -> None:
    settings = made(WEBMAIL="roundcube", ANTIVIRUS="clamav", SCAN_MACROS="true", WEBDAV="none")
    assert (settings.values["WEBMAIL"], settings.values["ANTIVIRUS"], settings.values["SCAN_MACROS"]) == (
        "none",
        "none",
        "false",
    )
    assert set(settings.replaced) == {"WEBMAIL", "ANTIVIRUS", "SCAN_MACROS"}
    with_it = settings_for(NEW, LAYOUT, "k", {"WEBMAIL": "roundcube"}, services=("front", "webmail"))
    assert with_it.values["WEBMAIL"] == "roundcube"


def test_1_9_is_told_the_addresses_and_has_no_settings_that_came_later() -> None:
    settings = made(ANCIENT)
    assert settings.values["REDIS_ADDRESS"] == str(LAYOUT.service("redis"))
    assert "API_TOKEN" not in settings.values
    assert "REDIS_ADDRESS" not in made(OLD).values


def test_secrets_are_never_shown() -> None:
    settings = made(SECRET_KEY="very-secret", API_TOKEN="token-secret", RELAYPASSWORD="relay-secret", DB_PW="db-secret")
    shown = f"{settings.shown()} {settings.replaced}"
    assert not any(word in shown for word in ("very-secret", "token-secret", "relay-secret", "db-secret", "k" * 16))


def test_no_credential_of_the_users_reaches_a_container() -> None:
    settings = made(
        API_TOKEN="token-secret",
        RECAPTCHA_PRIVATE_KEY="captcha-secret",
        SLACK_WEBHOOK="https://hooks.example/secret",
        MYAPP_PASSWORD="app-secret",
        LOGO_URL="https://me:url-secret@example.com/logo.png",
        AUTH_REQUIRE_TOKENS="True",
        TLS_KEYPAIR_FILENAME="key.pem",
    )
    assert "secret" not in "".join(settings.values.values())
    assert settings.values["MYAPP_PASSWORD"] == REPLACED
    assert settings.values["LOGO_URL"] == f"https://me:{REPLACED}@example.com/logo.png"
    assert settings.values["AUTH_REQUIRE_TOKENS"] == "True"
    assert {"API_TOKEN", "RECAPTCHA_PRIVATE_KEY", "SLACK_WEBHOOK", "MYAPP_PASSWORD", "LOGO_URL"} <= set(
        settings.replaced
    )
    assert "secret" not in str(settings.replaced)


def test_a_file_is_read_as_compose_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "mailu.env"
    path.write_text(
        "# comment\n\nDOMAIN=example.com\nSITENAME=\"My # mail\"\nWELCOME_BODY='a $b'\nRELAYHOST=\nexport X=1\n"
    )
    assert read_env(path) == {
        "DOMAIN": "example.com",
        "SITENAME": "My # mail",
        "WELCOME_BODY": "a $b",
        "RELAYHOST": "",
        "X": "1",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\nthis is not a setting\nB=2\n", 2), ("A=1\n\n\nB='open\n", 4), ("LONELY\n", 1), ("# c\nA=1\n=value\n", 3)],
)
def test_a_broken_file_is_refused_with_the_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "mailu.env"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_env(path)
    assert f"line {line} " in caught.value.cause


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.env"):
        read_env(tmp_path / "absent.env")
    binary = tmp_path / "binary.env"
    binary.write_bytes(b"A=\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        read_env(binary)


def test_a_file_without_end_is_neither_read_nor_waited_for(tmp_path: Path) -> None:
    hole, pipe = tmp_path / "hole.env", tmp_path / "pipe.env"
    with hole.open("wb") as file:
        file.truncate(1 << 38)
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="has more than"):
        read_env(hole)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(UsageError, match="is not a regular file"):
            read_env(path)


def test_a_line_with_more_blanks_in_a_row_than_anybody_writes_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "mailu.env"
    path.write_text(f"DOMAIN=a.example\nSITENAME=x{' ' * 200}# y\n")
    assert read_env(path)["SITENAME"] == "x"
    path.write_text(f"DOMAIN=a.example\nSITENAME=x{' ' * 201}y\n")
    with pytest.raises(UsageError, match=r"mailu\.env, line 2 has more than 200 blanks in a row") as caught:
        read_env(path)
    assert caught.value.remedy


def test_what_the_test_or_a_variant_sets_holds_for_every_service_and_the_rest_may_differ() -> None:
    settings = made(MESSAGE_SIZE_LIMIT="1000", RELAYNETS="192.0.2.0/24")
    assert {"MESSAGE_SIZE_LIMIT", "POSTMASTER"} <= settings.shared
    assert not {"RELAYNETS", "SUBNET", "DOMAIN", "TLS_FLAVOR", "ANTIVIRUS", "RELAYHOST"} & settings.shared
    assert "MESSAGE_SIZE_LIMIT" not in settings.with_changes({"MESSAGE_SIZE_LIMIT": "2000"}).shared


def test_the_proxy_of_the_world_is_believed_where_the_user_believes_one() -> None:
    near = str(LAYOUT.segment(Vantage.PROXY).client)
    settings = made(REAL_IP_FROM="192.168.203.1,10.0.0.0/8", REAL_IP_HEADER="X-Real-IP", PROXY_PROTOCOL="mail")
    assert settings.values["REAL_IP_FROM"] == f"{near},{LAYOUT.balancer}"
    assert settings.replaced["REAL_IP_FROM"].startswith(f"192.168.203.1,10.0.0.0/8 → {near},{LAYOUT.balancer}: ")
    assert made(REAL_IP_FROM="10.0.0.1", PROXY_PROTOCOL="993").values["REAL_IP_FROM"] == near
    assert (settings.is_balanced, made().is_balanced) == (True, False)
    assert (settings.values["REAL_IP_HEADER"], settings.values["PROXY_PROTOCOL"]) == ("X-Real-IP", "mail")
    assert made(PROXY_PROTOCOL="mail").values["REAL_IP_FROM"] == ""


def test_places_in_a_set_up_s_settings_are_addresses_of_the_stack_and_no_replacement() -> None:
    settings = made(REAL_IP_FROM="<proxy>,<far-proxy>")
    both = [str(LAYOUT.segment(vantage).client) for vantage in (Vantage.PROXY, Vantage.FAR_PROXY)]
    assert settings.values["REAL_IP_FROM"] == ",".join(both)
    assert settings.replaced == {}
    assert settings.with_changes({"ANYTHING": "<proxy>/32"}).values["ANYTHING"] == f"{both[0]}/32"


def test_a_proxy_that_is_not_believed_is_not_locked_out() -> None:
    """Everybody has its address then: 2.0.43 behind two proxies refused right passwords after a few wrong ones."""
    both = {f"{LAYOUT.segment(vantage).client}/32" for vantage in (Vantage.PROXY, Vantage.FAR_PROXY)}
    exempt = set(made(PROXY_PROTOCOL="mail").values["AUTH_RATELIMIT_EXEMPTION"].split(","))
    assert both <= exempt
    assert str(LAYOUT.other.network) not in exempt
    assert not both & set(made().values["AUTH_RATELIMIT_EXEMPTION"].split(","))


def test_ipv6_of_a_stack_that_has_it_is_in_subnet6_relaynets_and_the_exemption_but_for_the_other_stranger() -> None:
    layout = replace(LAYOUT, six=choose_layout6([]))
    six = layout.six
    assert six is not None
    user = {"SUBNET6": "fd00:dead:beef::/64", "RELAYNETS": "2001:db8::/32"}
    settings = settings_for(NEW, layout, "k", user)
    assert settings.values["SUBNET6"] == str(six.inside.network)
    relaynets = settings.values["RELAYNETS"].split(",")
    assert relaynets == ["2001:db8::/32", str(layout.relaynet.network), str(six.relaynet.network)]
    exempt = settings.values["AUTH_RATELIMIT_EXEMPTION"].split(",")
    assert {str(six.stranger.network), str(six.relaynet.network)} <= set(exempt)
    assert str(six.other.network) not in exempt
    assert "SUBNET6" not in settings_for(NEW, LAYOUT, "k", {}).values
