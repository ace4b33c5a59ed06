"""Around everything the console listener answers: known names only, and the same header fields on every answer."""

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostiary.control.api.problems import problem
from ostiary.control.web.headers import missing_headers
from ostiary.control.web.origins import Origins


class Guard:
    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = [name for name, _ in message["headers"]]
                message = {**message, "headers": [*message["headers"], *missing_headers(present)]}
            await send(message)

        if self._origins.admits_host(HTTPConnection(scope)):
            await self._app(scope, receive, send_guarded)
            return
        # A page elsewhere whose name was made to point here (DNS rebinding) gets nothing, whatever it asks.
        answer = problem(
            421, "unknown_host", "This console does not answer to that name.",
            "Use its own address, or list the name in OSTIARY_ALLOWED_HOSTS.",
        )  # fmt: skip
        await answer(scope, receive, send_guarded)
