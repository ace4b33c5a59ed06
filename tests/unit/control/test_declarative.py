"""The declarative file is read strictly, and says where and what is wrong."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.catalog import load_catalog
from ostiary.control.declarative import Change, DeclarativeError, merge, parse, plan, render
from ostiary.control.declarative.values import is_plain_name
from ostiary.model.configuration import Configuration, SecretReference
from ostiary.model.connection import AuthForm, AuthScheme, Connection, Upstream
from ostiary.model.rule import ApprovalTerms, Effect, Rule, Who

KINDS = load_catalog()

FILE = """\
version: 1
secrets:
  - {name: cursor-team-key, from: {env: CURSOR_API_KEY}}
  - {name: other, from: {stored: true}}
connections:
  - name: cursor
    kind: cursor
    upstream: https://api.cursor.com
    secret: cursor-team-key
  - {name: local, kind: http, upstream: "http://127.0.0.1:9000/base/", allow_private: true, auth: none}
rules:
  - {name: reads, who: {groups: [engineering]}, on: [cursor], operations: ["class:read"], effect: allow}
  - name: changes wait
    who: {groups: [engineering]}
    on: [cursor]
    operations: ["class:write", "class:model-settings", "agents.*"]
    effect: ask
    approval: {quorum: 1, reason: required, hold: 2m, expires: 30m, grant: once}
  - {name: no minted keys, on: [cursor], operations: ["class:credential"], effect: deny, message: "Ask security."}
