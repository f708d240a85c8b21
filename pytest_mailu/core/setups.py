"""Set-ups: how people run Mailu, as data. One entry of `SETUPS` is all that a new one needs.

Sources: core/nginx/config.py, core/nginx/conf/nginx.conf and core/nginx/dovecot/proxy.conf of 1.9.50, 2.0.43 and
2024.06.24; core/admin/mailu/configuration.py of the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pytest_mailu.core.databases import MARIADB, POSTGRESQL, server_in
from pytest_mailu.core.endpoints import (
    HTTP_80,
    HTTPS_443,
    IMAP_143,
    IMAPS_993,
    POP3_110,
    POP3S_995,
    SIEVE_4190,
    SMTP_25,
    SUBMISSION_587,
    SUBMISSIONS_465,
    Endpoint,
    Protocol,
)
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.model import Vantage
from pytest_mailu.core.optional_services import (
    ANTIVIRUS,
    OLETOOLS,
    OPTIONAL_SERVICES,
    STARTED,
    WEBMAIL,
    offered,
    service_words,
)
from pytest_mailu.core.proxies import PROXY_SETTINGS, Proxies, proxies_of
from pytest_mailu.core.releases import Release
from pytest_mailu.core.web_mails import NO_WEB_MAIL, WebMailKind


class Feature(StrEnum):
    """What a behaviour can need of a set-up."""

    MAIL_TLS = "mail-tls"
    WEB_TLS = "web-tls"
    OWN_CERTIFICATE = "own-certificate"
    CERTBOT = "certbot"
    ACME = "acme"
    ROUNDCUBE = "roundcube"
    SNAPPYMAIL = "snappymail"
    PROXIED = "proxied"
    """At an endpoint: a reverse proxy is before it that tells Mailu who connects."""
    PROXY_PROTOCOL = "proxy-protocol"
    """At an endpoint: that proxy sends the PROXY protocol."""
    PROXY_HEADER = "proxy-header"
    """At an endpoint: that proxy names the client in an HTTP header."""
    RAINLOOP = "rainloop"
    DATABASE = "database"
    IPV6 = "ipv6"

    @property
    def words(self) -> str:
        """For people."""
        return _FEATURE_WORDS[self]


_FEATURE_WORDS = {
    Feature.MAIL_TLS: "Mailu's own TLS on the mail ports",
    Feature.WEB_TLS: "Mailu's own TLS on the web site",
    Feature.OWN_CERTIFICATE: "a certificate that the administrator puts into /certs",
    Feature.CERTBOT: "certificates that certbot gets",
    Feature.ACME: "certificate authorities with ACME in the sealed world",
    Feature.ROUNDCUBE: "Roundcube as web mail",
    Feature.SNAPPYMAIL: "SnappyMail as web mail",
    Feature.PROXIED: "a reverse proxy that tells Mailu who connects",
    Feature.PROXY_PROTOCOL: "a reverse proxy that sends the PROXY protocol",
    Feature.PROXY_HEADER: "a reverse proxy that names the client in an HTTP header",
    Feature.RAINLOOP: "RainLoop as web mail",
    Feature.DATABASE: "a database server beside admin",
    Feature.IPV6: "IPv6 (SUBNET6)",
}
WEB_MAILS: Mapping[WebMailKind, Feature] = {
    WebMailKind.ROUNDCUBE: Feature.ROUNDCUBE,
    WebMailKind.SNAPPYMAIL: Feature.SNAPPYMAIL,
    WebMailKind.RAINLOOP: Feature.RAINLOOP,
}
"""The web mails that behaviours ask, and what these need of a set-up."""


def words_of(features: Iterable[Feature]) -> str:
    """Features for people, in one phrase."""
    return " and ".join(feature.words for feature in Feature if feature in set(features))


@dataclass(frozen=True, slots=True)
class Flavour:
    """A value of TLS_FLAVOR, and what it means for who connects.

    `moved` maps an endpoint that this flavour does not mean to the one that people use in its place. With
    `web_through_proxy`, a reverse proxy ends TLS for browsers and hands their requests to port 80.
    """

    name: str
    features: frozenset[Feature]
    moved: Mapping[Endpoint, Endpoint] = field(default_factory=dict, hash=False)
    web_through_proxy: bool = False


TLS_FEATURES = frozenset({Feature.MAIL_TLS, Feature.WEB_TLS})
"""What depends on the flavour."""
_OWN = frozenset({Feature.OWN_CERTIFICATE})
_CERTBOT = frozenset({Feature.CERTBOT})
_PLAIN = {
    SMTP_25: SMTP_25.in_plain_text,
    SUBMISSION_587: SUBMISSION_587.in_plain_text,
    SUBMISSIONS_465: SUBMISSION_587.in_plain_text,
    IMAP_143: IMAP_143.in_plain_text,
    IMAPS_993: IMAP_143.in_plain_text,
    POP3_110: POP3_110.in_plain_text,
    POP3S_995: POP3_110.in_plain_text,
    SIEVE_4190: SIEVE_4190.in_plain_text,
    HTTPS_443: HTTP_80,
}
"""Where nothing has TLS: who used a port with TLS uses the protocol's other port."""
_MAIL_ONLY = {HTTPS_443: HTTP_80}

