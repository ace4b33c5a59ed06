"""What a route takes, as data: read strictly here, described in the OpenAPI document from the same rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ostiary.control.declarative.errors import nearest
from ostiary.model.errors import CallerError


class InvalidRequestError(CallerError):
    """A field is missing, unknown or of the wrong type."""

    code = "invalid_request"


@dataclass(frozen=True, slots=True)
class Field:
    """`type` is a JSON Schema type, `strings` an array of them. Bounds are of numbers, or of text lengths."""

    name: str
    type: str
    summary: str
    required: bool = False
    default: Any = None
    least: float | None = None
    most: float | None = None
    words: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        if self.type == "strings":
            return {"type": "array", "items": {"type": "string"}, "description": self.summary}
        schema: dict[str, Any] = {"type": self.type, "description": self.summary}
        bounds = {"string": ("minLength", "maxLength")}.get(self.type, ("minimum", "maximum"))
        for bound, limit in zip(bounds, (self.least, self.most), strict=True):
            if limit is not None:
                schema[bound] = limit
        if self.words:
            schema["enum"] = list(self.words)
        if self.default is not None:
            schema["default"] = self.default
        return schema

    def read(self, value: Any) -> Any:
        """The value when it fits. Raises `InvalidRequestError`, which never repeats the value."""
        fits = {
            "string": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "integer": isinstance(value, int) and not isinstance(value, bool),
            "number": isinstance(value, (int, float)) and not isinstance(value, bool),
            "strings": isinstance(value, list) and all(isinstance(item, str) for item in value),
        }[self.type]
        if not fits:
            self._fail("must be a list of text" if self.type == "strings" else f"must be of type {self.type}")
        measure = len(value) if isinstance(value, (str, list)) else value
        unit = " characters" if self.type == "string" else ""
        if self.least is not None and measure < self.least:
            self._fail(f"must be at least {self.least}{unit}")
        if self.most is not None and measure > self.most:
            self._fail(f"must be at most {self.most}{unit}")
        if self.words and value not in self.words:
            self._fail(f"must be one of {', '.join(self.words)}")
        return value

    def read_text(self, text: str) -> Any:
        """The same from a query parameter."""
        if self.type == "integer":
            digits = text.removeprefix("-")
            if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
                self._fail("must be of type integer")
            return self.read(int(text))
        return self.read(text)

    def _fail(self, complaint: str) -> NoReturn:
        raise InvalidRequestError(f"'{self.name}' {complaint}.")


def read_body(content: bytes, fields: Sequence[Field]) -> dict[str, Any]:
    """Every field by name; None where an optional one is absent or null. Unknown and doubled keys are errors."""
    if not content and not any(field.required for field in fields):
        document: Mapping[str, Any] = {}
    else:
        document = _object(content)
    known = {field.name for field in fields}
    for name in document:
        if name not in known:
            raise InvalidRequestError(f"Unknown field '{name[:60]}'.", nearest(name, known))
    values: dict[str, Any] = {}
    for field in fields:
        value = document.get(field.name)
        if value is None and field.required:
            raise InvalidRequestError(f"'{field.name}' is missing.")
        values[field.name] = field.default if value is None else field.read(value)
    return values


def read_query(parameters: Sequence[tuple[str, str]], fields: Sequence[Field]) -> dict[str, Any]:
    known = {field.name: field for field in fields}
    values: dict[str, Any] = {field.name: field.default for field in fields}
    seen: set[str] = set()
    for name, text in parameters:
        if name not in known:
            raise InvalidRequestError(f"Unknown query parameter '{name[:60]}'.", nearest(name, known))
        if name in seen:
            raise InvalidRequestError(f"The query parameter '{name}' stands twice.")
        seen.add(name)
        values[name] = known[name].read_text(text)
    return values


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidRequestError("The body is not JSON.") from None
    if not isinstance(document, dict):
        raise InvalidRequestError("The body must be a JSON object.")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise InvalidRequestError("A field stands twice in the body.")
    return document


def _refuse_constant(_text: str) -> NoReturn:
    raise ValueError
