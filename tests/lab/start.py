#!/usr/bin/env python3
"""Starts one service of the lab: fills in its configuration, then runs its daemons until one of them ends.

The service is named by LAB_SERVICE, the personality by LAB_SERIES, what is to go wrong by LAB_FAULT (names of
the faults, with commas).
Everything else is read from Mailu's own settings.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path

from faults import FAULTS, IN_BROWSER, Changes, changes
from losses import inflict

LAB = Path("/lab")
RUN = Path("/run/lab")
DEFAULTS = {
    "DOMAIN": "post.example",
    "HOSTNAMES": "mail.post.example",
    "POSTMASTER": "admin",
    "SUBNET": "127.0.0.0/8",
    "RELAYNETS": "",
    "RELAYHOST": "",
    "RELAYUSER": "",
    "RELAYPASSWORD": "",
    "RECIPIENT_DELIMITER": "+",
    "MESSAGE_SIZE_LIMIT": "50000000",
    "OUTBOUND_TLS_LEVEL": "dane",
    "TLS_FLAVOR": "cert",
    "PORTS": "25,80,443,465,993,995,4190",
    "PROXY_PROTOCOL": "",
    "REAL_IP_HEADER": "",
    "REAL_IP_FROM": "",
    "WEBDAV": "none",
    "WEBMAIL": "none",
    "ANTIVIRUS": "none",
    "SCAN_MACROS": "false",
    "FULL_TEXT_SEARCH_ATTACHMENTS": "false",
    # What only faults set:
    "LAB_STALE": "",
    "LAB_CLOSED": "",
    "LAB_BY_NGINX": "",
    "LAB_STARTTLS_25": "on",
    "LAB_CERTIFICATE_NAME": "",
    "LAB_TLS_FIRST": "yes",
    "LAB_REDIRECT": "",
    "LAB_BELIEVES": "",
    "LAB_NO_PROXY": "",
    "LAB_VIRUS": "CLAM_VIRUS",
    "LAB_MACRO": "OLETOOLS_AUTOMATIC",
    "LAB_SCANNED": "",
    "LAB_FETCH": "",
    "LAB_TIKA": "fts_tika = http://tika:9998/tika/",
    "LAB_SCRIPT": "",
    "LAB_UPLOADS": "50M",
    "LAB_WEBDAV": "",
    "LAB_WEBDAV_ROOT": "/webdav",
    "TLS_MINIMUM": "TLSv1.2",
}
MAIL_PORTS = {
    **{25: ("smtp", "starttls"), 587: ("smtp", "starttls"), 465: ("smtp", "tls")},
    **{143: ("imap", "starttls"), 993: ("imap", "tls"), 110: ("pop3", "starttls"), 995: ("pop3", "tls")},
}
"""Port → protocol, and how it comes by TLS (RFC 8314)."""
WEBMAIL_PORTS = (10143, 10025, 14190)
"""Where web mail comes to the Dovecot in `front`."""
Settings = dict[str, str]
Daemon = list[str]


def settings_for(environ: Mapping[str, str], wrong: Changes) -> Settings:
    """Mailu's settings with the lab's defaults below and those of the faults above."""
    found = {**DEFAULTS, **{key: value for key, value in environ.items() if value or key not in DEFAULTS}}
    found |= wrong.settings
    found["RELAYNETS"] = " ".join(found["RELAYNETS"].split(","))
    found["HOSTNAME"] = found["HOSTNAMES"].split(",")[0]
    found["RESOLVER"] = next(
        line.split()[1] for line in Path("/etc/resolv.conf").read_text().splitlines() if line.startswith("nameserver")
    )
    return found


def address_of(name: str) -> str:
    """The address of another service; waits until it has one."""
    while True:
        try:
            return socket.gethostbyname(name)
        except OSError:
            time.sleep(0.1)


def filled(source: Path, settings: Settings, wrong: Changes, target: Path) -> str:
    """A template of the lab's with its names filled in and the faults' own lines at its end."""
    text = source.read_text("utf-8")
    text += wrong.lines.get(str(source.relative_to(LAB)), "")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(re.sub("@([A-Z][A-Z0-9_]*)@", lambda found: settings[found[1]], text), "utf-8")
    return str(target)


def front(settings: Settings, wrong: Changes) -> list[Daemon]:
    """nginx; and in 2024.06 a Dovecot that serves the mail ports named in PORTS, but for 25."""
    modern = os.environ["LAB_SERIES"] != "2.0"
    tls = settings["TLS_FLAVOR"] != "notls"
    settings["ADMIN"], settings["IMAP"] = address_of("admin"), address_of("imap")
    settings["CERTIFICATE"], settings["KEY"] = certificate(settings)
    settings["TLS_PROTOCOLS"] = "TLSv1.3" if settings["TLS_MINIMUM"] == "TLSv1.3" else "TLSv1.2 TLSv1.3"
    by_proxy = proxied(settings)
    settings["HTTPS"] = f"    listen 443 ssl{' proxy_protocol' if 443 in by_proxy else ''};" if tls else ""
    settings["PROXY_80"] = " proxy_protocol" if 80 in by_proxy else ""
    closed = {int(port) for port in settings["LAB_CLOSED"].split()}
    ports = {*MAIL_PORTS, *((4190,) if modern else ())} - closed
    if not tls:
        ports -= {465, 993, 995}
    if modern:
        ports &= {int(port) for port in settings["PORTS"].split(",") if port.strip().isdigit()}
    by_nginx = ports & ({25, *map(int, settings["LAB_BY_NGINX"].split())} if modern else ports)
    settings["MAIL_SERVERS"] = "".join(nginx_server(port, tls, settings) for port in sorted(by_nginx))
    if settings["WEBDAV"] != "none":
        filled(LAB / "front/webdav.conf", settings, wrong, RUN / "site/webdav.conf")
    if settings["WEBMAIL"] != "none":
        filled(LAB / "front/webmail.conf", settings, wrong, RUN / "site/webmail.conf")
    daemons = [["nginx", "-c", filled(LAB / "front/nginx.conf", settings, wrong, RUN / "nginx.conf")]]
    if modern:
        for port in (*MAIL_PORTS, 4190):
            settings[f"PROXY_{port}"] = "    haproxy = yes\n" if port in by_proxy else ""
            settings[f"PORT_{port}"] = str(port if port in ports - by_nginx else 0)
        for port in WEBMAIL_PORTS:
            settings[f"PORT_{port}"] = "0" if settings["WEBMAIL"] == "none" else str(port)
        settings["DOVECOT_SSL"] = ("required" if settings["LAB_TLS_FIRST"] == "yes" else "yes") if tls else "no"
        settings["DOVECOT_TLS_FIRST"] = settings["LAB_TLS_FIRST"] if tls else "no"
        filled(LAB / "front/login.lua", settings, wrong, RUN / "login.lua")
        daemons.append(
            ["dovecot", "-F", "-c", filled(LAB / "front/dovecot.conf", settings, wrong, RUN / "dovecot.conf")]
        )
    return daemons


def proxied(settings: Settings) -> set[int]:
    """The ports on which the PROXY protocol is expected; with it, whom nginx and Dovecot believe."""
    believed = (settings["LAB_BELIEVES"] or settings["REAL_IP_FROM"]).split(",")
    named = {"mail": {*MAIL_PORTS, 4190}, "all": {*MAIL_PORTS, 4190, 80, 443}}
    ports: set[int] = set()
    for word in settings["PROXY_PROTOCOL"].split(","):
        ports |= {int(word)} if word.isdigit() else named.get(word, set())
    lines = "".join(f"  set_real_ip_from {network};\n" for network in believed if network)
    header = settings["REAL_IP_HEADER"] or ("proxy_protocol" if ports & {80, 443} else "")
    settings["BELIEVED"] = lines
    settings["REAL_IP"] = f"  real_ip_header {header};\n  real_ip_recursive on;\n{lines}" if header else ""
    settings["TRUSTED"] = " ".join(believed)
    settings["ACCESS_LOG"] = "/dev/stdout" if header else "off"
    return ports - {int(port) for port in settings["LAB_NO_PROXY"].split()}


def nginx_server(port: int, tls: bool, settings: Settings) -> str:
    """One port of the mail proxy. Nobody logs in on 25, nor where a fault has put a port in the hands of nginx."""
    protocol, way = MAIL_PORTS[port]
    as_25 = port == 25 or str(port) in settings["LAB_BY_NGINX"].split()
    lines = [
        f"listen {port}{' ssl' if way == 'tls' else ''}{' proxy_protocol' if port in proxied(settings) else ''};",
        f"protocol {protocol};",
        f"auth_http_header Auth-Port {port};",
    ]
    if protocol == "smtp":
        # nginx takes AUTH even where it does not offer it, and leaves the answer to `admin`.
        lines += ["smtp_auth none;", "auth_http_header Auth-Never yes;"] if as_25 else ["smtp_auth plain login;"]
    else:
        lines.append(f"{protocol}_auth plain login;" if protocol == "imap" else "pop3_auth plain;")
    if tls and way == "starttls":
        lines.append(f"starttls {settings['LAB_STARTTLS_25'] if port == 25 else 'on' if as_25 else 'only'};")
    return "  server {\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"


def certificate(settings: Settings) -> tuple[str, str]:
    """The certificate to show: the one in /certs, or one made here for lack of it or for another name."""
    given = ("/certs/cert.pem", "/certs/key.pem")
    name = settings["LAB_CERTIFICATE_NAME"]
    if not name and all(Path(path).is_file() for path in given):
        return given
    made = (str(RUN / "cert.pem"), str(RUN / "key.pem"))
    RUN.mkdir(parents=True, exist_ok=True)
    subject = name or settings["HOSTNAME"]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={subject}"),
            *("-addext", f"subjectAltName=DNS:{subject}", "-out", made[0], "-keyout", made[1]),
        ],
        check=True,
        capture_output=True,
    )
    return made


def admin(settings: Settings, wrong: Changes) -> list[Daemon]:
    os.environ.update({key: settings[key] for key in (*DEFAULTS, "LAB_ADMIN", "LAB_AS_STRANGER") if key in settings})
    return [["python3", "/lab/admin/server.py"]]


def imap(settings: Settings, wrong: Changes) -> list[Daemon]:
    settings["ADMIN"] = address_of("admin")
    shutil.chown("/mail", "mail", "mail")
    filled(LAB / "imap/lookup.lua", settings, wrong, RUN / "lookup.lua")
    if settings["FULL_TEXT_SEARCH_ATTACHMENTS"].lower() == "true":
        filled(LAB / "imap/attachments.conf", settings, wrong, RUN / "search/attachments.conf")
    configuration = filled(LAB / "imap/dovecot.conf", settings, wrong, RUN / "dovecot.conf")
    shutil.copyfile(configuration, "/etc/dovecot/dovecot.conf")  # where doveadm looks, as in Mailu
    for name in ("junk.sieve", "away.sieve"):
        script = filled(LAB / "imap" / name, settings, wrong, RUN / name)
        subprocess.run(["sievec", "-c", configuration, script], check=True)
    return [["dovecot", "-F", "-c", configuration]]


def smtp(settings: Settings, wrong: Changes) -> list[Daemon]:
    """Postfix. In 2024.06 it delivers through `front`, in 2.0 straight to `imap`."""
    settings["LMTP"] = "imap" if os.environ["LAB_SERIES"] == "2.0" else "front"
    login = f"{{ {settings['RELAYHOST']} = {settings['RELAYUSER']}:{settings['RELAYPASSWORD']} }}"
    settings["RELAY_LOGINS"] = f"inline:{{ {login} }}" if settings["RELAYUSER"] else ""
    settings["RELAY_LOGIN"] = "yes" if settings["RELAYUSER"] else "no"
    main = Path(filled(LAB / "smtp/main.cf", settings, wrong, Path("/etc/postfix/main.cf")))
    filled(LAB / "smtp/master.cf", settings, wrong, Path("/etc/postfix/master.cf"))
    filled(LAB / "smtp/smtpd.conf", settings, wrong, Path("/etc/postfix/sasl/smtpd.conf"))
    own = Path("/overrides/postfix.cf")
    if own.is_file():
        main.write_text(main.read_text("utf-8") + own.read_text("utf-8"), "utf-8")
    return [["postfix", "start-fg"]]


def antispam(settings: Settings, wrong: Changes) -> list[Daemon]:
    settings["ADMIN"] = address_of("admin")
    settings["LOCAL"] = ", ".join(["127.0.0.0/8", settings["SUBNET"], *settings["RELAYNETS"].split()])
    os.environ["DOMAIN"] = settings["DOMAIN"]
    scanners = {"antivirus": settings["ANTIVIRUS"] != "none", "oletools": settings["SCAN_MACROS"].lower() == "true"}
    for name in [name for name, there in scanners.items() if there]:
        filled(LAB / f"antispam/{name}.conf", settings, wrong, RUN / f"scanners/{name}.conf")
    if any(scanners.values()):
        filled(LAB / "antispam/scanned.conf", settings, wrong, RUN / "scanners/scanned.conf")
    configuration = filled(LAB / "antispam/rspamd.conf", settings, wrong, RUN / "rspamd.conf")
    return [["rspamd", "-f", "-c", configuration, "-u", "_rspamd", "-g", "_rspamd"]]


def redis(settings: Settings, wrong: Changes) -> list[Daemon]:
    return [["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]]


def webdav(settings: Settings, wrong: Changes) -> list[Daemon]:
    configuration = filled(LAB / "webdav/radicale.conf", settings, wrong, RUN / "radicale.conf")
    return [["radicale", "--config", configuration]]


def webmail(settings: Settings, wrong: Changes) -> list[Daemon]:
    """Roundcube in PHP, and nginx before it. What it keeps is in an SQLite database."""
    settings["WEBMAIL_TLS"] = "" if settings["TLS_FLAVOR"] == "notls" else "tls://"
    settings["WEBMAIL_KEY"] = hashlib.sha256(settings.get("SECRET_KEY", "").encode()).hexdigest()[:24]
    filled(LAB / "webmail/config.inc.php", settings, wrong, Path("/etc/roundcube/config.inc.php"))
    plugin, database = Path("/var/lib/roundcube/plugins/lab_login"), Path("/data/roundcube.db")
    if not plugin.exists():
        plugin.symlink_to(LAB / "webmail/lab_login")
    if not database.exists():
        with closing(sqlite3.connect(database)) as new:
            new.execute("PRAGMA journal_mode = WAL")
            new.executescript(Path("/usr/share/roundcube/SQL/sqlite.initial.sql").read_text("utf-8"))
    for path in (database.parent, *database.parent.glob("roundcube.db*")):
        shutil.chown(path, "www-data", "www-data")
    php = next(Path("/usr/sbin").glob("php-fpm?*"))
    fpm = filled(LAB / "webmail/php-fpm.conf", settings, wrong, RUN / "php-fpm.conf")
    return [
        [str(php), "--fpm-config", fpm],
        ["nginx", "-c", filled(LAB / "webmail/nginx.conf", settings, wrong, RUN / "nginx.conf")],
    ]


def antivirus(settings: Settings, wrong: Changes) -> list[Daemon]:
    """clamd; the plugin leaves it without settings, as ClamAV's own image is, so no fault can be switched on here."""
    return [["clamd", "--foreground", "--config-file", "/lab/antivirus/clamd.conf"]]


