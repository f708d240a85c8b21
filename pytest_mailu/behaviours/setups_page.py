"""docs/setups.md, made from the set-ups and the behaviours."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_mailu.behaviours import Matrix
from pytest_mailu.behaviours.in_setup import in_setup
from pytest_mailu.core.databases import SERVERS
from pytest_mailu.core.endpoints import Endpoint
from pytest_mailu.core.optional_services import OPTIONAL_SERVICES, STARTED
from pytest_mailu.core.setups import FLAVOURS, SETUPS, TLS_FEATURES, Feature, Flavour
from pytest_mailu.stack.settings.variants import VARIANTS
from pytest_mailu.stack.world import acme

HEAD = """\
# Set-ups: the ways to run Mailu

Made by `python -m tests.pages` from `pytest_mailu/core/setups.py`. A test keeps it up to date.

A *set-up* is how Mailu is run: its settings, its optional services, its TLS flavour, and who ends TLS. A run has one:

* **the one of your files** (`--mailu-deployment`, `--mailu-env`, `--mailu-compose`): what they say of `TLS_FLAVOR`
  decides, and which services the compose file has. With `--mailu-compose-new`, each side runs the services of its own
  file; compared is what needs those that both have, and people go on connecting as they did;
* **`default`** where you name no files;
* **`--mailu-setup NAME`** for another one. It is laid over your files, if you name any. Several are compared one
  after the other (`--mailu-setup notls --mailu-setup mail`): ids then end in `@NAME`, there is a decision for each,
  and `--mailu-report DIR` writes into `DIR/NAME`. Such a run does not go with pytest-xdist;
* **that of a recording**, where a side is one. A recording says in which set-up it was made; those of earlier
  versions are of `default`. Two recordings of different set-ups are not compared.

`--mailu-plan` says how many behaviours each set-up of the run answers, what it cannot answer and why, and what none
answers. The report names the set-up in its title, and counts under `left_out` (`set-up`) what that cannot answer. A
run in which most is absent on both sides says so beside its decision.
"""
SERVICES_HEAD = """\
## Optional services

A run starts the core services, and of the optional ones those of its set-up. `--mailu-with NAME,…` starts more of
them, `--mailu-without NAME,…` fewer, also of those in your compose file. Behaviours that need a service which does not
run are left out and counted (`service` under `left_out`); the report says beside the decision which services were not
started. A recording keeps the services that it was made with. Where an optional service ends by itself, the rest of
the release is compared all the same.

Images, volumes and networks are those of Mailu's own compose file in each series (`compose/services.yml`). Web mail is
Roundcube, unless your files say otherwise (`WEBMAIL`) or the set-up is `snappymail` or, in 1.9, `rainloop`. Where old
and new have different web mails, what each does is not compared, and the report says so. fetchmail fetches from
mailboxes in the sealed world, whose certificate its container trusts, every 3 seconds (`FETCHMAIL_DELAY`).

| name | what it is | settings | behaviours that need it |
|---|---|---|---|
"""
PROXIES = """\
## Reverse proxies

The sealed world plays the proxy, and two in a row. It has an address of its own (`<proxy>` in the settings above), and
Mailu is told to believe it; a second one (`<far-proxy>`) stands before it in two of the set-ups. **Every** behaviour is
asked through them: on the ports of `PROXY_PROTOCOL`, each connection comes from the proxy and begins with the PROXY
protocol (version 1) for the client's address; browsers come with `X-Forwarded-Proto`, and with the header that
`REAL_IP_HEADER` names. Behaviours under `proxy/` ask besides: whose address reaches logs and login limits, with
versions 1 and 2; whether a connection without the header is refused; whether strangers who go round the proxy, or
browsers behind it, are believed when they name another address; redirects, sessions and uploads; and logins by a
header of the proxy (`PROXY_AUTH_*`). Where port 25 wants the PROXY protocol, Mailu's host names lead to a load balancer
in Mailu's own network (`<balancer>`), by which its services send what users' filters answer and pass on.

Of your own files, `PROXY_PROTOCOL`, `REAL_IP_HEADER` and `REAL_IP_FROM` make the proxies: the PROXY protocol is sent to
the ports that the value means in any series (`http` in 2.0; `all-but-http` and numbers since 2024.06), since a proxy
goes on as it is told, whatever a release makes of the value. 1.9 knows no PROXY protocol: its clients come without, and
what is about it is absent there. `REAL_IP_FROM` becomes the address of the world's proxy. A set-up named with
`--mailu-setup` has its own proxies, and leaves yours out.

Where a port is closed, the connection is refused, as without a proxy. A real load balancer would take and end it.
"""
SCANNERS = """
`oletools` is there since 2.0, `fts_attachments` (Apache Tika) since 2024.06: `--mailu-with` takes no service that one
of the two releases lacks, and a set-up leaves it out.

The antivirus has no internet for its signatures. The plugin gives it one of its own, for the test file that every
scanner knows (EICAR), and nothing else is found. To 2.0, Mailu's own image starts as it always does, and goes on
without other signatures. Since 2024.06, the image is ClamAV's own: its `clamd` is started alone, without freshclam, on
an empty volume; the signatures that are in some of these images are not used. So nothing is said of how an antivirus
updates itself, how long it takes to load all signatures, and how much memory that needs.

Where your compose file has the antivirus of another series (`ghcr.io/mailu/clamav` is not there for 2024.06), the
image of the release is taken; the settings check names the line to change.
"""
DATABASES = """\
## Databases

Where your settings name PostgreSQL, MariaDB or MySQL (`DB_FLAVOR`, `SQLALCHEMY_DATABASE_URI`, and the same of Roundcube
where web mail runs), each stack has such a server beside `admin`, in the sealed network. `admin` is started when it
takes logins.