FLAVOURS: Mapping[str, Flavour] = {
    flavour.name: flavour
    for flavour in (
        Flavour("cert", TLS_FEATURES | _OWN),
        Flavour("letsencrypt", TLS_FEATURES | _CERTBOT),
        Flavour("mail", frozenset({Feature.MAIL_TLS}) | _OWN, _MAIL_ONLY, web_through_proxy=True),
        Flavour("mail-letsencrypt", frozenset({Feature.MAIL_TLS}) | _CERTBOT, _MAIL_ONLY, web_through_proxy=True),
        Flavour("notls", frozenset(), _PLAIN),
    )
}
"""The values that Mailu knows (core/nginx/config.py, 1.9 to master)."""


def flavour_named(name: str) -> Flavour:
    """What a value of TLS_FLAVOR means; one that Mailu does not know counts as `cert`: Mailu's own end tells of it."""
    return FLAVOURS.get(name, FLAVOURS["cert"])


USUAL_FLAVOURS = frozenset({"cert", "letsencrypt"})
"""The values under which people connect as in the default set-up."""

FROM_FILES = "your-files"
"""The name of the set-up that the user's own files describe."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """How Mailu is run. `settings` are laid over Mailu's defaults, and over the user's own where both are given.

    `in_force` is true where the user's files have these settings already. `services` are the optional services that
    run beside the core ones; `theirs` those that the user's compose file brings along, and `theirs_new` those of a
    file for the new side alone. `one_sided` are optional services that only one of these two files brings along: they
    run there, and what needs them is not compared. `web_mail_new` is the web mail (`WEBMAIL`) of the new side where the
    user's files name another one for it: the two are not compared either. `since` is the first series in which Mailu
    can be run so, where that is not the oldest, and `until` the first one in which it no longer can. `in_a_row` is how
    many reverse proxies stand one behind the other. With `brings_authorities`, certificate authorities with ACME stand
    in the sealed world.
    """

    name: str
    title: str
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    in_force: bool = False
    services: frozenset[str] = frozenset()
    theirs: frozenset[str] = frozenset()
    theirs_new: frozenset[str] | None = None
    one_sided: frozenset[str] = frozenset()
    web_mail_new: str | None = None
    since: str = ""
    until: str = ""
    in_a_row: int = 1
    brings_authorities: bool = False

    def fits(self, release: Release) -> bool:
        """Whether this release can be run so."""
        return (not self.since or release.since(self.since)) and not (self.until and release.since(self.until))

    @property
    def added(self) -> frozenset[str]:
        """The optional services that a stack gets beside those of the user's compose file."""
        return self.services - self.theirs

    @property
    def removed(self) -> frozenset[str]:
        """The optional services of the user's compose file that a stack does not get."""
        return self.theirs - self.services

    @property
    def laid_over(self) -> Mapping[str, str]:
        """The settings that a stack gets beside the user's."""
        if not self.in_force:
            return {**self._switched, **self.settings}
        # Who names a web mail of their own gets that one with `--mailu-with webmail`.
        own = {"WEBMAIL"} if self.settings.get("WEBMAIL", "") not in NO_WEB_MAIL and WEBMAIL in self.services else set()
        return {name: value for name, value in self._switched.items() if name not in own}

    def over(self, user: Mapping[str, str]) -> dict[str, str]:
        """The user's settings with this set-up laid over them. Proxies and IPv6 are those of the set-up alone."""
        own = (*PROXY_SETTINGS, "SUBNET6")
        kept = user if self.in_force else {name: user[name] for name in user if name not in own}
        return {**kept, **self.laid_over}

    @property
    def _switched(self) -> dict[str, str]:
        """The settings of optional services that are added or removed."""
        on = [OPTIONAL_SERVICES[name].on for name in sorted(self.added)]
        off = [OPTIONAL_SERVICES[name].off for name in sorted(self.removed)]
        return {name: value for settings in (*on, *off) for name, value in settings.items()}

    def with_services(
        self,
        added: Iterable[str] = (),
        removed: Iterable[str] = (),
        theirs: Iterable[str] = (),
        theirs_new: Iterable[str] | None = None,
    ) -> SetUp:
        """The same with more optional services and with fewer.

        `theirs` are those of the user's compose file, `theirs_new` those of the file for the new side, if it has one.
        """
        here = frozenset(theirs)
        there = here if theirs_new is None else frozenset(theirs_new)
        old, new = ((self.services | own | frozenset(added)) - frozenset(removed) for own in (here, there))
        return replace(
            self, services=old & new, theirs=here, theirs_new=None if there == here else there, one_sided=old ^ new
        )

    def among(self, releases: Iterable[Release]) -> SetUp:
        """The same without the services that a stack would be given and one of these releases does not have."""
        had = self.added
        for release in releases:
            had = offered(had, release)
        return replace(self, services=self.services - (self.added - had))

    def of_side(self, *, new: bool) -> SetUp:
        """The set-up of one side, which has what its own compose file brings along."""
        theirs = self.theirs_new if new and self.theirs_new is not None else self.theirs
        services = self.services | (self.one_sided & theirs)
        web_mail = {"WEBMAIL": self.web_mail_new} if new and self.web_mail_new is not None else {}
        return replace(
            self,
            settings={**self.settings, **web_mail},
            services=services,
            theirs=theirs,
            theirs_new=None,
            one_sided=frozenset(),
            web_mail_new=None,
        )

    def with_web_mail_of(self, files: SetUp) -> SetUp:
        """The same with the web mail that the user's files name for both sides, unless it has one of its own."""
        own = files.settings.get("WEBMAIL", "")
        if "WEBMAIL" in self.settings or own in NO_WEB_MAIL or files.web_mail_new is not None:
            return self
        return replace(self, settings={**self.settings, "WEBMAIL": own})

    @property
    def flavour(self) -> Flavour:
        """What TLS_FLAVOR says."""
        return flavour_named(self.settings.get("TLS_FLAVOR", ""))

    @property
    def web_mails(self) -> tuple[str, str]:
        """The values of `WEBMAIL` on the old side and on the new one."""
        kind = {**self.settings, **self.laid_over}.get("WEBMAIL", "")
        laid_over = self.in_force and "WEBMAIL" in self.laid_over
        return kind, kind if self.web_mail_new is None or laid_over else self.web_mail_new

    @property
    def features(self) -> frozenset[Feature]:
        """What behaviours can need, and this set-up has at every endpoint."""
        old, new = self.web_mails
        same = WEBMAIL in self.services and old == new
        found = {feature for name, feature in WEB_MAILS.items() if same and name == old}
        database = {Feature.DATABASE} if server_in(self.settings) is not None else set[Feature]()
        six = {Feature.IPV6} if self.settings.get("SUBNET6") else set[Feature]()
        authorities = {Feature.ACME} if self.brings_authorities else set[Feature]()
        return self.flavour.features | found | database | six | authorities

    def features_at(self, endpoint: Endpoint | None) -> frozenset[Feature]:
        """The same with what it has where people connect who connect to `endpoint` in the default set-up."""
        proxies = self.proxies
        if endpoint is None or not proxies:
            return self.features
        here = self.endpoint(endpoint)
        found = {Feature.PROXY_PROTOCOL} if here.port in proxies.ports else set[Feature]()
        found |= {Feature.PROXY_HEADER} if here.protocol is Protocol.HTTP and proxies.header else set()
        return self.features | found | ({Feature.PROXIED} if found else set())

    @property
    def proxies(self) -> Proxies:
        """The reverse proxies that tell Mailu who connects."""
        return proxies_of(self.settings, self.in_a_row)

    @property
    def brings_database(self) -> bool:
        """Whether it names a database server, whatever the user's files say of one."""
        return server_in(self.laid_over) is not None

    def endpoint(self, endpoint: Endpoint) -> Endpoint:
        """Where people connect in this set-up who connect to `endpoint` in the default one."""
        return self.flavour.moved.get(endpoint, endpoint) if type(endpoint) is Endpoint else endpoint

    def through_proxy(self, endpoint: Endpoint) -> bool:
        """Whether who means `endpoint` comes through a reverse proxy that ends TLS."""
        ended = self.flavour.web_through_proxy or (self.flavour.moved.get(HTTPS_443) == HTTP_80 and self.proxies.header)
        return endpoint == HTTPS_443 and bool(ended)

    @property
    def words(self) -> str:
        """The settings and optional services, for people."""
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.items()) or "Mailu's defaults"
        return f"{settings}; with {service_words(self.services)}" if self.services else settings


