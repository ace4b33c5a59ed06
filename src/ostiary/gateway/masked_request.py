"""Stage 7: the request's body without what must not be sent."""

from ostiary.gateway.masks import Masks, RouteMasks
from ostiary.gateway.state import Exchange
from ostiary.gateway.whole_body import through
from ostiary.masking.placeholders import PlaceholderRestorer
from ostiary.model.errors import (
    GatewayRefusal,
    MaskingBlockedError,
    MaskingFailedError,
    OstiaryError,
    StorageUnavailableError,
)
from ostiary.model.masking import Where
from ostiary.protocols.charsets import charset_is_readable


async def mask_request(exchange: Exchange, masks: Masks, route: RouteMasks, body: bytes, actor_key: str) -> None:
    """Sets what is judged and recorded, and what is sent. Raises `GatewayRefusal` when a rule blocks the request, when
    it cannot be masked, and when what stands for its values cannot be kept."""
    exchange.judged_body = body
    content_type, placeholders = exchange.content_type, exchange.placeholders
    try:
        if masks.request is not None:
            if not charset_is_readable(content_type):
                raise MaskingFailedError("Its character set is not supported.", "Send it in UTF-8.")
            engine = masks.request
            masker = masks.masker(engine, placeholders=placeholders)
            try:
                exchange.judged_body = await through(
                    lambda: route.body(masker, content_type, engine.blocks_archives), body
                )
                remote = masks.remote.get(Where.REQUEST)
                if remote is not None:
                    exchange.judged_body = await remote.mask(
                        masker, lambda reader: route.body(reader, content_type), exchange.judged_body
                    )
            finally:
                exchange.findings += masker.findings()
        if placeholders is not None:
            if placeholders.sealed_count:
                restorer = PlaceholderRestorer(placeholders, sealed=True)
                exchange.sent_body = await through(lambda: route.body(restorer, content_type), exchange.judged_body)
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
