"""A connection ready for use: its Kind, its pool, its rules' words and what its secret needs."""

import asyncio
from collections.abc import Mapping
from threading import Lock
from weakref import WeakValueDictionary

from ostiary.gateway.masks import RouteMasks
from ostiary.gateway.pool import UpstreamPool
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.model.actor import Actor
from ostiary.model.connection import AuthForm, AuthScheme, Connection
from ostiary.model.decision import Decision
from ostiary.model.errors import GatewayRefusal, OstiaryError
from ostiary.model.operation import UNKNOWN_OPERATION, Operation
from ostiary.model.secret import Secret
from ostiary.policy.evaluation import Policy
from ostiary.ports import OpenedSecret, SecretKeeper
from ostiary.protocols.header_rules import CREDENTIAL_FIELDS
from ostiary.protocols.heads import ResponseLines
from ostiary.protocols.kinds import Kind, OperationTable
from ostiary.vault.injection import injected_names

_JOINING = (AuthScheme.BASIC_USERNAME, AuthScheme.BASIC_PASSWORD)
_CACHED_DECISIONS = 16_384
_CACHED_OPERATIONS = 4096


class Guardian:
    """What keeps the secrets of one route from coming back: the matcher, and the header lines judged with it."""

    __slots__ = ("__weakref__", "lines", "matcher", "opened")

    def __init__(self, forms: tuple[AuthForm, ...], opened: Mapping[str, OpenedSecret]) -> None:
        self.opened = dict(opened)
        masked = [secret for each in opened.values() for secret in each.masked]
        self.matcher = InjectedSecretMatcher(masked, forms)
        self.lines = ResponseLines(scanned=True)


_GUARDIANS: "WeakValueDictionary[tuple[object, ...], Guardian]" = WeakValueDictionary()
_GUARDIANS_LOCK = Lock()


def shared_guardian(forms: tuple[AuthForm, ...], opened: Mapping[str, OpenedSecret]) -> Guardian:
    """One guardian for all routes that use the same secrets in forms that look the same on their way back: only Basic
    joins the secret to something. It takes megabytes and a while to make.

    An `OpenedSecret` is told by its identity, which holds as long as the guardian that keeps it.
    """
    forms = tuple(dict.fromkeys(form for form in forms if form.scheme in _JOINING))
    key = (forms, tuple(sorted((name, id(each)) for name, each in opened.items())))
    with _GUARDIANS_LOCK:
        guardian = _GUARDIANS.get(key)
        if guardian is None:
            guardian = _GUARDIANS[key] = Guardian(forms, opened)
        return guardian


_Standing = tuple[str, str, frozenset[str]]
"""`Actor.standing`."""


class Armed:
    """The opened secrets in the form that one operation takes, and their guardian."""

    __slots__ = ("default", "forms", "guardian", "query_names", "replaced", "secrets")

    def __init__(self, forms: tuple[AuthForm, ...], guardian: Guardian, default: str) -> None:
        self.forms = forms
        self.guardian = guardian
        self.secrets: dict[str, Secret] = {name: each.current for name, each in guardian.opened.items()}
        self.default = self.secrets[default]
        self.replaced = frozenset(name.encode("ascii") for name in injected_names(forms)) - CREDENTIAL_FIELDS
        self.query_names = frozenset(form.name.lower().encode() for form in forms if form.scheme is AuthScheme.QUERY)


