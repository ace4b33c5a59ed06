"""Deny beats ask beats allow, nothing matching is a deny, and the order of rules has no meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.model.actor import Actor, ActorKind
from ostiary.model.decision import Allow, Ask, Decision, Deny
from ostiary.model.operation import UNKNOWN_OPERATION, Class, Operation
from ostiary.model.rule import ApprovalTerms, Effect, Rule, Who
from ostiary.policy.evaluation import Policy

CREATE = Operation("agents.create", frozenset({Class.WRITE, Class.SPEND}), "POST", "/v1/agents")
LIST = Operation("agents.list", frozenset({Class.READ}), "GET", "/v1/agents")


def actor(
    name: str = "anna",
    *groups: str,
    kind: ActorKind = ActorKind.USER,
    agent: str | None = None,
    connections: frozenset[str] | None = None,
) -> Actor:
    return Actor(kind, name, frozenset(groups), "t1", 2e9, agent, connections)


def rule(effect: Effect, name: str = "r", **rest: object) -> Rule:
    return Rule(name, effect, **rest)  # type: ignore[arg-type]


def test_nothing_matching_is_a_deny_that_says_what_would_change_it() -> None:
    decision = Policy([]).decide(actor(), "cursor", CREATE)
    assert decision == Deny(None, decision.why)
    assert "No rule lets anna (the token names no groups) do agents.create (spend, write) on cursor." in decision.why
    assert "effect allow or ask" in decision.why


def test_the_deciding_rule_is_named() -> None:
    decision = Policy([rule(Effect.ALLOW, "reads", operations=("class:read",))]).decide(actor(), "cursor", LIST)
    assert decision == Allow("reads", 'Rule "reads" allows this.')


def test_deny_beats_ask_beats_allow() -> None:
    allow, ask, deny = (
        rule(Effect.ALLOW, "a"),
        rule(Effect.ASK, "b"),
        rule(Effect.DENY, "c", message="Ask security."),
    )
    assert isinstance(Policy([allow]).decide(actor(), "cursor", CREATE), Allow)
    assert isinstance(Policy([allow, ask]).decide(actor(), "cursor", CREATE), Ask)
    decision = Policy([allow, ask, deny]).decide(actor(), "cursor", CREATE)
    assert isinstance(decision, Deny)
    assert decision.rule == "c"
    assert "Ask security." in decision.why


@pytest.mark.parametrize(
    ("entry", "matches"),
    [
        ("agents.create", True),
        ("agents.*", True),
        ("*", True),
        ("*.create", True),
        ("a*s.*e", True),
        ("class:write", True),
        ("class:spend", True),
        ("class:read", False),
        ("class:*", False),
        ("agents", False),
        ("agents.creat?", False),
        ("agents.[c]reate", False),
        ("Agents.create", False),
        ("agents.create ", False),
        ("agents.create.*", False),
        ("agents.create*create", False),
    ],
)
def test_an_operations_entry_matches(entry: str, matches: bool) -> None:
    decision = Policy([rule(Effect.ALLOW, operations=(entry,))]).decide(actor(), "cursor", CREATE)
    assert isinstance(decision, Allow) is matches


@pytest.mark.parametrize("operations", [(), ("*",), ("class:read",), ("",), ("**",)])
@pytest.mark.parametrize("effect", [Effect.ALLOW, Effect.ASK])
def test_an_unknown_operation_is_never_let_through(operations: tuple[str, ...], effect: Effect) -> None:
    decision = Policy([rule(effect, operations=operations)]).decide(actor(), "cursor", UNKNOWN_OPERATION)
    assert isinstance(decision, Deny)
    assert decision.rule is None
    assert "no operation that the connection cursor knows" in decision.why


def test_a_deny_of_everything_names_itself_for_an_unknown_operation_too() -> None:
    assert Policy([rule(Effect.DENY, "shut")]).decide(actor(), "c", UNKNOWN_OPERATION).rule == "shut"
    assert Policy([rule(Effect.DENY, "star", operations=("*",))]).decide(actor(), "c", UNKNOWN_OPERATION).rule is None


@pytest.mark.parametrize(
    ("who", "asker", "matches"),
    [
        (Who(), actor(), True),
        (Who(groups=frozenset({"eng"})), actor("anna", "eng", "x"), True),
        (Who(groups=frozenset({"eng"})), actor("eng"), False),
        (Who(users=frozenset({"anna"})), actor(), True),
        (Who(users=frozenset({"Anna"})), actor(), False),
        (Who(users=frozenset({"anna"})), actor(kind=ActorKind.AGENT, agent="cursor@laptop"), True),
        (Who(users=frozenset({"anna"})), actor(kind=ActorKind.SERVICE), False),
        (Who(services=frozenset({"anna"})), actor(kind=ActorKind.SERVICE), True),
        (Who(services=frozenset({"anna"})), actor(), False),
        (Who(agents=frozenset({"cursor@laptop"})), actor(kind=ActorKind.AGENT, agent="cursor@laptop"), True),
        (Who(agents=frozenset({"cursor@laptop"})), actor(agent="cursor@laptop"), False),
        (Who(groups=frozenset({"none"}), users=frozenset({"anna"})), actor(), True),
        (Who(users=frozenset({"anna"}), agents=frozenset({"bot"})), actor(kind=ActorKind.AGENT, agent="bot"), True),
        (Who(users=frozenset({"anna"}), agents=frozenset({"bot"})), actor(kind=ActorKind.AGENT, agent="other"), False),
        (Who(users=frozenset({"anna"}), agents=frozenset({"bot"})), actor(), False),
        (Who(users=frozenset({"bob"}), agents=frozenset({"bot"})), actor(kind=ActorKind.AGENT, agent="bot"), False),
        (Who(groups=frozenset({"eng"}), agents=frozenset({"bot"})), actor(kind=ActorKind.AGENT, agent="bot"), False),
    ],
)
def test_whom_a_rule_speaks_of(who: Who, asker: Actor, matches: bool) -> None:
    policy = Policy([rule(Effect.ALLOW, who=who, on=("cursor",))])
    assert isinstance(policy.decide(asker, "cursor", LIST), Allow) is matches
    assert policy.knows(asker, "cursor") is matches
    assert not policy.knows(asker, "openai")


def test_a_rule_holds_on_the_connections_it_names() -> None:
    policy = Policy([rule(Effect.ALLOW, on=("openai-*", "cursor"))])
    assert [policy.knows(actor(), name) for name in ("cursor", "openai-eu", "openai", "Cursor")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_token_limited_to_connections_reaches_no_other() -> None:
    policy = Policy([rule(Effect.ALLOW)])
    limited = actor(connections=frozenset({"cursor"}))
    assert isinstance(policy.decide(limited, "cursor", LIST), Allow)
    assert isinstance(policy.decide(limited, "openai", LIST), Deny)
    assert not policy.knows(limited, "openai")


def test_several_asking_rules_ask_by_the_strictest_of_their_terms() -> None:
    first = rule(Effect.ASK, "a", approval=ApprovalTerms(hold_s=10, expires_s=900))
    second = rule(Effect.ASK, "b", approval=ApprovalTerms(hold_s=60, expires_s=300, reason_required=True))
    decision = Policy([second, first]).decide(actor(), "cursor", CREATE)
    assert isinstance(decision, Ask)
    assert decision.terms == ApprovalTerms(hold_s=10, expires_s=300, reason_required=True)
    assert '"a" and "b"' in decision.why
    assert "5 minutes" in decision.why


def test_made_up_connection_names_are_not_remembered_without_end() -> None:
    policy = Policy([rule(Effect.ALLOW, on=("*",))])
    for number in range(5000):
        assert policy.knows(actor(), f"c{number}")
    assert len(policy._by_connection) <= 4096


NAMES = st.sampled_from(["cursor", "openai", "openai-eu"])
GROUPS = st.frozensets(st.sampled_from(["eng", "ops"]))
RULES = st.lists(
    st.builds(
        Rule,
        name=st.uuids().map(str),
        effect=st.sampled_from(Effect),
        who=st.builds(Who, groups=GROUPS, users=st.frozensets(st.sampled_from(["anna", "bob"]))),
        on=st.lists(st.sampled_from(["cursor", "openai", "open*", "*"]), max_size=2).map(tuple),
        operations=st.lists(
            st.sampled_from(["agents.create", "agents.*", "*.list", "class:read", "class:spend", "*"]),
            max_size=2,
        ).map(tuple),
        approval=st.builds(ApprovalTerms, hold_s=st.sampled_from([1.0, 60.0]), reason_required=st.booleans()),
    ),
    max_size=6,
)
ACTORS = st.builds(actor, st.sampled_from(["anna", "bob"]), st.sampled_from(["eng", "ops", "none"]))
OPERATIONS = st.sampled_from([CREATE, LIST, UNKNOWN_OPERATION])
RANK = {Allow: 2, Ask: 1, Deny: 0}


def freedom(decision: Decision) -> int:
    return RANK[type(decision)]


@given(RULES, st.randoms(), ACTORS, NAMES, OPERATIONS)
def test_the_order_of_rules_never_matters(
    rules: list[Rule], random: object, asker: Actor, connection: str, operation: Operation
) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Policy(rules).decide(asker, connection, operation) == Policy(shuffled).decide(asker, connection, operation)
    assert Policy(rules).knows(asker, connection) == Policy(shuffled).knows(asker, connection)


@given(RULES, RULES, ACTORS, NAMES, OPERATIONS)
def test_adding_a_deny_never_allows_more_and_adding_an_allow_never_less(
    rules: list[Rule], more: list[Rule], asker: Actor, connection: str, operation: Operation
) -> None:
    before = Policy(rules).decide(asker, connection, operation)
    for effect in (Effect.DENY, Effect.ALLOW):
        added = [Rule(r.name, effect, r.who, r.on, r.operations) for r in more]
        after = Policy([*rules, *added]).decide(asker, connection, operation)
        if effect is Effect.DENY:
            assert freedom(after) <= freedom(before)
        else:
            assert freedom(after) >= freedom(before)


@given(RULES, ACTORS, NAMES, OPERATIONS)
def test_what_is_not_known_is_never_allowed(
    rules: list[Rule], asker: Actor, connection: str, operation: Operation
) -> None:
    policy = Policy(rules)
    if not policy.knows(asker, connection):
        assert isinstance(policy.decide(asker, connection, operation), Deny)
    if operation is UNKNOWN_OPERATION:
        assert isinstance(policy.decide(asker, connection, operation), Deny)
