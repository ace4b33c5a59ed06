"""One exchange's journey: the order of the stages, and the only place that knows it."""

import asyncio
import logging
import os
import time
from dataclasses import dataclass

from ostiary.gateway import entries
from ostiary.gateway.admission import HostList, admit, find_route, refuse_upgrade
from ostiary.gateway.answers import error_answer
from ostiary.gateway.asking import Asking
from ostiary.gateway.authenticator import Authenticator
from ostiary.gateway.client import ClientConnection
from ostiary.gateway.forwarding import Forwarder
from ostiary.gateway.live import LiveExchanges
from ostiary.gateway.metrics import Metrics
from ostiary.gateway.refusals import RefusalBook
from ostiary.gateway.relay import Relay
from ostiary.gateway.route import Armed, Route, Snapshot
from ostiary.gateway.state import Exchange, WallClock
from ostiary.gateway.upload import Upload
from ostiary.gateway.upstream import UpstreamConnection
from ostiary.model.actor import Actor
from ostiary.model.decision import Allow, Ask, Deny
from ostiary.model.errors import GatewayRefusal, StorageUnavailableError
from ostiary.model.operation import UNKNOWN_OPERATION
from ostiary.ports import HEAD, REQUEST, Chronicle, Receipt
from ostiary.protocols.heads import RequestHead
from ostiary.recording.sessions import SessionBook
from ostiary.settings import Settings

_log = logging.getLogger("ostiary.gateway")

_SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_AUDIT_UNAVAILABLE = GatewayRefusal(
    503,
    "audit_unavailable",
    "The audit log cannot be written, so nothing was sent.",
    "Try again later; your administrator sees why on /readyz.",
)
_NOT_READY = GatewayRefusal(
    503, "not_ready", "The gateway is starting or stopping.", "Try again in a moment.", close=True
)
_GONE = GatewayRefusal(499, "client_gone", "The client went away before anything was sent.")
_INTERNAL = GatewayRefusal(500, "internal", "Ostiary failed on this request; nothing of the answer is passed on.")


def new_identity(prefix: str, now: float) -> str:
    """An id that sorts by time: 48 bits of milliseconds, 80 random bits."""
    return f"{prefix}{int(now * 1000):012x}{os.urandom(10).hex()}"