def oletools(settings: Settings, wrong: Changes) -> list[Daemon]:
    return [["python3", "/lab/oletools/server.py"]]


def fetchmail(settings: Settings, wrong: Changes) -> list[Daemon]:
    os.environ["LAB_FETCH"] = settings["LAB_FETCH"]
    return [["python3", "-u", "/lab/fetchmail/fetch.py"]]


def fts_attachments(settings: Settings, wrong: Changes) -> list[Daemon]:
    return [["python3", "/lab/fts_attachments/server.py"]]


def no_inotify() -> None:
    """From here on the kernel has no inotify instance to give (EMFILE), as on a host that has used up its limit.

    A seccomp filter of five instructions (linux/filter.h): if the call is one of the two, fail; else allow.
    """
    calls = {"x86_64": (253, 294), "aarch64": (26, 26)}[os.uname().machine]
    fail, allow = 0x00050000 | errno.EMFILE, 0x7FFF0000
    steps = [(0x20, 0, 0, 0), (0x15, 1, 0, calls[0]), (0x15, 0, 1, calls[1]), (0x06, 0, 0, fail), (0x06, 0, 0, allow)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(program)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if prctl(no_new_privileges, 1, 0, 0, 0) or prctl(set_seccomp, filter_mode, header, 0, 0):
        raise OSError(ctypes.get_errno(), "the filter was not taken")


SERVICES: Mapping[str, Callable[[Settings, Changes], list[Daemon]]] = {
    function.__name__: function
    for function in (
        *(front, admin, imap, smtp, antispam, redis),
        *(webdav, webmail, antivirus, oletools, fetchmail, fts_attachments),
    )
}


END_SECONDS = 8.0
"""How long the other daemons have to end, once one has: Docker kills what has not stopped after 10 seconds."""


def run(daemons: list[Daemon]) -> int:
    """Runs the daemons until one of them ends; its exit status. A certificate that is replaced is taken up."""
    running = [subprocess.Popen(daemon) for daemon in daemons]
    # tini sends every signal to all of us: it is for the daemons, and when they have ended, so have we.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    # Whoever ends wakes us at once; only the certificate is looked at every second.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    seen = written("/certs/cert.pem")
    while all(process.poll() is None for process in running):
        signal.sigtimedwait({signal.SIGCHLD}, 1)
        if seen != (seen := written("/certs/cert.pem")):
            for process in running:
                process.send_signal(signal.SIGHUP)
    ended = [process for process in running if process.poll() is not None]
    # A Dovecot that is killed in the middle of ending leaves its PID file, and does not start again in this container.
    for process in running:
        process.terminate()
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=END_SECONDS)
    return ended[0].returncode


