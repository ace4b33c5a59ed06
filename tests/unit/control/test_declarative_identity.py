"""`groups:` and `identity:` of a declarative file."""

from dataclasses import replace

import pytest

from ostiary.catalog import load_catalog
from ostiary.control.declarative import DeclarativeError, merge, parse, plan, render
from ostiary.control.declarative.notes import notes
from ostiary.model.configuration import Configuration
from ostiary.model.issuer import (
    ClaimCondition,
    Group,
    GroupsFrom,
    GroupSource,
    OidcIssuer,
    SamlIssuer,
    ScimSettings,
    SignInLimits,
    WorkloadIssuer,
    WorkloadRule,
)
from ostiary.model.permission import Assignment, Permission, Role

KINDS = load_catalog()

FILE = """\
version: 1
secrets:
  - {name: oidc-client, from: {env: X}}
groups:
  - {name: engineering, from: {issuer: corp, claim: groups, value: eng-all}}
  - {name: leads, members: [ann@example.com, bob@example.com]}
  - {name: ops, from: [{scim: Operations}, {issuer: corp-saml, claim: memberOf, value: "cn=ops"}]}
identity:
  issuers:
    - name: corp
      oidc: {issuer: "https://idp.example", client_id: abc, client_secret: {secret: oidc-client}, recheck: 5m}
    - {name: okta, oidc: {preset: okta, issuer: "https://example.okta.com", client_id: abc, accept_tokens_for: "api://o"}}
    - {name: corp-saml, saml: {metadata: {url: "https://idp.example/metadata"}, user: mail, grant: true, names: [a*]}}
    - name: github
      workload:
        preset: github
        audience: ostiary
        accepts: [{service: deploy, claims: {repository: acme/api, ref_protected: true}, groups: [ci]}]
    - name: spire
      workload:
        issuer: "spiffe://example"
        audience: ostiary
        keys: {file: /etc/bundle.json}
        accepts: [{service: x, claims: {sub: ["spiffe://example/ci/*"]}, connections: [cursor]}]
  roles: [{name: reviewer, permissions: [approvals.read, sessions.read]}]
  assign: [{role: approver, groups: [leads]}, {role: owner, users: [ann@example.com]}]
  sessions: {idle: 30m, absolute: 8h, unchecked: 7d}
  scim: {issuer: corp}
"""


def read(text: str = FILE) -> Configuration:
    return parse(text, "o.yaml", KINDS)


def test_what_the_file_says_of_people_is_understood() -> None:
    configuration = read()
    corp, okta, saml, github, spire = configuration.issuers
    assert corp == OidcIssuer("corp", "https://idp.example", "abc", client_secret="oidc-client", recheck_s=300.0)
    assert isinstance(okta, OidcIssuer)
    assert (okta.groups_from, okta.scopes[-1], okta.token_audience) == (GroupsFrom.USERINFO, "groups", "api://o")
    assert saml == SamlIssuer(
        "corp-saml", "https://idp.example/metadata", user_attribute="mail", grant=True, names=("a*",)
    )
    assert isinstance(github, WorkloadIssuer)
    assert github.issuer == "https://token.actions.githubusercontent.com"
    assert github.accepts == (
        WorkloadRule(
            "deploy", (ClaimCondition("repository", ("acme/api",)), ClaimCondition("ref_protected", ("true",))), ("ci",)
        ),
    )
    assert isinstance(spire, WorkloadIssuer)
    assert (spire.keys_file, spire.accepts[0].connections) == ("/etc/bundle.json", ("cursor",))
    assert configuration.groups == (
        Group("engineering", (GroupSource("corp", "groups", "eng-all"),)),
        Group("leads", members=("ann@example.com", "bob@example.com")),
        Group("ops", (GroupSource("corp-saml", "memberOf", "cn=ops"),), scim=("Operations",)),
    )
    assert configuration.roles == (
        Role("reviewer", frozenset({Permission.APPROVALS_READ, Permission.SESSIONS_READ})),
    )
    assert configuration.assignments[0] == Assignment("approver", groups=frozenset({"leads"}))
    assert configuration.sign_in == SignInLimits(idle_s=1800.0, absolute_s=8 * 3600.0, unchecked_s=7 * 86_400.0)
    assert configuration.scim == ScimSettings("corp")


def test_it_is_rendered_as_it_was_read() -> None:
    assert read(render(read())) == read()


def test_nothing_said_is_nothing_written_and_the_usual_limits() -> None:
    configuration = read("version: 1\n")
    assert "identity" not in render(configuration)
    assert configuration.sign_in == SignInLimits()


NAMED = FILE.replace("recheck: 5m}", 'recheck: 5m, names: ["*@example.com", ann]}')


def test_which_names_an_issuer_may_give_is_read_and_rendered() -> None:
    corp = read(NAMED).issuers[0]
    assert isinstance(corp, OidcIssuer)
    assert corp.names == ("*@example.com", "ann")
    assert read(render(read(NAMED))) == read(NAMED)


