"""Masking rules in a declarative file: read strictly, compared, written back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.catalog import load_catalog
from ostiary.control.declarative import Change, DeclarativeError, merge, notes, parse, parse_masking, plan, render
from ostiary.masking.catalog import load_detectors
from ostiary.model.configuration import Configuration
from ostiary.model.connection import Connection, Upstream
from ostiary.model.masking import Action, Exemption, MaskingRule, Where
from ostiary.model.rule import Who
from support.control_room import Room

KINDS = load_catalog()

FILE = """\
version: 1
connections:
  - {name: cursor, kind: cursor, masking: [secrets, personal-data]}
  - {name: openai, kind: openai}
  - {name: quiet, kind: anthropic, masking: []}
masking:
  - {name: secrets, detectors: [secrets], where: [request, response], action: replace}
  - {name: personal-data, detectors: [email, payment-card, iban, phone], where: [response], action: partial}
  - {name: our ids, pattern: 'ACME-[0-9]{8}', where: [response, recording], action: hash}
  - name: projects
    words: [Project Falcon, Bluebird]
    ignore_case: true
    where: [request]
    action: placeholder
    who: {groups: [engineering]}
    on: ["open*"]
    exceptions:
      - {reason: announced, expires: 2030-06-01, matching: Bluebird}
      - {reason: the press office may, expires: never, who: {users: [ann]}, on: [openai]}
  - {name: people, fields: [ssn, /users/*/mail], where: [response], archives: block}
  - {name: minted, detectors: [minted-credential], where: [response], action: seal}
"""


def wrong(text: str) -> str:
    with pytest.raises(DeclarativeError) as caught:
        parse(text, "o.yaml", KINDS)
    return str(caught.value)


def of_one_rule(text: str) -> str:
    return wrong(f"version: 1\nmasking:\n  - {{name: m, {text}}}\n")


def test_every_built_in_detector_may_be_named() -> None:
    for name in (*load_detectors(), "minted-credential"):
        text = f"version: 1\nmasking:\n  - {{name: m, detectors: [{name}], where: [response]}}\n"
        assert parse(text, "o.yaml", KINDS).masking[0].detectors == (name,)


def test_a_file_with_everything_is_understood() -> None:
    read = parse(FILE, "o.yaml", KINDS)
    assert [connection.masking for connection in read.connections] == [("secrets", "personal-data"), None, ()]
    secrets, personal, ours, projects, people, minted = read.masking
    assert secrets == MaskingRule("secrets", frozenset({Where.REQUEST, Where.RESPONSE}), detectors=("secrets",))
    assert personal.action is Action.PARTIAL
    assert (ours.pattern, ours.where) == ("ACME-[0-9]{8}", {Where.RESPONSE, Where.RECORDING})
    assert projects.words == ("Project Falcon", "Bluebird")
    assert projects.exemptions == (
        Exemption("announced", 1_906_502_400.0, "Bluebird"),
        Exemption("the press office may", None, None, Who(users=frozenset({"ann"})), ("openai",)),
    )
    assert (projects.ignore_case, projects.on, projects.who.groups) == (True, ("open*",), {"engineering"})
    assert (people.fields, people.archives, people.action) == (("ssn", "/users/*/mail"), True, Action.REPLACE)
    assert minted.action is Action.SEAL


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("detectors: [secrets]", "detectors: [secret]", 7, "Did you mean 'secrets'?"),
        ("detectors: [secrets]", "detectors: []", 7, "empty list"),
        ("detectors: [secrets]", "detector: [secrets]", 7, "Did you mean 'detectors'?"),
        ("detectors: [secrets], ", "", 7, "exactly one of detectors, pattern, words, fields; here are 0"),
        ("detectors: [secrets]", "detectors: [secrets], words: [abc]", 7, "here are 2. Write a rule for each."),
        ("where: [request, response], ", "", 7, "'where' is missing"),
        ("where: [request, response]", "where: []", 7, "empty list"),
        ("where: [request, response]", "where: [answer]", 7, "not valid for where"),
        ("where: [request, response]", "where: response", 7, "must be a list"),
        ("action: replace", "action: remove", 7, "not valid for action"),
        ("action: replace", "on: [curso]", 7, "Did you mean 'cursor'?"),
        ("action: replace", "on: []", 7, "Leave it out"),
        ("action: replace", "who: {}", 7, "Leave it out"),
        ("masking: [secrets, personal-data]", "masking: [secretz]", 3, "no masking rule 'secretz'. Did you mean"),
        ("name: our ids", "name: secrets", 9, "stands twice"),
        ("ignore_case: true", "ignore_case: 1", 12, "true or false"),
        ("Bluebird]", "Bl]", 11, "inside of ordinary text"),
        ("Bluebird]", '"Blue\\u200bbird"]', 11, "visible characters"),
        ("where: [request]", "where: [request, response]", 14, "placeholder is put into requests only"),
        ("expires: 2030-06-01, ", "", 18, "`expires: never`"),
        ("expires: 2030-06-01", "expires: 2030-06-31", 18, "not on the calendar"),
        ("expires: 2030-06-01", "expires: 1960-06-01", 18, "from 1970"),
        ("expires: 2030-06-01", "expires: 30d", 18, "Write it like 2026-12-31"),
        ("expires: 2030-06-01", "expires: '2030-06-01 12:00:00'", 18, "with its zone"),
        ("expires: 2030-06-01", "expires: [never]", 18, "with its zone"),
        ("reason: announced, ", "", 18, "'reason' is missing"),
        ("reason: announced", "reason: ''", 18, "reason is empty"),
        (", matching: Bluebird", "", 18, "leave everything alone"),
        ("on: [openai]", "on: [opena1]", 13, "Did you mean 'openai'?"),
        ("archives: block", "archives: true", 20, "archives must be text"),
        ("[ssn, /users/*/mail]", "['*']", 20, "neither"),
        ("[ssn, /users/*/mail]", "[users/mail]", 20, "neither a key's name nor a JSON pointer"),
        ("[ssn, /users/*/mail]", "[/users//mail]", 20, "empty step"),
        ("[ssn, /users/*/mail]", "[/a~b]", 20, "~0"),
        ("[ssn, /users/*/mail]", "[$.ssn]", 20, "JSONPath"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, line: int, says: str) -> None:
    assert old in FILE
    message = wrong(FILE.replace(old, new, 1))
    assert says in message
    if line != 13:
        assert message.startswith(f"o.yaml:{line}: ")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("detectors: [email], where: [response], action: placeholder", "where: [request]"),
        ("detectors: [email], where: [recording], action: block", "A recording cannot be blocked"),
        ("detectors: [email], where: [response], action: seal", "Only whole fields"),
        ("pattern: abcd, where: [response], action: seal", "Only whole fields"),
        ("fields: [a], where: [request], action: seal", "Only what an answer brings"),
        ("fields: [a], where: [request, response], action: seal", "Only what an answer brings"),
        ("detectors: [secrets, minted-credential], where: [response], action: seal", "Only whole fields"),
        ("detectors: [minted-credential], where: [request]", "fields of answers only"),
        ("detectors: [minted-credential], where: [response, recording]", "fields of answers only"),
        ("detectors: [minted-credential], where: [response], action: hash", "blocked, sealed, replaced or reported"),
        ("detectors: [email], where: [response], ignore_case: true", "'pattern' and 'words' only"),
        ("fields: [a], where: [response], ignore_case: true", "'pattern' and 'words' only"),
        ("detectors: [email], where: [request], archives: block", "speaks of answers"),
    ],
)
def test_a_combination_without_a_meaning_is_refused_with_a_sentence(rule: str, says: str) -> None:
    message = of_one_rule(rule)
    assert message.startswith("o.yaml:3: ")
    assert says in message


