"""`--mailu-check`: the user's files become items like all others, alone or beside recordings; nothing is started."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ENV = "SECRET_KEY=0123456789abcdef0123\nDOMAIN=a.example\nHOSTNAMES=mail.a.example\nTLS_FLAVOR=cert\nTZ=Etc/UTC\n"
COMPOSE = """\
services:
  front:
    image: ghcr.io/mailu/nginx:2.0.43
    restart: always
    env_file: mailu.env
    ports: ["25:25", "587:587", "993:993"]
  admin:
    image: ghcr.io/mailu/admin:2.0.43
    restart: always
    env_file: mailu.env
"""
CLOSED = "mailu::settings/ports/587"
CHECK = ("--mailu-check", "--mailu-deployment=mailu", "--mailu-to=2024.06.24")


@pytest.fixture
def deployment(folder: Any) -> Any:
    folder.write({"mailu/docker-compose.yml": COMPOSE, "mailu/mailu.env": ENV})
    return folder


def before(folder: Any) -> set[str]:
    return {str(path) for path in (folder.path / "mailu").rglob("*")}


def test_the_check_alone_finds_the_closed_port_with_line_and_cure(deployment: Any) -> None:
    files = before(deployment)
    done = deployment.run(*CHECK, "--mailu-report=out", "--junitxml=out/junit.xml", "-rf", sides=())
    assert done.status == pytest.ExitCode.TESTS_FAILED
    assert re.search(r"NO-GO.*  2\.0\.43 → 2024\.06\.24", done.out)
    assert "mailu.env, line 6" in done.out
    assert re.search(r"^ +PORTS=25,80,110,143,443,465,587,993,995,4190$", done.out, re.MULTILINE)
    report = deployment.json("out/report.json")
    found = {finding["behaviour"]: finding for finding in report["findings"]}
    assert found["settings/ports/587"]["verdict"] == "regressed"
    assert found["settings/ports/587"]["new"]["facts"]["line"] == 6
    cases = ElementTree.parse(deployment.path / "out" / "junit.xml").iter("testcase")
    failed = [case for case in cases if case.find("failure") is not None]
    assert [case.get("name") for case in failed] == ["settings/ports/587"]
    assert before(deployment) == files


def test_the_override_file_beside_the_compose_file_is_part_of_the_deployment(deployment: Any) -> None:
    deployment.write({"mailu/docker-compose.override.yml": 'services: {front: {ports: ["110:110"]}}\n'})
    done = deployment.run(*CHECK, "--mailu-report=out", sides=())
    assert done.status == pytest.ExitCode.TESTS_FAILED
    found = {finding["behaviour"]: finding for finding in deployment.json("out/report.json")["findings"]}
    assert found["settings/ports/110"]["verdict"] == "regressed"


def test_a_waiver_for_a_finding_in_the_files_is_kept(deployment: Any) -> None:
    waiver = '[[waiver]]\nbehaviour = "settings/ports/587"\nreason = "Nobody uses 587."\n'
    other = '[[waiver]]\nbehaviour = "settings/env/NOT_HERE"\nreason = "Another server of ours has it."\n'
    deployment.write({"mailu-waivers.toml": waiver + other})
    done = deployment.run(*CHECK, sides=())
    assert done.status == pytest.ExitCode.OK
    assert "GO WITH WAIVERS" in done.out


def test_a_check_leaves_nothing_of_the_live_behaviours_out(deployment: Any) -> None:
    """With waivers, the whole matrix is known: "Not compared: ." and "242 behaviours that need such a service"."""
    waiver = '[[waiver]]\nbehaviour = "settings/ports/587"\nreason = "Nobody uses 587."\n'
    deployment.write({"mailu-waivers.toml": waiver})
    done = deployment.run(*CHECK, "--mailu-report=out", sides=())
    report = deployment.json("out/report.json")
    assert report["left_out"] == {}
    assert report["matrix"] == report["selected"] == sum(report["counts"].values())
    for told in (done.out, (deployment.path / "out" / "report.md").read_text()):
        assert "Not compared" not in told


def test_the_cure_for_the_new_side_alone_makes_it_a_go(deployment: Any) -> None:
    deployment.write({"cure.env": "PORTS=25,80,443,465,587,993,995,4190\n"})
    done = deployment.run(*CHECK, "--mailu-env-new=cure.env", sides=())
    assert done.status == pytest.ExitCode.OK
    assert re.search(r"GO.*  2\.0\.43 → 2024\.06\.24", done.out)


NEW = COMPOSE.replace("2.0.43", "2024.06.24")


def test_the_compose_file_for_the_new_release_is_checked_in_place_of_the_present_one(deployment: Any) -> None:
    cure = 'PORTS: "25,80,110,143,443,465,587,993,995,4190"'
    cured = NEW.replace("    ports:", f"    environment:\n      {cure}\n    ports:")
    deployment.write({"mailu/new/docker-compose.yml": cured, "mailu/new/mailu.env": ENV})
    prepared = "--mailu-compose-new=mailu/new/docker-compose.yml"
    done = deployment.run(*CHECK, prepared, sides=())
    assert done.status == pytest.ExitCode.OK, done.out
    assert re.search(r"GO.*  2\.0\.43 → 2024\.06\.24", done.out)
    deployment.write({"mailu/new/docker-compose.yml": cured.replace(', "993:993"', "")})
    done = deployment.run(*CHECK, prepared, "--mailu-report=out", sides=())
    assert done.status == pytest.ExitCode.TESTS_FAILED
    (lost,) = [one for one in deployment.json("out/report.json")["findings"] if one["verdict"] == "regressed"]
    assert lost["behaviour"] == "settings/ports/993"
    assert lost["new"]["facts"] == {"file": "new/docker-compose.yml", "line": 8, "write": '- "993:993"'}


def test_a_broken_file_for_the_new_release_is_named(deployment: Any) -> None:
    deployment.write({"mailu/new.yml": "services:\n\ta: b\n"})
    done = deployment.run(*CHECK, "--mailu-compose-new=mailu/new.yml", sides=())
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "new.yml, line 2: not valid YAML" in done.errors


def test_beside_recordings_the_new_file_is_checked_and_said_not_to_be_applied(deployment: Any) -> None:
    deployment.write({"mailu/new.yml": NEW.replace(', "993:993"', "")})
    done = deployment.run("--mailu-deployment=mailu", "--mailu-compose-new=mailu/new.yml", "--mailu-report=out", "-q")
    assert done.status == pytest.ExitCode.TESTS_FAILED
    report = deployment.json("out/report.json")
    assert "settings/ports/993" in [finding["behaviour"] for finding in report["findings"]]
    assert any("--mailu-compose-new checked, not applied" in caveat for caveat in report["caveats"])


def test_a_printed_id_can_be_pasted_back_also_under_xdist(deployment: Any) -> None:
    for others in ((), ("-n1",)):
        done = deployment.run(*CHECK, CLOSED, *others, sides=(), others=bool(others))
        assert done.status == pytest.ExitCode.TESTS_FAILED
        assert "1 failed" in done.out


def test_beside_recordings_the_family_is_part_of_the_run_and_not_of_the_new_recordings(deployment: Any) -> None:
    done = deployment.run("--mailu-deployment=mailu", "--mailu-report=out", "-q")
    assert done.status == pytest.ExitCode.TESTS_FAILED
    found = [finding["behaviour"] for finding in deployment.json("out/report.json")["findings"]]
    assert "settings/ports/587" in found
    assert "submission/587-starttls/external" in found
    recorded = json.dumps(deployment.json("out/new.json"))
    assert "settings/ports" not in recorded


def test_what_the_files_foretell_and_what_the_servers_did_is_told_as_one(deployment: Any) -> None:
    deployment.run("--mailu-deployment=mailu", "--mailu-report=out", "-q")
    findings = deployment.json("out/report.json")["findings"]
    roots = {f["behaviour"]: f["root"] for f in findings}
    assert roots["settings/ports/587"] == roots["submission/587-starttls/external"]


@pytest.mark.parametrize(
    ("files", "args", "said"),
    [
        ({}, ("--mailu-check", "--mailu-to=2.0"), "--mailu-check: no files are named"),
        ({}, (*CHECK[:1], "--mailu-deployment=none", CHECK[2]), "--mailu-deployment: there is no folder"),
        (
            {"mailu/docker-compose.yml": "services: {a: {image: x}}\n"},
            CHECK,
            "--mailu-from is missing, and the compose",
        ),
        ({"mailu/docker-compose.yml": COMPOSE.replace("2.0.43", "latest")}, CHECK, "the tag latest is not a release"),
        ({"mailu/docker-compose.yml": "services:\n\ta: b\n"}, CHECK, "docker-compose.yml, line 2: not valid YAML"),
        ({"mailu/mailu.env": "A='\n"}, CHECK, "mailu.env, line 1: the value has no closing quotation mark"),
        ({"mailu/mailu.env": "A=\0\n"}, CHECK, "mailu.env is a binary file"),
        ({"mailu/mailu.env": "A=1\n" * 100_000}, CHECK, "mailu.env is larger than 256 kB"),
        ({}, ("--mailu-check", "--mailu-deployment=mailu"), "--mailu-from is missing"),
    ],
)
def test_broken_input_is_one_line_and_status_4(
    deployment: Any, files: dict[str, str], args: tuple[str, ...], said: str
) -> None:
    deployment.write(files)
    done = deployment.run(*args, sides=())
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert said in done.errors, done.errors
    assert "Traceback" not in done.out + done.errors
    assert [line for line in done.errors.splitlines() if "  → " in line]


def test_proposed_files_are_written_into_a_new_folder_and_the_report_says_where(deployment: Any) -> None:
    files = before(deployment)
    done = deployment.run(*CHECK, "--mailu-fix=proposed", "--mailu-report=out", sides=())
    assert done.status == pytest.ExitCode.TESTS_FAILED
    notes = deployment.json("out/report.json")["notes"]
    diff = deployment.path / "proposed" / "changes.diff"
    assert f"3 lines changed, see {diff}. Your own files are as they were." in notes
    assert "+PORTS=25,80,110,143,443,465,587,993,995,4190" in diff.read_text().splitlines()
    assert {path.name for path in (deployment.path / "proposed").iterdir()} == {
        *("mailu.env", "docker-compose.yml", "changes.diff", "NOTES.md")
    }
    assert before(deployment) == files
    again = deployment.run(*CHECK, "--mailu-fix=proposed", sides=())
    assert again.status == pytest.ExitCode.USAGE_ERROR
    assert "is not empty" in again.errors


def test_the_logs_say_whom_a_closed_port_hits_and_are_not_recorded(deployment: Any) -> None:
    line = 'client logged in, client: 198.51.100.7, server: 0.0.0.0:587, login: "zoltan@a.example"\n'
    deployment.write({"mail.log": line * 3})
    done = deployment.run(*CHECK, "--mailu-logs=mail.log", "--mailu-report=out", sides=())
    assert done.status == pytest.ExitCode.TESTS_FAILED
    assert "In the logs: 3 logins of 1 user from 1 address." in " ".join(done.out.split())
    written = "".join(path.read_text("utf-8") for path in (deployment.path / "out").iterdir())
    assert "zoltan" not in written + done.out
    asked = deployment.run(*CHECK, "--mailu-logs=mail.log", "--mailu-logs=mail.log", "--mailu-logs-names", sides=())
    assert "6 logins of 1 user from 1 address (zoltan@a.example)." in " ".join(asked.out.split())
    alone = deployment.run(*CHECK, "--mailu-logs-names", sides=())
    assert (alone.status, "there are no logs" in alone.errors) == (pytest.ExitCode.USAGE_ERROR, True)
    missing = deployment.run(*CHECK, "--mailu-logs=none.log", sides=())
    assert missing.status == pytest.ExitCode.USAGE_ERROR


def test_the_plan_of_a_check_names_what_is_checked_and_starts_nothing(deployment: Any) -> None:
    done = deployment.run(*CHECK, "--mailu-plan", sides=())
    assert done.status == pytest.ExitCode.OK
    assert "things in the files of the deployment, without a container" in done.out
    assert "sealed world" not in done.out


def test_a_moving_tag_without_an_engine_says_what_to_add(deployment: Any) -> None:
    deployment.write({"mailu/docker-compose.yml": COMPOSE.replace(":2.0.43", ":2.0")})
    done = deployment.run(*CHECK, sides=(), DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "the tag 2.0 stands for many releases" in done.errors
    assert "Add --mailu-from and the release, such as 2.0.43" in done.errors


def test_the_check_alone_loads_nothing_that_only_stacks_need(tmp_path: Path) -> None:
    """What keeps it short; benchmarks/without_engine.py has the time. Only the plugins that users have."""
    folder = Path(__file__).parents[1] / "deployment" / "deployments" / "20-everything"
    arguments = ("--mailu-check", f"--mailu-deployment={folder}", "--mailu-from=2.0.43", "--mailu-to=2024.06")
    plugins = ("-p", "pytest_mailu.plugin", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pytest", *plugins, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "DOCKER_HOST": "unix:///nowhere"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "NO-GO  2.0.43 → 2024.06" in done.stdout
    loaded = set(re.findall(r"\| +([a-z_]\w*)$", done.stderr, re.MULTILINE))
    assert "yaml" in loaded
    assert not loaded & {"aiosmtplib", "cryptography", "dkim", "docker", "httpx", "requests", "testinfra", "trustme"}
