"""Stage 7: the request's body without what must not be sent."""

import asyncio

from ostiary.gateway.masks import Masks, RouteMasks
from ostiary.gateway.state import Exchange
from ostiary.masking.engine import Masker
from ostiary.masking.placeholders import PlaceholderRestorer
from ostiary.model.errors import (
    GatewayRefusal,
    MaskingBlockedError,
    MaskingFailedError,
    OstiaryError,
    StorageUnavailableError,
)

_BESIDE_THE_LOOP_BYTES = 64 * 1024
"""Masking more than this would keep the event loop from others for too long."""


async def mask_request(exchange: Exchange, masks: Masks, route: RouteMasks, body: bytes, actor_key: str) -> None:
    """Sets what is judged and recorded, and what is sent. Raises `GatewayRefusal` when a rule blocks the request, when
    it cannot be masked, and when what stands for its values cannot be kept."""
    exchange.judged_body = body
    content_type, placeholders = exchange.content_type, exchange.placeholders
    try:
        if masks.request is not None:
            engine = masks.request
            masker = masks.masker(engine, placeholders=placeholders)
            try:
                exchange.judged_body = await _in_turn(route, masker, content_type, body, engine.blocks_archives)
            finally:
                exchange.findings += masker.findings()
        if placeholders is not None:
            if placeholders.sealed_count:
                restorer = PlaceholderRestorer(placeholders, sealed=True)
                exchange.sent_body = await _in_turn(route, restorer, content_type, exchange.judged_body, None)
            await route.book.keep(actor_key, exchange.session, placeholders)
        exchange.body_changed = exchange.judged_body != body or exchange.sent_body is not None
    except MaskingBlockedError as failure:
        raise GatewayRefusal(
            403,
            "denied",
            f"Nothing was sent. {failure.sentence}",
            "Take it out of the request, or ask your administrator for an exception to the rule.",
        ) from None
    except MaskingFailedError as failure:
        raise GatewayRefusal(
            502,
            "masking_failed",
            f"Nothing was sent: the request cannot be masked. {failure.sentence}",
            failure.next_step,
        ) from None
    except StorageUnavailableError:
        raise GatewayRefusal(
            503, "audit_unavailable", "Nothing was sent: what stands for the masked values cannot be kept."
        ) from None
    except OstiaryError:
        raise
    except Exception:  # noqa: BLE001 - whatever breaks in a detector, nothing that it did not see is sent
        raise GatewayRefusal(502, "masking_failed", "Nothing was sent: a detector failed on the request.") from None


async def _in_turn(
    route: RouteMasks,
    masker: Masker | PlaceholderRestorer,
    content_type: bytes,
    body: bytes,
    archives_rule: str | None,
) -> bytes:
    def whole() -> bytes:
        way = route.body(masker, content_type, archives_rule)
        return way.feed(body) + way.finish()

    if len(body) <= _BESIDE_THE_LOOP_BYTES:
        return whole()
    return await asyncio.get_running_loop().run_in_executor(None, whole)
