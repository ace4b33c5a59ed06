"""Wires everything; the only file that knows every name."""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop
import yaml

import ostiary
from ostiary.adapters.actors import Actors, KnownGroups
from ostiary.adapters.chronicle import Chronicle, ExchangeIndex
from ostiary.adapters.desk import Desk
from ostiary.adapters.detectors import DetectorServices
from ostiary.adapters.foreign_tokens import ForeignTokens
from ostiary.adapters.history import RecordedHistory
from ostiary.adapters.identity_providers import IdentityProviderBook
from ostiary.adapters.keeper import Keeper
from ostiary.adapters.placeholder_book import PlaceholderBook
from ostiary.adapters.rootkey import load_or_create
from ostiary.adapters.stores.sqlite import Store
from ostiary.audit.entries import entry_time
from ostiary.catalog import load_catalog
from ostiary.control.api.application import create_api
from ostiary.control.services import (
    ApprovalService,
    AuditService,
    ConfigurationService,
    ConnectionService,
    HistoryService,
    SecretService,
    Services,
    StatusService,
)
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.housekeeping import keep_house
from ostiary.control.socket import Serving, serve_tcp, serve_unix
from ostiary.gateway.admission import HostList
from ostiary.gateway.asking import Asking
from ostiary.gateway.authenticator import Authenticator
from ostiary.gateway.deadlines import Sweeper
from ostiary.gateway.dialling import dial
from ostiary.gateway.house import House
from ostiary.gateway.judged import Verdicts
from ostiary.gateway.live import LiveExchanges
from ostiary.gateway.metrics import Metrics
from ostiary.gateway.ops import Check, ops_app
from ostiary.gateway.possession import Possession
from ostiary.gateway.refusals import RefusalBook
from ostiary.gateway.route import Snapshot
from ostiary.gateway.server import GatewayServer
from ostiary.gateway.snapshots import SnapshotBuilder
from ostiary.gateway.state import Exchange, Identities
from ostiary.gateway.trust import server_context
from ostiary.identity.limits import NetworkLimiter
from ostiary.model.actor import Actor
from ostiary.model.configuration import Configuration
from ostiary.model.connection import Connection
from ostiary.model.decision import Deny
from ostiary.model.errors import OperatorError, OstiaryError
from ostiary.policy.evaluation import Policy
from ostiary.protocols.kinds import Kind
from ostiary.protocols.openapi import operations_from_openapi
from ostiary.reception import console_app, open_reception
from ostiary.recording.sessions import SessionBook
from ostiary.settings import Settings, default_home
from ostiary.startup import (
    already_running,
    checked_addresses,
    give_memory_back,
    prepare_home,
    prepare_process,
    public_gateway,
    settle_memory,
    trusted_proxies,
    url_of,
)

_log = logging.getLogger("ostiary")

_UNHEALTHY_CUT_S = 3.0
"""Running streams end this long after the audit log failed; the promise is five seconds."""


