"""Bodies of forms, read strictly: what is doubled, unknown, too long or no form at all is refused."""

import asyncio
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from ostiary.control.api.fields import InvalidRequestError
from ostiary.model.errors import CallerError

FORM_MAX_BYTES = 32 * 1024
SAML_MAX_BYTES = 256 * 1024
FIELDS_MAX = 40
_LONG_BYTES = 4096
"""Of longer forms the escapes are undone beside the event loop: there may be one in each three bytes."""
_TYPE = "application/x-www-form-urlencoded"


class FormTooLargeError(CallerError):
    code = "too_large"


async def read_form(
    request: Request, known: Collection[str] | None, most_bytes: int = FORM_MAX_BYTES
) -> Mapping[str, str]:
    """Field → value. `known` None takes any field: OAuth and SAML say that unknown ones are ignored.
    Raises `InvalidRequestError` and `FormTooLargeError`, which never repeat what was sent."""
    kinds = request.headers.getlist("content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != _TYPE:
        raise InvalidRequestError(f"The body must be {_TYPE}.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidRequestError("The body must not be compressed.")
    content = await _content(request, most_bytes)
    if len(content) > _LONG_BYTES:
        return await asyncio.to_thread(parse_fields, content, known)
    return parse_fields(content, known)


def read_query(request: Request, known: Collection[str] | None) -> Mapping[str, str]:
    """The same of the query."""
    return parse_fields(bytes(request.scope["query_string"]), known)


def parse_fields(content: bytes, known: Collection[str] | None) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            content.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict",
            max_num_fields=FIELDS_MAX,
        ) if content else []  # fmt: skip
    except ValueError:
        raise InvalidRequestError("The fields cannot be read.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidRequestError("A field stands twice.")
    if known is not None and not fields.keys() <= set(known):
        raise InvalidRequestError("There is a field that does not belong here.")
    return fields


async def _content(request: Request, most_bytes: int) -> bytes:
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > most_bytes:
            raise FormTooLargeError(f"The form is larger than {most_bytes:,} bytes.")
    return bytes(pieces)