def written(path: str) -> float:
    """When a file was written; 0 where there is none."""
    return os.stat(path).st_mtime if os.path.exists(path) else 0.0


def main() -> int:
    service = os.environ["LAB_SERVICE"]
    names = [name for name in os.environ.get("LAB_FAULT", "").split(",") if name]
    known = {**FAULTS, **IN_BROWSER}
    if unknown := [name for name in names if name not in known]:
        print(f"lab: no fault is called {unknown[0]!r}", file=sys.stderr)
        return 2
    wrong = changes(known[name] for name in names)
    settings = settings_for(os.environ, wrong)
    if settings.get("LAB_DIES") == service:
        print(f"{service}: fatal: this service was told to end as soon as it starts", file=sys.stderr)
        return 1
    end = inflict(service, os.environ.get("LAB_LOSS", ""))
    if end and end != "…":
        return 1
    if end or settings.get("LAB_NEVER_READY") == service:
        print(f"{service}: waiting for something that never comes", file=sys.stderr, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        return 0
    if settings.get("LAB_STALE") == service:
        # As with a PID file that an unclean stop has left: only a new container starts.
        if Path("/lab/started").exists():
            print(f"{service}: fatal: already running with PID 7", file=sys.stderr)
            return 89
        Path("/lab/started").touch()
    if settings.get("LAB_NO_INOTIFY") == service:
        no_inotify()
    daemons = SERVICES[service](settings, wrong)
    return run(daemons)


if __name__ == "__main__":
    sys.exit(main())
