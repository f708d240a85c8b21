"""From the tree of a compose file to services and networks. Raises UsageError, with the line, for a broken form.

Source: the Compose specification, "Services" and "Networks".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.merge import unique
from pytest_mailu.deployment.model import EnvFile, Given, Mount, Network, Place, Port, Service, Volume
from pytest_mailu.deployment.yaml_tree import Items, Keys, Scalar, Tree

RANGE_LIMIT = 1000
"""Ports in one range."""
_NUMBERS = re.compile(r"[0-9]+(-[0-9]+)?")
_TRUE = frozenset(("true", "yes", "on", "y"))


def services_of(tree: Keys, written: Mapping[str, str]) -> dict[str, Service]:
    """Every service by its name."""
    found = tree.get("services")
    if found is None or (isinstance(found, Scalar) and found.null):
        return {}
    table = _keys(found, "services")
    return {
        name: _service(name, table.place_of(name), _keys(service, f"the service {name}"), written.get(name, ""))
        for name, service in table.values.items()
    }


def networks_of(tree: Keys) -> dict[str, Network]:
    """Every network by its name in the file."""
    found = tree.get("networks")
    if not isinstance(found, Keys):
        return {}
    return {name: _network(name, found.place_of(name), network) for name, network in found.values.items()}


def volumes_of(tree: Keys) -> dict[str, Volume]:
    """Every named volume by its name in the file."""
    found = tree.get("volumes")
    if not isinstance(found, Keys):
        return {}
    return {key: _volume(key, found.place_of(key), volume) for key, volume in found.values.items()}


def name_of(tree: Keys) -> Given | None:
    """What the file says with `name:`, the name of the project."""
    return _given(tree, "name")


def _volume(key: str, place: Place, tree: Tree) -> Volume:
    if not isinstance(tree, Keys):
        return Volume(key, place)
    external = tree.get("external")
    inner = _given(external, "name") if isinstance(external, Keys) else None
    fixed = key if isinstance(external, Keys) or _true(external) else ""
    return Volume(key, place, str(_given(tree, "name") or inner or fixed))


def _service(name: str, place: Place, keys: Keys, written: str) -> Service:
    image = _given(keys, "image")
    networks = keys.get("networks")
    return Service(
        name=name,
        place=place,
        image=image,
        written=written or (image.value if image else ""),
        ports=tuple(port for item in unique(keys.get("ports"), _port_key) for port in _ports(item)),
        mounts=tuple(_mount(item) for item in unique(keys.get("volumes"), _mount_key)),
        networks=dict(networks.places) if isinstance(networks, Keys) else {},
        addresses=_addresses(networks),
        dns=tuple({given.value: given for given in _givens(keys, "dns")}.values()),
        environment=_table(keys, "environment"),
        env_files=tuple(_env_files(keys)),
        labels=_table(keys, "labels"),
        healthcheck=_healthcheck(keys),
        restart=_given(keys, "restart"),
        logging=_logging(keys),
        extra_hosts=_table(keys, "extra_hosts"),
        network_mode=str(_given(keys, "network_mode") or ""),
        hostname=str(_given(keys, "hostname") or ""),
        deploy=dict(deploy.places) if isinstance(deploy := keys.get("deploy"), Keys) else {},
    )


def _network(name: str, place: Place, tree: Tree) -> Network:
    if not isinstance(tree, Keys):
        return Network(name, place)
    external = tree.get("external")
    ipam = tree.get("ipam")
    config = ipam.get("config") if isinstance(ipam, Keys) else None
    entries = config.items if isinstance(config, Items) else ()
    subnets = tuple(
        given for entry in entries if isinstance(entry, Keys) and (given := _given(entry, "subnet")) is not None
    )
    return Network(
        name=name,
        place=place,
        subnets=subnets,
        internal=_true(tree.get("internal")),
        external=isinstance(external, Keys) or _true(external),
        ipv6=_true(tree.get("enable_ipv6")),
    )


def _true(tree: Tree | None) -> bool:
    return isinstance(tree, Scalar) and tree.text.lower() in _TRUE


def _keys(tree: Tree, what: str) -> Keys:
    if not isinstance(tree, Keys):
        raise UsageError(f"{tree.place}: {what} is not a mapping", "Write names and values below it, indented.")
    return tree


def _given(keys: Keys, name: str) -> Given | None:
    value = keys.get(name)
    if value is None or (isinstance(value, Scalar) and value.null):
        return None
    if not isinstance(value, Scalar):
        raise UsageError(f"{keys.place_of(name)}: `{name}` is not a text", "Write one value behind the colon.")
    return Given(value.text, value.place)


def _givens(keys: Keys, name: str) -> Iterator[Given]:
    value = keys.get(name)
    for item in value.items if isinstance(value, Items) else (value,):
        if isinstance(item, Scalar) and not item.null:
            yield Given(item.text, item.place)


def _table(keys: Keys, name: str) -> dict[str, Given]:
    value = keys.get(name)
    if not isinstance(value, Keys):
        return {}
    return {
        key: Given(inner.text, value.place_of(key)) for key, inner in value.values.items() if isinstance(inner, Scalar)
    }


def _env_files(keys: Keys) -> Iterator[EnvFile]:
    value = keys.get("env_file")
    for item in value.items if isinstance(value, Items) else ():
        path = item.get("path") if isinstance(item, Keys) else item
        if isinstance(path, Scalar):
            required = item.get("required") if isinstance(item, Keys) else None
            yield EnvFile(path.text, path.place, not (isinstance(required, Scalar) and required.text == "false"))


def _addresses(networks: Tree | None) -> dict[str, Given]:
    found = {}
    for name, network in networks.values.items() if isinstance(networks, Keys) else ():
        if isinstance(network, Keys) and (address := _given(network, "ipv4_address")) is not None:
            found[name] = address
    return found


def _healthcheck(keys: Keys) -> Given | None:
    check = keys.get("healthcheck")
    if not isinstance(check, Keys):
        return None
    place = keys.place_of("healthcheck")
    if _true(check.get("disable")):
        return Given("NONE", place)
    test = check.get("test")
    if isinstance(test, Scalar):
        return Given(test.text, check.place_of("test"))
    words = [item.text for item in test.items if isinstance(item, Scalar)] if isinstance(test, Items) else []
    return Given(" ".join(words), check.place_of("test"))


def _logging(keys: Keys) -> Given | None:
    logging = keys.get("logging")
    return _given(logging, "driver") if isinstance(logging, Keys) else None


def _mount_key(tree: Tree) -> str:
    return _mount(tree).target


def _mount(tree: Tree) -> Mount:
    if isinstance(tree, Keys):
        target = _given(tree, "target")
        if target is None:
            raise UsageError(f"{tree.place}: a volume without `target`", "Write `target:` and the path inside.")
        source = _given(tree, "source")
        kind = str(_given(tree, "type") or "volume")
        # The source of any other kind, such as an image, is neither a path nor a volume.
        path = str(source or "") if kind in ("bind", "volume") else ""
        return Mount(path, target.value, tree.place, _true(tree.get("read_only")), kind == "bind")
    if not isinstance(tree, Scalar):
        raise UsageError(f"{tree.place}: a volume is not a text", 'Write "folder:/path/inside".')
    parts = tree.text.split(":")
    if len(parts) == 1:
        return Mount("", parts[0], tree.place)
    return Mount(parts[0], parts[1], tree.place, "ro" in ",".join(parts[2:]).split(","))


def _port_key(tree: Tree) -> str:
    if isinstance(tree, Scalar):
        return tree.text
    if not isinstance(tree, Keys):
        raise UsageError(f"{tree.place}: a port is not a text", 'Write "25:25".')
    return "|".join(str(_given(tree, name) or "") for name in ("host_ip", "published", "target", "protocol"))


def _ports(tree: Tree) -> Iterator[Port]:
    if isinstance(tree, Keys):
        words = {name: str(_given(tree, name) or "") for name in ("host_ip", "published", "target", "protocol")}
        host, published, target = words["host_ip"], words["published"], words["target"]
        protocol = words["protocol"] or "tcp"
    else:
        text = tree.text if isinstance(tree, Scalar) else ""
        address, _, protocol = text.partition("/")
        before, _, target = address.rpartition(":")
        host, _, published = before.rpartition(":")
        protocol = protocol or "tcp"
    if not _NUMBERS.fullmatch(target) or not (published == "" or _NUMBERS.fullmatch(published)):
        raise UsageError(f"{tree.place}: this is not a port", 'Write "25:25" or "192.0.2.1:25:25".')
    host = host.strip("[]")
    inside = _range(target, tree.place)
    outside = _range(published, tree.place) if published else range(0)
    if outside and len(outside) != len(inside):
        if len(inside) > 1:
            raise UsageError(f"{tree.place}: the two ranges of ports differ in length", "Write ranges of one length.")
        outside = outside[:1]
    for index, port in enumerate(inside):
        yield Port(outside[index] if outside else 0, port, tree.place, host, protocol)


def _range(text: str, place: Place) -> range:
    first, _, last = text.partition("-")
    # Six digits at most: no need to make huge numbers of what is no port.
    start, end = int(first[:6] or "0"), int((last or first)[:6] or "0")
    if not 0 <= start <= end <= 65535 or end - start >= RANGE_LIMIT:
        raise UsageError(f"{place}: {text[:20]!r} is not a port, or too many of them", "Write numbers up to 65535.")
    return range(start, end + 1)
