"""What tests of several modules of behaviours share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.behaviours.web_mail import WebMail


@pytest.fixture
def web_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WebMail:
    """Web mail at a site of its own."""
    return WebMail(tmp_path, monkeypatch)
