"""Which masking rules `ostiary mask test` tries: built-in detectors, those of a file, or those in force on a server."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ostiary.catalog import load_catalog
from ostiary.control.declarative import parse, parse_masking
from ostiary.control.declarative.detectors import MINTED_CREDENTIAL, detector_names
from ostiary.control.declarative.errors import nearest
from ostiary.masking.remote import remote_labels
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.errors import NotFoundError
from ostiary.model.masking import Action, Exemption, MaskingRule, Where
from ostiary.model.rule import Who
from ostiary.policy.masking_scope import exemptions_now, rules_for
from ostiary.protocols.text_channels import TextChannel

if TYPE_CHECKING:
    from ostiary.cli.client import Api

_NOBODY = Actor(ActorKind.USER, "", frozenset(), "", 0.0)
"""What holds for this actor holds for everybody."""


class Chosen(NamedTuple):
    """`exemptions` are those that hold for everybody, by rule name; `notes` tell what is different from a request;
    `channels` say where texts stand in events."""

    rules: tuple[MaskingRule, ...]
    exemptions: dict[str, tuple[Exemption, ...]]
    notes: tuple[str, ...]
    channels: tuple[TextChannel, ...]


def rules_of_detectors(names: Sequence[str]) -> Chosen:
    """A rule for each of these detectors, or for every one that needs no connection to know what it is looking at.
    Raises `click.UsageError`."""
    known = [name for name in detector_names() if name != MINTED_CREDENTIAL]
    for name in names:
        if name == MINTED_CREDENTIAL:
            raise click.UsageError(f"{name} is known by the operation that answers, not by its form.")
        if name not in known:
            raise click.UsageError(f"There is no detector {name!r}. {nearest(name, known)}")
    return Chosen(
        tuple(MaskingRule(name, frozenset(Where), detectors=(name,)) for name in names or known),
        {},
        (),
        _all_channels(),
    )


def rules_of_file(text: str, filename: str, where: str | None, now: float) -> Chosen:
    """The file's rules, whatever connection they speak of. Raises `DeclarativeError`."""
    return _chosen(_only(parse_masking(text, filename), where), "", now, _all_channels())


def rules_of_server(server: "Api", connection: str, where: str, now: float) -> Chosen:
    """The rules in force there. Raises `UnreachableError`, `ApiRefusal`, `NotFoundError`."""
    shown: dict[str, Any] = server.get("configuration")
    kinds = load_catalog()
    configuration = parse(shown["yaml"], "the configuration in force", kinds)
    by_name = {entry.name: entry for entry in configuration.connections}
    if connection not in by_name:
        raise NotFoundError(f"There is no connection {connection!r}.", nearest(connection, by_name))
    found = by_name[connection]
    rules = _only(rules_for(found, configuration.masking), where)
    return _chosen(rules, connection, now, kinds[found.kind].text_channels)


def _all_channels() -> tuple[TextChannel, ...]:
    """Of every Kind, for a stream of which nothing is known."""
    channels = [channel for kind in load_catalog().values() for channel in kind.text_channels]
    return tuple({(channel.event, channel.path): channel for channel in channels}.values())


def _only(rules: Iterable[MaskingRule], where: str | None) -> tuple[MaskingRule, ...]:
    return tuple(rule for rule in rules if where is None or where in rule.where)


def _chosen(rules: tuple[MaskingRule, ...], connection: str, now: float, channels: tuple[TextChannel, ...]) -> Chosen:
    exemptions = {rule.name: exemptions_now(rule, connection, _NOBODY, now) for rule in rules}
    notes = [note for rule in rules for note in _notes(rule)]
    return Chosen(rules, exemptions, tuple(notes) if rules else ("No masking rule holds here.",), channels)


def _notes(rule: MaskingRule) -> Iterable[str]:
    if rule.who != Who():
        yield f"The masking rule '{rule.name}' speaks of some actors only; here it is tried as if for one of them."
    if any(exemption.who != Who() for exemption in rule.exemptions):
        yield f"Exceptions of the masking rule '{rule.name}' that speak of some actors only are not made here."
    if MINTED_CREDENTIAL in rule.detectors:
        yield f"What the masking rule '{rule.name}' says of minted credentials needs a real answer; it is not tried."
    remote = remote_labels(rule)
    if remote:
        names = ", ".join(sorted(remote))
        yield f"The masking rule '{rule.name}' needs a service to find {names}, which is not asked here."
    if rule.action is Action.HASH:
        yield f"The hashes of the masking rule '{rule.name}' are made with a key for trying, not with the real one."
