"""A connection ready for use: its Kind, its pool, its rules' words and what its secret needs."""

import asyncio
from collections.abc import Mapping

from ostiary.gateway.pool import UpstreamPool
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.model.actor import Actor
from ostiary.model.connection import AuthForm, AuthScheme, Connection
from ostiary.model.decision import Decision
from ostiary.model.errors import GatewayRefusal, OstiaryError
from ostiary.model.operation import Operation
from ostiary.model.secret import Secret
from ostiary.policy.evaluation import Policy
from ostiary.ports import OpenedSecret, SecretKeeper
from ostiary.protocols.header_rules import CREDENTIAL_FIELDS
from ostiary.protocols.kinds import Kind, OperationTable
from ostiary.vault.injection import injected_names

_CLEAN_LINES = 4096
_CACHED_DECISIONS = 16_384


class Armed:
    """The opened secrets of a route and the matcher that keeps them from coming back."""

    __slots__ = ("clean_lines", "default", "forms", "matcher", "opened", "query_names", "replaced", "secrets")

    def __init__(self, forms: tuple[AuthForm, ...], opened: Mapping[str, OpenedSecret], default: str) -> None:
        self.opened = dict(opened)
        self.forms = forms
        self.secrets: dict[str, Secret] = {name: each.current for name, each in opened.items()}
        self.default = self.secrets[default]
        masked = [secret for each in opened.values() for secret in each.masked]
        self.matcher = InjectedSecretMatcher(masked, forms)
        self.clean_lines: set[bytes] = set()
        self.replaced = frozenset(
            name.encode("ascii") for name in injected_names(forms)
        ) - CREDENTIAL_FIELDS
        self.query_names = frozenset(
            form.name.lower().encode() for form in forms if form.scheme is AuthScheme.QUERY
        )

    def remember_clean(self, line: bytes) -> None:
        if len(self.clean_lines) >= _CLEAN_LINES:
            self.clean_lines.clear()
        self.clean_lines.add(line)


class Route:
    """`arm` gives the secrets, or None for a connection without one."""

    def __init__(
        self, connection: Connection, kind: Kind, table: OperationTable, pool: UpstreamPool, keeper: SecretKeeper
    ) -> None:
        self.connection = connection
        self.kind = kind
        self.table = table
        self.pool = pool
        self.name = connection.name
        self.base_path = connection.upstream.base_path.encode("ascii")
        self.host_line = b"Host: " + connection.upstream.authority.encode("ascii") + b"\r\n"
        self.fixed_lines = b"".join(
            f"{name}: {value}\r\n".encode("ascii") for name, value in connection.headers
        )
        self.fixed_names = frozenset(name.lower().encode("ascii") for name, _ in connection.headers)
        self.error_shape = kind.error_shape
        self.session_fields = tuple(name.encode("ascii") for name in kind.session_headers)
        self._known: dict[str, bool] = {}
        self._decisions: dict[tuple[str, str], Decision] = {}
        self._keeper = keeper
        self._armed: dict[tuple[AuthForm, ...], Armed] = {}

    def is_known_to(self, policy: Policy, actor: Actor) -> bool:
        """Whether any rule on this connection speaks of the actor."""
        known = self._known.get(actor.token_id)
        if known is None:
            if len(self._known) >= _CACHED_DECISIONS:
                self._known.clear()
            known = self._known[actor.token_id] = policy.knows(actor, self.name)
        return known

    def decide(self, policy: Policy, actor: Actor, operation: Operation) -> Decision:
        """The decision, remembered for the token and operation until the configuration changes."""
        key = (actor.token_id, operation.name)
        decision = self._decisions.get(key)
        if decision is None:
            if len(self._decisions) >= _CACHED_DECISIONS:
                self._decisions.clear()
            decision = self._decisions[key] = policy.decide(actor, self.name, operation)
        return decision

    def forms(self, operation: Operation) -> tuple[AuthForm, ...]:
        return self.connection.auth or operation.auth or self.kind.auth

    def armed(self, operation: Operation) -> Armed | None:
        """What is ready without waiting; None when `arm` must be awaited."""
        armed = self._armed.get(self.forms(operation))
        if armed is None:
            return None
        for name, opened in armed.opened.items():
            if self._keeper.peek(name) is not opened:
                return None
        return armed

    async def arm(self, operation: Operation) -> Armed | None:
        """Open the secrets this operation needs. Raises `GatewayRefusal` 503 when a provider gives none."""
        default = self.connection.secret
        if default is None:
            return None
        forms = self.forms(operation)
        names = {default} | {form.secret for form in forms if form.secret is not None}
        try:
            opened = {name: await self._keeper.open(name) for name in sorted(names)}
            current = self._armed.get(forms)
            if current is not None and all(current.opened.get(name) is each for name, each in opened.items()):
                return current
            armed = await asyncio.get_running_loop().run_in_executor(None, Armed, forms, opened, default)
        except OstiaryError as error:
            raise GatewayRefusal(
                503,
                "secret_unavailable",
                f"The secret of connection `{self.name}` is not available; nothing was sent.",
                "Ask your administrator to check `ostiary doctor`.",
            ) from error
        self._armed[forms] = armed
        return armed

    async def warm(self) -> None:
        """Open the secrets ahead of the first request; a failure waits for that request."""
        for form_source in {self.forms(operation): operation for operation in self.kind.operations}.values():
            try:
                await self.arm(form_source)
            except GatewayRefusal:
                return


class Snapshot:
    """Everything one configuration version means for the gateway; replaced as a whole."""

    def __init__(self, version: int, routes: Mapping[str, Route], policy: Policy) -> None:
        self.version = version
        self.routes = {name.encode("ascii"): route for name, route in routes.items()}
        self.policy = policy
