"""Kinds as data: what a catalog entry may say."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.errors import OperatorError
from ostiary.model.operation import Class, Operation
from ostiary.protocols.error_shapes import SHAPES
from ostiary.protocols.operation_table import OperationTable, is_path_template, refuse_overlaps

__all__ = [
    "BY_METHOD",
    "METHODS",
    "Kind",
    "OperationTable",
    "by_method_operations",
    "classes_by_method",
    "parse_kind",
]

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
STREAMS = ("sse", "ndjson", "csv")
BY_METHOD = "by-method"
"""Instead of a list of operations: they are named and classed by their method alone."""

_KIND_KEYS = frozenset(
    {"kind", "title", "upstream", "auth", "error_shape", "session_headers", "websocket", "operations"}
)
_OPERATION_KEYS = frozenset(
    {
        "name", "method", "path", "classes", "summary", "auth", "stream",
        "secret_fields", "credential_fields", "answer_status",
    }
)  # fmt: skip
_AUTH_KEYS = frozenset({"scheme", "name", "prefix", "secret"})

_KIND_NAME = re.compile(r"[a-z][a-z0-9-]*")
_OPERATION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UPSTREAM = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?")
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_FIELD = re.compile(r"(?:[A-Za-z0-9_$-]+|\*)(?:\.(?:[A-Za-z0-9_$-]+|\*))*")


@dataclass(frozen=True, slots=True)
class Kind:
    """What Ostiary knows of one upstream's protocol. `upstream` is empty where there is no default,
    `session_headers` are in lower case, the first one present names the tool's session."""

    name: str
    title: str
    upstream: str
    auth: tuple[AuthForm, ...]
    operations: tuple[Operation, ...]
    error_shape: str
    session_headers: tuple[str, ...] = ()
    websocket: bool = False


_METHOD_CLASSES: Mapping[str, frozenset[Class]] = {
    "GET": frozenset({Class.READ}),
    "HEAD": frozenset({Class.READ}),
    "OPTIONS": frozenset({Class.READ}),
    "POST": frozenset({Class.WRITE}),
    "PUT": frozenset({Class.WRITE}),
    "PATCH": frozenset({Class.WRITE}),
    "DELETE": frozenset({Class.WRITE, Class.IRREVERSIBLE}),
}


def classes_by_method(method: str) -> frozenset[Class]:
    """The classes of an operation of which only the method (one of `METHODS`) is known."""
    return _METHOD_CLASSES[method]


