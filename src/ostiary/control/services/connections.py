"""The connections somebody may know of."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ostiary.control.caller import Caller, Permission
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.configuration import Configuration
from ostiary.policy.evaluation import Policy


@dataclass(frozen=True, slots=True)
class KnownConnection:
    name: str
    kind: str


class ConnectionService:
    def __init__(self, configuration: Callable[[], Configuration]) -> None:
        """`configuration` answers at once with the one in force."""
        self._configuration = configuration

    async def list(self, caller: Caller) -> list[KnownConnection]:
        """All of them with the permission to read the configuration; otherwise those on which a rule speaks of the
        caller, as the gateway would tell them."""
        caller.require(Permission.STATUS_READ)
        configuration = self._configuration()
        everything = [KnownConnection(entry.name, entry.kind) for entry in configuration.connections]
        if caller.may(Permission.CONFIGURATION_READ):
            return everything
        return await asyncio.to_thread(_known_to, caller, configuration, everything)


def _known_to(caller: Caller, configuration: Configuration, everything: list[KnownConnection]) -> list[KnownConnection]:
    policy = Policy(configuration.rules)
    person = Actor(ActorKind.USER, caller.label, caller.groups, "", 0.0)
    return [entry for entry in everything if policy.knows(person, entry.name)]