def serve(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT. 0 after a clean stop, 1 with one sentence on stderr when it cannot start."""
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except OstiaryError as error:
        print(f"ostiary: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    application = Application(settings, asyncio.get_running_loop())
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        await application.start()
        print(application.greeting(), flush=True)
        await stopping.wait()
    finally:
        await application.stop()


async def _warm(snapshot: Snapshot, before: Snapshot) -> None:
    """Ready every route. `before` is kept meanwhile: what was compiled for a secret that did not change is used again,
    and goes with the last route that has it."""
    await asyncio.gather(*(route.warm() for route in snapshot.routes.values()))
    del before


class Application:
    """Everything of one running installation. `start` raises `OstiaryError` and leaves nothing running."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._kinds = load_catalog()
        self._sweeper = Sweeper(loop)
        self._metrics = Metrics()
        self._live = LiveExchanges()
        self._detectors = DetectorServices(dial)
        self._servings: list[Serving] = []
        self._addresses: dict[str, str] = {}
        self._gateway_from_here = ""
        self._store: Store | None = None
        self._chronicle: Chronicle | None = None
        self._gateway: GatewayServer | None = None
        self._desk: Desk | None = None
        self._index: ExchangeIndex | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = False
        self._in_force = Configuration()
        self._first_start_link: str | None = None

    async def start(self) -> None:
        settings, loop = self._settings, self._loop
        addresses = checked_addresses(settings)
        public, trusted = public_gateway(settings), trusted_proxies(settings)
        tls = server_context(settings.tls_cert, settings.tls_key) if settings.tls_cert else None
        gateway_tls = tls
        if settings.tls_cert and settings.tls_client_ca:
            gateway_tls = server_context(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
        prepare_process()
        prepare_home(settings.home)
        store = self._store = Store(settings.home / "ostiary.db")
        root_key = load_or_create(settings.home, settings.root_key, store)
        chronicle = self._chronicle = Chronicle(settings.home, loop, settings, root_key, store.installation, time.time)
        try:
            chronicle.start()
        except OperatorError as error:
            raise already_running(settings.home) or error from None
        chronicle.on_health(self._health_changed)
        keeper = self._keeper = Keeper(store, root_key, store.installation, settings, time.time)
        placeholders = PlaceholderBook(
            store.placeholders, root_key, store.installation, settings.session_gap_s, time.time
        )
        desk = self._desk = Desk(
            store.approvals,
            waiting_max=settings.approvals_waiting_max,
            clock=time.time,
            note=self._note,
        )
        providers = self._providers = IdentityProviderBook(dial, keeper, time.time, self._forget_verdicts)
        groups = self._groups = KnownGroups(store.people)
        foreign = self._foreign = ForeignTokens(providers, store.people, store.service_accounts, groups)
        self._authenticator = Authenticator(
            Actors(store.tokens, store.people, groups),
            foreign,
            Possession(
                tls=tls is not None, behind_proxy=settings.insecure_plaintext, public_url=settings.gateway_url
            ),
            NetworkLimiter(settings.token_failures_per_minute / 60, settings.token_failures_per_minute, time.time),
        )
        self._builder = SnapshotBuilder(
            settings,
            self._sweeper,
            loop,
            keeper,
            self._kind_of,
            placeholders,
            root_key.masking_key,
            self._detectors.of,
        )
        log = AdminLog(self._note, time.time)
        configuration = self._configuration = ConfigurationService(
            store.configurations, self._kinds, self._changed, log, store.secrets.has_value
        )
        identities = Identities()
        self._house = House(
            snapshot=Snapshot(0, {}, Policy(())),
            settings=settings,
            loop=loop,
            authenticator=self._authenticator,
            chronicle=chronicle,
            sessions=SessionBook(lambda: identities.new("se_", time.time()), settings.session_gap_s),
            asking=Asking(desk, self._console_url),
            hosts=HostList(settings.allowed_hosts, public.host if public is not None else ""),
            live=self._live,
            metrics=self._metrics,
            refusals=RefusalBook(chronicle, loop, time.time),
            identities=identities,
            verdicts=Verdicts(),
            trusted=trusted,
        )
        await self._changed()
        index = self._index = ExchangeIndex(settings.home, root_key, store.installation, chronicle)
        self._background(index.follow())
        self._background(keep_house(store.tokens, desk, placeholders))
        self._background(self._detectors.watch())
        history = RecordedHistory(index, chronicle)
        reception = open_reception(
            settings,
            store,
            root_key,
            configuration=configuration,
            in_force=lambda: self._in_force,
            desk=desk,
            providers=providers,
            revoked=self._revoked,
            access_changed=self._access_changed,
            console_url=self._console_url,
            gateway_url=self._gateway_url,
            log=log,
        )
        self._background(reception.recheck.run())
        services = Services(
            status=StatusService(self._status),
            configuration=configuration,
            secrets=SecretService(store.secrets, configuration, keeper.seal, log),
            tokens=reception.tokens,
            history=HistoryService(history, log),
            audit=AuditService(history),
            approvals=ApprovalService(desk, store.people, store.tokens),
            people=reception.people,
            service_accounts=reception.accounts,
            identity=reception.identity,
            owner=reception.owner,
            connections=ConnectionService(lambda: self._in_force),
        )
        self._sweeper.start()
        gateway = self._gateway = GatewayServer(self._house, self._sweeper)
        ops = ops_app(self._metrics, self._checks())
        port = await gateway.listen(addresses["gateway"].host, addresses["gateway"].port, gateway_tls)
        self._addresses["gateway"] = url_of(addresses["gateway"], port, tls is not None)
        self._gateway_from_here = url_of(addresses["gateway"].from_here, port, tls is not None)
        self._servings.append(await serve_unix(create_api(services), settings.home / "admin.sock"))
        console = console_app(
            reception, services, settings, self._console_url, lambda: self._in_force, store, log, trusted
        )
        for name, web, context in (("console", console, tls), ("ops", ops, None)):
            serving = await serve_tcp(web, addresses[name].host, addresses[name].port, context)
            self._servings.append(serving)
            self._addresses[name] = url_of(addresses[name], serving.port, context is not None)
        self._first_start_link = await reception.owner.first_start_link()
        self._ready = True
        self._gauges(gateway, chronicle)
        self._write_server_file()
        settle_memory()

    # -- what changes while it runs

    async def _changed(self) -> None:
        """Make the stored configuration the one in force. Raises `OstiaryError`; then the old one stays."""
        configuration = await asyncio.to_thread(self._configuration.current)
        stored = self._store_now.configurations.current()
        self._keeper.declare(configuration.secrets)
        self._providers.put_in_force(configuration.issuers)
        self._foreign.put_in_force(configuration)
        self._groups.put_in_force(configuration)
        snapshot = await asyncio.to_thread(
            self._builder.build, stored.version if stored is not None else 0, configuration
        )
        before = self._house.snapshot
        self._in_force = configuration
        self._house.snapshot = snapshot
        give_memory_back()
        self._detectors.put_in_force(configuration)
        self._background(self._detectors.check())
        self._background(_warm(snapshot, before))
        self._look_again("the rules changed")

    def _access_changed(self) -> None:
        self._look_again("access ended")

    def _look_again(self, why: str) -> None:
        """Tokens and verdicts are asked for anew, and running exchanges that would be refused now end."""
        self._forget_verdicts()
        known: dict[str, Actor | None] = {}
        self._live.cut(why, lambda exchange: self._lost_access(exchange, known))

    def _forget_verdicts(self) -> None:
        self._authenticator.forget()
        self._house.verdicts.forget()  # they keep what was in force when they were made, secrets and masks with it

    def _lost_access(self, exchange: Exchange, known: dict[str, Actor | None]) -> bool:
        """Whether a running exchange would be denied now (E23). `known` keeps who is behind a token while one looks."""
        if exchange.actor is None or exchange.route is None:
            return False
        snapshot = self._house.snapshot
        token_id = exchange.actor.token_id
        if token_id not in known:
            known[token_id] = self._authenticator.again(exchange.actor)
        actor = known[token_id]
        if actor is None:
            return True
        route = snapshot.routes.get(exchange.route.name.encode("ascii"))
        if route is None or route.connection.upstream != exchange.route.connection.upstream:
            return True
        if route.masks.rules != exchange.route.masks.rules:
            return True  # what streams on would be masked by rules that hold no more
        if actor.groups != exchange.actor.groups and route.masks.peek(actor, time.time()) != exchange.masks:
            return True  # an exemption came or went with a group
        return isinstance(route.decide(snapshot.policy, actor, exchange.operation), Deny)

    def _revoked(self, token_id: str) -> None:
        self._forget_verdicts()
        self._live.cut(
            "the token was revoked", lambda exchange: exchange.actor is not None and exchange.actor.token_id == token_id
        )

    def _health_changed(self, healthy: bool) -> None:
        _log.warning("audit.%s", "recovered" if healthy else "unavailable")
        if not healthy:
            self._loop.call_later(_UNHEALTHY_CUT_S, self._cut_unrecorded)

    def _cut_unrecorded(self) -> None:
        if self._chronicle is not None and not self._chronicle.healthy:
            self._live.cut("the audit log became unavailable", lambda _exchange: True)

    def _kind_of(self, connection: Connection) -> Kind:
        kind = self._kinds[connection.kind]
        if connection.openapi is None:
            return kind
        try:
            document = yaml.safe_load(Path(connection.openapi).read_text(encoding="utf-8"))
            operations = operations_from_openapi(document)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise OperatorError(
                f"The OpenAPI document {connection.openapi} of connection `{connection.name}` cannot be read: "
                f"{type(error).__name__}.",
                "Mend the file or the path.",
            ) from None
        return replace(kind, operations=operations)

    # -- what it tells

    def _console_url(self) -> str:
        """The console's address as people see it, without a slash at its end."""
        return self._settings.console_url.rstrip("/") or self._addresses["console"]

    def _gateway_url(self) -> str:
        """The gateway's address as tools see it, without a slash at its end."""
        return self._settings.gateway_url.rstrip("/") or self._gateway_from_here

    def _note(self, entry: dict[str, Any]) -> None:
        if self._chronicle is not None:
            self._chronicle.note({"v": 1, "time": entry_time(time.time()), **entry})

    def _checks(self) -> Mapping[str, Check]:
        return {
            "gateway": lambda: None if self._ready else "The gateway is starting or stopping.",
            "audit": lambda: (
                None
                if self._chronicle is not None and self._chronicle.healthy
                else "The audit log cannot be written: "
                + "; ".join(self._chronicle.reasons.values() if self._chronicle is not None else ())
            ),
            "detectors": self._detectors.trouble,
        }

    def _status(self) -> Mapping[str, Any]:
        failing = {name: check() for name, check in self._checks().items()}
        return {
            "ready": not any(failing.values()),
            "parts": {name: sentence or "ok" for name, sentence in failing.items()},
            "installation": self._store_now.installation,
            "addresses": dict(self._addresses),
            "connections": sorted(route.name for route in self._house.snapshot.routes.values()),
            "running_exchanges": len(self._live),
            "audit_entries": self._chronicle.size if self._chronicle is not None else 0,
        }

    def _gauges(self, gateway: GatewayServer, chronicle: Chronicle) -> None:
        gauge = self._metrics.gauge
        gauge("ostiary_client_connections", "Open connections from tools.", lambda: gateway.connections)
        gauge("ostiary_exchanges_running", "Exchanges that run now.", lambda: len(self._live))
        gauge("ostiary_audit_entries", "Durable entries in the audit log.", lambda: chronicle.size)
        gauge("ostiary_audit_healthy", "1 while the audit log can be written.", lambda: int(chronicle.healthy))
        gauge(
            "ostiary_recording_backlog_bytes",
            "Frames accepted and not yet written.",
            lambda: chronicle.backlog_bytes,
        )

    def greeting(self) -> str:
        """What `ostiary serve` prints when it is up: where it listens, and what to do next."""
        names = [route.name for route in self._house.snapshot.routes.values()]
        home = "" if self._settings.home == default_home() else f" --home {self._settings.home}"
        lines = [
            f"Ostiary {ostiary.__version__} is running. Home: {self._settings.home}",
            f"  gateway  {self._gateway_url()}   (the base URL of your tools, plus /<connection>)",
            f"  console  {self._console_url()}",
            f"  health   {self._addresses['ops']}/readyz",
        ]
        if self._settings.insecure_plaintext:
            lines.append("  WARNING  plain text on a public address: put a TLS proxy in front of it.")
        if self._first_start_link is not None:
            lines += [
                "Nobody owns this installation yet. Whoever opens this link first does; it works once, for a day:",
                f"  {self._first_start_link}",
            ]
        if names:
            lines.append(
                f"Connections: {', '.join(sorted(names))}. Get a token: ostiary{home} token create --actor NAME"
            )
        else:
            lines += [
                "No connection yet. In another terminal:",
                f"  ostiary example cursor | ostiary{home} apply -f -   # what may be reached, and who may do what",
                f"  ostiary{home} secret set cursor-key   # paste the real API key; it is never shown again",
                f"  ostiary{home} token create --actor you --groups engineering   # what the tool gets instead",
            ]
        return "\n".join(lines)

    def _write_server_file(self) -> None:
        path = self._settings.home / "server.json"
        public = {"console_url": self._console_url(), "gateway_url": self._gateway_url()}
        told = {"pid": os.getpid(), **self._addresses, **public}
        path.write_text(json.dumps(told), encoding="utf-8")

    # -- the end

    async def stop(self) -> None:
        """Let running exchanges finish within the drain time, then close everything in reverse order."""
        self._ready = False
        if self._gateway is not None:
            self._house.accepting = False
            cut = await self._gateway.drain(self._settings.drain_timeout_s)
            if cut:
                _log.warning("drain.cut exchanges=%d", cut)
        for serving in reversed(self._servings):
            await serving.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._servings:
            (self._settings.home / "server.json").unlink(missing_ok=True)
        self._sweeper.stop()
        if self._index is not None:
            self._index.close()
        if self._desk is not None:
            self._desk.close()
        if self._chronicle is not None:
            await self._chronicle.stop()
        if self._store is not None:
            self._store.close()

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._work_ended)

    def _work_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            _log.error("background.ended kind=%s", type(failure).__name__)

    @property
    def _store_now(self) -> Store:
        if self._store is None:
            raise OperatorError("The store is not open.")
        return self._store
