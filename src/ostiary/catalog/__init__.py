"""The Kinds that come with Ostiary: one data file each, found by being here."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

import yaml

from ostiary.model.errors import OperatorError
from ostiary.protocols.kinds import Kind, parse_kind

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]


class _StrictLoader(_SafeLoader):
    """Refuses a key that stands twice in one mapping; plain YAML keeps the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", node.start_mark)
        mapping: dict[Hashable, object] = super().construct_mapping(node, deep)
        return mapping


def read_kind(text: str, source: str) -> Kind:
    """The Kind that one catalog file describes. Raises `OperatorError` naming `source` and the fault."""
    try:
        document = yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader by inheritance
    except yaml.YAMLError as error:
        raise OperatorError(f"{source}: not readable as YAML: {_first_problem(error)}.") from None
    if not isinstance(document, dict):
        raise OperatorError(f"{source}: document: must be a mapping.")
    return parse_kind(document, source)


def load_catalog() -> dict[str, Kind]:
    """Every Kind by name. Raises `OperatorError` when a file is wrong or its name is not the Kind's."""
    return dict(_read_once())


@cache
def _read_once() -> Mapping[str, Kind]:
    """The files belong to the program: they do not change while it runs."""
    kinds: dict[str, Kind] = {}
    for entry in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            kind = read_kind(entry.read_text("utf-8"), entry.name)
            if f"{kind.name}.yaml" != entry.name:
                raise OperatorError(f"{entry.name}: kind: the file of {kind.name!r} must be {kind.name}.yaml.")
            kinds[kind.name] = kind
    return {name: _with_borrowed_channels(kind, kinds) for name, kind in kinds.items()}


def _with_borrowed_channels(kind: Kind, kinds: Mapping[str, Kind]) -> Kind:
    channels = list(kind.text_channels)
    for name in kind.text_channels_of:
        if name not in kinds:
            raise OperatorError(f"{kind.name}.yaml: text_channels_of: there is no Kind {name!r}.")
        channels += kinds[name].text_channels
    return replace(kind, text_channels=tuple(channels))


def _first_problem(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "it is broken"
    return f"line {error.problem_mark.line + 1}: {error.problem}"
