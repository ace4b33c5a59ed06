"""Behind a reverse proxy that is trusted, a request's client is whom the proxy saw."""

from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.protocols.forwarded import FIELD, TrustedProxies, client_address


class BehindProxies:
    """Outermost, so that nothing further in sees the proxy as the client. Nothing else is taken from header fields."""

    def __init__(self, app: ASGIApp, trusted: TrustedProxies) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if peer is not None and self._trusted:
            lines = [value for name, value in scope["headers"] if name == FIELD]
            address = client_address(peer[0], lines, self._trusted)
            if address != peer[0]:
                scope = {**scope, "client": (address, 0)}
        await self._app(scope, receive, send)
