"""Who is told of which connections: everybody those that rules speak of to them, as the gateway would."""

import pytest

from ostiary.control.caller import Caller, Permission
from ostiary.control.services import ConnectionService
from ostiary.control.services.connections import KnownConnection
from ostiary.model.configuration import Configuration
from ostiary.model.connection import Connection, Upstream
from ostiary.model.errors import RefusedError
from ostiary.model.permission import BUILT_IN_ROLES
from ostiary.model.rule import Effect, Rule, Who

UPSTREAM = Upstream("https", "api.example", 443)
CONFIGURATION = Configuration(
    connections=tuple(
        Connection(name, kind, UPSTREAM)
        for name, kind in (("models", "openai"), ("claude", "anthropic"), ("builds", "http"), ("hidden", "http"))
    ),
    rules=(
        Rule("engineers", Effect.ALLOW, Who(groups=frozenset({"engineering"})), ("models",)),
        Rule("ana asks", Effect.ASK, Who(users=frozenset({"ana"})), ("cl*",)),
        Rule("machines", Effect.ALLOW, Who(services=frozenset({"ana", "nightly"})), ("builds",)),
        Rule("not ben", Effect.DENY, Who(users=frozenset({"ben", "ben@example.com"})), ("hidden",)),
    ),
)


def somebody(name: str, *groups: str, role: str = "member") -> Caller:
    """They have an address, too, that is not what the gateway calls them."""
    names = frozenset({name, "ben@example.com"})
    return Caller(name, BUILT_IN_ROLES[role], names, user_id=f"u_{name}", groups=frozenset(groups))


async def told(caller: Caller) -> list[str]:
    return [known.name for known in await ConnectionService(lambda: CONFIGURATION).list(caller)]


async def test_a_member_is_told_what_a_rule_speaks_of_to_them() -> None:
    assert await told(somebody("eve")) == []
    assert await told(somebody("eve", "engineering")) == ["models"]
    assert await told(somebody("ana")) == ["claude"]
    assert await told(somebody("ana", "engineering")) == ["models", "claude"]
    assert await told(somebody("ben")) == ["hidden"]  # the gateway refuses them with the rule's name, too
    assert await told(somebody("nightly")) == []  # a machine of that name is somebody else


async def test_an_auditor_sees_all_by_name_and_kind() -> None:
    auditor = somebody("eve", role="auditor")
    assert auditor.may(Permission.CONFIGURATION_READ)
    assert await told(auditor) == ["models", "claude", "builds", "hidden"]
    known = await ConnectionService(lambda: CONFIGURATION).list(auditor)
    assert known[0] == KnownConnection("models", "openai")


async def test_it_is_the_configuration_in_force_that_counts() -> None:
    in_force = Configuration()
    service = ConnectionService(lambda: in_force)
    assert await service.list(somebody("ana")) == []
    in_force = CONFIGURATION
    assert [known.name for known in await service.list(somebody("ana"))] == ["claude"]


async def test_who_may_do_nothing_is_told_nothing() -> None:
    with pytest.raises(RefusedError):
        await told(Caller("gone", frozenset(), frozenset({"ana"})))
