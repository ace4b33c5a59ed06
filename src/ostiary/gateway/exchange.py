"""One exchange's journey: the order of the stages, and the only place that knows it.

Stages that need not wait run in callbacks, one after the other; only those that wait (a person, a secret's provider,
a new connection) take a task. What a stage must not forget when it fails stands in `_refuse` and `_end`.
"""

import asyncio
import logging
import time
from functools import partial

from ostiary.gateway import entries
from ostiary.gateway.admission import admit, find_route, refuse_upgrade
from ostiary.gateway.client import ClientConnection
from ostiary.gateway.endings import WENT_AWAY, Endings, internal
from ostiary.gateway.forwarding import send
from ostiary.gateway.house import House
from ostiary.gateway.judged import Judged
from ostiary.gateway.masked_request import mask_request
from ostiary.gateway.recorded_head import recorded_head
from ostiary.gateway.relay import Relay
from ostiary.gateway.route import Route
from ostiary.gateway.state import Exchange, WallClock, now_s
from ostiary.gateway.upload import Upload
from ostiary.gateway.upstream import NO_SECRET, UpstreamConnection
from ostiary.model.actor import Actor
from ostiary.model.decision import Ask, Deny
from ostiary.model.errors import GatewayRefusal, KeysWantedError, OstiaryError, StorageUnavailableError
from ostiary.ports import HEAD, REQUEST, Receipt
from ostiary.protocols.heads import RequestHead

_log = logging.getLogger("ostiary.gateway")

_SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})


