"""YAML with line numbers and without surprises: no tags, anchors, aliases or doubled keys."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NoReturn

import yaml

from ostiary.control.declarative.errors import DeclarativeError, nearest

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

DEPTH_MAX = 16

_STRING = "tag:yaml.org,2002:str"
_BOOLEAN = "tag:yaml.org,2002:bool"
_INTEGER = "tag:yaml.org,2002:int"
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the file. Every reading method fails with its line when the value is of another type."""

    node: yaml.Node
    filename: str

    @property
    def line(self) -> int:
        return self.node.start_mark.line + 1

    def fail(self, sentence: str, next_step: str = "") -> NoReturn:
        raise DeclarativeError(self.filename, self.line, sentence, next_step)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def is_empty(self) -> bool:
        """Nothing stands after the key."""
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag == _NULL

    def members(self, what: str) -> dict[str, tuple["Value", "Value"]]:
        """Key text → (key, value), in the file's order."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"{what} must be a mapping (key: value).")
        found: dict[str, tuple[Value, Value]] = {}
        for key_node, value_node in self.node.value:
            key = Value(key_node, self.filename)
            if not isinstance(key_node, yaml.ScalarNode):
                key.fail("A key must be a word.")
            # The word as written: plain YAML would read the key `on` as a boolean.
            if key_node.value in found:
                key.fail(f"The key '{key_node.value}' stands twice.")
            found[key_node.value] = (key, Value(value_node, self.filename))
        return found

    def mapping(
        self,
        what: str,
        keys: Collection[str],
        required: Collection[str] = (),
        unavailable: Mapping[str, str] | None = None,
    ) -> dict[str, "Value"]:
        """Values by key. A key of `unavailable` fails with what leaving it out would mean."""
        present = self.members(what)
        for word, (key, _) in present.items():
            if unavailable and word in unavailable:
                key.fail_unavailable(word, unavailable[word])
            if word not in keys:
                key.fail(f"Unknown key '{word}' in {what}.", nearest(word, keys))
        for word in required:
            if word not in present:
                self.fail(f"'{word}' is missing in {what}.")
        return {word: value for word, (_, value) in present.items()}

    def fail_unavailable(self, word: str, consequence: str) -> NoReturn:
        self.fail(
            f"'{word}' is not available in this version; leaving it out would {consequence}.",
            "Remove it only if that is what you want.",
        )

    def items(self, what: str) -> list["Value"]:
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail(f"{what} must be a list: [a, b].")
        return [Value(item, self.filename) for item in self.node.value]

    def text(self, what: str) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            self.fail(f"{what} must be text.")
        if self.is_empty:
            self.fail(f"{what} is empty.")
        if self.node.tag != _STRING:
            self.fail(f"{what} must be text.", f'Write it in quotes: "{self.node.value}".')
        if not self.node.value:
            self.fail(f"{what} is empty.")
        return str(self.node.value)

    def boolean(self, what: str) -> bool:
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag != _BOOLEAN:
            self.fail(f"{what} must be true or false.")
        return str(self.node.value).lower() in ("true", "yes", "on")

    def whole_number(self, what: str) -> int:
        digits = str(self.node.value) if isinstance(self.node, yaml.ScalarNode) else ""
        if self.node.tag != _INTEGER or not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
            self.fail(f"{what} must be a whole number.")
        return int(digits)

    def word(self, what: str, valid: Collection[str]) -> str:
        text = self.text(what)
        if text not in valid:
            self.fail(f"'{text}' is not valid for {what}.", nearest(text, valid))
        return text


def read_document(text: str, filename: str) -> Value:
    """The file's one document. Raises `DeclarativeError`."""
    try:
        text.encode()
    except UnicodeEncodeError as failure:
        line = text.count("\n", 0, failure.start) + 1
        raise DeclarativeError(filename, line, "This is not Unicode text.", "Save the file as UTF-8.") from None
    try:
        _refuse_surprises(text, filename)
        node = yaml.compose(text, _SafeLoader)
    except yaml.MarkedYAMLError as failure:
        mark = failure.problem_mark or failure.context_mark
        line = mark.line + 1 if mark else 0
        problem = failure.problem or failure.context or "it is broken"
        raise DeclarativeError(filename, line, f"This is not readable as YAML: {problem}.") from None
    except yaml.YAMLError as failure:
        reason = getattr(failure, "reason", None) or "it is broken"
        line = text.count("\n", 0, getattr(failure, "position", 0)) + 1
        raise DeclarativeError(filename, line, f"This is not readable as YAML: {reason}.") from None
    if node is None:
        raise DeclarativeError(filename, 0, "The file is empty.", "Begin it with `version: 1`.")
    return Value(node, filename)


def _refuse_surprises(text: str, filename: str) -> None:
    """Before anything is built: an alias can blow up a small file, a tag can ask for objects, and depth can
    exhaust the stack."""
    depth = 0
    for event in yaml.parse(text, _SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise DeclarativeError(
                filename, line, "Anchors (&) and aliases (*) are not read here.", "Write it out; quote globs."
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise DeclarativeError(filename, line, f"The tag {tag} is not read here.", "Remove it.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise DeclarativeError(filename, line, "This is nested too deeply.")
