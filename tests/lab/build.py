"""Builds the lab's images from Debian's packages: `python -m tests.lab.build [--org lab.example/mailu] [--remove]`.

The first build takes a minute or two; after that everything is found by the hash of what it is made of. Packages come
from wherever this machine's own apt takes Debian's; nothing of its configuration stays in an image.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import io
import itertools
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound
from docker.models.images import Image

ORG = os.environ.get("LAB_ORG", "lab.example/mailu")
"""What to set DOCKER_ORG to; no registry has that name. Checkouts that are tested side by side need one each."""
RELEASES = {"2.0": ("2.0", "2.0.1"), "2024.06": ("2024.06", "2024.06.1")}
"""Personality → the tags that stand for it."""
NEWEST = "2024.06"
SERVICES = {
    "front": "nginx",
    "admin": "admin",
    "imap": "dovecot",
    "smtp": "postfix",
    "antispam": "rspamd",
    "redis": "redis",
}
"""Service → image, as in Mailu's compose file."""
OPTIONAL = {
    "webdav": "radicale",
    "webmail": "webmail",
    "antivirus": "clamav/clamav-debian",
    "oletools": "oletools",
    "fetchmail": "fetchmail",
    "fts_attachments": "apache/tika",
}
"""The same of optional services. They are there in the new personality alone, which is what faults are tried in."""
MORE = {
    "front": 'HEALTHCHECK CMD ["bash", "/lab/front/healthy"]',
    "admin": 'VOLUME ["/data", "/dkim"]',
    "imap": 'VOLUME ["/mail"]',
    "smtp": 'VOLUME ["/queue"]',
    "antispam": 'VOLUME ["/var/lib/rspamd"]',
    "webdav": 'VOLUME ["/data"]',
    "webmail": 'VOLUME ["/data"]',
    "fetchmail": 'VOLUME ["/data"]',
    # It is given a command of ClamAV's own image, which ours has no use for.
    "antivirus": 'ENTRYPOINT ["tini", "-g", "--", "python3", "/lab/start.py"]',
}
"""What a service's image has besides. The plugin takes the health check of `front` for the sign that it is up."""
LABEL = "org.pytest-mailu.lab"

PACKAGES = (
    *("postfix", "postfix-pcre", "libsasl2-modules"),
    *("dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd", "dovecot-submissiond", "dovecot-managesieved"),
    *("dovecot-sieve", "dovecot-auth-lua", "dovecot-fts-xapian"),
    *("nginx-light", "libnginx-mod-mail", "rspamd", "redis-server"),
    *("radicale", "clamav-daemon", "fetchmail"),
    # FPM comes first: whatever needs PHP would bring Apache otherwise.
    *("php-fpm", "php-cli", "php-sqlite3", "roundcube-core", "roundcube-sqlite3", "roundcube-plugins"),
    *("python3-minimal", "python3-yaml", "tini", "openssl", "ca-certificates", "curl", "procps"),
)
NOT_UNPACKED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
HERE = Path(__file__).parent
CONTEXT = (
    *("start.py", "faults", "losses.py", "admin", "front", "imap", "smtp", "antispam"),
    *("webdav", "webmail", "antivirus", "oletools", "fetchmail", "fts_attachments"),
)
"""What goes into the images, as /lab."""
DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY lab /lab
RUN ln -s /lab/admin/flask /usr/local/bin/flask && useradd --system --no-create-home mailu
WORKDIR /
CMD ["tini", "-g", "--", "python3", "/lab/start.py"]
COPY version /version
ARG SERVICE SERIES
ENV LAB_SERVICE=${SERVICE} LAB_SERIES=${SERIES}
"""
"""What all images have in common comes first: the engine makes that once."""


class LabError(Exception):
    """The lab cannot be built here; the text says why, and what to do."""


def build(org: str = ORG) -> str:
    """Builds whatever is missing and returns the hash that the images carry in their label.

    Whoever comes while another process builds for the same `org` waits for it.
    """
    with (Path(tempfile.gettempdir()) / f"lab-{digest([org.encode()])}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(org)


def _build(org: str) -> str:
    client = engine()
    suite = debian_suite()
    base_hash = digest([suite.encode(), *map(str.encode, PACKAGES)])
    files = lab_files()
    lab_hash = digest([f"{base_hash}{DOCKERFILE}{MORE}{SERVICES}{OPTIONAL}{RELEASES}".encode(), archive(files)])
    if all(label_of(client, image) == lab_hash for image in image_names(org)):
        return lab_hash
    base = f"{org}/base:{base_hash}"
    if label_of(client, base) != base_hash:
        import_base(client, suite, f"{org}/base", base_hash)
    for series, service, name in built():
        dockerfile = f"{DOCKERFILE}{MORE.get(service, '')}\n".encode()
        image, _ = client.images.build(
            fileobj=io.BytesIO(
                archive({"Dockerfile": dockerfile, "version": f"{RELEASES[series][-1]}\n".encode(), **files})
            ),
            custom_context=True,
            buildargs={"BASE": base, "SERVICE": service, "SERIES": series},
            network_mode="none",
            labels={LABEL: lab_hash},
            rm=True,
        )
        for tag in RELEASES[series]:
            retag(client, image, f"{org}/{name}", tag)
        if service == "redis" and label_of(client, "redis:alpine") != "":
            retag(client, image, "redis", "alpine")
    return lab_hash


def retag(client: docker.DockerClient, image: Image, repository: str, tag: str) -> None:
    """Gives `image` a name; the lab's image that had it before goes, unless it is in use."""
    before = None
    with suppress(ImageNotFound):
        before = client.images.get(f"{repository}:{tag}")
    image.tag(repository, tag)
    if before and before.id and before.id != image.id:
        with suppress(DockerException):
            before.reload()
            if not before.tags:
                client.images.remove(before.id)