"""


def wrong(text: str) -> str:
    with pytest.raises(DeclarativeError) as caught:
        parse(text, "o.yaml", KINDS)
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in FILE
    return wrong(FILE.replace(old, new, 1))


def test_the_contracts_file_is_understood() -> None:
    read = parse(FILE, "o.yaml", KINDS)
    assert read.secrets == (
        SecretReference("cursor-team-key", "env", "CURSOR_API_KEY"),
        SecretReference("other", "stored"),
    )
    cursor, local = read.connections
    assert cursor.upstream == Upstream("https", "api.cursor.com", 443)
    assert local.upstream == Upstream("http", "127.0.0.1", 9000, "/base")
    assert local.auth == (AuthForm(AuthScheme.NONE),)
    reads, waits, minted = read.rules
    assert reads == Rule("reads", Effect.ALLOW, Who(groups=frozenset({"engineering"})), ("cursor",), ("class:read",))
    assert waits.approval == ApprovalTerms(hold_s=120, expires_s=1800, reason_required=True)
    assert minted.message == "Ask security."


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("rules:", "rule:", 11, "Did you mean 'rules'?"),
        ("effect: deny", "effekt: deny", 19, "Did you mean 'effect'?"),
        ("effect: deny", "effect: forbid", 19, "not valid for effect"),
        ("kind: cursor", "kind: curser", 7, "Did you mean 'cursor'?"),
        ("class:read", "class:reed", 12, "Did you mean 'class:read'?"),
        ("agents.*", "agent.*", 16, "No connection of this rule has an operation 'agent.*'."),
        ("on: [cursor], operations: [\"class:read\"]", "on: [curso]", 12, "Did you mean 'cursor'?"),
        ("secret: cursor-team-key", "secret: cursor-team-kee", 9, "Did you mean 'cursor-team-key'?"),
        ("name: other", "name: cursor-team-key", 4, "stands twice"),
        ("version: 1", "version: 2", 1, "version: 1"),
        ("hold: 2m", "hold: 2", 18, "90s, 2m, 1h or 30d"),
        ("hold: 2m", "hold: 11m", 18, "from 0s to 10m"),
        ("hold: 2m", "hold: -1m", 18, "90s"),
        ("expires: 30m", "expires: 30d", 18, "from 1s to 7d"),
        ("hold: 2m, expires: 30m", "hold: 2m, expires: 1m", 18, "longer than"),
        ("{groups: [engineering]}, on", "{}, on", 12, "Leave it out"),
        ("{groups: [engineering]}, on", "{groups: []}, on", 12, "empty list"),
        ("groups: [engineering]}, on", "groups: [yes]}, on", 12, 'Write it in quotes: "yes".'),
        ("groups: [engineering]}, on", "groups: [\"a\\u202eb\"]}, on", 12, "visible characters"),
        ("effect: allow", "effect: allow, approval: {hold: 1m}", 12, "effect: ask"),
        ("from: {stored: true}", "from: {env: A, file: /b}", 4, "here are 2"),
        ("from: {stored: true}", "from: {file: keys/a}", 4, "absolute"),
        ("from: {stored: true}", "value: hunter2hunter2", 4, "Unknown key 'value'"),
        ("name: local", "name: Local", 10, "cannot be the name of a connection"),
        ("name: local", "name: &x local", 10, "Anchors"),
        ("name: local", "name: !!str local", 10, "tag"),
        ("name: local", "name: local, name: local2", 10, "stands twice"),
        ("auth: none", "auth: bearer", 10, "has no secret"),
        ("auth: none", "auth: header", 10, "needs a name"),
        ("auth: none", "openapi: /a.json, kind: cursor", 10, "stands twice"),
        ("auth: none", "headers: {Authorization: x}", 10, "must not stand in a file"),
        ("auth: none", "headers: {Host: x}", 10, "written by Ostiary itself"),
        ("auth: none", "headers: {x_a: x}", 10, "not a header name"),
        ("auth: none", 'headers: {x-a: "a\\r\\nb"}', 10, "visible ASCII"),
        ("allow_private: true, ", "", 10, "allow_private: true"),
        ("{name: reads, who: {groups: [engineering]}", "{name: reads, who: {agents: [bot]}", 12, "Everybody may give"),
        ("version: 1\n", "version: 1\nversion: 1\n", 2, "stands twice"),
        ("  - {name: reads", "  - {name: [reads", 12, "not readable as YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, line: int, says: str) -> None:
    message = changed(old, new)
    assert says in message
    assert message.startswith(f"o.yaml:{line}: ")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("effect: allow", "effect: allow, when: 'x == 1'"),
        ("effect: allow", "effect: allow, limits: {requests: 60/min}"),
        ("quorum: 1", "quorum: 2"),
        ("quorum: 1", "by: {groups: [leads]}"),
        ("grant: once", "grant: 5"),
        ("grant: once", "grant: {window: 1h}"),
        ("{env: CURSOR_API_KEY}", "{vault: {path: a, key: b}}"),
        ("{env: CURSOR_API_KEY}", "{aws-sm: {id: a}}"),
        ("version: 1", "version: 1\nnotifiers: []"),
        ("version: 1", "version: 1\nexporters: []"),
    ],
)
def test_a_restriction_this_version_does_not_enforce_is_never_ignored(old: str, new: str) -> None:
    message = changed(old, new)
    assert ("not available in this version; leaving it out would" in message) or "must be text" in message


def test_who_may_approve_is_said_by_roles() -> None:
    message = changed("quorum: 1", "by: {groups: [leads]}")
    assert "would let everybody approve who has the permission approvals.decide" in message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://a", "https://"),
        ("HTTPS://a.example", "https://"),
        ("https://user@a.example", "user name"),
        ("https://a.example?x=1", "query"),
        ("https://a.example#x", "fragment"),
        ("https://a.example\\b", "backslash"),
        ("https://a.example:0443", "port"),
        ("https://a.example:", "port"),
        ("https://a.example:65536", "port"),
        ("https://2130706433", "odd spelling"),
        ("https://0x7f.1", "odd spelling"),
        ("https://0177.0.0.1", "odd spelling"),
        ("https://127.1", "odd spelling"),
        ("https://1.2.3.4.", "host"),
        ("https://a.example.", "host"),
        ("https://a..example", "host"),
        ("https://a%2eexample", "host"),
        ("https://[::1%25eth0]", "zone"),
        ("https://[::ffff:127.0.0.1]", "127.0.0.1"),
        ("https://[::g]", "IPv6"),
        ("https://ｅxample.com", "no host name has"),
        ("https://127。0。0。1", "no host name has"),
        ("https://a.example/a/../b", "path"),
        ("https://a.example/a//b", "path"),
        ("https://a.example/%61", "path"),
        ("https://a.example/a;b", "path"),
        ("https://10.0.0.1", "allow_private"),
        ("https://169.254.169.254", "allow_private"),
        ("https://localhost", "allow_private"),
        ("https://[fe80::1]", "allow_private"),
        ("http://a.example", "unencrypted"),
    ],
)
def test_an_upstream_in_an_odd_spelling_is_refused(url: str, says: str) -> None:
    message = changed("upstream: https://api.cursor.com", f"upstream: '{url}'")
    assert says in message
    assert message.startswith("o.yaml:8: ")


@pytest.mark.parametrize(
    ("url", "upstream"),
    [
        ("https://API.Example.COM:8443/v1/", Upstream("https", "api.example.com", 8443, "/v1")),
        ("https://bücher.example", Upstream("https", "xn--bcher-kva.example", 443)),
        ("https://[2606:4700:0:0::1]", Upstream("https", "2606:4700::1", 443)),
        ("https://a.example:443", Upstream("https", "a.example", 443)),
    ],
)
def test_an_upstream_has_one_canonical_form(url: str, upstream: Upstream) -> None:
    text = FILE.replace("https://api.cursor.com", url)
    assert parse(text, "o.yaml", KINDS).connections[0].upstream == upstream


@pytest.mark.parametrize(
    ("auth", "forms"),
    [
        ("bearer", (AuthForm(AuthScheme.BEARER),)),
        ("basic-username", (AuthForm(AuthScheme.BASIC_USERNAME),)),
        ("{header: X-Api-Key}", (AuthForm(AuthScheme.HEADER, "x-api-key"),)),
        ('{header: authorization, prefix: "Token "}', (AuthForm(AuthScheme.HEADER, "authorization", "Token "),)),
        ("{basic-password: USER}", (AuthForm(AuthScheme.BASIC_PASSWORD, "USER"),)),
        ("{query: key}", (AuthForm(AuthScheme.QUERY, "key"),)),
        (
            "[bearer, {header: x-org, secret: other}]",
            (AuthForm(AuthScheme.BEARER), AuthForm(AuthScheme.HEADER, "x-org", "", "other")),
        ),
        ("[{bearer: true, secret: other}]", (AuthForm(AuthScheme.BEARER, secret="other"),)),
    ],
)
def test_auth_forms(auth: str, forms: tuple[AuthForm, ...]) -> None:
    text = FILE.replace("secret: cursor-team-key\n", f"secret: cursor-team-key\n    auth: {auth}\n")
    assert parse(text, "o.yaml", KINDS).connections[0].auth == forms


@pytest.mark.parametrize(
    ("auth", "says"),
    [
        ("[]", "empty list"),
        ("[bearer, basic-username]", "same place"),
        ("[bearer, {header: authorization}]", "same place"),
        ("[none, bearer]", "none"),
        ("{header: host}", "Ostiary itself"),
        ("{header: a, query: b}", "here are 2"),
        ("{basic-password: 'a:b'}", "colon"),
        ("{query: 'a&b'}", "letters, digits"),
        ("{bearer: x, secret: other}", "takes no name"),
        ("{query: key, prefix: a}", "'header' only"),
        ("none", "auth says none"),
        ("berer", "Did you mean 'bearer'?"),
    ],
)
def test_wrong_auth_forms(auth: str, says: str) -> None:
    message = changed("secret: cursor-team-key\n", f"secret: cursor-team-key\n    auth: {auth}\n")
    assert says in message


def test_a_name_may_come_from_what_is_in_force() -> None:
    existing = parse(FILE, "o.yaml", KINDS)
    more = "version: 1\nrules:\n  - {name: more, on: [cursor], operations: [agents.list], effect: allow}\n"
    assert wrong(more).startswith("o.yaml:3: There is no connection 'cursor'.")
    assert parse(more, "o.yaml", KINDS, existing).rules[0].name == "more"


def test_what_is_in_force_must_still_fit() -> None:
    existing = parse(FILE, "o.yaml", KINDS)
    text = "version: 1\nconnections:\n  - {name: cursor, kind: http, upstream: 'https://a.example'}\n"
    with pytest.raises(DeclarativeError, match=r"The rule 'changes wait' is in force: .*'agents\.\*'"):
        parse(text, "o.yaml", KINDS, existing)


@pytest.mark.parametrize(
    "text",
    [
        *("", "# nothing", "a", "[]", "\x00", "version: 1\n---\nversion: 1", "a: *a", "? [a]\n: b", "version: 1_0"),
        *("{" * 5000, "[" * 200_000, "version: 1\nsecrets: [1]", "version: 1\nsecrets: {a: b}", "version: \ud800"),
        *("%YAML 9.9\n---\nversion: 1", "version: 0x1", "- version: 1", "version: 1\n\tsecrets: []"),
        "version: 1\nsecrets: [{name: " + "a" * 100 + "}]",
    ],
)
def test_a_malformed_file_is_an_error_with_a_sentence(text: str) -> None:
    assert wrong(text).startswith("o.yaml")


def test_an_alias_bomb_is_refused_before_it_is_built() -> None:
    bomb = "version: 1\na: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(40))
    assert "Anchors" in wrong(bomb)


@given(st.text(max_size=200))
@settings(max_examples=300)
def test_no_text_makes_it_fail_in_another_way(text: str) -> None:
    for candidate in (text, "version: 1\n" + text, f"version: 1\nsecrets: [{{name: {text}}}]"):
        with suppress(DeclarativeError):
            parse(candidate, "o.yaml", KINDS)


@given(
    st.integers(0, len(FILE) - 1),
    st.integers(0, len(FILE) - 1),
    st.sampled_from(["", "x", ":", "[", "}", "\n", "null", "'", "-"]),
)
@settings(max_examples=300)
def test_no_damage_makes_it_fail_in_another_way(start: int, length: int, put: str) -> None:
    with suppress(DeclarativeError):
        parse(FILE[:start] + put + FILE[start + length % 12 :], "o.yaml", KINDS)


# What can be configured, generated.
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
VISIBLE = st.one_of(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x24F), min_size=1, max_size=12).filter(is_plain_name),
    st.sampled_from(
        ["yes", "null", "1", "1e3", "~", "2024-01-01", "0x1", "- a", "a: b", "#a", "'", '"', "*a", "&a", "日本"]
    ),
)
HOSTS = st.sampled_from(["api.example.com", "127.0.0.1", "2606:4700::1", "localhost", "xn--bcher-kva.example"])
SECRET = st.one_of(
    st.builds(SecretReference, NAMES, st.just("stored")),
    st.builds(SecretReference, NAMES, st.just("env"), st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)),
    st.builds(SecretReference, NAMES, st.just("file"), VISIBLE.map(lambda text: "/" + text)),
)
DURATIONS = st.integers(0, 600).map(float)
ON = st.sampled_from(["**", "zz*", "no*", "on*", "1*"])
OPERATIONS = st.sampled_from(["class:read", "class:spend", "*", "g*", "get"])


@st.composite
def whos(draw: st.DrawFn, names: st.SearchStrategy[frozenset[str]], label_alone: bool) -> Who:
    who = Who(groups=draw(names), users=draw(names), services=draw(names), agents=draw(names))
    return who if label_alone or who.groups or who.users or who.services else Who()


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    effect = draw(st.sampled_from(Effect))
    names = st.frozensets(VISIBLE, max_size=2)
    hold_s = float(draw(st.integers(0, 600)))
    return Rule(
        name=draw(VISIBLE),
        effect=effect,
        who=draw(whos(names, label_alone=effect is Effect.DENY)),
        on=tuple(draw(st.lists(ON, max_size=2, unique=True))),
        operations=tuple(draw(st.lists(OPERATIONS, max_size=2, unique=True))),
        message=draw(st.one_of(st.just(""), VISIBLE)),
        approval=(
            ApprovalTerms(hold_s, hold_s + draw(st.integers(1, 80_000)), draw(st.booleans()))
            if effect is Effect.ASK
            else ApprovalTerms()
        ),
    )


@st.composite
def upstreams(draw: st.DrawFn) -> Upstream:
    scheme = draw(st.sampled_from(["http", "https"]))
    return Upstream(scheme, draw(HOSTS), draw(st.integers(1, 65535)), draw(st.sampled_from(["", "/v1", "/a/b"])))


def some_auth(draw: st.DrawFn, secret: str) -> tuple[AuthForm, ...]:
    prefix, own = draw(st.sampled_from(["", "Token "])), draw(st.sampled_from([None, secret]))
    possible = [
        AuthForm(AuthScheme.HEADER, "x-key", prefix, own),
        AuthForm(AuthScheme.BASIC_PASSWORD, "me"),
        AuthForm(AuthScheme.QUERY, "key"),
    ]
    return tuple(draw(st.lists(st.sampled_from(possible), max_size=3, unique=True)))


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    secrets = draw(st.lists(SECRET, max_size=3, unique_by=lambda secret: secret.name))
    connections = []
    for name in draw(st.lists(NAMES, max_size=3, unique=True)):
        secret = draw(st.sampled_from([None, *(secret.name for secret in secrets)]))
        connections.append(
            Connection(
                name=name,
                kind="http",
                upstream=draw(upstreams()),
                secret=secret,
                auth=() if secret is None else some_auth(draw, secret),
                headers=draw(st.sampled_from([(), (("x-a", "1"), ("x-b", "yes: no")), (("x-c", "#"),)])),
                allow_private=True,
                allow_plaintext=True,
                ca_file=draw(st.sampled_from([None, "/etc/ca.pem"])),
                openapi=draw(st.sampled_from([None, "/etc/api.yaml"])),
                labels=frozenset(draw(st.sampled_from([(), ("a", "team=x")]))),
            )
        )
    judged = draw(st.lists(rules(), max_size=3, unique_by=lambda rule: rule.name))
    return Configuration(tuple(secrets), tuple(connections), tuple(judged))


@given(configurations())
@settings(max_examples=150)
def test_what_is_rendered_parses_back_to_the_same(configuration: Configuration) -> None:
    assert parse(render(configuration), "o.yaml", KINDS) == configuration


@given(configurations(), configurations(), st.booleans())
@settings(max_examples=60)
def test_the_plan_is_empty_exactly_when_merging_changes_nothing(
    old: Configuration, new: Configuration, prune: bool
) -> None:
    def as_sets(configuration: Configuration) -> tuple[frozenset[object], ...]:
        return frozenset(configuration.secrets), frozenset(configuration.connections), frozenset(configuration.rules)

    merged = merge(old, new, prune)
    assert (plan(old, new, prune) == ()) == (as_sets(merged) == as_sets(old))
    assert plan(merged, new, prune) == ()


def test_a_plan_names_what_is_created_changed_and_removed() -> None:
    old = parse(FILE, "o.yaml", KINDS)
    new = parse(
        FILE.replace("api.cursor.com", "eu.cursor.com").replace("name: reads", "name: reading"), "o.yaml", KINDS
    )
    assert plan(old, new, prune=True) == (
        Change("~", "connection", "cursor", "upstream: https://api.cursor.com → https://eu.cursor.com"),
        Change("+", "rule", "reading", "allow class:read on cursor"),
        Change("-", "rule", "reads"),
    )
    assert [change.action for change in plan(old, new, prune=False)] == ["~", "+"]


def test_a_rendered_file_reads_as_people_write_it() -> None:
    text = render(parse(FILE, "o.yaml", KINDS))
    assert "  on: [cursor]\n" in text
