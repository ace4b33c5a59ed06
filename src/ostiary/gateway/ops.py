"""Health, readiness and metrics, on a listener of their own (never on the gateway's: C07, I09)."""

from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route as WebRoute

from ostiary.gateway.metrics import Metrics

Check = Callable[[], str | None]
"""None when the part works, else a sentence that says what does not."""


def ops_app(metrics: Metrics, checks: Mapping[str, Check]) -> Starlette:
    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        results = {name: check() for name, check in checks.items()}
        failing = {name: sentence for name, sentence in results.items() if sentence is not None}
        body = {
            "status": "not ready" if failing else "ready",
            "parts": {name: "ok" if sentence is None else sentence for name, sentence in results.items()},
        }
        return JSONResponse(body, status_code=503 if failing else 200)

    async def metrics_text(_request: Request) -> Response:
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            WebRoute("/healthz", healthz),
            WebRoute("/readyz", readyz),
            WebRoute("/metrics", metrics_text),
        ]
    )
