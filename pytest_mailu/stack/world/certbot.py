"""The files that certbot leaves for Mailu's `front`: two lineages, one with an RSA key and one with an ECDSA key.

Sources: core/nginx/letsencrypt.py (`--cert-name`, `--config-dir`) and core/nginx/config.py, 1.9 to master; certbot's
documentation, "Where are my certificates?", and certbot/_internal/storage.py for the links and the file in `renewal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pytest_mailu.core.file_content import Content, Link
from pytest_mailu.stack.world.certificates import Certificate, KeyKind, certificate

FOLDER = "/certs/letsencrypt"
"""certbot's folder of configuration in `front`, in the volume of the certificates."""
LINEAGES: Mapping[str, KeyKind] = MappingProxyType({"mailu": KeyKind.RSA, "mailu-ecdsa": KeyKind.ECDSA})
"""The names of certbot's certificates, and the kind of key that each has."""
HOOK = "/config.py"
"""What certbot runs after it has got certificates (`--post-hook`): it has nginx and Dovecot read them."""
PARTS = ("cert", "chain", "fullchain", "privkey")
_RENEWAL = """\
version = 1.21.0
archive_dir = {folder}/archive/{name}
{files}

[renewalparams]
authenticator = standalone
key_type = {kind}
pref_challs = http-01,
http01_port = 8008
server = https://acme-v02.api.letsencrypt.org/directory
"""
"""The file that says how a certificate is renewed. Without it certbot finds no certificate of this name."""


def own(name: str, *hosts: str) -> Certificate:
    """The certificate of a lineage in a stack that starts; the same one for both sides of a run."""
    return certificate(*hosts, kind=LINEAGES[name], chained=True)


def contents(issued: Certificate) -> dict[str, str]:
    """What each part of a lineage has in it, by its name in `PARTS`."""
    return {
        "cert": issued.certificate,
        "chain": issued.chain,
        "fullchain": issued.certificate + issued.chain,
        "privkey": issued.key,
    }


def files(name: str, issued: Certificate, number: int = 1) -> dict[str, Content]:
    """A lineage as certbot leaves it after so many issues: path → content, or the link that stands there."""
    found: dict[str, Content] = {}
    for part, text in contents(issued).items():
        found[f"{FOLDER}/archive/{name}/{part}{number}.pem"] = text.encode()
        found[f"{FOLDER}/live/{name}/{part}.pem"] = Link(f"../../archive/{name}/{part}{number}.pem")
    return {**found, f"{FOLDER}/renewal/{name}.conf": renewal(name).encode()}


def renewal(name: str) -> str:
    """The file that says how a lineage is renewed."""
    listed = "\n".join(f"{part} = {FOLDER}/live/{name}/{part}.pem" for part in PARTS)
    return _RENEWAL.format(folder=FOLDER, name=name, files=listed, kind=LINEAGES[name].lower())
