"""A run that somebody ends, by Ctrl-C or as CI does it: the report is written, and it says that it is not whole."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

HANGS = """
import threading

def test_hangs():
    print("it hangs now", flush=True)
    threading.Event().wait()
"""
OWN_FIRST = """
import time
import pytest

def pytest_collection_modifyitems(items):
    items.reverse()

@pytest.fixture(autouse=True)
def everything_is_compared(request):
    run = request.config.pluginmanager.get_plugin("mailu-active").runs.first.run
    while len(run.settled) < len(request.session.items) - 1:
        time.sleep(0.01)
"""


@contextmanager
def hanging(folder: Any, *args: str) -> Iterator[subprocess.Popen[str]]:
    """A run whose last item waits for ever, once it does; killed where nothing else ends it."""
    command = folder.command("-s", "-k", "submission or hangs", "--mailu-report=out", *args, "test_hangs.py")
    with subprocess.Popen(
        command, cwd=folder.path, env=folder.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        dog = threading.Timer(60, process.kill)
        dog.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "it hangs now" in line:
                    break
            else:
                raise AssertionError("it ended before it could hang")
            yield process
        finally:
            dog.cancel()
            process.kill()


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_what_was_asked_before_the_end_is_reported(folder: Any) -> None:
    folder.write({"test_hangs.py": HANGS})
    with hanging(folder) as process:
        code, out = ended(process, signal.SIGTERM)
    assert code == pytest.ExitCode.INTERRUPTED
    report = folder.json("out/report.json")
    assert report["decision"] == "no-go"
    assert not report["notes"]
    assert re.search(r"NO-GO.*  2\.0\.43 → 2024\.06\.24", out)
    assert "Traceback" not in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_compared_before_its_item_ran_is_reported(folder: Any, number: signal.Signals) -> None:
    folder.write({"test_hangs.py": HANGS, "conftest.py": OWN_FIRST})
    with hanging(folder) as process:
        code, out = ended(process, number)
    assert code == pytest.ExitCode.INTERRUPTED
    report = folder.json("out/report.json")
    assert report["decision"] == "no-go"
    assert sum(report["counts"].values()) == report["selected"] > 10
    assert folder.json("out/new.json")["observations"]
    assert re.search(r"NO-GO.*  2\.0\.43 → 2024\.06\.24", out)


def test_the_controller_of_xdist_reports_when_it_is_terminated(folder: Any) -> None:
    folder.write(
        {"test_hangs.py": HANGS.replace("print(", "import sys; print(").replace("flush", "file=sys.stderr, flush")}
    )
    with hanging(folder, "-n1", "-pxdist.plugin") as process:
        code, out = ended(process, signal.SIGTERM)
    assert code == pytest.ExitCode.INTERRUPTED
    assert folder.json("out/report.json")["decision"] == "no-go"
    assert re.search(r"NO-GO.*  2\.0\.43 → 2024\.06\.24", out)
