"""The antivirus without the internet: it starts with one signature of ours, and finds the test virus (EICAR) by it.

Mailu's own image (to 2.0: optional/clamav) asks for signatures, gets none, and starts all the same. ClamAV's own image
ends then, or has all signatures in it, which take a gigabyte of memory: there, clamd starts alone, on a volume of
ours (its entry point runs a command that it is given: clamav-docker, docker-entrypoint.sh).
"""

from __future__ import annotations

import re
from typing import Any

from pytest_mailu.core.eicar import EICAR
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.compose.command import Model

_FILE = "pytest-mailu.ndb"
_CLAMAV = re.compile(r"(^|/)clamav/clamav(-debian)?([:@]|$)")
_FOLDER, _MAILU_FOLDER = "/var/lib/clamav", "/data"
"""Where ClamAV's own image and Mailu's have their signatures."""


def signature_files(image: str) -> dict[str, bytes]:
    """What is copied into the antivirus: the signature of the test virus, where this image looks for signatures.

    It is an extended signature (ClamAV, "Body-based Signature Content Format"): in any file, anywhere.
    """
    folder = _FOLDER if _CLAMAV.search(image) else _MAILU_FOLDER
    return {f"{folder}/{_FILE}": f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n".encode()}


def of_mailu(service: Model, release: Release) -> Model:
    """The antivirus of compose/services.yml as the series has it: to 2.0 in SUBNET, beside Rspamd's data."""
    return {**service, "networks": ["default"], "volumes": ["filter:/data"]} if release.has_own_antivirus else service


def started_offline(service: Model, release: Release) -> Model:
    """What is laid over a model so that its antivirus starts with our signature alone. Nothing for Mailu's image."""
    image = str(service.get("image", "")).replace("${MAILU_ANTIVIRUS_IMAGE}", release.antivirus_image())
    if not _CLAMAV.search(image):
        return {}
    mounts = [str(mount) for mount in service.get("volumes") or ()]
    theirs = [mount for mount in mounts if mount.split(":")[1] not in (_FOLDER, _MAILU_FOLDER)]
    sources = [mount.split(":")[0] for mount in mounts if mount not in theirs]
    source = sources[0] if sources else "clamav"
    changes: dict[str, Any] = {"command": ["clamd", "--foreground"]}
    # Without `nocopy` the engine fills the new volume with the image's own signatures.
    changes["volumes"] = [*theirs, f"{source}:{_FOLDER}:nocopy"]
    return {"services": {"antivirus": changes}, "volumes": {source: {}}}
