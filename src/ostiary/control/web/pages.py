"""Templates to pages, failures to pages, and what surrounds every handler of a page."""

import asyncio
import hashlib
import logging
import os
import unicodedata
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ostiary.control.api.fields import InvalidRequestError
from ostiary.control.api.problems import status_of
from ostiary.control.services.console_sessions import Visitor
from ostiary.control.services.reference import REFERENCE
from ostiary.control.web.forms import FormTooLargeError
from ostiary.model.errors import OstiaryError, SignInRefusedError

if TYPE_CHECKING:
    from jinja2 import Environment

_log = logging.getLogger("ostiary.control")

Handler = Callable[[Request], Awaitable[Response]]

STATIC: dict[str, str] = {
    "ostiary.css": "text/css; charset=utf-8",
    "passkey.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
}
"""The files there are, and what they are; nothing else is ever opened by name."""

_HIDING = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Categories of Unicode: controls, formats with the bidirectional ones, private use, surrogates, line separators."""


def page(name: str, visitor: Visitor | None, status: int = 200, /, **values: Any) -> HTMLResponse:
    """The template `name` with autoescaped `values`; it also gets `visitor` and the addresses of static files."""
    template = _environment().get_template(f"{name}.html")
    return HTMLResponse(template.render(visitor=visitor, static=_static_addresses(), **values), status)


def see_other(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303)


def failure_page(failure: OstiaryError, visitor: Visitor | None = None) -> HTMLResponse:
    """One sentence and what to do next. A refused sign-in has a reference, which its audit entry has too."""
    status = _page_status(failure)
    return page(
        "failure", visitor, status,
        status=status, sentence=failure.sentence, next_step=failure.next_step,
        reference=reference_of(failure),
    )  # fmt: skip


def reference_of(failure: OstiaryError | None) -> str:
    """Only a refused sign-in has one: of it the page says nothing else."""
    return REFERENCE.get() if isinstance(failure, SignInRefusedError) else ""


def handled(handler: Handler, answer: Callable[[OstiaryError], Response] = failure_page) -> Handler:
    """`handler`, with every failure turned into a response. Of an unforeseen one only its kind is logged."""

    async def endpoint(request: Request) -> Response:
        REFERENCE.set(os.urandom(5).hex())
        try:
            return await handler(request)
        except OstiaryError as failure:
            return answer(failure)
        except ClientDisconnect:
            return answer(InvalidRequestError("The form ended early."))
        except asyncio.CancelledError:
            return answer(OstiaryError("Ostiary is stopping.", "Try again in a moment."))
        except Exception as failure:  # noqa: BLE001 - the outermost place of a request
            _log.error("console_request_failed kind=%s", type(failure).__name__)
            return answer(OstiaryError("Something went wrong inside Ostiary.", "Look at the server's log."))

    return endpoint


async def static_file(request: Request) -> Response:
    name = str(request.path_params["name"])
    if name not in STATIC:
        return not_done(404, {})
    headers = {"cache-control": "public, max-age=31536000, immutable" if request.url.query else "no-cache"}
    return Response(_static_content(name), 200, headers, STATIC[name])


def not_done(status: int, headers: dict[str, str]) -> HTMLResponse:
    """For what no page answers."""
    sentence = {404: "There is no such page.", 405: "This page is not asked that way."}.get(
        status, "That cannot be done."
    )
    answer = page("failure", None, status, status=status, sentence=sentence, next_step="", reference="")
    answer.headers.update(headers)
    return answer


def _page_status(failure: OstiaryError) -> int:
    match failure:
        case FormTooLargeError():
            return 413
        case InvalidRequestError():
            return 400
        case _:
            return status_of(failure)


def prepare_pages() -> None:
    """Load what the first page would: a tenth of a second that belongs beside the event loop."""
    environment = _environment()
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)
    _static_addresses()


@cache
def _static_content(name: str) -> bytes:
    return resources.files(__package__).joinpath("static", name).read_bytes()


@cache
def _static_addresses() -> dict[str, str]:
    return {
        name.partition(".")[0]: f"/static/{name}?{hashlib.sha256(_static_content(name)).hexdigest()[:16]}"
        for name in STATIC
    }


@cache
def _environment() -> "Environment":
    # Only here, so that a server whose console nobody opens does not carry it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False, finalize=_visible,
    )  # fmt: skip
    environment.filters.update(moment=moment, span=span, grouped=grouped)
    return environment


def _visible(value: object) -> object:
    """Text without characters that hide or turn around what stands beside them (F07): these are shown by number."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in _HIDING
        else f"\\u{{{ord(character):x}}}"
        for character in value
    )


def moment(seconds: float | None) -> str:
    """`2030-03-17 17:46 UTC`, or a dash."""
    return "–" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(seconds: float) -> str:
    """`30 days`, in the largest unit that leaves at least two of it, or one exactly."""
    for length, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * length or (seconds >= length and seconds % length == 0):
            count = round(seconds / length)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{round(seconds)} seconds"


def grouped(text: str) -> str:
    """In fours, for typing."""
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))