@pytest.mark.parametrize(
    "rule",
    [
        "detectors: [email], where: [recording, response], action: block",
        "fields: [a], where: [response], action: seal",
        "detectors: [minted-credential], where: [response], action: block",
        "detectors: [secrets, minted-credential], where: [response], action: report",
        "words: [Über], ignore_case: true, where: [request]",
        "fields: [user.name, /a~1b/~0c], where: [response]",
    ],
)
def test_a_combination_with_a_meaning_is_accepted(rule: str) -> None:
    assert parse(f"version: 1\nmasking:\n  - {{name: m, {rule}}}\n", "o.yaml", KINDS).masking


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(?=a)bcd", "cannot be used"),
        (r"(abc)\1", "cannot be used"),
        ("(a", "cannot be used"),
        ("a*", "cannot be used"),
        ("a" * 5000, "Split it"),
        ("abc\u200bdef", "cannot be seen"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_the_reason(pattern: str, says: str) -> None:
    for rule in (
        f'pattern: "{pattern}", where: [response]',
        f'words: [abc], where: [request], exceptions: [{{reason: r, expires: never, matching: "{pattern}"}}]',
    ):
        message = of_one_rule(rule.replace("\\", "\\\\"))
        assert message.startswith("o.yaml:3: ")
        assert says in message


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2030-06-01", 1_906_502_400),
        ("'2030-06-01'", 1_906_502_400),
        ("2030-06-01T00:00:00Z", 1_906_502_400),
        ("2030-06-01t02:00:00.5+02:00", 1_906_502_400),
        ("2030-05-31 19:00:00-05:00", 1_906_502_400),
        ("never", None),
    ],
)
def test_an_expiry_is_a_date_a_moment_or_never(written: str, seconds: float | None) -> None:
    text = FILE.replace("expires: 2030-06-01", f"expires: {written}")
    assert parse(text, "o.yaml", KINDS).masking[3].exemptions[0].expires_at == seconds