@dataclass(slots=True)
class House:
    """What a journey needs; `snapshot` is replaced when the configuration changes."""

    snapshot: Snapshot
    settings: Settings
    loop: asyncio.AbstractEventLoop
    authenticator: Authenticator
    chronicle: Chronicle
    sessions: SessionBook
    asking: Asking
    hosts: HostList
    live: LiveExchanges
    metrics: Metrics
    refusals: RefusalBook
    accepting: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What was judged and may now be sent. `body` is set when it had to be read for the judgement."""

    route: Route
    armed: Armed | None
    body: bytes | None


class Journeys:
    """Takes every request of every client (a `client.Taker`)."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._clock = WallClock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        return len(self._tasks)

    async def all_done(self, timeout_s: float) -> None:
        """Wait until no exchange runs, at most so long."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=timeout_s)

    def take(self, client: ClientConnection, head: RequestHead) -> None:
        house = self._house
        exchange = Exchange(new_identity("ex_", time.time()), house.loop.time(), client, head)
        task = house.loop.create_task(self._travel(exchange))
        client.on_gone = task.cancel
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _travel(self, exchange: Exchange) -> None:
        try:
            plan = await self._judge(exchange)
            receipt = await self._intend(exchange)
        except GatewayRefusal as refusal:
            self._refuse(exchange, refusal)
            self._note_refusal(exchange, refusal)
        except asyncio.CancelledError:
            self._note_refusal(exchange, _GONE)
        except Exception:  # noqa: BLE001 - the outermost loop of one exchange
            self._note_refusal(exchange, self._fail(exchange))
        else:
            try:
                await self._forward(exchange, plan, receipt)
            except GatewayRefusal as refusal:
                exchange.end = f"failed: {refusal.code}"
                self._refuse(exchange, refusal)
            except asyncio.CancelledError:
                if exchange.end == "complete":
                    exchange.end = "cut: client went away"
            except Exception:  # noqa: BLE001 - the outermost loop of one exchange
                exchange.end = "failed: internal"
                self._fail(exchange)
            finally:
                self._conclude(exchange)
        exchange.client.finish(exchange.head.keep_alive)

    async def _judge(self, exchange: Exchange) -> Plan:
        """Stages 1 to 7. Raises `GatewayRefusal`."""
        house, head, client = self._house, exchange.head, exchange.client
        if not house.accepting:
            raise _NOT_READY
        snapshot = house.snapshot
        # 1. Parse: from here on one canonical request exists.
        admitted = admit(head, house.hosts)
        exchange.target = admitted.target
        # 2. Identify.
        now = time.time()
        actor = exchange.actor = house.authenticator.identify(head, now, client.peer)
        # 3. Route.
        route = exchange.route = find_route(snapshot, actor, admitted.name)
        # 4. Read the operation.
        operation = exchange.operation = (
            route.table.match(head.method.decode("ascii"), admitted.target.path.decode("ascii")) or UNKNOWN_OPERATION
        )
        refuse_upgrade(head)
        if operation.answer_status is not None:
            raise GatewayRefusal(
                operation.answer_status, "denied", f"Ostiary answers `{operation.name}` itself and never forwards it."
            )
        # 5. Decide.
        decision = exchange.decision = route.decide(snapshot.policy, actor, operation)
        body: bytes | None = None
        match decision:
            case Allow():
                pass
            case Deny(rule=rule, why=why):
                raise GatewayRefusal(403, "no_rule" if rule is None else "denied", why)
            case Ask():
                # 6. Wait for a person, who sees the whole body.
                body = await client.whole_body(house.settings.judged_body_max_bytes)
                await house.asking.settle(exchange, actor, route, decision, body, new_identity("ap_", now), now)
        # 9 needs the secret: a provider that is down must fail before the intent says that something is sent.
        armed = route.armed(operation)
        if armed is None and route.connection.secret is not None:
            armed = await route.arm(operation)
        exchange.session = house.sessions.session_for(_actor_key(actor), route.name, _tool_session(head, route), now)
        return Plan(route, armed, body)

    async def _intend(self, exchange: Exchange) -> Receipt:
        """Stage 8: no record, no forward."""
        house = self._house
        if not house.chronicle.healthy:
            raise _AUDIT_UNAVAILABLE
        try:
            return await house.chronicle.intend(entries.intent(self._clock.text(time.time()), exchange))
        except StorageUnavailableError:
            raise _AUDIT_UNAVAILABLE from None

    async def _forward(self, exchange: Exchange, plan: Plan, receipt: Receipt) -> None:
        """Stages 9 to 12. Only a safe request without a body is tried again, once, and only when the kept connection
        turned out to be stale before a byte of the answer came (E24)."""
        safe = exchange.head.method in _SAFE_METHODS and not exchange.head.has_body
        self._house.live.add(exchange)
        upstream = await plan.route.pool.acquire(safe)
        stale = upstream.reused and safe
        refusal = await self._relay(exchange, plan, receipt, upstream)
        if refusal is not None and stale and not upstream.received_anything and refusal.code != "upstream_timeout":
            upstream = await plan.route.pool.acquire(safe, fresh=True)
            refusal = await self._relay(exchange, plan, receipt, upstream)
        if refusal is not None:
            raise refusal

    async def _relay(
        self, exchange: Exchange, plan: Plan, receipt: Receipt, upstream: UpstreamConnection
    ) -> GatewayRefusal | None:
        """Send the request and relay the answer. The refusal to answer with instead, when nothing was sent yet."""
        house, client = self._house, exchange.client
        answered: asyncio.Future[GatewayRefusal | None] = house.loop.create_future()

        def done(refusal: GatewayRefusal | None) -> None:
            if not answered.done():
                answered.set_result(refusal)

        forwarder = Forwarder(exchange, plan.route, plan.armed, upstream)
        relay = Relay(exchange, plan.armed, upstream, house.chronicle, house.settings, house.loop, done)
        upload = Upload(exchange, forwarder, house.chronicle, house.settings, house.loop)
        upstream.begin(relay, exchange.head.method == b"HEAD")
        exchange.add_frame(house.loop.time(), REQUEST | HEAD, forwarder.recorded_head())
        body = client.take_body() if plan.body is None else plan.body
        complete = client.body_complete
        if body:
            upload.record(body)
        if complete:
            upload.record_end()
        forwarder.send(receipt, body, complete)
        if not complete:
            client.deliver_body_to(upload)
        try:
            return await answered
        except asyncio.CancelledError:
            relay.stop(exchange.end if exchange.end != "complete" else "cut: client went away")
            raise

    # -- ends

    def _refuse(self, exchange: Exchange, refusal: GatewayRefusal) -> None:
        """Send the refusal in the Kind's shape; close where the framing is in doubt or the body was not read."""
        client, head = exchange.client, exchange.head
        if refusal.close or not client.body_complete:
            head.keep_alive = False
        shape = exchange.route.error_shape if exchange.route is not None else "problem"
        exchange.status = refusal.status
        client.write(error_answer(refusal, shape, exchange.id, head.method != b"HEAD", close=not head.keep_alive))

    def _fail(self, exchange: Exchange) -> GatewayRefusal:
        """The outermost loop of one exchange: nothing of the failure may reach the client."""
        _log.error("exchange.failed exchange=%s", exchange.id, exc_info=_log.isEnabledFor(logging.DEBUG))
        if exchange.answered or exchange.first_byte_us:
            exchange.client.abort()
        else:
            self._refuse(exchange, _INTERNAL)
        return _INTERNAL

    def _note_refusal(self, exchange: Exchange, refusal: GatewayRefusal) -> None:
        house = self._house
        house.refusals.note(entries.refused(self._clock.text(time.time()), exchange, refusal))
        house.metrics.refused(refusal.code)

    def _conclude(self, exchange: Exchange) -> None:
        """Stage 13."""
        house = self._house
        house.live.discard(exchange)
        duration_us = int((house.loop.time() - exchange.started) * 1_000_000)
        house.chronicle.conclude(
            exchange.id, exchange.take_frames(), entries.outcome(self._clock.text(time.time()), exchange, duration_us)
        )
        house.metrics.concluded(exchange, duration_us)

    def refuse_unread(self, client: ClientConnection, refusal: GatewayRefusal) -> None:
        """Answer what could not be read as a request, and close."""
        house = self._house
        now = time.time()
        identity = new_identity("ex_", now)
        client.write(error_answer(refusal, "problem", identity, with_body=True, close=True))
        client.finish(keep_alive=False)
        house.refusals.note(entries.refused_unread(self._clock.text(now), identity, client.peer, refusal))
        house.metrics.refused(refusal.code)


def _actor_key(actor: Actor) -> str:
    return f"{actor.kind.value}:{actor.name}:{actor.agent or ''}"


def _tool_session(head: RequestHead, route: Route) -> str | None:
    for name in route.session_fields:
        value = head.first(name)
        if value:
            return value.decode("ascii")[:128]
    return None
