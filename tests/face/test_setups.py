"""Set-ups on the command line: named, planned, recorded, and said in every report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_mailu.behaviours import built_in
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.model import Observation, Outcome, Stage
from pytest_mailu.core.optional_services import STARTED
from pytest_mailu.core.setups import DEFAULT, SETUPS, Feature, setup_named
from tests.face.conftest import recording, without_587

NOTLS = setup_named("notls")
RELEASES = ("2.0.43", "2024.06.24")
EXTERNAL = "submission/587-plain/external"


@pytest.fixture
def without_tls(folder: Any) -> Any:
    """The folder with two recordings made without TLS; the new one has lost 587."""
    folder.write({"o.json": recording("2.0.43", setup=NOTLS), "n.json": recording("2024.06.24", without_587, NOTLS)})
    return folder


def test_an_unknown_name_is_a_usage_error_that_names_all(folder: Any) -> None:
    done = folder.run("--mailu-setup=nolts", sides=RELEASES)
    assert done.status == 4
    assert "there is no set-up 'nolts'" in done.errors
    assert all(setup.name in done.errors for setup in SETUPS)


def test_the_plan_says_what_each_set_up_can_answer_and_what_none_does(folder: Any) -> None:
    args = ("--mailu-plan", "--mailu-setup=notls", "--mailu-setup", "mail")
    brief, lines = (folder.run(*args, *more, sides=RELEASES).out.splitlines() for more in ((), ("-v",)))
    for setup in (NOTLS, setup_named("mail")):
        found = in_setup(built_in(), setup)
        usual = sum(one.usual for one in found.answered)
        begin = next(number for number, line in enumerate(lines) if line.startswith(f"set-up {setup.name}:"))
        part = lines[begin : begin + 16]
        assert f"compares {usual} behaviours:" in part
        assert f"leaves out {len(found.unanswered)} that this set-up cannot answer:" in part
    without = [{one.id for one in in_setup(built_in(), setup_named(name)).unanswered} for name in ("notls", "mail")]
    unanswered = f"no set-up of this run answers {len(without[0] & without[1])}"
    assert f"{unanswered}; -v names them" in brief
    assert "     tls/443-tls/handshake" not in brief
    begin = lines.index(f"{unanswered}:")
    assert "     tls/443-tls/handshake" in lines[begin:]
    assert "     tls/465-tls/handshake" not in lines


def test_ids_name_the_set_up_where_there_are_several(folder: Any) -> None:
    args = ("--collect-only", "-q", "--mailu-setup=notls,mail")
    both = folder.run(*args, sides=RELEASES).items
    assert {id_.rpartition("@")[2] for id_ in both} == {"notls", "mail"}
    assert f"mailu::{EXTERNAL}@notls" in both
    named = folder.run(*args, f"mailu::{EXTERNAL}@notls", "mailu::web/page/login", sides=RELEASES).items
    assert named == [f"mailu::{EXTERNAL}@notls", "mailu::web/page/login@notls", "mailu::web/page/login@mail"]
    wrong = folder.run(*args, f"mailu::{EXTERNAL}@default", sides=RELEASES)
    assert wrong.status == 4
    assert "Add --mailu-setup default" in wrong.errors


def test_what_a_set_up_cannot_answer_is_said_with_the_reason(folder: Any) -> None:
    done = folder.run("--mailu-setup=notls", "mailu::tls/465-tls/handshake", sides=RELEASES)
    assert done.status == 4
    assert "the set-up notls cannot answer tls/465-tls/handshake" in done.errors
    assert "TLS on the mail ports" in done.errors


def test_recordings_are_compared_in_their_own_set_up_and_the_report_names_it(without_tls: Any) -> None:
    done = without_tls.run("--mailu-report=out", "--junitxml=j.xml", sides=("o.json", "n.json"))
    assert done.status == 1
    done.lines.fnmatch_lines(["NO-GO*2.0.43 → 2024.06.24 (set-up notls)", "*cannot answer*"])
    report = without_tls.json("out/report.json")
    assert (report["setup"], report["old"]["setup"], report["new"]["setup"]) == ("notls", "notls", "notls")
    lost = {finding["behaviour"] for finding in report["findings"] if finding["verdict"] == "regressed"}
    assert EXTERNAL in lost
    assert not [id_ for id_ in lost if "/587" not in id_]
    missed = [one.id for one in in_setup(built_in(), NOTLS).unanswered if one.of_setup & DEFAULT.features]
    assert report["left_out"]["set-up"] == missed
    assert "set-up notls" in (without_tls.path / "out/report.md").read_text("utf-8")
    assert 'name="mailu_setup" value="notls"' in (without_tls.path / "j.xml").read_text("utf-8")


def test_workers_collect_the_set_up_of_the_recordings(without_tls: Any) -> None:
    done = without_tls.run("-n1", f"mailu::{EXTERNAL}", sides=("o.json", "n.json"), others=True)
    assert done.status == 1
    done.lines.fnmatch_lines([f"REGRESSED mailu::{EXTERNAL}*"])
    several = without_tls.run("-n1", "--mailu-setup=notls,mail", sides=RELEASES, others=True)
    assert several.status == 4
    assert "Leave out -n" in several.errors


@pytest.mark.parametrize(
    ("sides", "args", "said"),
    [
        (("old.json", "new.json"), ("--mailu-setup=notls",), "was made in the set-up default"),
        (("o.json", "new.json"), (), "different set-ups: default and notls"),
    ],
)
def test_recordings_of_another_set_up_are_refused(
    without_tls: Any, sides: tuple[str, str], args: tuple[str, ...], said: str
) -> None:
    done = without_tls.run(*args, sides=sides)
    assert done.status == 4
    assert said in done.errors


def test_a_run_in_which_most_is_absent_says_so(folder: Any) -> None:
    def absent(id_: str, attempts: Any) -> Any:
        return (Observation(Outcome.UNREACHABLE, Stage.CONNECT),) if not id_.startswith("web/") else attempts

    folder.write({"o.json": recording("2.0.43", absent), "n.json": recording("2.0.44", absent)})
    done = folder.run("--mailu-report=out", sides=("o.json", "n.json"))
    assert any("Most of it is absent" in note for note in folder.json("out/report.json")["notes"])
    assert "Most of it is absent" in done.out


def test_the_user_s_files_say_which_set_up_it_is(folder: Any) -> None:
    folder.write({"mailu.env": "TLS_FLAVOR=notls\n"})
    items = folder.run("--collect-only", "-q", "--mailu-env=mailu.env", sides=RELEASES).items
    assert f"mailu::{EXTERNAL}" in items
    assert "mailu::submission/465-tls/external" not in items
    over = folder.run("--collect-only", "-q", "--mailu-env=mailu.env", "--mailu-setup=default", sides=RELEASES).items
    assert "mailu::submission/465-tls/external" in over


WITH_WEB_MAIL = DEFAULT.with_services(["webmail"])


def test_the_plan_says_which_services_are_missing_for_what(folder: Any) -> None:
    lines = folder.run("--mailu-plan", sides=RELEASES).out.splitlines()
    missing = len(in_setup(built_in(), DEFAULT).unserved)
    assert f"leaves out {missing} that need a service which is not started:" in lines
    assert any(line.endswith("need web mail: --mailu-with webmail") for line in lines)
    services = ("--mailu-with=webmail", "--mailu-with=webdav,fetchmail,antivirus,oletools,fts_attachments")
    lines = folder.run("--mailu-plan", *services, sides=("2024.06.24", "2024.06.57")).out
    assert "set-up default: Mailu's own defaults, with a certificate (Mailu's defaults; with web mail and " in lines
    assert "not started" not in lines
    everything = in_setup(built_in(), DEFAULT.with_services(STARTED)).answered
    assert f"compares {sum(one.usual for one in everything)} behaviours:" in lines


def test_what_needs_a_service_can_be_named_where_it_is_started(folder: Any) -> None:
    name = "mailu::services/webmail/stays-up"
    done = folder.run(name, sides=RELEASES)
    assert done.status == 4
    assert "cannot answer services/webmail/stays-up: it needs web mail" in done.errors
    assert "Add --mailu-with webmail" in done.errors
    assert folder.run(name, "--collect-only", "-q", "--mailu-with=webmail", sides=RELEASES).items == [name]
    everything = ("--collect-only", "-q", "--mailu-setup=all-services")
    assert folder.run(name, *everything, sides=RELEASES).items == [name]
    assert folder.run(name, *everything, "--mailu-without=webmail", sides=RELEASES).status == 4


def test_a_set_up_that_a_release_does_not_have_is_a_usage_error(folder: Any) -> None:
    done = folder.run("--mailu-setup=snappymail", sides=("1.9.50", "2.0.43"))
    assert done.status == 4
    assert "--mailu-setup snappymail: Mailu 1.9.50 cannot be run so" in done.errors
    assert "came with 2.0" in done.errors
    done = folder.run("--mailu-setup=rainloop", sides=("1.9.50", "2.0.43"))
    assert done.status == 4
    assert "--mailu-setup rainloop: Mailu 2.0.43 cannot be run so" in done.errors
    assert folder.run("--mailu-setup=rainloop", "--mailu-plan", sides=("1.9.49", "1.9.50")).status == 0
    assert folder.run("--mailu-setup=snappymail", "--mailu-plan", sides=RELEASES).status == 0


def test_the_user_s_files_say_which_web_mail_is_asked(folder: Any) -> None:
    old = "services:\n  webmail: {image: ghcr.io/mailu/webmail:2.0, env_file: [mailu.env]}\n"
    old += "  front: {image: ghcr.io/mailu/nginx:2.0, env_file: [mailu.env]}\n"
    folder.write({"c.yml": old, "mailu.env": "WEBMAIL=snappymail\n", "new.env": "WEBMAIL=roundcube\n"})
    args = ("--collect-only", "-q", "--mailu-compose=c.yml", "--mailu-env=mailu.env")
    assert _web_mails(folder.run(*args, sides=RELEASES).items) == {"snappymail"}
    assert _web_mails(folder.run(*args, "--mailu-setup=mail", sides=RELEASES).items) == {"snappymail"}
    assert _web_mails(folder.run(*args, "--mailu-env-new=new.env", sides=RELEASES).items) == set()


def _web_mails(items: list[str]) -> set[str]:
    found = {id_.split("/")[1] for id_ in items if id_.startswith("mailu::webmail/")}
    return found & {"roundcube", "snappymail"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--mailu-with=webmial",), "there is no optional service 'webmial'"),
        (("--mailu-without=database",), "there is no optional service 'database'"),
        (("--mailu-with=fts_attachments",), "Mailu 2.0.43 has no service fts_attachments"),
        (("--mailu-with=webdav", "--mailu-without=webdav"), "--mailu-with and --mailu-without both name webdav"),
    ],
)
def test_services_that_there_are_not_are_usage_errors(folder: Any, args: tuple[str, ...], said: str) -> None:
    done = folder.run(*args, sides=RELEASES)
    assert done.status == 4
    assert said in done.errors


def test_recordings_keep_the_services_that_they_were_made_with(folder: Any) -> None:
    folder.write({f"{release}.json": recording(release, setup=WITH_WEB_MAIL) for release in RELEASES})
    old, new = (f"{release}.json" for release in RELEASES)
    name = "mailu::services/webmail/stays-up"
    assert folder.run(name, "--collect-only", "-q", sides=(old, new)).items == [name]
    one_sided = folder.run(name, "--collect-only", "-q", sides=(old, "new.json"))
    assert one_sided.status == 4
    asked = folder.run("--mailu-with=webmail", sides=(old, "new.json"))
    assert asked.status == 4
    assert "was made without web mail" in asked.errors


def test_the_report_says_what_was_left_out_for_want_of_a_service(folder: Any) -> None:
    folder.run("--mailu-report=out", sides=("old.json", "new.json"))
    report = folder.json("out/report.json")
    assert report["left_out"]["service"] == [one.id for one in in_setup(built_in(), DEFAULT).unserved]
    assert "that need such a service (--mailu-with)" in (folder.path / "out/report.md").read_text("utf-8")


def test_services_of_the_user_s_compose_file_are_asked_for(folder: Any) -> None:
    images = {"front": "nginx", "admin": "admin", "imap": "dovecot", "smtp": "postfix", "antispam": "rspamd"}
    services = {name: {"image": f"ghcr.io/mailu/{image}:2.0"} for name, image in images.items()}
    services |= {"redis": {"image": "redis:alpine"}, "webmail": {"image": "ghcr.io/mailu/webmail:2.0"}}
    services |= {"webdav": {"image": "somebody/davical"}}
    folder.write({"docker-compose.yml": json.dumps({"services": services})})
    args = ("--collect-only", "-q", "--mailu-compose=docker-compose.yml")
    items = folder.run(*args, sides=RELEASES).items
    assert "mailu::services/webmail/stays-up" in items
    assert "mailu::services/webdav/stays-up" not in items
    assert "mailu::services/webmail/stays-up" not in folder.run(*args, "--mailu-without=webmail", sides=RELEASES).items
    del services["webmail"]
    folder.write({"new.yml": json.dumps({"services": services})})
    items = folder.run(*args, "--mailu-compose-new=new.yml", sides=RELEASES).items
    assert "mailu::services/webmail/stays-up" not in items
    items = folder.run(*args, "--mailu-compose-new=new.yml", "--mailu-with=webmail", sides=RELEASES).items
    assert "mailu::services/webmail/stays-up" in items


def test_what_only_another_set_up_has_is_not_told_as_left_out(folder: Any) -> None:
    """A run of the default set-up said that it could not answer the certificates of certbot."""
    folder.run("--mailu-report=out")
    assert "set-up" not in folder.json("out/report.json")["left_out"]


def test_the_plan_counts_what_a_database_server_answers(folder: Any) -> None:
    needing = [one for one in built_in() if Feature.DATABASE in one.of_setup]
    lines = folder.run("--mailu-plan", sides=RELEASES).out.splitlines()
    assert f"     {len(needing):3} need a database server beside admin" in lines
    folder.write({"mailu.env": "SQLALCHEMY_DATABASE_URI=postgresql://me:secret-word@db.lan/mine\n"})
    for option in ("--mailu-setup=postgres", "--mailu-setup=mariadb", "--mailu-env=mailu.env"):
        out = folder.run("--mailu-plan", option, sides=RELEASES).out
        assert "need a database server" not in out
        assert "secret-word" not in out
    collected = folder.run("--collect-only", "-q", "--mailu-env=mailu.env", sides=RELEASES).items
    assert {f"mailu::{one.id}" for one in needing if one.usual} <= set(collected)
