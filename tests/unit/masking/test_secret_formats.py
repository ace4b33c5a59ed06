"""The corpora of credentials: what is masked and nothing beside it, what is left alone, however the text is cut."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from ostiary.masking.catalog import Format, load_detectors, read_formats
from ostiary.masking.checks import CHECKS
from ostiary.masking.engine import MaskingEngine
from ostiary.masking.patterns import Pattern, compile_pattern
from ostiary.model.errors import OperatorError
from ostiary.model.masking import MaskingRule, Where

CORPORA = Path(__file__).parents[2] / "corpora" / "masking" / "secrets"
MARKED = re.compile("⟦(.*?)⟧", re.DOTALL)
FORMATS = {form.name: form for form in load_detectors()["secrets"]}
LONGEST_PROSE_WORD_HELD = 2
PROSE = "When the server starts, it reads the file and then waits for callers who ask it for news."


@dataclass(frozen=True)
class Corpus:
    name: str
    true: tuple[str, ...]
    near_misses: tuple[str, ...]


def joined(texts: list[list[str]]) -> tuple[str, ...]:
    return tuple("".join(parts) for parts in texts)


def read_corpora() -> tuple[list[Corpus], tuple[str, ...]]:
    corpora: list[Corpus] = []
    counterexamples: tuple[str, ...] = ()
    for path in sorted(CORPORA.glob("*.yaml")):
        document = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
        for name, texts in document["formats"].items():
            corpora.append(Corpus(name, joined(texts["true"]), joined(texts["near_misses"])))
        counterexamples += joined(document.get("counterexamples", []))
    return corpora, counterexamples


CORPUS, COUNTEREXAMPLES = read_corpora()
NAMES = [corpus.name for corpus in CORPUS]


@cache
def engine() -> MaskingEngine:
    rule = MaskingRule("secrets", frozenset({Where.RESPONSE}), detectors=("secrets",))
    return MaskingEngine([rule], b"k" * 32)


def masked(text: str, piece_bytes: int | None = None) -> str:
    data = text.encode()
    stream = engine().masker().stream("body")
    step = piece_bytes or max(len(data), 1)
    pieces = [stream.feed(data[at : at + step]) for at in range(0, len(data), step)]
    return (b"".join(pieces) + stream.finish()).decode()


@cache
def compiled(name: str) -> Pattern:
    form = FORMATS[name]
    return compile_pattern(form.pattern, ignore_case=form.ignore_case, left=form.left, right=form.right, tail=form.tail)


@pytest.mark.parametrize("corpus", CORPUS, ids=NAMES)
def test_the_secret_is_masked_and_nothing_beside_it(corpus: Corpus) -> None:
    for text in corpus.true:
        assert masked(MARKED.sub(r"\1", text)) == MARKED.sub("[masked:secrets]", text)


@pytest.mark.parametrize("corpus", CORPUS, ids=NAMES)
def test_what_only_looks_like_it_is_left_alone(corpus: Corpus) -> None:
    for text in corpus.near_misses:
        assert masked(text) == text


@pytest.mark.parametrize("text", COUNTEREXAMPLES)
def test_ordinary_source_code_is_left_alone(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize("piece_bytes", [1, 7, 61])
def test_output_does_not_depend_on_how_the_text_was_cut(piece_bytes: int) -> None:
    for corpus in CORPUS:
        for text in (MARKED.sub(r"\1", corpus.true[0]), corpus.near_misses[0]):
            assert masked(text, piece_bytes) == masked(text)


def test_every_format_has_a_corpus() -> None:
    assert sorted(NAMES) == sorted(FORMATS)
    assert all(corpus.true and corpus.near_misses for corpus in CORPUS)


def test_at_least_110_formats_of_vendors_are_known() -> None:
    assert sum(form.vendor != "" for form in FORMATS.values()) >= 110


@pytest.mark.parametrize("corpus", CORPUS, ids=NAMES)
def test_each_format_is_what_finds_its_own_secret(corpus: Corpus) -> None:
    alone = MaskingRule("one", frozenset({Where.RESPONSE}), pattern=FORMATS[corpus.name].pattern)
    assert alone.pattern is not None
    pattern = compile_pattern(alone.pattern, ignore_case=FORMATS[corpus.name].ignore_case)
    full = re.compile(pattern.piece.full, re.DOTALL)
    for text in corpus.true:
        assert full.search(MARKED.sub(r"\1", text).encode()), text


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_format_begins_with_a_telling_text_and_is_bounded(name: str) -> None:
    pattern = compiled(name)
    assert pattern.prefixes, "a stream would hold back every word"
    assert min(map(len, pattern.prefixes)) >= 3
    assert pattern.piece.longest <= 2048
    assert not pattern.tail & pattern.right_forbidden, "what goes on with these bytes must not be refused for them"


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_check_of_a_format_exists(name: str) -> None:
    assert set(FORMATS[name].checks) <= set(CHECKS)


def test_prose_passes_a_stream_without_delay() -> None:
    stream = engine().masker().stream("body")
    for word in PROSE.split():
        stream.feed(b" " + word.encode())
        assert stream.held_bytes <= LONGEST_PROSE_WORD_HELD


def rows(text: str) -> tuple[Format, ...]:
    return read_formats({"x.yaml": text})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("detector: a\nrows: []\n", "unknown key 'rows'"),
        ("detector: a\nformats: [{name: x, title: X, pattern: abc, colour: red}]\n", "x: unknown key 'colour'"),
        ("detector: a\nformats: [{name: x, title: X}]\n", "x: pattern: is missing"),
        ("detector: a\nformats: [{name: X y, title: X, pattern: abc}]\n", "lower-case words"),
        ("detector: a\nformats: [{name: x, title: X, pattern: '{{b}}'}]\n", "no part named 'b'"),
        ("detector: a\nparts: {b: '{{b}}'}\nformats: [{name: x, title: X, pattern: '{{b}}'}]\n", "deep"),
        ("detector: a\nformats: [{name: x, title: X, pattern: a, checks: b}]\n", "checks: must be a list"),
        ("detector: a\nformats: [{name: x, title: X, pattern: a}, {name: x, title: X, pattern: a}]\n", "twice"),
        ("formats: []\n", "detector: is missing"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(OperatorError, match=re.escape(told)):
        rows(text)


def test_parts_and_defaults_fill_the_rows() -> None:
    (form,) = rows(
        "detector: a\nparts: {digit: '[0-9]', two: '{{digit}}{2}'}\ndefaults: {left: ''}\n"
        "formats: [{name: x, title: X, pattern: 'id{{two}}', context: [Word]}]\n"
    )
    assert (form.pattern, form.left, form.right, form.context) == ("id[0-9]{2}", "", "[A-Za-z0-9_]", ("word",))