class Journeys:
    """Takes every request of every client (a `client.Taker`)."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._clock = WallClock()
        self._ends = Endings(house, self._clock)
        self.all_done = self._ends.all_done
        self.refuse_unread = self._ends.refuse_unread

    @property
    def running(self) -> int:
        return self._ends.running

    # -- the stages, in order

    def recall(self, key: bytes) -> Judged | None:
        """What was said of an equal head before, while it still holds."""
        house = self._house
        return house.verdicts.recall(key, house.snapshot, time.time()) if house.accepting else None

    def take(self, client: ClientConnection, head: RequestHead, key: bytes, recalled: Judged | None) -> None:
        """Stages 1 to 5; then 6 in a task where somebody must be waited for, else straight on to 8."""
        now = time.time()
        exchange = Exchange(self._house.identities.new("ex_", now), now_s(), client, head)
        client.on_gone = partial(self._ends.gone, exchange)
        self._ends.begin(exchange)
        try:
            if recalled is not None:
                self._judge_again(exchange, now, recalled)
                self._go_on(exchange, None, now)
            else:
                self._go_on(exchange, self._judge(exchange, now, key), now)
        except KeysWantedError:
            exchange.task = self._house.loop.create_task(self._learn(exchange, key))
        except GatewayRefusal as refusal:
            self._ends.refuse(exchange, refusal)
        except Exception:  # noqa: BLE001 - the outermost loop of one exchange
            self._ends.fail(exchange)

    async def _learn(self, exchange: Exchange, key: bytes) -> None:
        """Stage 2 had to ask an issuer for its keys first."""
        try:
            await self._house.authenticator.learn(exchange.head)
            exchange.task = None
            if exchange.client.transport.is_closing():
                raise _gone()
            now = time.time()
            self._go_on(exchange, self._judge(exchange, now, key), now)
        except KeysWantedError:
            unknown = self._house.authenticator.unknown(_unknown_issuer(), exchange.client.peer)
            self._ends.refuse(exchange, unknown)
        except GatewayRefusal as refusal:
            self._ends.refuse(exchange, refusal)
        except asyncio.CancelledError:
            self._ends.refuse(exchange, _gone() if exchange.client_gone else _access_ended(exchange))
        except Exception:  # noqa: BLE001 - the outermost loop of one exchange
            self._ends.fail(exchange)

    def _go_on(self, exchange: Exchange, ask: Ask | None, now: float) -> None:
        """Who asks is known, and what for: from here on lost access ends it, whatever it waits for."""
        self._house.live.add(exchange)
        route = exchange.route
        if ask is None and route is not None and self._is_masked_at_once(exchange, route, now):
            exchange.armed = route.armed(exchange.operation)
            if exchange.armed is not None or route.connection.secret is None:
                self._intend(exchange, now)
                return
        exchange.task = self._house.loop.create_task(self._wait(exchange, ask, now))

    def _judge_again(self, exchange: Exchange, now: float, judged: Judged) -> None:
        """Stages 1 to 5 as they came out for an equal head."""
        exchange.judged = judged
        exchange.target = judged.target
        exchange.actor = judged.actor
        exchange.route = judged.route
        exchange.operation = judged.operation
        exchange.decision = judged.decision
        exchange.tool_session = judged.tool_session
        exchange.session = self._house.sessions.session_for(
            judged.actor.key, judged.route.name, judged.tool_session, now
        )

    def _judge(self, exchange: Exchange, now: float, key: bytes) -> Ask | None:
        """Stages 1 to 5. Returns the asking where a person must agree. Raises `GatewayRefusal`."""
        house, head = self._house, exchange.head
        if not house.accepting:
            raise _not_ready()
        snapshot = house.snapshot
        # 1. Parse: from here on one canonical request exists.
        admitted = admit(head, house.hosts)
        exchange.target = admitted.target
        # 2. Identify.
        client = exchange.client
        actor = exchange.actor = house.authenticator.identify(head, now, client.peer, client.transport)
        # 3. Route.
        route = exchange.route = find_route(snapshot, actor, admitted.name)
        exchange.tool_session = _tool_session(head, route)
        exchange.session = house.sessions.session_for(actor.key, route.name, exchange.tool_session, now)
        # 4. Read the operation.
        operation = exchange.operation = route.operation(head.method, admitted.target.path)
        refuse_upgrade(head)
        if operation.answer_status is not None:
            raise GatewayRefusal(
                operation.answer_status, "denied", f"Ostiary answers `{operation.name}` itself and never forwards it."
            )
        # 5. Decide.
        decision = exchange.decision = route.decide(snapshot.policy, actor, operation)
        if isinstance(decision, Deny):
            raise GatewayRefusal(403, "no_rule" if decision.rule is None else "denied", decision.why)
        if isinstance(decision, Ask):
            return decision
        if key and actor.bound_to is None:  # a bound token is proved anew every time
            exchange.judged = Judged(
                head, snapshot, admitted.target, actor, route, operation, decision, exchange.tool_session
            )
            house.verdicts.remember(key, exchange.judged)
        return None

    @staticmethod
    def _is_masked_at_once(exchange: Exchange, route: Route, now: float) -> bool:
        """Whether nothing of the request must be masked, and what masks the answer is ready."""
        masks = route.masks.peek(exchange.actor, now) if exchange.actor is not None else None
        if masks is None:
            return False
        exchange.masks = masks
        return not masks.keeps_values and (masks.request is None or not exchange.has_body)

    async def _mask(self, exchange: Exchange, actor: Actor, route: Route, ask: Ask | None, now: float) -> None:
        """Stage 7 comes before stage 6 where both are: people see what will be sent."""
        try:
            masks = exchange.masks = route.masks.peek(actor, now) or await route.masks.prepare(actor, now)
            if masks.keeps_values:
                exchange.placeholders = await route.masks.book.open(actor.key, exchange.session)
        except OstiaryError:
            raise _unmasked() from None
        masked = masks.request is not None or masks.keeps_values
        if exchange.has_body and (ask is not None or masked):
            body = exchange.judged_body = await exchange.client.whole_body(self._house.settings.judged_body_max_bytes)
            if masked:
                await mask_request(exchange, masks, route.masks, body, actor.key)

    async def _wait(self, exchange: Exchange, ask: Ask | None, now: float) -> None:
        """Stage 6: the whole body is read, and a person sees it. And a secret's provider may take its time: one that
        is down must fail before the intent says that something is sent."""
        house, actor, route = self._house, exchange.actor, exchange.route
        try:
            if actor is None or route is None:
                raise internal()
            await self._mask(exchange, actor, route, ask, now)
            if ask is not None:
                body = exchange.judged_body or b""
                identity = house.identities.new("ap_", now)
                await house.asking.settle(exchange, actor, route, ask, body, identity, now)
            exchange.armed = route.armed(exchange.operation) or await route.arm(exchange.operation)
            self._still_welcome(exchange, actor)
            exchange.task = None
            self._intend(exchange, time.time())
        except GatewayRefusal as refusal:
            self._ends.refuse(exchange, refusal)
        except asyncio.CancelledError:
            self._ends.refuse(exchange, _gone() if exchange.client_gone else _access_ended(exchange))
        except Exception:  # noqa: BLE001 - the outermost loop of one exchange
            self._ends.fail(exchange)

    def _still_welcome(self, exchange: Exchange, actor: Actor) -> None:
        """After a wait: the token may have expired, or access been lost. Raises `GatewayRefusal`."""
        if exchange.client.transport.is_closing():
            raise _gone()
        if exchange.end != "complete":
            raise _access_ended(exchange)
        if actor.expires_at <= time.time():
            raise GatewayRefusal(401, "token_expired", "This token expired while the request waited.")

    def _intend(self, exchange: Exchange, now: float) -> None:
        """Stage 8: no record, no forward. Raises `GatewayRefusal`."""
        house = self._house
        if not house.chronicle.healthy:
            raise _audit_unavailable()
        recorded = house.chronicle.intend(entries.intent(self._clock.text(now), exchange))
        recorded.add_done_callback(partial(self._recorded, exchange))

    def _recorded(self, exchange: Exchange, recorded: "asyncio.Future[Receipt]") -> None:
        """The intent is durable, or it failed: on to an upstream connection."""
        try:
            receipt = exchange.receipt = recorded.result()
        except (StorageUnavailableError, asyncio.CancelledError):
            self._ends.refuse(exchange, _audit_unavailable())
            return
        route = exchange.route
        if route is None or self._is_lost(exchange):
            self._ends.end(exchange, None)
            return
        try:
            upstream = route.pool.take_idle(self._is_safe(exchange))
            if upstream is None:
                exchange.task = self._house.loop.create_task(self._dial(exchange, route, receipt, fresh=False))
            else:
                self._send(exchange, route, receipt, upstream)
        except Exception:  # noqa: BLE001 - the outermost loop of one exchange
            self._ends.fail(exchange)

    @staticmethod
    def _is_lost(exchange: Exchange) -> bool:
        """Whether nobody may get the answer any more; then the outcome says why."""
        if exchange.end == "complete":
            if not exchange.client_gone and not exchange.client.transport.is_closing():
                return False
            exchange.end = WENT_AWAY
        return True

    async def _dial(self, exchange: Exchange, route: Route, receipt: Receipt, fresh: bool) -> None:
        try:
            upstream = await route.pool.acquire(self._is_safe(exchange), fresh)
            exchange.task = None
            if self._is_lost(exchange):
                upstream.abort()
                self._ends.end(exchange, None)
            else:
                self._send(exchange, route, receipt, upstream)
        except GatewayRefusal as refusal:
            self._ends.end(exchange, refusal)
        except asyncio.CancelledError:
            exchange.end = WENT_AWAY if exchange.end == "complete" else exchange.end
            self._ends.end(exchange, None)
        except Exception:  # noqa: BLE001 - the outermost loop of one exchange
            self._ends.fail(exchange)

    def _send(self, exchange: Exchange, route: Route, receipt: Receipt, upstream: UpstreamConnection) -> None:
        """Stages 9 and 10; the relay goes on with 11 and 12 and calls `_answered`."""
        house, client = self._house, exchange.client
        relay = exchange.relay = Relay(exchange, upstream, house.chronicle, house.settings, house.loop, self._answered)
        complete = client.body_complete
        body = exchange.judged_body
        if body is None:
            body = client.take_body() if exchange.has_body else b""
        lines = exchange.armed.guardian.lines if exchange.armed is not None else NO_SECRET
        upstream.begin(relay, exchange.head.method == b"HEAD", lines)
        sent = body if exchange.sent_body is None else exchange.sent_body
        shown, chunked = send(receipt, exchange, route, upstream, sent, complete)
        exchange.add_frame(REQUEST | HEAD, recorded_head(exchange, shown))
        if body or not complete:
            exchange.upload = Upload(exchange, upstream, house.chronicle, house.settings, house.loop)
            exchange.upload.begin(body, complete, chunked)

    def _answered(self, exchange: Exchange, upstream: UpstreamConnection, refusal: GatewayRefusal | None) -> None:
        """The answer is out, or `refusal` is to be answered instead. Only a safe request without a body is tried
        again, once, and only when the kept connection proved stale before a byte of the answer came (E24)."""
        route, receipt = exchange.route, exchange.receipt
        if (
            refusal is not None
            and refusal.code == "upstream_unreachable"
            and upstream.reused
            and not upstream.received_anything
            and not exchange.retried
            and self._is_safe(exchange)
            and route is not None
            and receipt is not None
        ):
            exchange.retried = True
            exchange.relay = None
            exchange.task = self._house.loop.create_task(self._dial(exchange, route, receipt, fresh=True))
            return
        self._ends.end(exchange, refusal)

    @staticmethod
    def _is_safe(exchange: Exchange) -> bool:
        return exchange.head.method in _SAFE_METHODS and not exchange.has_body


# An exception that is raised keeps the frames it went through, and one object for all would keep all of them: every
# refusal is made when it happens.


def _audit_unavailable() -> GatewayRefusal:
    return GatewayRefusal(
        503,
        "audit_unavailable",
        "The audit log cannot be written, so nothing was sent.",
        "Try again later; your administrator sees why on /readyz.",
    )


def _unmasked() -> GatewayRefusal:
    return GatewayRefusal(
        503,
        "not_ready",
        "The masking of this connection is not available; nothing was sent.",
        "Ask your administrator to check `ostiary doctor`.",
    )


def _not_ready() -> GatewayRefusal:
    return GatewayRefusal(
        503, "not_ready", "The gateway is starting or stopping.", "Try again in a moment.", close=True
    )


def _unknown_issuer() -> GatewayRefusal:
    return GatewayRefusal(
        401, "token_unknown", "The keys of this token's issuer cannot be had.", "Try again in a minute."
    )


def _gone() -> GatewayRefusal:
    return GatewayRefusal(499, "client_gone", "The client went away before anything was sent.")


def _access_ended(exchange: Exchange) -> GatewayRefusal:
    why = exchange.end.partition(": ")[2] or "access ended"
    return GatewayRefusal(403, "denied", f"Nothing was sent: while the request waited, {why}.", close=True)


def _tool_session(head: RequestHead, route: Route) -> str | None:
    wanted = route.session_fields
    if wanted:
        for name, value, _fate in head.fields:
            if name in wanted and value:
                return value.decode("ascii")[:128]
    return None
