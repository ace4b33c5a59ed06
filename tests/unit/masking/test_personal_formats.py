"""The corpora of personal data: what is found, what is left alone, and that it does not depend on how a text is cut."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from ostiary.masking.catalog import load_detectors, load_formats
from ostiary.masking.checks.mail import top_level_domains
from ostiary.masking.checks.national import NATIONAL_NUMBERS
from ostiary.masking.checks.numbering import is_given_out, is_given_out_abroad
from ostiary.masking.checks.words import Words
from ostiary.masking.engine import MaskingEngine
from ostiary.model.masking import MaskingRule, Where

CORPORA = Path(__file__).parents[2] / "corpora" / "masking" / "personal"
MARKED = re.compile("⟦(.*?)⟧", re.DOTALL)


@dataclass(frozen=True)
class Corpus:
    detector: str
    true: tuple[str, ...]
    left_alone: tuple[str, ...]


def read_corpora() -> list[Corpus]:
    corpora = []
    for path in sorted(CORPORA.glob("*.yaml")):
        document = yaml.safe_load(path.read_text("utf-8"))
        texts = {kind: tuple(map(str, document[kind])) for kind in ("true", "near_misses", "counterexamples")}
        corpora.append(Corpus(document["detector"], texts["true"], texts["near_misses"] + texts["counterexamples"]))
    return corpora


ALL = read_corpora()
TRUE = [(corpus.detector, text) for corpus in ALL for text in corpus.true]
LEFT_ALONE = [(corpus.detector, text) for corpus in ALL for text in corpus.left_alone]


@cache
def engine_of(detector: str) -> MaskingEngine:
    rule = MaskingRule("personal", frozenset({Where.RESPONSE}), detectors=(detector,))
    return MaskingEngine([rule], b"k" * 32)


def masked(detector: str, text: str, piece_bytes: int | None = None) -> str:
    data = text.encode()
    stream = engine_of(detector).masker().stream("body")
    step = piece_bytes or max(len(data), 1)
    pieces = [stream.feed(data[at : at + step]) for at in range(0, len(data), step)]
    return (b"".join(pieces) + stream.finish()).decode()


@pytest.mark.parametrize(("detector", "text"), TRUE)
def test_personal_data_is_masked_and_nothing_beside_it(detector: str, text: str) -> None:
    expected = MARKED.sub(f"[masked:{detector}]", text)
    assert masked(detector, MARKED.sub(r"\1", text)) == expected


@pytest.mark.parametrize(("detector", "text"), LEFT_ALONE)
def test_what_only_looks_like_personal_data_is_left_alone(detector: str, text: str) -> None:
    assert masked(detector, text) == text


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7])
@pytest.mark.parametrize("detector", [corpus.detector for corpus in ALL])
def test_output_does_not_depend_on_how_the_text_was_cut(detector: str, piece_bytes: int) -> None:
    texts = [MARKED.sub(r"\1", text) for kind, text in (*TRUE, *LEFT_ALONE) if kind == detector]
    for text in texts:
        assert masked(detector, text, piece_bytes) == masked(detector, text)


def test_every_detector_of_personal_data_has_a_corpus_with_all_its_formats() -> None:
    personal = {name for name in load_detectors() if name != "secrets"}
    assert {corpus.detector for corpus in ALL} == personal
    for corpus in ALL:
        masker = engine_of(corpus.detector).masker()
        for text in corpus.true:
            stream = masker.stream("body")
            stream.feed(MARKED.sub(r"\1", text).encode())
            stream.finish()
        met = {finding.format for finding in masker.findings()}
        assert {form.name for form in load_detectors()[corpus.detector]} - met == set()


def test_every_national_number_has_a_format_of_its_name() -> None:
    formats = {form.name for form in load_formats() if form.detector == "national-id"}
    assert formats == set(NATIONAL_NUMBERS)
    assert len({name.split("-")[0] for name in formats}) >= 40


def test_numbering_plans_agree_with_libphonenumber_on_its_own_examples() -> None:
    import phonenumbers

    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in range(11):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            abroad = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            at_home = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
            assert is_given_out_abroad(re.sub("[^0-9]", "", abroad)), abroad
            assert is_given_out(re.sub("[^0-9]", "", at_home), region), (region, at_home)


@pytest.mark.parametrize("digits", ["1", "12", "999123456789", "14155552", "0", ""])
def test_what_no_plan_has_is_no_telephone_number(digits: str) -> None:
    assert not is_given_out_abroad(digits)


def test_top_level_domains_are_known_in_every_script() -> None:
    assert {b"com", b"museum", b"internal", "рф".encode(), "中国".encode()} <= top_level_domains()
    assert b"png" not in top_level_domains()
    assert b"js" not in top_level_domains()


@pytest.mark.parametrize("text", ["CC 4111", "the_cc=", "userCc: ", "cc:", '"CC"'])
def test_a_short_word_is_found_in_every_style_of_naming(text: str) -> None:
    assert Words(["cc"]).found_in(text.encode())


@pytest.mark.parametrize("text", ["account ", "GCC ", "success ", "ccache "])
def test_a_short_word_is_not_found_inside_another(text: str) -> None:
    assert not Words(["cc"]).found_in(text.encode())