class Route:
    """`arm` gives the secrets, or None for a connection without one."""

    def __init__(
        self,
        connection: Connection,
        kind: Kind,
        table: OperationTable,
        pool: UpstreamPool,
        keeper: SecretKeeper,
        masks: RouteMasks,
    ) -> None:
        self.connection = connection
        self.masks = masks
        self.kind = kind
        self._table = table
        self._operations: dict[tuple[bytes, bytes], Operation] = {}
        self.pool = pool
        self.name = connection.name
        self.base_path = connection.upstream.base_path.encode("ascii")
        self.host_line = b"Host: " + connection.upstream.authority.encode("ascii") + b"\r\n"
        self.fixed_lines = b"".join(f"{name}: {value}\r\n".encode("ascii") for name, value in connection.headers)
        self.fixed_names = frozenset(name.lower().encode("ascii") for name, _ in connection.headers)
        self.error_shape = kind.error_shape
        self.session_fields = frozenset(name.encode("ascii") for name in kind.session_headers)
        self._known: dict[_Standing, bool] = {}
        self._decisions: dict[tuple[_Standing, str], Decision] = {}
        self._keeper = keeper
        self._all_forms = tuple(
            {form: None for operation in kind.operations for form in self.forms(operation)} or self.connection.auth
        )
        self._guardian: Guardian | None = None
        self._arming = asyncio.Lock()
        self._armed: dict[tuple[AuthForm, ...], Armed] = {}

    def is_known_to(self, policy: Policy, actor: Actor) -> bool:
        """Whether any rule on this connection speaks of the actor."""
        standing = actor.standing
        known = self._known.get(standing)
        if known is None:
            if len(self._known) >= _CACHED_DECISIONS:
                self._known.clear()
            known = self._known[standing] = policy.knows(actor, self.name)
        return known

    def decide(self, policy: Policy, actor: Actor, operation: Operation) -> Decision:
        """The decision, remembered for the token, its holder's groups and the operation until the configuration
        changes."""
        key = (actor.standing, operation.name)
        decision = self._decisions.get(key)
        if decision is None:
            if len(self._decisions) >= _CACHED_DECISIONS:
                self._decisions.clear()
            decision = self._decisions[key] = policy.decide(actor, self.name, operation)
        return decision

    def operation(self, method: bytes, path: bytes) -> Operation:
        """What the Kind calls this request; `UNKNOWN_OPERATION` when it has no row for it."""
        key = (method, path)
        operation = self._operations.get(key)
        if operation is None:
            if len(self._operations) >= _CACHED_OPERATIONS:
                self._operations.clear()
            found = self._table.match(method.decode("ascii"), path.decode("ascii"))
            operation = self._operations[key] = found or UNKNOWN_OPERATION
        return operation

    def forms(self, operation: Operation) -> tuple[AuthForm, ...]:
        return self.connection.auth or operation.auth or self.kind.auth

    def armed(self, operation: Operation) -> Armed | None:
        """What is ready without waiting; None when `arm` must be awaited."""
        armed = self._armed.get(self.forms(operation))
        if armed is None:
            return None
        for name, opened in armed.guardian.opened.items():
            if self._keeper.peek(name) is not opened:
                return None
        return armed

    async def arm(self, operation: Operation) -> Armed | None:
        """Open the secrets this operation needs. Raises `GatewayRefusal` 503 when a provider gives none."""
        default = self.connection.secret
        if default is None:
            return None
        forms = self.forms(operation)
        try:
            guardian = await self._guard(default)
        except OstiaryError as error:
            raise GatewayRefusal(
                503,
                "secret_unavailable",
                f"The secret of connection `{self.name}` is not available; nothing was sent.",
                "Ask your administrator to check `ostiary doctor`.",
            ) from error
        armed = self._armed.get(forms)
        if armed is None or armed.guardian is not guardian:
            armed = self._armed[forms] = Armed(forms, guardian, default)
        return armed

    async def _guard(self, default: str) -> Guardian:
        """One guardian for every form the route's operations use; making it takes a while, so others wait for it."""
        async with self._arming:
            names = {default} | {form.secret for form in self._all_forms if form.secret is not None}
            opened = {name: await self._keeper.open(name) for name in sorted(names)}
            guardian = self._guardian
            if guardian is None or any(guardian.opened.get(name) is not each for name, each in opened.items()):
                guardian = self._guardian = await asyncio.get_running_loop().run_in_executor(
                    None, shared_guardian, self._all_forms, opened
                )
            return guardian

    async def warm(self) -> None:
        """Open the secrets ahead of the first request; a failure waits for that request."""
        for operation in {self.forms(operation): operation for operation in self.kind.operations}.values():
            try:
                await self.arm(operation)
            except GatewayRefusal:
                return


class Snapshot:
    """Everything one configuration version means for the gateway; replaced as a whole."""

    def __init__(self, version: int, routes: Mapping[str, Route], policy: Policy) -> None:
        self.version = version
        self.routes = {name.encode("ascii"): route for name, route in routes.items()}
        self.policy = policy
