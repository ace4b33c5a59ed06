"""Which masking an exchange gets: the rules of its connection that speak of its actor, compiled."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from weakref import WeakValueDictionary

from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.choosing import body_for
from ostiary.gateway.remote_masking import RemoteMasking, remote_masking
from ostiary.masking.engine import Masker, MaskingEngine
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.masking.maskers import TextMasker
from ostiary.masking.placeholders import Placeholders
from ostiary.model.actor import Actor
from ostiary.model.connection import Connection
from ostiary.model.finding import Finding
from ostiary.model.masking import Action, Exemption, MaskingRule, Where
from ostiary.model.operation import Operation
from ostiary.policy.masking_scope import applies_to, exemptions_now, rules_for
from ostiary.ports import PlaceholderBook, RemoteDetector
from ostiary.protocols.text_channels import TextChannel

_REMEMBERED_ACTORS = 16_384

_ENGINES: "WeakValueDictionary[tuple[bytes, tuple[MaskingRule, ...]], MaskingEngine]" = WeakValueDictionary()
_ENGINES_LOCK = Lock()


def shared_engine(rules: tuple[MaskingRule, ...], hash_key: bytes) -> MaskingEngine:
    """One engine for all who use the same rules: it takes a while to compile. Raises `OperatorError`."""
    key = (hash_key, rules)
    with _ENGINES_LOCK:
        engine = _ENGINES.get(key)
        if engine is None:
            engine = _ENGINES[key] = MaskingEngine(rules, hash_key)
        return engine


@dataclass(frozen=True, slots=True)
class Masks:
    """What one actor's exchanges on one connection get; None where nothing is masked. `until` (seconds since the
    epoch) is when the first of the exemptions ends. `remote` is what others are asked about."""

    request: MaskingEngine | None
    response: MaskingEngine | None
    recording: MaskingEngine | None
    exemptions: Mapping[str, Sequence[Exemption]]
    until: float
    remote: Mapping[Where, RemoteMasking] = field(default_factory=dict)

    @property
    def keeps_values(self) -> bool:
        """Whether values are put back: those of requests in answers, or sealed ones in requests."""
        return any(engine is not None and engine.uses_values for engine in (self.request, self.response))

    @property
    def seals(self) -> bool:
        """Whether answers may hold what must be kept before they are passed on."""
        return self.response is not None and self.response.uses_values

    @property
    def gathers(self) -> bool:
        """Whether answers must be there as a whole before anything of them is passed on."""
        return self.seals or Where.RESPONSE in self.remote

    def masker(
        self,
        engine: MaskingEngine,
        *,
        injected: InjectedSecretMatcher | None = None,
        operation: Operation | None = None,
        placeholders: Placeholders | None = None,
    ) -> Masker:
        """`operation` names the credentials in its answer."""
        minted = operation.credential_fields if operation is not None else ()
        return engine.masker(
            injected=injected, minted_fields=minted, exemptions=self.exemptions, substitutes=placeholders
        )


NO_MASKS = Masks(None, None, None, {}, float("inf"))
_NO_RULES = MaskingEngine((), b"")
"""For event streams, in whose channels the injected secret is looked for even where no rule masks anything."""


class RouteMasks:
    """The masking of one connection; replaced with the configuration."""

    def __init__(
        self,
        connection: Connection,
        rules: Sequence[MaskingRule],
        channels: Sequence[TextChannel],
        hash_key: bytes,
        book: PlaceholderBook,
        detectors: Sequence[RemoteDetector] = (),
    ) -> None:
        self.book = book
        self._connection = connection.name
        self.rules = rules_for(connection, rules)
        self._channels = channels
        self._hash_key = hash_key
        self._detectors = detectors
        self._known: dict[tuple[str, str, frozenset[str]], Masks] = {}
        self._held: dict[tuple[MaskingRule, ...], MaskingEngine] = {}
        self._compiling = asyncio.Lock()

    def compile(self) -> None:
        """Compile what holds for everybody, and check the rest. Raises `OperatorError`. Takes a while."""
        for place in Where:
            for rules in {
                self._at(place, self.rules),
                self._at(place, [r for r in self.rules if not _is_personal(r)]),
            }:
                if rules:
                    self._held[rules] = shared_engine(rules, self._hash_key)

    def peek(self, actor: Actor, now: float) -> Masks | None:
        """What is ready without waiting; None when `prepare` must be awaited."""
        if not self.rules:
            return NO_MASKS
        masks = self._known.get(actor.standing)
        return masks if masks is not None and now < masks.until else self._assemble(actor, now)

    async def prepare(self, actor: Actor, now: float) -> Masks:
        """Raises `OperatorError`, after which nothing may be forwarded."""
        async with self._compiling:
            masks = self.peek(actor, now)
            while masks is None:
                mine = [rule for rule in self.rules if applies_to(rule, actor)]
                for place in Where:
                    rules = self._at(place, mine)
                    if rules and rules not in self._held:
                        self._held[rules] = await asyncio.get_running_loop().run_in_executor(
                            None, shared_engine, rules, self._hash_key
                        )
                masks = self.peek(actor, now)
            return masks

    def body(self, masker: TextMasker, content_type: bytes, archives_rule: str | None = None) -> Body:
        """Masks a body of this type. Raises `MaskingBlockedError` for archives that are blocked."""
        return body_for(content_type, masker, self._channels, archives_rule)

    def _assemble(self, actor: Actor, now: float) -> Masks | None:
        mine = [rule for rule in self.rules if applies_to(rule, actor)]
        engines: dict[Where, MaskingEngine | None] = {}
        for place in Where:
            rules = self._at(place, mine)
            engines[place] = self._held.get(rules) if rules else None
            if rules and engines[place] is None:
                return None
        exemptions = {rule.name: exemptions_now(rule, self._connection, actor, now) for rule in mine if rule.exemptions}
        until = min(
            (each.expires_at for held in exemptions.values() for each in held if each.expires_at is not None),
            default=float("inf"),
        )
        asked = {place: remote_masking(self._at(place, mine), self._detectors) for place in Where}
        remote = {place: masking for place, masking in asked.items() if masking is not None}
        masks = Masks(
            engines[Where.REQUEST], engines[Where.RESPONSE], engines[Where.RECORDING], exemptions, until, remote
        )
        if len(self._known) >= _REMEMBERED_ACTORS:
            self._known.clear()
        self._known[actor.standing] = masks
        return masks

    @staticmethod
    def _at(place: Where, rules: Sequence[MaskingRule]) -> tuple[MaskingRule, ...]:
        """A blocked archive or a blocked or sealed value says nothing of a recording that is made afterwards."""
        return tuple(
            rule for rule in rules if place in rule.where and not (place is Where.RECORDING and _only_live(rule))
        )


def _is_personal(rule: MaskingRule) -> bool:
    who = rule.who
    return bool(who.groups or who.users or who.services or who.agents)


def _only_live(rule: MaskingRule) -> bool:
    return rule.action in (Action.BLOCK, Action.SEAL, Action.PLACEHOLDER)


def masker_for_channels(injected: InjectedSecretMatcher) -> Masker:
    """Looks for the injected secret alone."""
    return _NO_RULES.masker(injected=injected)


def in_recording(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same, told to be of the recording."""
    return tuple(replace(finding, place=f"recording {finding.place}") for finding in findings)