def test_what_is_in_force_must_still_fit() -> None:
    existing = parse(FILE, "o.yaml", KINDS)
    more = "version: 1\nconnections:\n  - {name: openai, kind: openai, masking: [our ids]}\n"
    merged = merge(existing, parse(more, "o.yaml", KINDS, existing), prune=False)
    assert [connection.masking for connection in merged.connections][1] == ("our ids",)
    assert merged.masking == existing.masking
    assert "no masking rule 'our ids'" in wrong(more)


def test_the_rules_of_a_file_can_be_read_without_the_rest_of_an_installation() -> None:
    alone = FILE[FILE.index("masking:\n") :]
    assert parse_masking("version: 1\n" + alone, "o.yaml") == parse(FILE, "o.yaml", KINDS).masking
    with pytest.raises(DeclarativeError, match="no section `masking:`"):
        parse_masking("version: 1\n", "o.yaml")


def test_a_plan_names_what_is_created_changed_and_removed() -> None:
    old = parse(FILE, "o.yaml", KINDS)
    text = (
        FILE.replace("masking: []", "labels: [x]")
        .replace("Bluebird]", "Redbird, Greenbird]")
        .replace("matching: Bluebird", "matching: Redbird")
        .replace("name: people", "name: persons")
        .replace("payment-card, iban, phone], where: [response]", "phone], where: [response, recording]")
    )
    assert plan(old, parse(text, "o.yaml", KINDS), prune=True) == (
        Change("~", "connection", "quiet", "labels: nothing → x; masking: none → not said"),
        Change(
            "~", "masking", "personal-data",
            "where: response → recording, response; detectors: email, payment-card, iban, phone → email, phone",
        ),
        Change(
            "~", "masking", "projects",
            "words: 2 added, 1 removed; exceptions:"
            " announced (matching Bluebird) until 2030-06-01T00:00:00Z,"
            " the press office may (who users ann on openai) for good →"
            " announced (matching Redbird) until 2030-06-01T00:00:00Z,"
            " the press office may (who users ann on openai) for good",
        ),
        Change(
            "+", "masking", "persons",
            "replace fields ssn, /users/*/mail in response on connections that name it or say nothing of masking",
        ),
        Change("-", "masking", "people"),
    )  # fmt: skip


def test_an_expired_exception_is_a_note_and_not_an_error() -> None:
    configuration = parse(FILE, "o.yaml", KINDS)
    assert notes(configuration, 1_906_502_399) == ()
    (note,) = notes(configuration, 1_906_502_400)
    assert note.startswith("An exception of the masking rule 'projects' has no effect since 2030-06-01T00:00:00Z")
    assert note.endswith("announced")


def test_a_masking_rule_that_holds_nowhere_is_a_note() -> None:
    configuration = parse(FILE.replace('on: ["open*"]', 'on: ["opn*"]'), "o.yaml", KINDS)
    assert notes(configuration, 0) == ("The masking rule 'projects' holds on no connection.",)


async def test_masking_rules_stay_until_they_are_pruned_and_notes_come_with_every_plan(room: Room) -> None:
    service = room.services.configuration
    text = FILE.replace("expires: 2030-06-01", "expires: 2020-06-01")
    applied = await service.apply(room.owner, text, "o.yaml", False)
    assert [change.name for change in applied.changes if change.kind == "masking"] == [
        *("secrets", "personal-data", "our ids", "projects", "people", "minted"),
    ]
    assert [note.startswith("An exception of the masking rule 'projects'") for note in applied.notes] == [True]
    less = "version: 1\nmasking:\n  - {name: people, fields: [ssn], where: [response]}\n"
    again = await service.apply(room.owner, less, "o.yaml", False)
    assert [(change.action, change.name) for change in again.changes] == [("~", "people")]
    assert len(again.notes) == 1
    assert len(service.current().masking) == 6
    pruned = await service.apply(room.owner, less, "o.yaml", True)
    assert sum(change.action == "-" and change.kind == "masking" for change in pruned.changes) == 5
    assert (pruned.notes, [rule.name for rule in service.current().masking]) == ((), ["people"])


