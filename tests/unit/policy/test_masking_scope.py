"""Which masking rules hold where, for whom, and with which exemptions."""

import pytest

from ostiary.model.actor import Actor, ActorKind
from ostiary.model.connection import Connection, Upstream
from ostiary.model.masking import Exemption, MaskingRule, Where
from ostiary.model.rule import Who
from ostiary.policy.masking_scope import applies_to, exemptions_now, rules_for

ANN = Actor(ActorKind.USER, "ann", frozenset({"engineering"}), "t", 0.0)
HER_AGENT = Actor(ActorKind.AGENT, "ann", frozenset(), "t", 0.0, agent="cursor")
ROBOT = Actor(ActorKind.SERVICE, "ann", frozenset(), "t", 0.0)


def rule(name: str, *on: str, who: Who | None = None, exemptions: tuple[Exemption, ...] = ()) -> MaskingRule:
    return MaskingRule(
        name, frozenset({Where.RESPONSE}), detectors=("secrets",), on=on, who=who or Who(), exemptions=exemptions
    )


RULES = (rule("general"), rule("open only", "open*"), rule("cursor only", "cursor"), rule("other"))


@pytest.mark.parametrize(
    ("connection", "masking", "names"),
    [
        ("cursor", None, ["general", "cursor only", "other"]),
        ("openai", None, ["general", "open only", "other"]),
        ("openai-eu", ("other",), ["open only", "other"]),
        ("openai", (), ["open only"]),
        ("anthropic", (), []),
        ("anthropic", ("other", "general"), ["general", "other"]),
        ("anthropic", ("cursor only",), ["cursor only"]),
    ],
)
def test_rules_hold_where_they_say_and_where_they_are_named(
    connection: str, masking: tuple[str, ...] | None, names: list[str]
) -> None:
    here = Connection(connection, "http", Upstream("https", "a.example", 443), masking=masking)
    assert [found.name for found in rules_for(here, RULES)] == names


@pytest.mark.parametrize(
    ("who", "actors"),
    [
        (Who(), [ANN, HER_AGENT, ROBOT]),
        (Who(groups=frozenset({"engineering"})), [ANN]),
        (Who(users=frozenset({"ann"})), [ANN, HER_AGENT]),
        (Who(agents=frozenset({"cursor"})), [HER_AGENT]),
        (Who(services=frozenset({"ann"}), groups=frozenset({"engineering"})), [ANN, ROBOT]),
        (Who(users=frozenset({"bob"})), []),
    ],
)
def test_who_is_read_as_in_access_rules(who: Who, actors: list[Actor]) -> None:
    assert [actor for actor in (ANN, HER_AGENT, ROBOT) if applies_to(rule("r", who=who), actor)] == actors


def test_an_exemption_holds_until_it_expires_and_not_at_that_moment() -> None:
    ending, lasting = Exemption("a", 100.0, "x+"), Exemption("b", None, "y+")
    exempting = rule("r", exemptions=(ending, lasting))
    assert exemptions_now(exempting, "cursor", ANN, 99.9) == (ending, lasting)
    assert exemptions_now(exempting, "cursor", ANN, 100.0) == (lasting,)


def test_an_exemption_holds_when_all_that_it_says_does() -> None:
    both = Exemption("a", who=Who(users=frozenset({"ann"})), on=("open*",))
    exempting = rule("r", exemptions=(both,))
    assert exemptions_now(exempting, "openai", HER_AGENT, 0.0) == (both,)
    assert exemptions_now(exempting, "cursor", HER_AGENT, 0.0) == ()
    assert exemptions_now(exempting, "openai", ROBOT, 0.0) == ()