def by_method_operations() -> tuple[Operation, ...]:
    """One operation per method, on any path: `get`, `post`, …"""
    return tuple(
        Operation(
            name=method.lower(),
            classes=classes_by_method(method),
            method=method,
            path="/**",
            summary=f"Any {method} request.",
        )
        for method in METHODS
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in which file we are, for the error's sentence."""

    source: str
    key: str = ""

    def at(self, key: str) -> "_Place":
        return _Place(self.source, f"{self.key}.{key}" if self.key else key)

    def item(self, index: int) -> "_Place":
        return _Place(self.source, f"{self.key}[{index}]")

    def fail(self, complaint: str, next_step: str = "") -> NoReturn:
        raise OperatorError(f"{self.source}: {self.key or 'document'}: {complaint}", next_step)


def _nearest(word: str, valid: Iterable[str]) -> str:
    close = get_close_matches(word, sorted(valid), n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Valid are: {', '.join(sorted(valid))}."


def _mapping(value: object, place: _Place, keys: frozenset[str]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        place.fail("must be a mapping.")
    for key in value:
        if not isinstance(key, str) or key not in keys:
            place.at(str(key)).fail("unknown key.", _nearest(str(key), keys))
    return value


def _text(document: Mapping[str, object], key: str, place: _Place, pattern: re.Pattern[str] | None = None) -> str:
    """The string under `key`; without a pattern anything but an empty one."""
    if key not in document:
        place.at(key).fail("missing.")
    value = document[key]
    if not isinstance(value, str) or not (pattern.fullmatch(value) if pattern else value.strip()):
        place.at(key).fail(f"{value!r} is not a valid value.")
    return value


def _word(value: object, place: _Place, valid: Iterable[str]) -> str:
    words = tuple(valid)
    if not isinstance(value, str) or value not in words:
        place.fail(f"unknown value {value!r}.", _nearest(str(value), words))
    return value


def _items(document: Mapping[str, object], key: str, place: _Place) -> list[object]:
    value = document.get(key, [])
    if not isinstance(value, list):
        place.at(key).fail("must be a list.")
    return value


def _texts(document: Mapping[str, object], key: str, place: _Place, pattern: re.Pattern[str]) -> tuple[str, ...]:
    texts = []
    for index, value in enumerate(_items(document, key, place)):
        if not isinstance(value, str) or not pattern.fullmatch(value):
            place.at(key).item(index).fail(f"{value!r} is not a valid value.")
        texts.append(value)
    return tuple(texts)


def _auth_form(value: object, place: _Place) -> AuthForm:
    document = _mapping({"scheme": value} if isinstance(value, str) else value, place, _AUTH_KEYS)
    scheme = AuthScheme(_word(document.get("scheme"), place.at("scheme"), (scheme.value for scheme in AuthScheme)))
    texts = {key: _text(document, key, place) for key in ("name", "prefix", "secret") if key in document}
    named = scheme in (AuthScheme.HEADER, AuthScheme.QUERY, AuthScheme.BASIC_PASSWORD)
    if named != ("name" in texts):
        place.at("name").fail(f"{'missing for' if named else 'has no meaning with'} scheme {scheme.value}.")
    if "prefix" in texts and scheme is not AuthScheme.HEADER:
        place.at("prefix").fail(f"has no meaning with scheme {scheme.value}.")
    return AuthForm(scheme, texts.get("name", ""), texts.get("prefix", ""), texts.get("secret"))


def _auth(document: Mapping[str, object], place: _Place) -> tuple[AuthForm, ...]:
    return tuple(
        _auth_form(value, place.at("auth").item(index)) for index, value in enumerate(_items(document, "auth", place))
    )


def _operation(value: object, place: _Place) -> Operation:
    document = _mapping(value, place, _OPERATION_KEYS)
    path = _text(document, "path", place)
    if not is_path_template(path):
        place.at("path").fail(f"{path!r} is not a path template.", "Write it like /v1/things/{id}.")
    classes_at = place.at("classes")
    classes = frozenset(
        Class(_word(word, classes_at.item(index), (entry.value for entry in Class)))
        for index, word in enumerate(_items(document, "classes", place))
    )
    if not classes:
        classes_at.fail("at least one class is needed.", _nearest("", [entry.value for entry in Class]))
    answer_status = document.get("answer_status")
    if answer_status is not None and (not isinstance(answer_status, int) or not 400 <= answer_status <= 599):
        place.at("answer_status").fail("must be a number from 400 to 599.")
    return Operation(
        name=_text(document, "name", place, _OPERATION_NAME),
        classes=classes,
        method=_word(document.get("method"), place.at("method"), METHODS),
        path=path,
        secret_fields=_texts(document, "secret_fields", place, _FIELD),
        credential_fields=_texts(document, "credential_fields", place, _FIELD),
        auth=_auth(document, place),
        stream=_word(document["stream"], place.at("stream"), STREAMS) if "stream" in document else None,
        answer_status=answer_status,
        summary=_text(document, "summary", place),
    )


def _operations(document: Mapping[str, object], place: _Place) -> tuple[Operation, ...]:
    if document.get("operations") == BY_METHOD:
        return by_method_operations()
    rows = _items(document, "operations", place)
    if not rows:
        place.at("operations").fail("missing or empty.", f"List them, or write {BY_METHOD!r}.")
    operations = tuple(_operation(row, place.at("operations").item(index)) for index, row in enumerate(rows))
    refuse_overlaps(operations, place.source)
    return operations


def parse_kind(document: Mapping[str, object], source: str) -> Kind:
    """The Kind a catalog document describes. Raises `OperatorError` naming `source` and the key at fault."""
    place = _Place(source)
    _mapping(document, place, _KIND_KEYS)
    websocket = document.get("websocket", False)
    if not isinstance(websocket, bool):
        place.at("websocket").fail("must be true or false.")
    return Kind(
        name=_text(document, "kind", place, _KIND_NAME),
        title=_text(document, "title", place),
        upstream=_text(document, "upstream", place, _UPSTREAM) if "upstream" in document else "",
        auth=_auth(document, place),
        operations=_operations(document, place),
        error_shape=_word(document.get("error_shape"), place.at("error_shape"), SHAPES),
        session_headers=_texts(document, "session_headers", place, _HEADER),
        websocket=websocket,
    )
