"""Masking rules, from what they say to what comes out."""

import pytest

from ostiary.masking.engine import MINTED, Masker, MaskingEngine, detector_names
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.masking.placeholders import Placeholders
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.errors import MaskingBlockedError, MaskingFailedError, OperatorError
from ostiary.model.masking import Action, Exemption, MaskingRule, Where
from ostiary.model.secret import Secret

ANYWHERE = frozenset(Where)
KEY = b"k" * 32


def rule(name: str = "ids", action: Action = Action.REPLACE, **what: object) -> MaskingRule:
    if not what:
        what = {"pattern": "ACME-[0-9]{8}"}
    return MaskingRule(name, ANYWHERE, action, **what)  # type: ignore[arg-type]


def masked(text: bytes, *rules: MaskingRule, before: bytes = b"") -> bytes:
    return through(MaskingEngine(rules, KEY).masker(substitutes=Placeholders()), text, before)


def through(masker: Masker, text: bytes, before: bytes = b"") -> bytes:
    stream = masker.stream("body", before)
    return stream.feed(text) + stream.finish()


# -- actions


def test_replacing_names_the_rule_of_an_own_pattern_and_the_detector_of_a_built_in_one() -> None:
    assert masked(b"see ACME-12345678.", rule("our ids")) == b"see [masked:our ids]."
    assert masked(b"to bob@acme.org", rule(detectors=("email",))) == b"to [masked:email]"


def test_partial_masking_keeps_the_last_four_characters_of_a_long_value_only() -> None:
    assert masked(b"ACME-12345678", rule(action=Action.PARTIAL)) == b"[masked:ids:...5678]"
    assert masked(b"ACME-1234", rule(action=Action.PARTIAL, pattern="ACME-[0-9]{4}")) == b"[masked:ids]"


def test_hashes_are_equal_for_equal_values_and_differ_between_installations() -> None:
    rules = [rule(action=Action.HASH)]
    one, other, again = masked(b"ACME-12345678 ACME-87654321 ACME-12345678", *rules).split(b" ")
    assert one == again != other
    assert one.startswith(b"[masked:ids:")
    elsewhere = through(MaskingEngine(rules, b"x" * 32).masker(), b"ACME-12345678")
    assert elsewhere != one
    assert len(elsewhere) == len(one)


def test_a_hash_is_of_all_of_a_value_without_end_however_it_was_cut() -> None:
    engine = MaskingEngine([rule(action=Action.HASH, pattern="ACME-[0-9]+")], KEY)
    whole = through(engine.masker(), b"ACME-" + b"7" * 5000 + b" end")
    stream = engine.masker().stream("body")
    pieces = stream.feed(b"ACME-" + b"7" * 100) + stream.feed(b"7" * 4900) + stream.feed(b" end") + stream.finish()
    assert pieces == whole
    assert whole.endswith(b"] end")


def test_blocking_raises_with_the_names_and_without_the_value_and_is_counted() -> None:
    masker = MaskingEngine([rule("no ids", Action.BLOCK)], KEY).masker()
    with pytest.raises(MaskingBlockedError) as caught:
        through(masker, b"ACME-12345678")
    assert "12345678" not in str(caught.value)
    assert (caught.value.rule, caught.value.detector) == ("no ids", "no ids")
    (finding,) = masker.findings()
    assert (finding.action, finding.length, finding.count) == ("block", 13, 1)


def test_reporting_leaves_the_text_and_counts() -> None:
    masker = MaskingEngine([rule(action=Action.REPORT)], KEY).masker()
    text = b"ACME-12345678 and ACME-87654321"
    assert through(masker, text) == text
    (finding,) = masker.findings()
    assert (finding.detector, finding.rule, finding.action, finding.length, finding.count) == (
        "ids", "ids", "report", 26, 2,
    )  # fmt: skip


def test_placeholders_are_the_same_for_the_same_value_and_need_somewhere_to_be_kept() -> None:
    engine = MaskingEngine([rule(action=Action.PLACEHOLDER, detectors=("email",))], KEY)
    kept = Placeholders()
    out = through(engine.masker(substitutes=kept), b"a@acme.org b@acme.org a@acme.org ")
    assert out == "‹email:1› ‹email:2› ‹email:1› ".encode()
    assert kept.value_of("‹email:2›".encode()) == b"b@acme.org"
    with pytest.raises(MaskingFailedError):
        through(engine.masker(), b"a@acme.org ")