DEFAULT = SetUp("default", "Mailu's own defaults, with a certificate")

USUAL = frozenset({DEFAULT.name, FROM_FILES})
"""Set-ups that nobody has to name."""

PORTS_WITHOUT_TLS = "25,80,110,143,587,4190"


def at_place(vantage: Vantage) -> str:
    """What stands in a setting for the address of a vantage, which each stack chooses anew."""
    return f"<{vantage}>"


NEAR_PROXY = at_place(Vantage.PROXY)
BALANCER = "<balancer>"
"""The same for the load balancer's address in Mailu's own network, by which its services reach port 25."""
BOTH_PROXIES = f"{NEAR_PROXY},{at_place(Vantage.FAR_PROXY)}"
_BY_HEADER = {"REAL_IP_HEADER": "X-Forwarded-For", "REAL_IP_FROM": NEAR_PROXY}
_BALANCED = {"REAL_IP_FROM": f"{NEAR_PROXY},{BALANCER}"}

SETUPS: Sequence[SetUp] = (
    DEFAULT,
    SetUp("notls", "no TLS at all: something before Mailu ends it, or nothing does", {"TLS_FLAVOR": "notls"}),
    SetUp(
        "notls-ports",
        "no TLS at all, and every port without TLS named in PORTS, which 2024.06 serves only then",
        {"TLS_FLAVOR": "notls", "PORTS": PORTS_WITHOUT_TLS},
    ),
    SetUp("mail", "TLS on the mail ports; a reverse proxy ends it for the web site", {"TLS_FLAVOR": "mail"}),
    SetUp(
        "letsencrypt", "certificates where certbot leaves them, one RSA and one ECDSA", {"TLS_FLAVOR": "letsencrypt"}
    ),
    SetUp(
        "mail-letsencrypt",
        "the same on the mail ports; a reverse proxy ends TLS for the web site",
        {"TLS_FLAVOR": "mail-letsencrypt"},
    ),
    SetUp(
        "acme",
        "the same as `letsencrypt`, with certificate authorities from which certbot gets certificates (Pebble)",
        {"TLS_FLAVOR": "letsencrypt"},
        brings_authorities=True,
    ),
    SetUp(
        "snappymail",
        "Mailu's own defaults, with SnappyMail as web mail",
        {"WEBMAIL": str(WebMailKind.SNAPPYMAIL)},
        services=frozenset({WEBMAIL}),
        since="2.0",
    ),
    SetUp(
        "rainloop",
        "Mailu's own defaults, with RainLoop as web mail (1.9 alone)",
        {"WEBMAIL": str(WebMailKind.RAINLOOP)},
        services=frozenset({WEBMAIL}),
        until="2.0",
    ),
    SetUp(
        "behind-proxy",
        "a reverse proxy ends TLS for the web site, and names browsers in X-Forwarded-For",
        {"TLS_FLAVOR": "mail", **_BY_HEADER},
    ),
    SetUp(
        "behind-proxy-tls",
        "the same with TLS between the proxy and Mailu as well",
        _BY_HEADER,
    ),
    SetUp(
        "behind-proxy-notls",
        "a reverse proxy ends TLS for everything: mail comes by the PROXY protocol, browsers with X-Forwarded-For",
        {"TLS_FLAVOR": "notls", "PORTS": PORTS_WITHOUT_TLS, "PROXY_PROTOCOL": "mail", **_BY_HEADER, **_BALANCED},
    ),
    SetUp(
        "two-proxies",
        "two reverse proxies in a row before the web site, both in X-Forwarded-For",
        {"TLS_FLAVOR": "mail", "REAL_IP_HEADER": "X-Forwarded-For", "REAL_IP_FROM": BOTH_PROXIES},
        in_a_row=2,
    ),
    SetUp(
        "proxy-protocol",
        "a load balancer before all ports, which sends the PROXY protocol and leaves TLS to Mailu",
        {"PROXY_PROTOCOL": "all", **_BALANCED},
    ),
    SetUp(
        "proxy-protocol-and-header",
        "a load balancer with the PROXY protocol before all ports, and a reverse proxy with X-Forwarded-For before it",
        {
            "TLS_FLAVOR": "mail",
            "PROXY_PROTOCOL": "all",
            "REAL_IP_HEADER": "X-Forwarded-For",
            "REAL_IP_FROM": f"{BOTH_PROXIES},{BALANCER}",
        },
        in_a_row=2,
    ),
    SetUp(
        "scanners",
        "Mailu's own defaults, with the antivirus and the scanner of macros",
        services=frozenset({ANTIVIRUS, OLETOOLS}),
    ),
    SetUp("ipv6", "Mailu's own defaults, with IPv6 beside IPv4 in every network", {"SUBNET6": "fd00::/64"}),
    SetUp("all-services", "Mailu's own defaults, with every optional service that a run can start", services=STARTED),
    SetUp("postgres", f"accounts in PostgreSQL (`{POSTGRESQL.image}`) beside admin", {"DB_FLAVOR": "postgresql"}),
    SetUp("mariadb", f"accounts in MariaDB (`{MARIADB.image}`) beside admin", {"DB_FLAVOR": "mysql"}),
)
"""Every set-up that has a name."""