async def test_pruning_may_not_leave_a_connection_without_the_masking_it_names(room: Room) -> None:
    service = room.services.configuration
    await service.apply(room.owner, FILE, "o.yaml", False)
    without = FILE.replace("name: secrets, detectors", "name: secretes, detectors")
    assert len((await service.plan(room.owner, without, "o.yaml", False)).changes) == 1
    with pytest.raises(DeclarativeError, match="no masking rule 'secrets'"):
        await service.plan(room.owner, without, "o.yaml", True)


# What can be configured, generated.
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
VISIBLE = st.one_of(
    st.text(st.sampled_from("aZ09é: #-'\"{}[]&*!|>%@`,?"), min_size=3, max_size=8).map(lambda text: f"x{text}x"),
    st.sampled_from(["yes", "null", "123", "1e3", "2024-01-01", "0x1", "- a", "a: b", "#ab", "'''", '"ab', "日本語"]),
)
MANY = st.sampled_from([frozenset(), frozenset({"yes"}), frozenset({"1e3", "a: b"})])
WHO = st.one_of(st.just(Who()), st.builds(Who, groups=MANY, users=MANY, services=MANY, agents=MANY)).filter(
    lambda who: who == Who() or bool(who.groups or who.users or who.services)
)
ON = st.lists(st.sampled_from(["**", "zz*", "no*", "on*", "1*"]), max_size=2, unique=True).map(tuple)
PATTERN = st.sampled_from(["ACME-[0-9]{8}", r"[a-f0-9]{32}", "'on': #", "(?i)x y z", r"a\n\x00b", "yes", "1234"])


@st.composite
def exemptions(draw: st.DrawFn) -> Exemption:
    return Exemption(
        reason=draw(VISIBLE),
        expires_at=draw(st.one_of(st.none(), st.integers(0, 250_000_000_000).map(float))),
        matching=draw(PATTERN),
        who=draw(WHO),
        on=draw(ON),
    )


@st.composite
def masking_rules(draw: st.DrawFn) -> MaskingRule:
    looked_for: dict[str, object] = draw(
        st.one_of(
            st.lists(st.sampled_from(["secrets", "email", "iban"]), min_size=1, max_size=2, unique=True).map(
                lambda some: {"detectors": tuple(some)}
            ),
            st.builds(lambda text, case: {"pattern": text, "ignore_case": case}, PATTERN, st.booleans()),
            st.builds(
                lambda some, case: {"words": tuple(some), "ignore_case": case},
                st.lists(VISIBLE, min_size=1, max_size=3, unique=True),
                st.booleans(),
            ),
            st.just({"fields": ("ssn", "/a/*/b~1c")}),
        )
    )
    where = draw(st.frozensets(st.sampled_from(Where), min_size=1))
    return MaskingRule(
        name=draw(VISIBLE),
        where=where,
        action=draw(st.sampled_from([Action.REPLACE, Action.HASH, Action.PARTIAL, Action.REPORT])),
        on=draw(ON),
        who=draw(WHO),
        exemptions=tuple(draw(st.lists(exemptions(), max_size=2))),
        archives=Where.RESPONSE in where and draw(st.booleans()),
        **looked_for,  # type: ignore[arg-type]
    )


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    rules = draw(st.lists(masking_rules(), max_size=3, unique_by=lambda rule: rule.name))
    names = [rule.name for rule in rules]
    some = st.lists(st.sampled_from(names), unique=True).map(tuple) if names else st.just(())
    connections = [
        Connection(name, "http", Upstream("https", "a.example", 443), masking=draw(st.one_of(st.none(), some)))
        for name in draw(st.lists(NAMES, max_size=2, unique=True))
    ]
    return Configuration(connections=tuple(connections), masking=tuple(rules))


@given(configurations())
@settings(max_examples=100)
def test_what_is_rendered_parses_back_to_the_same(configuration: Configuration) -> None:
    assert parse(render(configuration), "o.yaml", KINDS) == configuration


@given(configurations(), configurations(), st.booleans())
@settings(max_examples=40)
def test_the_plan_is_empty_exactly_when_merging_changes_nothing(
    old: Configuration, new: Configuration, prune: bool
) -> None:
    def as_sets(configuration: Configuration) -> tuple[frozenset[object], ...]:
        return frozenset(configuration.connections), frozenset(configuration.masking)

    merged = merge(old, new, prune)
    assert (plan(old, new, prune) == ()) == (as_sets(merged) == as_sets(old))
    assert plan(merged, new, prune) == ()


def test_a_rendered_file_reads_as_people_write_it() -> None:
    text = render(parse(FILE, "o.yaml", KINDS))
    assert "  on: [open*]\n" in text
    assert "    on: [openai]\n" in text
