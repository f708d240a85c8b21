"""What compose says of a user's file, without what it quotes from there: that may be a password.

The file is looked at node by node: one that compose refuses may be made to grow without end where it is expanded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from pytest_mailu.core.compose_files import together
from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.secrets import MASK, Redactor, secrets_in, secrets_in_text
from pytest_mailu.stack.compose.command import last_lines
from pytest_mailu.stack.compose.user_folder import read_tree

_PARSED = 200_000
"""Bytes of a file that is looked through for values which compose may quote."""
_ENV_FILES = 20
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w{0,100})")
"""What compose takes from the environment of this process, or from `.env`."""
_QUOTED = re.compile(r"""(["`'])[^\n]{6,}""")
"""From the first quotation mark to the end of a line: where a quoted text ends is not sure, for it may have others."""


def without_values(path: Path, errors: str) -> tuple[str, ...]:
    """The last lines of `errors`, in which compose speaks of the compose file `path`. Blocking.

    None of them where the file is too large to know what must not be shown.
    """
    texts = [_text(each) for each in together(path)]
    if None in texts:
        return ()
    text = "\n".join(filter(None, texts))
    roots = [_root(each) for each in texts if each]

    def all_of(key: str) -> list[str]:
        return [word for root in roots for word in _texts(root, key)]

    commands = " ".join([*all_of("command"), *all_of("entrypoint")])
    secrets = secrets_in_text(text) | secrets_in_text(commands)
    settings = {setting for root in roots for setting in _settings(root)}
    settings |= {(name, os.environ[name]) for name in _VARIABLE.findall(text) if name in os.environ}
    files = [path.parent / name for name in list(dict.fromkeys((".env", *all_of("env_file"))))[:_ENV_FILES]]
    for content in filter(None, map(_text, files)):
        secrets |= secrets_in_text(content)
        settings |= {*map(_assignment, content.splitlines())}
    redactor = Redactor(secrets.union(*(secrets_in({name: value}) for name, value in settings)))
    lines = (redactor.text(line) for line in last_lines(errors))
    return tuple(_QUOTED.sub(rf"\1{MASK}\1", line) for line in lines)


def _text(path: Path) -> str | None:
    """A file of the user's; None where it cannot be read or is too large."""
    try:
        content = read_tree(path, "named in a compose file").get("")
    except UsageError:
        return None
    return content.decode(errors="replace") if content is not None and len(content) <= _PARSED else None


def _root(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None  # what is no YAML is quoted by line number only


def _settings(root: yaml.Node | None) -> Iterator[tuple[str, str]]:
    """Names and values below every key `environment`, whether as mapping or as list."""
    for node in _below(root, "environment"):
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                if isinstance(name, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                    yield name.value, value.value
        elif isinstance(node, yaml.SequenceNode):
            yield from (_assignment(entry.value) for entry in node.value if isinstance(entry, yaml.ScalarNode))


def _texts(root: yaml.Node | None, key: str) -> Iterator[str]:
    return (node.value for node in _below(root, key) if isinstance(node, yaml.ScalarNode) and "\0" not in node.value)


def _below(root: yaml.Node | None, key: str) -> Iterator[yaml.Node]:
    """The nodes below each `key`, wherever it stands, each once: an alias is the node that it names."""
    starts = [
        value
        for node in _nodes([root] if root is not None else [])
        if isinstance(node, yaml.MappingNode)
        for name, value in node.value
        if isinstance(name, yaml.ScalarNode) and name.value == key
    ]
    return _nodes(starts)


def _nodes(starts: list[yaml.Node]) -> Iterator[yaml.Node]:
    """These nodes and all below them, in their order."""
    seen: set[int] = set()
    todo = starts[::-1]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            todo += [each for pair in reversed(node.value) for each in reversed(pair)]
        elif isinstance(node, yaml.SequenceNode):
            todo += reversed(node.value)


def _assignment(line: str) -> tuple[str, str]:
    """The name and the value of a line of an env file, without quotation marks."""
    name, _, value = line.partition("=")
    return name.removeprefix("export ").strip(), value.strip(" \t\r\"'")