def test_several_issuers_of_any_names_are_a_note() -> None:
    (note,) = notes(read(), 0)
    assert note == (
        "There are 3 issuers of people, and 'corp' and 'okta' without `names`: whoever of any issuer comes first"
        " takes a name. `names` says which an issuer may give."
    )
    (note,) = notes(read(NAMED), 0)
    assert "and 'okta' without" in note
    assert notes(read(NAMED.replace('"api://o"', '"api://o", names: ["*@b.example"]')), 0) == ()
    machines_and_one = replace(read(), issuers=(read().issuers[0], read().issuers[3]))
    assert notes(machines_and_one, 0) == ()


def test_the_plan_names_what_changes() -> None:
    changes = plan(Configuration(), read(), prune=False)
    assert {change.kind for change in changes} == {
        "secret", "group", "issuer", "role", "assignment", "sessions", "scim",
    }  # fmt: skip
    longer = read(FILE.replace("idle: 30m", "idle: 45m"))
    (change,) = plan(read(), longer, prune=False)
    assert (change.action, change.kind) == ("~", "sessions")
    assert "idle 30m" in change.detail
    assert "idle 45m" in change.detail
    assert "unchecked 7d" in change.detail
    emptied = plan(read(), read("version: 1\n"), prune=True)
    assert {change.action for change in emptied} == {"-"}
    assert len(emptied) == len(changes)


def test_a_file_that_says_nothing_of_limits_leaves_them() -> None:
    merged = merge(read(), read("version: 1\ngroups: [{name: new, members: [a]}]\n"), prune=False)
    assert merged.sign_in.idle_s == 1800.0
    assert merged.scim == ScimSettings("corp")
    assert [group.name for group in merged.groups] == ["engineering", "leads", "ops", "new"]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("{issuer: corp, claim", "{issuer: crop, claim", 5, "Did you mean 'corp'?"),
        ("role: approver", "role: aprover", 26, "Did you mean 'approver'?"),
        ("preset: okta", "preset: oktaa", 12, "Did you mean 'okta'?"),
        ("{scim: Operations}", "{scm: O}", 7, "Did you mean 'scim'?"),
        ("{scim: Operations}", "{scim: O, claim: x}", 7, "stands alone"),
        ("claim: groups, value: eng-all", "claim: groups", 5, "'value' is missing"),
        ("members: [ann@example.com, bob@example.com]", "members: []", 6, "empty list"),
        (", members: [ann@example.com, bob@example.com]", "", 6, "nobody"),
        ('"https://example.okta.com"', '"http://example.okta.com"', 12, "https only"),
        ('"https://example.okta.com"', '"https://127.0.0.1"', 12, "allow_private"),
        ('"https://example.okta.com"', '"https://example.okta.com?x=1"', 12, "query"),
        ("secret: oidc-client", "secret: oidc-clint", 11, "Did you mean 'oidc-client'?"),
        ("client_secret: {secret: oidc-client}", "client_secret: hunter2", 11, "must be a mapping"),
        ("recheck: 5m", "recheck: 5s", 11, "from 1m"),
        ("recheck: 5m", "algorithms: [HS256]", 11, "HS256"),
        ("recheck: 5m", "algorithms: [none]", 11, "none"),
        ("recheck: 5m", "names: []", 11, "empty list"),
        ("recheck: 5m", "names: ['*@example.com', '']", 11, "an entry of names"),
        ("recheck: 5m", "scopes: [profile]", 11, "openid"),
        ("audience: ostiary\n        accepts", "audiences: ostiary\n        accepts", 17, "Did you mean 'audience'?"),
        ("{repository: acme/api, ref_protected: true}", "{}", 18, "every token"),
        ("{repository: acme/api, ref_protected: true}", '{repository: "*"}', 18, "every token"),
        ("metadata: {url", "metadata: {uri", 13, "Did you mean 'url'?"),
        ('metadata: {url: "https://idp.example/metadata"}', "metadata: {file: metadata.xml}", 13, "absolute path"),
        ("idle: 30m", "idle: 9h", 27, "must not be longer"),
        ("approvals.read", "approvals.raed", 25, "Did you mean 'approvals.read'?"),
        ("name: reviewer", "name: owner", 25, "built in"),
        ("scim: {issuer: corp}", "scim: {issuer: x}", 28, "There is no issuer 'x'"),
        ("name: spire", "name: local", 19, "cannot be the name"),
        ("name: spire", "name: Spire", 19, "cannot be the name"),
        ("name: spire", "name: corp", 19, "stands twice"),
        ("roles: [", "rolls: [", 25, "Did you mean 'roles'?"),
    ],
)
def test_what_is_wrong_with_identity_is_named_with_its_line(old: str, new: str, line: int, says: str) -> None:
    assert FILE.count(old) >= 1
    with pytest.raises(DeclarativeError) as caught:
        read(FILE.replace(old, new, 1))
    assert says in str(caught.value)
    assert caught.value.line == line


def test_what_is_in_force_must_still_fit_the_issuers() -> None:
    with pytest.raises(DeclarativeError, match="There is no issuer 'gone'"):
        parse("version: 1\nidentity: {scim: {issuer: gone}}\n", "o.yaml", KINDS, existing=read())
