"""Mailu's source tree, read with git: its releases, and what its files look up in their environment.

Nothing of Mailu is executed: Python is parsed, templates are parsed, the rest is searched.
"""

from __future__ import annotations

import ast
import codecs
import re
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self, cast

import jinja2
from jinja2 import nodes

from pytest_mailu.core.releases import MASTER, SERIES, Release

NAME = re.compile(r"[A-Z][A-Z0-9_]+")
INTERNAL = re.compile(
    r"(PORT|TLS)_\d+|PROXY_PROTOCOL_\w+|(ROUNDCUBE|SNUFFLEUPAGUS|ADMIN|SECRET)_KEY_?\w*|PATH|HOME|VERSION|LANG|OLEFY_\w+"
)
"""What services set for themselves or for the programs that they start (but not `SECRET_KEY`)."""


warnings.filterwarnings("ignore", category=SyntaxWarning, module="<unknown>")


class Repository:
    """A clone of Mailu's repository (a work tree or a bare one)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs: dict[str, str] = {}
        self._reader = subprocess.Popen(
            ["git", "-C", folder, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.communicate()

    def git(self, *arguments: str) -> str:
        """What a git command prints."""
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def releases(self) -> list[Release]:
        """Every patch release of the series known here, and master, oldest first."""
        named = [f"{series}.*" for series in SERIES if series != MASTER]
        tags = self.git("tag", "--list", *named).split()
        found = [Release.parse(tag) for tag in tags if re.fullmatch(r"\d+\.\d+\.\d+", tag)]
        return [*sorted(found), Release(MASTER)]

    def tree(self, release: Release) -> dict[str, str]:
        """The files of a release: path → git's name of the content."""
        lines = self.git("ls-tree", "-r", release.tag).splitlines()
        return {path: entry.split()[2] for entry, _, path in (line.partition("\t") for line in lines)}

    def text(self, blob: str) -> str:
        """The text of a file; what is not UTF-8 is replaced."""
        if blob not in self._blobs:
            stdin, stdout = cast(IO[bytes], self._reader.stdin), cast(IO[bytes], self._reader.stdout)
            stdin.write(f"{blob}\n".encode())
            stdin.flush()
            size = int(stdout.readline().split()[2])
            self._blobs[blob] = stdout.read(size).decode("utf-8", "replace")
            stdout.read(1)
        return self._blobs[blob]


@dataclass
class Lookups:
    """What one file reads: name → default (None: none is given there); and the names that it sets by itself."""

    reads: dict[str, str | None] = field(default_factory=dict)
    sets: set[str] = field(default_factory=set)

    def read(self, name: str, default: str | None = None) -> None:
        """Note that a name is read (and which default it has there, if any)."""
        if (NAME.fullmatch(name) and not INTERNAL.fullmatch(name)) or name == "SECRET_KEY":
            self.reads[name] = default if default is not None else self.reads.get(name)


def constant(node: ast.AST | None) -> object:
    """The value of a constant expression such as `30*24*3600`. ValueError for any other."""
    match node:
        case ast.Constant(value):
            return value
        case ast.BinOp(left, ast.Mult(), right):
            return cast(int, constant(left)) * cast(int, constant(right))
    raise ValueError(f"not a constant: {ast.dump(node) if node else node}")


def as_text(value: object) -> str | None:
    """A default as an administrator would write it."""
    return None if value is None else str(value)


def default_config(text: str) -> dict[str, str | None]:
    """`DEFAULT_CONFIG` of admin's configuration.py: name → default."""
    for node in ast.parse(text).body:
        match node:
            case ast.Assign([ast.Name("DEFAULT_CONFIG")], ast.Dict(keys, values)):
                return {
                    cast(str, constant(key)): as_text(constant(value)) for key, value in zip(keys, values, strict=True)
                }
    raise ValueError("there is no DEFAULT_CONFIG")


