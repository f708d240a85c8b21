"""Reads compose files into one tree: variables, `include`, `extends` and override files, from local files alone.

Source: the Compose specification; compose-go loader/ (v2.9) for the order of things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_mailu.core.compose_files import OVERRIDES
from pytest_mailu.core.errors import UsageError
from pytest_mailu.deployment.env_file import read_assignments, values
from pytest_mailu.deployment.files import Folder, Text
from pytest_mailu.deployment.merge import canonical, merge
from pytest_mailu.deployment.template import TemplateError, substitute
from pytest_mailu.deployment.yaml_tree import Items, Keys, Place, Scalar, Tree, read_documents

FILE_LIMIT = 20
"""Compose files of one deployment, with those that `include` and `extends` name."""
_REMOTE = ("http://", "https://", "git@", "git://", "ssh://", "oci://", "github.com/")
_MERGED_TABLES = ("services", "networks", "volumes")


@dataclass(slots=True)
class Composed:
    """The tree of a deployment's compose files, and what reading them told."""

    tree: Keys
    files: list[Text] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    """Service → image before variables got their values."""
    unset: dict[str, Place] = field(default_factory=dict)


def read_compose(folder: Folder, paths: list[Path], variables: Mapping[str, str]) -> Composed:
    """The compose files `paths`, a later one laid over the earlier. `variables` are those of `.env`.

    Raises UsageError, with the line, for what Compose would refuse and for what cannot be read here.
    """
    reader = _Reader(folder)
    tree = reader.files(paths, variables, ())
    return Composed(tree, reader.texts, reader.written, reader.unset)