* Is the server **a service of your compose file** (by its name, `container_name` or an alias), a new one of the same
  image is started, with an empty volume. Settings of its own stay; what makes users and databases (`POSTGRES_*`,
  `MYSQL_*`, `MARIADB_*`) is the run's.
* Is it **elsewhere**, the run brings one, and the report says so. Yours is never connected to.
* **`--mailu-setup postgres`** and the like bring one whatever your files say.

Host, user, password and name are replaced in the form that you use. Of a URL, the driver and `?collation=`, `charset`
stay. The password is made up for each run. An upgrade in place carries the volume of the database over like every
other one.

| kind | `DB_FLAVOR` | image of the run | URLs |
|---|---|---|---|
"""
AUTHORITIES = f"""\
## Certificate authorities

In the set-ups `letsencrypt` and `mail-letsencrypt`, certificates are where certbot leaves them, and certbot finds no
authority. `acme` starts two beside Mailu, in the sealed world: Pebble (`ghcr.io/letsencrypt/pebble`), the server for
tests that Let's Encrypt makes. The behaviours under `tls/acme/` start `front` over: certbot then gets its certificates
from one of them, which looks the host names up in the world's DNS and comes to port 80, or is refused by the other
one. Everything else in this set-up is as in `letsencrypt`.

certbot is led there by its own configuration file (`{acme.CERTBOT_FOLDER}/cli.ini` in the container), and trusts them
by `REQUESTS_CA_BUNDLE`: nothing in an image changes. `HOSTNAMES` has two names meanwhile.
"""
MOVED = """\
## Where people connect

A behaviour is declared at an endpoint of the default set-up. In a set-up where people connect elsewhere, it is
asked there, and its id says so: `access/465-tls/login` is `access/587-plain/login` with `notls`. Where two ports
come down to one, one behaviour is left for them. What documents, DNS records and pages name
(`surface/autoconfig/*/works`) is tried as it is named.

Sources: `core/nginx/config.py`, `core/nginx/conf/nginx.conf`, `core/nginx/dovecot/proxy.conf` of 1.9.50, 2.0.43 and
2024.06.24.
"""
VARIANTS_HEAD = """\
## Variants

Some behaviours need a small change of the set-up's settings. It is made while the stacks run, by making the named
services anew.

| variant | changes | services |
|---|---|---|
"""


def page(matrix: Matrix) -> str:
    """The whole page as Markdown."""
    return "".join(f"{line}\n" for line in _lines(matrix))


def _lines(matrix: Matrix) -> Iterator[str]:
    yield HEAD
    yield "## By name\n"
    yield "| set-up | what it is | settings | optional services | behaviours | cannot answer | lacks the service for |"
    yield "|---|---|---|---|---|---|---|"
    for setup in SETUPS:
        found = in_setup(matrix, setup)
        usual = sum(behaviour.usual for behaviour in found.answered)
        settings = ", ".join(f"`{name}={value}`" for name, value in setup.settings.items()) or "none"
        services = ", ".join(f"`{name}`" for name in sorted(setup.services)) or "none"
        left = f"{len(found.unanswered)} | {len(found.unserved)}"
        yield f"| `{setup.name}` | {setup.title} | {settings} | {services} | {usual} | {left} |"
    yield "\nBehaviours are those of a usual run, without `--mailu-deep` and `--mailu-in-place`.\n"
    yield SERVICES_HEAD.rstrip("\n")
    for name in sorted(STARTED):
        service = OPTIONAL_SERVICES[name]
        settings = ", ".join(f"`{key}={value}`" for key, value in service.on.items())
        needing = sum(name in behaviour.services for behaviour in matrix)
        yield f"| `{name}` | {service.words} | {settings} | {needing} |"
    yield SCANNERS
    yield PROXIES
    yield DATABASES.rstrip("\n")
    for server in SERVERS.values():
        urls = ", ".join(f"`{scheme}://`" for scheme in server.schemes)
        yield f"| {server.words} | `{server.flavour}` | `{server.image}` | {urls} |"
    yield ""
    yield AUTHORITIES
    yield MOVED
    yield "| `TLS_FLAVOR` | moved | what behaviours may not need |"
    yield "|---|---|---|"
    for flavour in FLAVOURS.values():
        lacking = [feature.words for feature in Feature if feature in TLS_FEATURES - flavour.features]
        yield f"| `{flavour.name}` | {_moved(flavour)} | {', '.join(lacking) or 'nothing'} |"
    yield "\nWhat needs each of these:\n"
    for feature in Feature:
        ids = sorted({_glob(behaviour.id) for behaviour in matrix if feature in behaviour.of_setup})
        if ids:
            yield f"* {feature.words}: {', '.join(f'`{id_}`' for id_ in ids)}"
    yield ""
    yield VARIANTS_HEAD.rstrip("\n")
    for variant in VARIANTS:
        # A credential of the test's own relay host says nothing here.
        changes = ", ".join(f"`{name}`" for name in variant.changes) or "none"
        yield f"| `{variant.name}` | {changes} | {', '.join(variant.services) or 'none'} |"


def _moved(flavour: Flavour) -> str:
    found = [f"{_named(usual)} → {_named(here)}" for usual, here in flavour.moved.items()]
    through = " (browsers through a reverse proxy that ends TLS and sends `X-Forwarded-Proto`)"
    return ", ".join(found) + (through if flavour.web_through_proxy else "") or "nothing"


def _named(endpoint: Endpoint) -> str:
    return f"{endpoint.port} {endpoint.tls.words}"


def _glob(id: str) -> str:
    """`tls/*/handshake` for every id that names an endpoint in its second part."""
    family, *rest = id.split("/")
    return f"{family}/*/{'/'.join(rest[1:])}" if rest[0][0].isdigit() else id