def remove(org: str = ORG) -> None:
    """Takes the lab's images away, but not the base, which takes longest to make."""
    client = engine()
    redis = ["redis:alpine"] if label_of(client, "redis:alpine") else []
    for name in [*image_names(org), *redis]:
        with suppress(ImageNotFound):
            client.images.remove(name)


def engine() -> docker.DockerClient:
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        raise LabError(f"no Docker engine answers ({error}): start one, or set DOCKER_HOST") from error
    return client


def built() -> list[tuple[str, str, str]]:
    """Personality, service and image of everything that is built."""
    core = [(series, *each) for series, each in itertools.product(RELEASES, SERVICES.items())]
    return [*core, *((NEWEST, *each) for each in OPTIONAL.items())]


def image_names(org: str) -> list[str]:
    return [f"{org}/{name}:{tag}" for series, _, name in built() for tag in RELEASES[series]]


def label_of(client: docker.DockerClient, image: str) -> str | None:
    """The hash in an image's label; "" for an image of somebody else, None where there is none."""
    try:
        labels: dict[str, str] = client.images.get(image).labels
    except ImageNotFound:
        return None
    return labels.get(LABEL, "")


def digest(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:16]


def lab_files() -> dict[str, bytes]:
    """The lab's own files, as they stand in a build context: under lab/."""
    paths = sorted(path for name in CONTEXT for path in [HERE / name, *(HERE / name).rglob("*")])
    return {
        f"lab/{path.relative_to(HERE)}": path.read_bytes()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar archive, always the same for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        # Folders as well: what the engine makes by itself has the mode that its own umask leaves.
        for folder in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if content.startswith(b"#!") else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def debian_suite() -> str:
    """The code name of the Debian that this machine runs: the lab is made of the same."""
    with suppress(OSError):
        release = dict(
            line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line
        )
        if release.get("ID", "").strip('"') == "debian" and "VERSION_CODENAME" in release:
            return release["VERSION_CODENAME"].strip('"')
    raise LabError(
        "this machine does not run Debian: the lab is made of Debian's packages, from the mirror that apt knows"
    )


def debian_sources() -> str:
    """The sources of Debian's own packages, as this machine's apt has them, in the one-line format."""
    pattern = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    found = output("apt-get", "indextargets", "--format", pattern, "Created-By: Packages", "Origin: Debian")
    if not found.strip():
        raise LabError("apt has no list of Debian's packages: run `apt-get update` first")
    return "".join(f"{line}\n" for line in dict.fromkeys(found.splitlines()))


def apt_options() -> list[str]:
    """How this machine's apt fetches (proxies, certificates, logins): for the time of fetching only."""
    dump = output("apt-config", "dump", "--no-empty", "Acquire")
    netrc = ['Dir::Etc::netrc "/etc/apt/auth.conf";', 'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";']
    return [line for line in dump.splitlines() if line.startswith("Acquire::")] + netrc


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def import_base(
    client: docker.DockerClient, suite: str, repository: str, tag: str, packages: Iterable[str] = PACKAGES
) -> None:
    """A root file system with the packages, as an image."""
    if shutil.which("mmdebstrap") is None:
        raise LabError("mmdebstrap is missing: apt-get install mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        tar = Path(folder) / "root.tar"
        command = [
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"),
            *("--aptopt=APT::Install-Recommends false", *(f"--aptopt={option}" for option in apt_options())),
            *("--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude={path}" for path in NOT_UNPACKED)),
            '--customize-hook=cd "$1"/etc && rm -rf apt/sources.list* apt/apt.conf.d/99mmdebstrap resolv.conf hostname',
            *(suite, str(tar), "-"),
        ]
        made = subprocess.run(command, check=False, input=debian_sources(), text=True, capture_output=True)
        if made.returncode:
            raise LabError("mmdebstrap failed (it needs root, or user namespaces):\n" + made.stderr[-2000:])
        client.api.import_image(src=str(tar), repository=repository, tag=tag, changes=[f"LABEL {LABEL}={tag}"])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.build", description=__doc__.splitlines()[0])
    parser.add_argument("--org", default=ORG, help="what DOCKER_ORG will be (default: %(default)s)")
    parser.add_argument("--remove", action="store_true", help="take the images away instead")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.remove:
            remove(chosen.org)
        else:
            print(f"{chosen.org}: {build(chosen.org)}")
    except (LabError, DockerException, subprocess.CalledProcessError) as error:
        print(f"the lab cannot be built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
