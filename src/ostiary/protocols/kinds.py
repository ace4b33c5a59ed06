"""Kinds as data: what a catalog entry may say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.operation import Class, Operation
from ostiary.protocols.documents import (
    DOTTED_PATH,
    Place,
    items_at,
    mapping_at,
    nearest,
    text_at,
    texts_at,
    word_at,
)
from ostiary.protocols.error_shapes import SHAPES
from ostiary.protocols.operation_table import OperationTable, is_path_template, refuse_overlaps
from ostiary.protocols.text_channels import TextChannel, parse_text_channels

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
    {
        "kind", "title", "upstream", "auth", "error_shape", "session_headers", "websocket",
        "text_channels", "text_channels_of", "operations",
    }
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class Kind:
    """What Ostiary knows of one upstream's protocol. `upstream` is empty where there is no default,
    `session_headers` are in lower case, the first one present names the tool's session. `text_channels_of` names Kinds
    whose text channels this one has as well; a catalog that is loaded has them in `text_channels`."""

    name: str
    title: str
    upstream: str
    auth: tuple[AuthForm, ...]
    operations: tuple[Operation, ...]
    error_shape: str
    session_headers: tuple[str, ...] = ()
    websocket: bool = False
    text_channels: tuple[TextChannel, ...] = ()
    text_channels_of: tuple[str, ...] = ()


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


def _auth_form(value: object, place: Place) -> AuthForm:
    document = mapping_at({"scheme": value} if isinstance(value, str) else value, place, _AUTH_KEYS)
    scheme = AuthScheme(word_at(document.get("scheme"), place.at("scheme"), (scheme.value for scheme in AuthScheme)))
    texts = {key: text_at(document, key, place) for key in ("name", "prefix", "secret") if key in document}
    named = scheme in (AuthScheme.HEADER, AuthScheme.QUERY, AuthScheme.BASIC_PASSWORD)
    if named != ("name" in texts):
        place.at("name").fail(f"{'missing for' if named else 'has no meaning with'} scheme {scheme.value}.")
    if "prefix" in texts and scheme is not AuthScheme.HEADER:
        place.at("prefix").fail(f"has no meaning with scheme {scheme.value}.")
    return AuthForm(scheme, texts.get("name", ""), texts.get("prefix", ""), texts.get("secret"))


def _auth(document: Mapping[str, object], place: Place) -> tuple[AuthForm, ...]:
    return tuple(
        _auth_form(value, place.at("auth").item(index)) for index, value in enumerate(items_at(document, "auth", place))
    )


def _operation(value: object, place: Place) -> Operation:
    document = mapping_at(value, place, _OPERATION_KEYS)
    path = text_at(document, "path", place)
    if not is_path_template(path):
        place.at("path").fail(f"{path!r} is not a path template.", "Write it like /v1/things/{id}.")
    classes_at = place.at("classes")
    classes = frozenset(
        Class(word_at(word, classes_at.item(index), (entry.value for entry in Class)))
        for index, word in enumerate(items_at(document, "classes", place))
    )
    if not classes:
        classes_at.fail("at least one class is needed.", nearest("", [entry.value for entry in Class]))
    answer_status = document.get("answer_status")
    if answer_status is not None and (not isinstance(answer_status, int) or not 400 <= answer_status <= 599):
        place.at("answer_status").fail("must be a number from 400 to 599.")
    return Operation(
        name=text_at(document, "name", place, _OPERATION_NAME),
        classes=classes,
        method=word_at(document.get("method"), place.at("method"), METHODS),
        path=path,
        secret_fields=texts_at(document, "secret_fields", place, DOTTED_PATH),
        credential_fields=texts_at(document, "credential_fields", place, DOTTED_PATH),
        auth=_auth(document, place),
        stream=word_at(document["stream"], place.at("stream"), STREAMS) if "stream" in document else None,
        answer_status=answer_status,
        summary=text_at(document, "summary", place),
    )


def _operations(document: Mapping[str, object], place: Place) -> tuple[Operation, ...]:
    if document.get("operations") == BY_METHOD:
        return by_method_operations()
    rows = items_at(document, "operations", place)
    if not rows:
        place.at("operations").fail("missing or empty.", f"List them, or write {BY_METHOD!r}.")
    operations = tuple(_operation(row, place.at("operations").item(index)) for index, row in enumerate(rows))
    refuse_overlaps(operations, place.source)
    return operations


def parse_kind(document: Mapping[str, object], source: str) -> Kind:
    """The Kind a catalog document describes. Raises `OperatorError` naming `source` and the key at fault."""
    place = Place(source)
    mapping_at(document, place, _KIND_KEYS)
    websocket = document.get("websocket", False)
    if not isinstance(websocket, bool):
        place.at("websocket").fail("must be true or false.")
    return Kind(
        name=text_at(document, "kind", place, _KIND_NAME),
        title=text_at(document, "title", place),
        upstream=text_at(document, "upstream", place, _UPSTREAM) if "upstream" in document else "",
        auth=_auth(document, place),
        operations=_operations(document, place),
        error_shape=word_at(document.get("error_shape"), place.at("error_shape"), SHAPES),
        session_headers=texts_at(document, "session_headers", place, _HEADER),
        websocket=websocket,
        text_channels=parse_text_channels(items_at(document, "text_channels", place), place.at("text_channels")),
        text_channels_of=texts_at(document, "text_channels_of", place, _KIND_NAME),
    )
