from __future__ import annotations

from pytest_mailu.behaviours import inside

TABLES = """  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:2777 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   2: 0B00007F:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   3: 0206010A:0019 0306010A:C350 01 00000000:00000000 00:00000000 00000000     0        0 1
   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0 0
   1: 00000000000000000000000000000000:0019 00000000000000000000000000000000:0000 0A 0 0
"""


def test_listening_ports_are_told_from_connections_and_from_the_engines_resolver() -> None:
    assert inside.ports(TABLES) == ([25], [80, 0x2777])


def test_what_postfix_starts_for_its_work_is_left_out() -> None:
    stats = "\n".join(
        (
            "1 (sh) S 0 1 1",
            "7 (python3) S 1 1 1",
            "8 (master) S 7 1 1",
            "9 (smtpd) S 8 1 1",
            "10 (a (b) c) S 9 1 1",
            "11 (rsyslogd) S 7 1 1",
            "12 (cat) R 0 1 1",
        )
    )
    assert inside.lasting(stats) == ["master", "python3", "rsyslogd"]


def test_what_is_there_for_a_moment_or_started_by_docker_exec_is_no_program_of_the_service() -> None:
    """`doveconf` was seen while a behaviour looked at Dovecot's settings, and counted as a difference."""
    always = "1 (sh) S 0 1 1\n7 (dovecot) S 1 1 1\n"
    assert inside.lasting(f"{always}20 (doveconf) R 0 1 1\n", always) == ["dovecot"]
    assert inside.lasting(f"{always}20 (rspamc) R 1 1 1\n", f"{always}21 (rspamc) R 1 1 1\n") == ["dovecot"]
    assert inside.lasting(*[f"{always}20 (flask) R 0 1 1\n21 (python3) R 20 1 1\n"] * 3) == ["dovecot"]


def test_a_process_that_is_its_own_ancestor_ends_nowhere() -> None:
    assert inside.lasting("1 (init) S 0 1") == ["init"]


def test_settings_of_dovecot_are_told_by_their_place() -> None:
    text = "# 2.3.19\nlisten = *\nprotocol imap {\n  mail_plugins = quota fts\n}\n"
    text += "service lmtp {\n  inet_listener lmtp {\n    port = 2525\n  }\n}\n"
    assert dict(inside.blocks(text)) == {
        "listen": "*",
        "protocol imap / mail_plugins": "quota fts",
        "service lmtp / inet_listener lmtp / port": "2525",
    }


def test_networks_of_a_stack_have_no_name_but_the_host_itself_has() -> None:
    assert inside.settled("127.0.0.0/8 10.1.2.0/24 198.18.4.0/28") == "127.0.0.0/8 <network> <network>"
    six = "[::1]/128 [fe80::]/10 [fdd9:6ec1:1a1d::]/64 10.1.2.0/24,[2001:2:0:6700::]/64 fd2c:5d1b:5ffb::/64"
    assert inside.settled(six) == "[::1]/128 [fe80::]/10 <network> <network>,<network> <network>"


def test_a_line_of_master_cf_may_go_on() -> None:
    text = "smtp inet n - n - 1 smtpd\n10025 inet n - n - 1 smtpd\n    -o a=b\n    -o c=d\n"
    assert list(inside._joined(text)) == ["smtp inet n - n - 1 smtpd", "10025 inet n - n - 1 smtpd -o a=b -o c=d"]