def python_lookups(text: str) -> Lookups:
    """What a Python file reads from its environment, also by way of copies of it and of socrate's helpers."""
    tree, found = ast.parse(text), Lookups()
    plain: set[str] = set()
    constants = _constants(tree)
    alike = _environment_names(tree)

    def is_environment(node: ast.AST) -> bool:
        return ast.unparse(node) in alike

    for node in ast.walk(tree):
        match node:
            case ast.Call(
                ast.Attribute(value, "get"),
                [ast.Call(ast.Attribute(_, "decode"), [ast.Constant(str(name)), ast.Constant("rot13")]), *_],
            ) if is_environment(value):
                found.read(codecs.decode(name, "rot13"))
            case ast.Call(ast.Attribute(value, "get" | "pop"), [ast.Constant(str(name)), *rest], keywords) if (
                is_environment(value)
            ):
                found.read(name, _default(rest, keywords, constants))
            case ast.Call(ast.Attribute(_, "getenv") | ast.Name("getenv"), [ast.Constant(str(name)), *rest], keywords):
                found.read(name, _default(rest, keywords, constants))
            case ast.Call(ast.Attribute(_, "get_host_address_from_environment"), [ast.Constant(str(name)), *rest]):
                found.read(f"{name}_ADDRESS")
                found.read(f"HOST_{name}", _default(rest, [], constants))
            case ast.Subscript(value, ast.Constant(str(name)), ast.Load()) if is_environment(value):
                plain.add(name)
            case ast.Subscript(value, ast.Constant(str(name)), ast.Store()) if is_environment(value):
                found.sets.add(name)
            case ast.Compare(ast.Constant(str(name)), [ast.In() | ast.NotIn()], [value]) if is_environment(value):
                found.read(name)
            case ast.Subscript(value, ast.Constant(str(name))) | ast.Call(
                ast.Attribute(value, "get"), [ast.Constant(str(name)), *_]
            ) if ast.unparse(value).endswith("config") and name.endswith("_ADDRESS"):
                found.read(name)
    for name in plain - found.sets:  # What a file sets and then looks up is its own.
        found.read(name)
    for node in ast.walk(tree):
        match node:
            case ast.IfExp(ast.Compare(ast.Constant(str(name)), [ast.In()], [value]), _, ast.Constant(other)) if (
                is_environment(value)
            ):
                found.read(name, as_text(other))
    return found


def _environment_names(tree: ast.AST) -> set[str]:
    alike = {"os.environ", "environ"}
    for node in ast.walk(tree):
        match node:
            case ast.Assign([ast.Name(name)], value):
                source = ast.unparse(value)
                if source in alike or source in {f"{base}.copy()" for base in alike} or "set_env(" in source:
                    alike.add(name)
            case ast.Call(ast.Attribute(ast.Name(name), "update"), [value]) if ast.unparse(value) in alike:
                alike.add(name)
    return alike


def _constants(tree: ast.AST) -> dict[str, object]:
    """The names that are given one constant value, such as `ALL_PORTS`."""
    found: dict[str, object] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign([ast.Name(name)], ast.Constant(value)):
                found[name] = value
    return found


def _default(rest: list[ast.expr], keywords: list[ast.keyword], constants: Mapping[str, object]) -> str | None:
    candidates = [*rest[:1], *(keyword.value for keyword in keywords if keyword.arg == "default")]
    match candidates:
        case [ast.Name(name)] if name in constants:
            return as_text(constants[name])
        case [found]:
            try:
                return as_text(constant(found))
            except ValueError:
                return None
    return None


def admin_addresses(text: str) -> Iterator[str]:
    """The `X_ADDRESS` that 1.9's configuration.py forms from names: those given to its `get_host_address`."""
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef) and "self.get_host_address(" in ast.unparse(function):
            for node in ast.walk(function):
                match node:
                    case ast.List(names):
                        yield from (f"{name.value}_ADDRESS" for name in names if isinstance(name, ast.Constant))
                    case ast.Call(ast.Attribute(_, "get_host_address"), [ast.Constant(str(name))]):
                        yield f"{name}_ADDRESS"


