"""What a request may hold, read strictly and within limits before anything looks into it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson
from starlette.requests import Request

from ostiary.control.scim.errors import MEDIA_TYPE, ScimError

BODY_MAX_BYTES = 1024 * 1024
FILTER_MAX_CHARACTERS = 4096
FILTER_MAX_DEPTH = 16
FILTER_MAX_TERMS = 100
PAGE_MAX = 200
NESTING_MAX = 12
NAME_MAX = 512
"""Characters of an attribute's name; in a PATCH it may be a path with a filter in it."""

_MEDIA_TYPES = frozenset({MEDIA_TYPE, "application/json"})


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for. `start_index` counts from 1; `attributes` is empty when all are wanted."""

    filter: str | None = None
    start_index: int = 1
    count: int = PAGE_MAX
    attributes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


async def read_body(request: Request) -> dict[str, Any]:
    """The body's object. Raises `ScimError`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _MEDIA_TYPES:
        raise ScimError(415, f"The body must be of type {MEDIA_TYPE}.")
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > BODY_MAX_BYTES:
            raise ScimError(413, f"The body is larger than {BODY_MAX_BYTES:,} bytes.")
    return parse_body(bytes(pieces))


def parse_body(content: bytes) -> dict[str, Any]:
    """Names of attributes are compared without regard to case, so one that stands twice in two cases is refused."""
    try:
        # Refuses what is no Unicode; the other parser tells names that stand twice.
        orjson.loads(content)
        document = json.loads(content, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ScimError(
            400, "The body is not JSON, or a name in it stands twice or is too long.", "invalidSyntax"
        ) from None
    if not isinstance(document, dict):
        raise ScimError(400, "The body must be a JSON object.", "invalidSyntax")
    if _depth(document) > NESTING_MAX:
        raise ScimError(400, "The body is nested too deeply.", "invalidSyntax")
    return document


def require_schema(body: Mapping[str, Any], schema: str) -> None:
    """Raises `ScimError` unless the body says that it is of `schema`."""
    named = next((value for name, value in body.items() if name.lower() == "schemas"), None)
    if not isinstance(named, list) or schema.lower() not in {str(one).lower() for one in named}:
        raise ScimError(400, f"'schemas' must name {schema}.", "invalidSyntax")


def read_query(request: Request) -> Query:
    given = request.query_params
    return query_of(
        given.get("filter"),
        given.get("startIndex"),
        given.get("count"),
        _listed(given.get("attributes")),
        _listed(given.get("excludedAttributes")),
    )


def read_search(body: Mapping[str, Any]) -> Query:
    """The same from the body of a `.search`."""
    given = {name.lower(): value for name, value in body.items()}
    text = given.get("filter")
    if text is not None and not isinstance(text, str):
        raise ScimError(400, "'filter' must be a text.", "invalidValue")
    return query_of(
        text,
        given.get("startindex"),
        given.get("count"),
        _listed(given.get("attributes")),
        _listed(given.get("excludedattributes")),
    )


def query_of(
    text: str | None, start_index: Any, count: Any, attributes: tuple[str, ...], excluded: tuple[str, ...]
) -> Query:
    if text is not None:
        check_filter_size(text)
    return Query(
        text or None,
        max(1, _number("startIndex", start_index, 1)),
        min(PAGE_MAX, max(0, _number("count", count, PAGE_MAX))),
        attributes,
        excluded,
    )


def check_filter_size(text: str) -> None:
    """Raises `ScimError` for a filter that would take long to read or to evaluate."""
    depth = deepest = 0
    terms = 1
    for character in text:
        if character in "([":
            depth += 1
            terms += 1
            deepest = max(deepest, depth)
        elif character in ")]":
            depth -= 1
    terms += text.lower().count(" and ") + text.lower().count(" or ")
    if len(text) > FILTER_MAX_CHARACTERS or deepest > FILTER_MAX_DEPTH or terms > FILTER_MAX_TERMS:
        raise ScimError(400, "The filter is too long or too deep.", "invalidFilter")


def _number(name: str, given: Any, default: int) -> int:
    if given is None or given == "":
        return default
    text = str(given)
    digits = text.removeprefix("-")
    if isinstance(given, bool) or not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise ScimError(400, f"'{name}' must be a whole number.", "invalidValue")
    return int(text)


def _listed(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list) or len(names) > 100 or not all(isinstance(name, str) for name in names):
        raise ScimError(400, "Attributes must be named by a short list of texts.", "invalidValue")
    return tuple(name.strip() for name in names if name.strip())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name.lower() for name, _ in pairs}) != len(pairs) or any(len(name) > NAME_MAX for name, _ in pairs):
        raise ValueError
    return dict(pairs)


def _refuse(_text: str) -> NoReturn:
    raise ValueError


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level and deepest <= NESTING_MAX:
        deepest += 1
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += [held for held in item.values() if isinstance(held, (dict, list))]
            elif isinstance(item, list):
                inner += [held for held in item if isinstance(held, (dict, list))]
        level = inner
    return deepest
