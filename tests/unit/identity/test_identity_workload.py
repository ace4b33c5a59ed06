"""Workload tokens: what platforms say, and whose it is by the rules."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.identity.jwt import JwtError
from ostiary.identity.workload import holds, matches, service_of, workload_of
from ostiary.model.issuer import ClaimCondition, WorkloadIssuer, WorkloadRule
from support.jwts import NOW, book, jwk, sign


def rule(service: str, /, **claims: str | tuple[str, ...]) -> WorkloadRule:
    conditions = tuple(
        ClaimCondition(name, (value,) if isinstance(value, str) else value) for name, value in claims.items()
    )
    return WorkloadRule(service, conditions, groups=("ci",))


def issuer(*rules: WorkloadRule, **changes: object) -> WorkloadIssuer:
    values = {"name": "gh", "issuer": "https://ci.example", "audience": "ostiary", "accepts": rules, **changes}
    return WorkloadIssuer(**values)  # type: ignore[arg-type]


def said(**changes: object) -> dict[str, object]:
    claims = {
        "iss": "https://ci.example", "aud": "ostiary", "sub": "repo:acme/app:ref:refs/heads/main", "iat": NOW - 1,
        "exp": NOW + 300, "jti": "j", "repository": "acme/app", "ref": "refs/heads/main", **changes,
    }  # fmt: skip
    return {name: value for name, value in claims.items() if value is not None}


DEPLOY = rule("deploy", repository="acme/app", ref=("refs/heads/main", "refs/tags/v*"))


def reason(claims: dict[str, object], of: WorkloadIssuer) -> str:
    with pytest.raises(JwtError) as refusal:
        service_of(of, claims, NOW)
    return refusal.value.reason


def test_a_job_is_the_service_its_claims_say() -> None:
    token = sign(said(), name="k", kind="P-256", alg="ES256")
    identity = workload_of(token, book(jwk("k", "P-256")), issuer(DEPLOY), NOW)
    assert (identity.service, identity.groups, identity.connections) == ("deploy", {"ci"}, None)
    assert (identity.expires_at, identity.jti, identity.bound_to) == (NOW + 300, "j", None)
    assert service_of(issuer(DEPLOY), said(ref="refs/tags/v1.2"), NOW).service == "deploy"


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "secevent+jwt"])
def test_tokens_of_other_types_are_refused(typ: str) -> None:
    with pytest.raises(JwtError) as refusal:
        workload_of(sign(said(), header={"typ": typ}), book(jwk("one")), issuer(DEPLOY), NOW)
    assert refusal.value.reason == "type_wrong"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"iss": "https://ci.example/"}, "iss_wrong"),
        ({"aud": "other"}, "aud_wrong"),
        ({"aud": ["other"]}, "aud_wrong"),
        ({"exp": None}, "exp_missing"),
        ({"exp": NOW - 61}, "expired"),
        ({"exp": NOW + 3601, "iat": None}, "life_too_long"),
        ({"exp": NOW + 3599, "iat": NOW - 2}, "life_too_long"),
        ({"exp": NOW + 3630, "iat": NOW + 59}, "life_too_long"),
        ({"iat": NOW + 61}, "issued_in_future"),
        ({"sub": None}, "sub_missing"),
        ({"jti": 7}, "jti_malformed"),
        ({"events": {}}, "logout_token"),
        ({"cnf": {"other": "x"}}, "cnf_unknown"),
        ({"repository": "acme/app2"}, "no_workload_rule"),
        ({"repository": "ACME/app"}, "no_workload_rule"),
        ({"repository": None}, "no_workload_rule"),
        ({"repository": {"acme/app": 1}}, "no_workload_rule"),
        ({"ref": "refs/tags/v1/evil"}, "no_workload_rule"),
        ({"ref": "refs/tags/v"}, "no_workload_rule"),
        ({"ref": None}, "no_workload_rule"),
    ],
)
def test_other_tokens_are_nobodys(change: dict[str, object], why: str) -> None:
    assert reason(said(**change), issuer(DEPLOY, lifetime_max_s=3600)) == why


def test_two_services_at_once_is_ambiguous_and_two_rules_of_one_are_not() -> None:
    other = rule("other", repository="acme/*")
    assert reason(said(), issuer(DEPLOY, other)) == "workload_ambiguous"
    twice = WorkloadRule("deploy", other.conditions, groups=("more",))
    assert service_of(issuer(DEPLOY, twice), said(), NOW).groups == {"ci"}
    assert reason(said(), issuer(WorkloadRule("anybody", ()))) == "no_workload_rule"


def test_a_bound_token_says_to_what() -> None:
    claims = said(cnf={"x5t#S256": "a" * 43})
    assert service_of(issuer(DEPLOY), claims, NOW).bound_to == "x5t:" + "a" * 43


def test_a_pod() -> None:
    claims = said(
        aud=["ostiary"],
        sub="system:serviceaccount:ci:runner",
        **{"kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "runner", "uid": "u"}}},
    )
    runner = WorkloadRule(
        "runner",
        (
            ClaimCondition("kubernetes.io.namespace", ("ci",)),
            ClaimCondition("kubernetes.io.serviceaccount.name", ("run*",)),
        ),
        connections=("openai",),
    )
    identity = service_of(issuer(runner, preset="kubernetes"), claims, NOW)
    assert (identity.service, identity.connections) == ("runner", {"openai"})


@pytest.mark.parametrize("sub", ["spiffe://acme/ci/build", "spiffe://acme.example/a"])
def test_a_spiffe_id(sub: str) -> None:
    of = issuer(rule("ci", sub=("spiffe://acme/ci/*", "spiffe://acme.example/a")), preset="spiffe")
    assert service_of(of, said(sub=sub, iat=None), NOW).subject == sub


@pytest.mark.parametrize(
    "sub", ["spiffe://acme", "spiffe://acme/", "acme/ci", "spiffe://acme/ci//x", "SPIFFE://acme/ci"]
)
def test_no_spiffe_id(sub: str) -> None:
    assert reason(said(sub=sub), issuer(rule("ci", sub="**"), preset="spiffe")) == "sub_malformed"


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        ("a", "a", True), ("a", "A", False), ("a", "ab", False), ("", "", True), ("", "a", False),
        ("*", "a", True), ("*", "", False), ("*", "a/b", False), ("**", "a/b", True), ("**", "", False),
        ("a*", "ab", True), ("a*", "a", False), ("a*", "a/b", False), ("a**", "a/b", True), ("*a", "ba", True),
        ("acme/*", "acme/app", True), ("acme/*", "acme/", False), ("acme/*", "acme/app/x", False),
        ("acme/*", "acme-evil/app", False), ("*/app", "acme/app", True), ("a*b*c", "a1b2c", True),
        ("a.b", "axb", False), ("a?", "ab", False), ("[a]", "a", False), ("a*", "a\n", False), ("a**", "ab\nc", False),
        ("a*", "ab\n", False), ("***", "a/b", True), ("a\\*", "a\\b", True), ("é*", "éa", True),
    ],
)  # fmt: skip
def test_globs(pattern: str, text: str, is_match: bool) -> None:
    assert matches(pattern, text) is is_match


@given(st.text("a/b*", max_size=6), st.text("a/b", max_size=8))
def test_a_glob_never_matches_more_than_a_shell_would(pattern: str, text: str) -> None:
    if matches(pattern, text):
        assert fnmatch.fnmatchcase(text, pattern)


def test_many_stars_take_no_time() -> None:
    assert not matches("*a" * 12 + "b", "a" * 500)


@pytest.mark.parametrize(
    ("value", "wanted", "is_met"),
    [
        (True, "true", True), (True, "True", False), (False, "false", True), (7, "7", True), (7.5, "7.5", True),
        (None, "null", False), (None, "*", False), ([], "*", False), ({}, "*", False), (["a", "b"], "b", True),
        ([["b"]], "b", False), ([True, 3], "3", True), ("x" * 513, "**", False), ({"a": "b"}, "b", False),
    ],
)  # fmt: skip
def test_values_are_compared_as_text(value: object, wanted: str, is_met: bool) -> None:
    assert holds(ClaimCondition("c", (wanted,)), {"c": value}) is is_met


def test_a_path_goes_into_objects_only_and_a_whole_name_goes_first() -> None:
    claims = {"a": {"b": {"c": "1"}, "l": [{"c": "2"}]}, "a.b": {"c": "3"}, "x.y": "4", "x": {"y": "5"}}
    assert holds(ClaimCondition("a.b.c", ("3",)), claims) and not holds(ClaimCondition("a.b.c", ("1",)), claims)
    assert holds(ClaimCondition("x.y", ("4",)), claims) and not holds(ClaimCondition("x.y", ("5",)), claims)
    assert not holds(ClaimCondition("a.l.c", ("2",)), claims)
    assert not holds(ClaimCondition("a.b.c.d", ("**",)), claims)
    assert not holds(ClaimCondition(".a", ("**",)), claims) and not holds(ClaimCondition("", ("**",)), claims)