class _Reader:
    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.texts: list[Text] = []
        self.written: dict[str, str] = {}
        self.unset: dict[str, Place] = {}

    def files(self, paths: list[Path], variables: Mapping[str, str], including: tuple[Path, ...]) -> Keys:
        """Several files that form one model, with what they include."""
        model: Tree | None = None
        for path in paths:
            for document in self._documents(path, variables, str(including[-1]) if including else ""):
                if (include := document.get("include")) is not None:
                    self._local_only(include)
                    document = self._with_included(document, include, path, variables, including)  # noqa: PLW2901
                document = self._extended(document, path, variables)  # noqa: PLW2901
                model = document if model is None else merge(model, document)
        return model if isinstance(model, Keys) else Keys({}, Place(self._folder.shown(paths[0]), 1))

    def _documents(self, path: Path, variables: Mapping[str, str], where: str = "") -> list[Keys]:
        text = self._folder.read(path, where)
        if text.shown not in {known.shown for known in self.texts}:
            self.texts.append(text)
        if len(self.texts) > FILE_LIMIT:
            raise UsageError(f"{text.shown}: more than {FILE_LIMIT} compose files", "Name the compose file alone.")
        documents = []
        for tree in read_documents(text):
            if isinstance(tree, Scalar) and tree.null:
                continue
            if not isinstance(tree, Keys):
                raise UsageError(f"{tree.place}: not a compose file", "A compose file has `services:` at its top.")
            documents.append(self._canonical(self._interpolated(tree, variables)))
        return documents

    def _interpolated(self, tree: Keys, variables: Mapping[str, str]) -> Keys:
        for name, service in _services(tree).items():
            image = service.get("image")
            if isinstance(image, Scalar):
                self.written[name] = image.text

        def walk(node: Tree) -> Tree:
            if isinstance(node, Scalar):
                return self._substituted(node, variables) if "$" in node.text else node
            if isinstance(node, Items):
                return replace(node, items=tuple(map(walk, node.items)))
            return replace(node, values={key: walk(value) for key, value in node.values.items()})

        walked = walk(tree)
        assert isinstance(walked, Keys)  # noqa: S101 - walking keeps the kind
        return walked

    def _substituted(self, node: Scalar, variables: Mapping[str, str]) -> Scalar:
        def lookup(name: str) -> str | None:
            value = variables.get(name)
            if value is None and (f"${name}" in node.text or f"${{{name}}}" in node.text):
                self.unset.setdefault(name, node.place)
            return value

        try:
            return replace(node, text=substitute(node.text, lookup), null=False)
        except TemplateError as error:
            raise UsageError(
                f"{node.place}: {error}", "Write the value into the file .env beside the compose file; $$ is a dollar."
            ) from None

    def _canonical(self, tree: Keys) -> Keys:
        services = tree.get("services")
        if services is None or (isinstance(services, Scalar) and services.null):
            return tree
        if not isinstance(services, Keys):
            raise UsageError(f"{services.place}: `services` is not a mapping", "Write `services:` and names below it.")
        made: dict[str, Tree] = {}
        for name, service in services.values.items():
            if isinstance(service, Scalar) and service.null:
                made[name] = Keys({}, service.place)
            elif isinstance(service, Keys):
                made[name] = canonical(service)
            else:
                raise UsageError(
                    f"{services.place_of(name)}: the service {name} is not a mapping",
                    "Write `image:` and more below it.",
                )
        return replace(tree, values={**tree.values, "services": replace(services, values=made)})

    # include -----------------------------------------------------------------------------------------------------

    def _local_only(self, include: Tree) -> None:
        if not isinstance(include, Items):
            raise UsageError(f"{include.place}: `include` is not a list", "Write one file a line, each with a dash.")

    def _with_included(
        self, document: Keys, include: Tree, path: Path, variables: Mapping[str, str], including: tuple[Path, ...]
    ) -> Keys:
        whole: Tree = replace(document, values={k: v for k, v in document.values.items() if k != "include"})
        if path in including:
            raise UsageError(f"{include.place}: the files include each other in a circle", "Remove one `include`.")
        assert isinstance(include, Items)  # noqa: S101 - see _local_only
        for entry in include.items:
            fields = entry if isinstance(entry, Keys) else Keys({"path": entry}, entry.place)
            names = _texts(fields.get("path"), entry.place, "path")
            directory = _texts(fields.get("project_directory"), entry.place, "project_directory")
            paths = [self._beside(path, name) for name in names]
            base = self._beside(path, directory[0]) if directory else paths[0].parent
            env_files = [
                self._beside(path, name)
                for name in _texts(fields.get("env_file"), entry.place, "env_file")
                if name.text != "/dev/null"
            ]
            if not env_files and self._folder.exists(base / ".env"):
                env_files = [base / ".env"]
            inner = dict(variables)
            for env_file in env_files:
                found = values(read_assignments(self._folder.read(env_file, str(entry.place)), inner.get))
                inner = {**found, **inner}
            included = self._rebased(self.files(paths, inner, (*including, path)), base)
            _check_conflicts(included, document, entry.place)
            whole = merge(included, whole)
        assert isinstance(whole, Keys)  # noqa: S101
        return whole

    def _beside(self, path: Path, name: Scalar) -> Path:
        if name.text.startswith(_REMOTE):
            raise UsageError(
                f"{name.place}: {name.text[:80]} is not a local file",
                "Fetch the file, store it beside the compose file and name it here.",
            )
        return path.parent / name.text

    def _rebased(self, tree: Keys, base: Path) -> Keys:
        """The env files and folders of an included file are relative to that file."""
        if base in (Path(), Path()):
            return tree
        services = tree.get("services")
        if not isinstance(services, Keys):
            return tree
        moved = {name: _moved(service, base) for name, service in services.values.items()}
        return replace(tree, values={**tree.values, "services": replace(services, values=moved)})

    # extends -----------------------------------------------------------------------------------------------------

    def _extended(self, document: Keys, path: Path, variables: Mapping[str, str]) -> Keys:
        services = document.get("services")
        if not isinstance(services, Keys):
            return document
        made: dict[str, Tree] = {name: self._service(name, document, path, variables, ()) for name in services.values}
        return replace(document, values={**document.values, "services": replace(services, values=made)})

    def _service(
        self, name: str, document: Keys, path: Path, variables: Mapping[str, str], on_the_way: tuple[str, ...]
    ) -> Tree:
        service = _services(document)[name]
        extends = service.get("extends")
        if extends is None:
            return service
        key = f"{path}:{name}"
        if key in on_the_way:
            raise UsageError(f"{extends.place}: services extend each other in a circle", "Remove one `extends`.")
        fields = extends if isinstance(extends, Keys) else Keys({"service": extends}, extends.place)
        wanted = _texts(fields.get("service"), extends.place, "service")
        file = _texts(fields.get("file"), extends.place, "file")
        if not wanted:
            raise UsageError(f"{extends.place}: `extends` names no service", "Write `service:` and its name.")
        source, where = document, path
        if file:
            where = self._beside(path, file[0])
            found = self._documents(where, variables, str(file[0].place))
            source = found[0] if found else Keys({}, extends.place)
        if wanted[0].text not in _services(source):
            raise UsageError(
                f"{extends.place}: there is no service {wanted[0].text} in {self._folder.shown(where)}",
                "Check the name behind `extends`.",
            )
        base = self._service(wanted[0].text, source, where, variables, (*on_the_way, key))
        if file and where.parent != path.parent:
            base = _moved(base, where.parent)
        own = replace(service, values={k: v for k, v in service.values.items() if k != "extends"})
        if "image" not in own.values and wanted[0].text in self.written:
            self.written[name] = self.written[wanted[0].text]
        return merge(base, own)