# -- which of several


def test_overlapping_finds_become_one_mark_and_nothing_of_either_is_left() -> None:
    rules = (rule("first", pattern="abcd[0-9]{4}"), rule("second", pattern="[0-9]{4}wxyz"))
    assert masked(b"-abcd1234wxyz-", *rules) == b"-[masked:first]-"


def test_the_stricter_action_decides_where_two_rules_find_the_same() -> None:
    rules = (rule("lenient", Action.HASH), rule("strict", Action.REPLACE))
    assert masked(b"ACME-12345678", *rules) == b"[masked:strict]"


def test_a_report_does_not_keep_another_rule_from_masking() -> None:
    rules = (rule("dry run", Action.REPORT), rule("real"))
    masker = MaskingEngine(rules, KEY).masker()
    assert through(masker, b"ACME-12345678") == b"[masked:real]"
    assert {finding.rule for finding in masker.findings()} == {"dry run", "real"}


def test_a_vendors_format_is_named_rather_than_the_assignment_it_stands_in() -> None:
    masker = MaskingEngine([rule(detectors=("secrets",))], KEY).masker()
    token = b"ghp_" + b"A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
    assert through(masker, b'token = "%b"' % token) == b'token = "[masked:secrets]"'
    assert [finding.format for finding in masker.findings()] == ["github-token"]


# -- words, fields, exceptions


def test_words_are_found_whole_and_taken_literally() -> None:
    rules = (rule("names", words=("Project X+", "Nordlicht")),)
    assert masked(b"Project X+ and Nordlicht, not Nordlichter", *rules) == (
        b"[masked:names] and [masked:names], not Nordlichter"
    )
    assert masked(b"NORDLICHT", rule("names", words=("nordlicht",), ignore_case=True)) == b"[masked:names]"


def test_fields_are_numbered_for_the_body_and_replaced_whatever_they_hold() -> None:
    masker = MaskingEngine([rule("ssn", fields=("ssn", "/user/born"))], KEY).masker()
    number = masker.fields.match(("people", "0", "SSN"))
    assert number is not None
    assert masker.replace_field(number, b"anything", "body") == b"[masked:ssn]"
    assert masker.fields.match(("user", "born")) is not None
    assert masker.fields.match(("born",)) is None


def test_minted_credentials_are_the_fields_that_the_operation_names() -> None:
    masker = MaskingEngine([rule(detectors=(MINTED,))], KEY).masker(minted_fields=("data.*.secret",))
    number = masker.fields.match(("data", "3", "secret"))
    assert number is not None
    assert masker.replace_field(number, b"x", "body") == b"[masked:minted-credential]"


def test_an_exception_leaves_what_it_matches_as_a_whole() -> None:
    exemption = Exemption("The sandbox.", matching="ACME-0{4}[0-9]{4}")
    engine = MaskingEngine([rule()], KEY)
    masker = engine.masker(exemptions={"ids": (exemption,)})
    assert through(masker, b"ACME-00001234 ACME-12345678") == b"ACME-00001234 [masked:ids]"
    assert [finding.count for finding in masker.findings()] == [1]


def test_an_exception_holds_for_a_value_without_end_too() -> None:
    engine = MaskingEngine([rule(pattern="ACME-[0-9]+")], KEY)
    masker = engine.masker(exemptions={"ids": (Exemption("The sandbox.", matching="ACME-0+"),)})
    stream = masker.stream("body")
    out = stream.feed(b"ACME-0000") + stream.feed(b"0000") + stream.feed(b" ACME-00001 ") + stream.finish()
    assert out == b"ACME-00000000 [masked:ids] "


def test_a_value_too_long_to_be_kept_is_neither_an_exception_nor_a_placeholder() -> None:
    kept = Placeholders()
    rules = (rule("a", pattern="AAA-[0-9]+"), rule("b", Action.PLACEHOLDER, pattern="BBB-[0-9]+"))
    exemptions = {"a": (Exemption("The sandbox.", matching="AAA-0+"),)}
    text = b"AAA-" + b"0" * 20_000 + b" BBB-" + b"1" * 20_000 + b" end"
    for step in (999, len(text)):
        masker = MaskingEngine(rules, KEY).masker(exemptions=exemptions, substitutes=kept)
        stream = masker.stream("body")
        out = b"".join([stream.feed(text[at : at + step]) for at in range(0, len(text), step)]) + stream.finish()
        assert out == b"[masked:a] [masked:b] end"
    assert kept.is_empty


