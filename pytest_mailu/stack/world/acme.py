"""Certificate authorities with ACME (RFC 8555) in the sealed world: what they are told, and how certbot is led to them.

They are Pebble, the server that Let's Encrypt makes for tests. One issues certificates, the other one refuses Mailu's
domain. certbot reads `/etc/letsencrypt/cli.ini` whatever its `--config-dir` is, so nothing in an image is changed.

Sources: cmd/pebble/main.go and ca/ca.go of Pebble 2.4 to 2.9; certbot's documentation, "Configuration file";
core/nginx/letsencrypt.py of Mailu, 1.9 to master.
"""

from __future__ import annotations

import json

from pytest_mailu.core.file_content import Content
from pytest_mailu.core.population import DOMAIN
from pytest_mailu.stack.world.certificates import authority, certificate

ISSUING, REFUSING = "acme", "acme-refusing"
SERVICES = (ISSUING, REFUSING)
"""The services of compose/acme.yml."""
PORT = 14000
FOLDER = "/acme"
CERTBOT_FOLDER = "/etc/letsencrypt"
"""Where certbot looks for its configuration file in `front`."""
TRUSTED = f"{CERTBOT_FOLDER}/authority.pem"
"""The authority that has issued the certificates of both servers themselves."""
_VALID_SECONDS = 90 * 24 * 3600
"""As those of Let's Encrypt are."""


def files(service: str) -> dict[str, Content]:
    """What is copied into one of them: path → content."""
    own = certificate(service)
    return {
        f"{FOLDER}/config.json": json.dumps({"pebble": _configuration(service)}).encode(),
        f"{FOLDER}/cert.pem": own.certificate.encode(),
        f"{FOLDER}/key.pem": own.key.encode(),
    }


def _configuration(service: str) -> dict[str, object]:
    """As Let's Encrypt does by default, the first host name becomes the common name; Pebble to 2.4 does so anyway."""
    profile = {"description": "classic", "validityPeriod": _VALID_SECONDS, "promoteCommonName": True}
    return {
        "listenAddress": f"0.0.0.0:{PORT}",
        "managementListenAddress": "",
        "certificate": f"{FOLDER}/cert.pem",
        "privateKey": f"{FOLDER}/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "domainBlocklist": [DOMAIN] if service == REFUSING else [],
        "retryAfter": {"authz": 1, "order": 1},
        "certificateValidityPeriod": _VALID_SECONDS,
        "profiles": {"default": profile},
    }


def settings_of_certbot(service: str) -> str:
    """certbot's configuration file that leads to one of them."""
    return f"server = https://{service}:{PORT}/dir\n"


def trusted() -> str:
    """What is in `TRUSTED`."""
    return authority().pem