def template_lookups(text: str) -> Lookups:
    """What a Jinja template reads that it does not set itself."""
    found = Lookups()
    tree = jinja2.Environment(autoescape=True).parse(text)
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param")}
    for name in tree.find_all(nodes.Name):
        if name.name not in own:
            found.read(name.name)
    for filtered in tree.find_all(nodes.Filter):
        match filtered:
            case nodes.Filter(node=nodes.Name(name=name), name="default" | "d", args=[nodes.Const(value=value)]):
                found.read(name, as_text(value))
    for either in tree.find_all(nodes.Or):
        match either:
            case nodes.Or(left=nodes.Name(name=name), right=nodes.Const(value=value)) if value != "":
                found.read(name, as_text(value))
    return found


SHELL = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)(?::?-([^}]*))?")
GETENV = re.compile(r"""getenv\(\s*['"]([A-Z][A-Z0-9_]+)['"]|\$_(?:ENV|SERVER)\[['"]([A-Z][A-Z0-9_]+)['"]\]""")
PHP_SERVER = re.compile(r"(HTTP|REMOTE|REQUEST|SCRIPT|SERVER|QUERY|DOCUMENT|PHP|CONTENT)_\w+|HTTPS|PATH_INFO")


def shell_lookups(text: str) -> Lookups:
    """What a shell script reads and does not set itself."""
    found = Lookups()
    own = set(re.findall(r"(?:^|\s|;)([A-Z][A-Z0-9_]+)=", text))
    for name, default in SHELL.findall(text):
        if name not in own:
            found.read(name, default or None)
    return found


def other_lookups(text: str) -> Lookups:
    """What PHP, Lua and the like read with `getenv`."""
    found = Lookups()
    for first, second in GETENV.findall(text):
        if not PHP_SERVER.fullmatch(first or second):
            found.read(first or second)
    return found


def image_environment(dockerfile: str) -> dict[str, str]:
    """The `*_ADDRESS` that a Dockerfile sets: what holds while nothing else is set."""
    return dict(re.findall(r'^\s*(?:ENV )?([A-Z_]+_ADDRESS)="([^"]*)"', dockerfile, re.M))


def file_lookups(path: str, text: str) -> Lookups:
    """What a file of a service reads, by the kind of the file."""
    name = path.rpartition("/")[2]
    if name.endswith(".py"):
        return python_lookups(text)
    if name == "Dockerfile":
        lines = [line for line in text.splitlines() if re.match(r"HEALTHCHECK|CMD", line)]
        return shell_lookups("\n".join(lines))
    if name.endswith(".sh"):
        return shell_lookups(text)
    found = other_lookups(text)
    if "{{" in text or "{%" in text:
        found.reads |= template_lookups(text).reads
    return found


FOLDERS: Mapping[str, str] = {
    "core/nginx/": "front",
    "core/admin/": "admin",
    "core/dovecot/": "imap",
    "core/postfix/": "smtp",
    "core/rspamd/": "antispam",
    "core/oletools/": "oletools",
    "core/base/libs/socrate/socrate/": "every",
    "optional/unbound/": "resolver",
    "optional/clamav/": "antivirus",
    "optional/radicale/": "webdav",
    "optional/fetchmail/": "fetchmail",
    "optional/traefik-certdumper/": "certdumper",
    "webmails/": "webmail",
}
"""Where in the tree the sources of a service are. `every` stands for all images made on Mailu's base image."""
SKIPPED = re.compile(
    r"/static/|/assets/|/migrations/|/translations/|/templates/|\.(png|svg|ico|asc|diff|pem|md|txt|rst|po|lock|json5)$"
    r"|run_dev\.sh$|/config\.inc\.carddav|/test"
)


def service_of(path: str) -> str | None:
    """The service that a file of the tree belongs to, as far as it can read its environment."""
    if SKIPPED.search(path):
        return None
    return next((service for folder, service in FOLDERS.items() if path.startswith(folder)), None)