def _check_conflicts(included: Keys, document: Keys, place: Place) -> None:
    """Raise UsageError where an included file defines what the including file defines as well."""
    for table in _MERGED_TABLES:
        ours, theirs = document.get(table), included.get(table)
        if not isinstance(ours, Keys) or not isinstance(theirs, Keys):
            continue
        for name in ours.values.keys() & theirs.values.keys():
            raise UsageError(
                f"{place}: {name} is defined in {ours.place_of(name).file} and in the included file",
                f"Change it in an override file ({OVERRIDES[2]}), or remove one of the two.",
            )


def _services(tree: Keys) -> dict[str, Keys]:
    services = tree.get("services")
    if not isinstance(services, Keys):
        return {}
    return {name: service for name, service in services.values.items() if isinstance(service, Keys)}


def _texts(value: Tree | None, place: Place, what: str) -> list[Scalar]:
    """One text or a list of them; none where there is nothing."""
    if value is None or (isinstance(value, Scalar) and value.null):
        return []
    found = list(value.items) if isinstance(value, Items) else [value]
    texts = [item for item in found if isinstance(item, Scalar)]
    if len(texts) < len(found) or not texts:
        raise UsageError(f"{place}: `{what}` is not a text", "Write the name of a file or service.")
    return texts


def _moved(service: Tree, base: Path) -> Tree:
    """A service whose relative paths were meant from the folder `base`."""
    if not isinstance(service, Keys):
        return service
    values = dict(service.values)
    env_file = values.get("env_file")
    if isinstance(env_file, Items):
        values["env_file"] = replace(env_file, items=tuple(_moved_path(item, base) for item in env_file.items))
    volumes = values.get("volumes")
    if isinstance(volumes, Items):
        values["volumes"] = replace(
            volumes,
            items=tuple(
                replace(item, text=f"./{base}/{item.text[2:]}")
                if isinstance(item, Scalar) and item.text.startswith("./")
                else item
                for item in volumes.items
            ),
        )
    return replace(service, values=values)


def _moved_path(item: Tree, base: Path) -> Tree:
    if isinstance(item, Scalar):
        return item if item.text.startswith("/") else replace(item, text=str(base / item.text))
    if isinstance(item, Keys) and isinstance(path := item.get("path"), Scalar):
        return replace(item, values={**item.values, "path": _moved_path(path, base)})
    return item