# -- context, headers, the injected secret


def test_the_key_in_front_of_a_json_string_counts_and_is_not_put_out() -> None:
    value = b"Zk3vQ9xT7mLp2Rw8"
    secrets = rule(detectors=("secrets",))
    assert masked(value, secrets, before=b'"api_key": "') == b"[masked:secrets]"
    assert masked(value, secrets, before=b'"colour": "') == value


def test_header_lines_are_masked_and_clean_ones_remembered() -> None:
    engine = MaskingEngine([rule()], KEY)
    lines = [b"X-Id: ACME-12345678", b"X-Other: fine"]
    for _ in range(2):
        assert engine.clean_lines(engine.masker(), lines) == [b"X-Id: [masked:ids]", b"X-Other: fine"]


def test_the_injected_secret_is_found_in_texts_that_are_put_together() -> None:
    injected = InjectedSecretMatcher([Secret("key", 1, b"sk-Q4f7xB2nL9vTzR8mW1c")], [AuthForm(AuthScheme.BEARER)])
    masker = MaskingEngine([], KEY).masker(injected=injected)
    stream = masker.stream("chat.content")
    pieces = [stream.feed(piece) for piece in (b"it is sk-Q4f7x", b"B2nL9vTz", b"R8mW1c, yes")]
    assert b"".join(pieces) + stream.finish() == b"it is [masked:injected-secret], yes"
    assert [finding.detector for finding in masker.findings()] == ["injected-secret"]


# -- prose passes, much is taken at once


def test_prose_is_let_go_at_once_and_is_the_same_object() -> None:
    masker = MaskingEngine([rule(detectors=("secrets", "payment-card", "iban", "phone"))], KEY).masker()
    stream = masker.stream("chat.content")
    words = [b"The", b" quick", b" brown", b" fox", b" jumps", b" over", b" the", b" lazy", b" dog", b".", b" Then"]
    assert all(stream.feed(word) is word for word in words)


def test_what_introduces_a_value_is_let_go_and_the_value_is_not() -> None:
    masker = MaskingEngine([rule(detectors=("secrets",))], KEY).masker()
    stream = masker.stream("chat.content")
    assert stream.feed(b"use api_key") == b"use api_key"
    assert stream.feed(b" =") == b" ="
    assert stream.feed(b' "') + stream.feed(b"Zk3vQ9x") in (b"", b" ", b' "')
    assert stream.feed(b'T7mLp2Rw8"') + stream.finish() in (b'[masked:secrets]"', b'"[masked:secrets]"')


def test_eight_hundred_rules_are_compiled_together_and_each_of_them_finds() -> None:
    rules = [rule(f"vendor {number}", pattern=f"v{number:03}_[A-Za-z0-9]{{20,40}}") for number in range(800)]
    engine = MaskingEngine(rules, KEY)
    for number in (0, 399, 799):
        out = through(engine.masker(), b"x v%03d_%b y" % (number, b"aB3" * 8))
        assert out == b"x [masked:vendor %d] y" % number


def test_a_private_key_is_swallowed_to_its_end_and_what_follows_is_kept() -> None:
    body = b"\n".join(b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7%04d" % line for line in range(30))
    text = b"-----BEGIN PRIVATE KEY-----\n" + body + b"\n-----END PRIVATE KEY-----\nThat was it."
    engine = MaskingEngine([rule(detectors=("secrets",))], KEY)
    assert through(engine.masker(), text) == b"[masked:secrets]\nThat was it."
    stream = engine.masker().stream("body")
    assert b"".join([stream.feed(text[at : at + 7]) for at in range(0, len(text), 7)]) + stream.finish() == (
        b"[masked:secrets]\nThat was it."
    )


def test_a_pattern_that_cannot_be_used_names_its_rule() -> None:
    with pytest.raises(OperatorError, match="our ids"):
        MaskingEngine([rule("our ids", pattern=r"(a)\1")], KEY)


def test_all_detectors_have_a_name_that_a_mark_can_hold() -> None:
    assert {
        "secrets",
        "email",
        "phone",
        "payment-card",
        "iban",
        "us-ssn",
        "br-cpf",
        "national-id",
        "ip-address",
    } <= set(detector_names())