_BY_NAME = {setup.name: setup for setup in SETUPS}


def setup_named(name: str) -> SetUp:
    """The set-up of a name; raises UsageError, with those that there are, for an unknown one."""
    if name not in _BY_NAME:
        raise UsageError(f"--mailu-setup: there is no set-up {name!r}", f"Choose one of {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]


def setup_of_files(settings: Mapping[str, str]) -> SetUp:
    """The set-up that the user's own settings describe: what of them decides where people connect, and to what."""
    return SetUp(FROM_FILES, "what your own files describe", _decisive(settings), in_force=True)


def setup_of_side(name: str, settings: Mapping[str, str], services: Iterable[str] = ()) -> SetUp:
    """The set-up that a recording was made with, by its name, or by its settings where the name is of another time.

    `services` are the services that it was made with; of them, the optional ones count.
    """
    found = _BY_NAME.get(name) or SetUp(name, "what a recording was made with", _decisive(settings))
    found = replace(found, services=STARTED & frozenset(services))
    web_mail = settings.get("WEBMAIL", "")
    if WEBMAIL not in found.services or web_mail in (*NO_WEB_MAIL, found.web_mails[0]):
        return found
    return replace(found, settings={**found.settings, "WEBMAIL": web_mail})


DECISIVE = ("TLS_FLAVOR", "WEBMAIL", "SUBNET6", *PROXY_SETTINGS)
"""The settings that say where people connect, to what, and how."""


def _decisive(settings: Mapping[str, str]) -> dict[str, str]:
    found = {key: settings[key] for key in DECISIVE if settings.get(key)}
    server = server_in(settings)
    return found if server is None else {**found, "DB_FLAVOR": server.flavour}


def tls_of(protocol: Protocol) -> Feature:
    """The feature that TLS on a port of this protocol is."""
    return Feature.WEB_TLS if protocol is Protocol.HTTP else Feature.MAIL_TLS
