#!/usr/bin/env python3
"""Starts one service of the lab: fills in its configuration, then runs its daemons until one of them ends.

The service is named by LAB_SERVICE, the personality by LAB_SERIES, what is to go wrong by LAB_FAULT (see faults.py).
Everything else is read from Mailu's own settings.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from faults import FAULTS, Fault

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
    "OUTBOUND_TLS_LEVEL": "may",
    "TLS_FLAVOR": "cert",
    "PORTS": "25,80,443,465,993,995,4190",
    # What only faults set:
    "LAB_CLOSED": "",
    "LAB_BY_NGINX": "",
    "LAB_STARTTLS_25": "on",
    "LAB_CERTIFICATE_NAME": "",
    "LAB_TLS_FIRST": "yes",
    "TLS_MINIMUM": "TLSv1.2",
}
MAIL_PORTS = {
    **{25: ("smtp", "starttls"), 587: ("smtp", "starttls"), 465: ("smtp", "tls")},
    **{143: ("imap", "starttls"), 993: ("imap", "tls"), 110: ("pop3", "starttls"), 995: ("pop3", "tls")},
}
"""Port → protocol, and how it comes by TLS (RFC 8314)."""
Settings = dict[str, str]
Daemon = list[str]


def settings_for(environ: Mapping[str, str], fault: Fault | None) -> Settings:
    """Mailu's settings with the lab's defaults below and those of the fault above."""
    found = {**DEFAULTS, **{key: value for key, value in environ.items() if value or key not in DEFAULTS}}
    found |= fault.settings if fault else {}
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


def filled(source: Path, settings: Settings, fault: Fault | None, target: Path) -> str:
    """A template of the lab's with its names filled in and the fault's own lines at its end."""
    text = source.read_text("utf-8")
    text += (fault.lines if fault else {}).get(str(source.relative_to(LAB)), "")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(re.sub("@([A-Z][A-Z0-9_]*)@", lambda found: settings[found[1]], text), "utf-8")
    return str(target)


def front(settings: Settings, fault: Fault | None) -> list[Daemon]:
    """nginx; and in 2024.06 a Dovecot that serves the mail ports named in PORTS, but for 25."""
    modern = os.environ["LAB_SERIES"] != "2.0"
    tls = settings["TLS_FLAVOR"] != "notls"
    settings["ADMIN"], settings["IMAP"] = address_of("admin"), address_of("imap")
    settings["CERTIFICATE"], settings["KEY"] = certificate(settings)
    settings["TLS_PROTOCOLS"] = "TLSv1.3" if settings["TLS_MINIMUM"] == "TLSv1.3" else "TLSv1.2 TLSv1.3"
    settings["HTTPS"] = "    listen 443 ssl;" if tls else ""
    closed = {int(port) for port in settings["LAB_CLOSED"].split()}
    ports = {*MAIL_PORTS, *((4190,) if modern else ())} - closed
    if not tls:
        ports -= {465, 993, 995}
    if modern:
        ports &= {int(port) for port in settings["PORTS"].split(",") if port.strip().isdigit()}
    by_nginx = ports & ({25, *map(int, settings["LAB_BY_NGINX"].split())} if modern else ports)
    settings["MAIL_SERVERS"] = "".join(nginx_server(port, tls, settings) for port in sorted(by_nginx))
    daemons = [["nginx", "-c", filled(LAB / "front/nginx.conf", settings, fault, RUN / "nginx.conf")]]
    if modern:
        for port in (*MAIL_PORTS, 4190):
            settings[f"PORT_{port}"] = str(port if port in ports - by_nginx else 0)
        settings["DOVECOT_SSL"] = ("required" if settings["LAB_TLS_FIRST"] == "yes" else "yes") if tls else "no"
        settings["DOVECOT_TLS_FIRST"] = settings["LAB_TLS_FIRST"] if tls else "no"
        filled(LAB / "front/login.lua", settings, fault, RUN / "login.lua")
        daemons.append(
            ["dovecot", "-F", "-c", filled(LAB / "front/dovecot.conf", settings, fault, RUN / "dovecot.conf")]
        )
    return daemons


def nginx_server(port: int, tls: bool, settings: Settings) -> str:
    """One port of the mail proxy. Nobody logs in on 25, nor where a fault has put a port in the hands of nginx."""
    protocol, way = MAIL_PORTS[port]
    as_25 = port == 25 or str(port) in settings["LAB_BY_NGINX"].split()
    lines = [
        f"listen {port}{' ssl' if way == 'tls' else ''};",
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


def admin(settings: Settings, fault: Fault | None) -> list[Daemon]:
    os.environ.update({key: settings[key] for key in (*DEFAULTS, "LAB_ADMIN", "LAB_AS_STRANGER") if key in settings})
    return [["python3", "/lab/admin/server.py"]]


def imap(settings: Settings, fault: Fault | None) -> list[Daemon]:
    settings["ADMIN"] = address_of("admin")
    shutil.chown("/mail", "mail", "mail")
    filled(LAB / "imap/lookup.lua", settings, fault, RUN / "lookup.lua")
    configuration = filled(LAB / "imap/dovecot.conf", settings, fault, RUN / "dovecot.conf")
    for name in ("junk.sieve", "away.sieve"):
        script = filled(LAB / "imap" / name, settings, fault, RUN / name)
        subprocess.run(["sievec", "-c", configuration, script], check=True)
    return [["dovecot", "-F", "-c", configuration]]


def smtp(settings: Settings, fault: Fault | None) -> list[Daemon]:
    """Postfix. In 2024.06 it delivers through `front`, in 2.0 straight to `imap`."""
    settings["LMTP"] = "imap" if os.environ["LAB_SERIES"] == "2.0" else "front"
    login = f"{{ {settings['RELAYHOST']} = {settings['RELAYUSER']}:{settings['RELAYPASSWORD']} }}"
    settings["RELAY_LOGINS"] = f"inline:{{ {login} }}" if settings["RELAYUSER"] else ""
    settings["RELAY_LOGIN"] = "yes" if settings["RELAYUSER"] else "no"
    main = Path(filled(LAB / "smtp/main.cf", settings, fault, Path("/etc/postfix/main.cf")))
    filled(LAB / "smtp/master.cf", settings, fault, Path("/etc/postfix/master.cf"))
    filled(LAB / "smtp/smtpd.conf", settings, fault, Path("/etc/postfix/sasl/smtpd.conf"))
    own = Path("/overrides/postfix.cf")
    if own.is_file():
        main.write_text(main.read_text("utf-8") + own.read_text("utf-8"), "utf-8")
    return [["postfix", "start-fg"]]


def antispam(settings: Settings, fault: Fault | None) -> list[Daemon]:
    settings["ADMIN"] = address_of("admin")
    settings["LOCAL"] = ", ".join(["127.0.0.0/8", settings["SUBNET"], *settings["RELAYNETS"].split()])
    os.environ["DOMAIN"] = settings["DOMAIN"]
    configuration = filled(LAB / "antispam/rspamd.conf", settings, fault, RUN / "rspamd.conf")
    return [["rspamd", "-f", "-c", configuration, "-u", "_rspamd", "-g", "_rspamd"]]


def redis(settings: Settings, fault: Fault | None) -> list[Daemon]:
    return [["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]]


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


SERVICES: Mapping[str, Callable[[Settings, Fault | None], list[Daemon]]] = {
    function.__name__: function for function in (front, admin, imap, smtp, antispam, redis)
}


def run(daemons: list[Daemon]) -> int:
    """Runs the daemons until one of them ends; its exit status. A certificate that is replaced is taken up."""
    running = [subprocess.Popen(daemon) for daemon in daemons]
    # tini sends every signal to all of us: it is for the daemons, and when they have ended, so have we.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    seen = written("/certs/cert.pem")
    while all(process.poll() is None for process in running):
        time.sleep(1)
        if seen != (seen := written("/certs/cert.pem")):
            for process in running:
                process.send_signal(signal.SIGHUP)
    ended = [process for process in running if process.poll() is not None]
    return ended[0].returncode


def written(path: str) -> float:
    """When a file was written; 0 where there is none."""
    return os.stat(path).st_mtime if os.path.exists(path) else 0.0


def main() -> int:
    service = os.environ["LAB_SERVICE"]
    name = os.environ.get("LAB_FAULT", "")
    if name and name not in FAULTS:
        print(f"lab: no fault is called {name!r}", file=sys.stderr)
        return 2
    fault = FAULTS.get(name)
    settings = settings_for(os.environ, fault)
    if settings.get("LAB_DIES") == service:
        print(f"{service}: fatal: this service was told to end as soon as it starts", file=sys.stderr)
        return 1
    if settings.get("LAB_NEVER_READY") == service:
        print(f"{service}: waiting for something that never comes", file=sys.stderr, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        return 0
    if settings.get("LAB_NO_INOTIFY") == service:
        no_inotify()
    daemons = SERVICES[service](settings, fault)
    return run(daemons)


if __name__ == "__main__":
    sys.exit(main())
