"""Asking Presidio's analyzer: what it says in characters becomes bytes, and whatever goes wrong is a failure."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.adapters.detectors.presidio import ANSWER_MAX_BYTES, CHARACTERS_PER_CALL, TEXTS_PER_CALL, PresidioDetector
from ostiary.adapters.detectors.services import DetectorServices
from ostiary.adapters.detectors.texts import PIECE_MAX_CHARACTERS, bytes_before, characters, pieces_of
from ostiary.control.declarative.upstream import parse_upstream
from ostiary.gateway.dialling import dial
from ostiary.model.configuration import Configuration
from ostiary.model.detector import DetectorService
from ostiary.model.errors import DetectorFailedError
from ostiary.model.finding import RemoteSpan
from ostiary.model.masking import MaskingRule, Where
from support.certificates import make_authority, server_context
from support.presidio import Presidio, in_http
from support.raw_upstream import Answer

LABELS = frozenset({"person-name", "location"})
ENTITIES = (("PERSON", "person-name"), ("LOCATION", "location"))


@pytest.fixture
def stand_in() -> Iterator[Presidio]:
    presidio = Presidio()
    yield presidio
    presidio.close()


def service(url: str, **changes: Any) -> DetectorService:
    known = DetectorService("presidio", parse_upstream(url), "en", ENTITIES, 0.6, 2.0, allow_private=True)
    return replace(known, **changes)


def detector(url: str, wanted: frozenset[str] = LABELS, **changes: Any) -> PresidioDetector:
    return PresidioDetector(service(url, **changes), wanted, dial)


def ask(asked: PresidioDetector, *texts: str | bytes) -> list[list[RemoteSpan]]:
    return asyncio.run(asked.analyze([each.encode() if isinstance(each, str) else each for each in texts]))


def failure(asked: PresidioDetector, *texts: str) -> str:
    """What those who run it are told; those who use it are told its name."""
    with pytest.raises(DetectorFailedError) as caught:
        ask(asked, *(texts or ("Peter Parker",)))
    assert caught.value.sentence.startswith("The detector `presidio` ")
    assert "Peter" not in str(caught.value)
    assert asked.trouble is not None
    return asked.trouble


# -- offsets


def test_spans_are_bytes_of_the_text_whatever_stands_before_them(stand_in: Presidio) -> None:
    texts = [
        "😀 José",
        "é東京 Zoë Ng",
        "plain Peter Parker",
        b"\xff\xe9 Jos\xc3\xa9 \xed\xa0\x80 Zo\xc3\xab Ng\xfe",
        "none",
    ]
    encoded = [each.encode() if isinstance(each, str) else each for each in texts]
    found = ask(detector(stand_in.url), *texts)
    words = [
        [text[span.start : span.end].decode() for span in spans] for text, spans in zip(encoded, found, strict=True)
    ]
    assert words == [["José"], ["東京", "Zoë Ng"], ["Peter Parker"], ["José", "Zoë Ng"], []]
    assert [span.label for span in found[1]] == ["location", "person-name"]
    assert found[0][0] == RemoteSpan(5, 10, "person-name", 0.85)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))))
def test_every_character_has_its_bytes(text: bytes) -> None:
    shown = characters(text)
    offsets = bytes_before(text, range(len(shown) + 1))
    assert offsets[len(shown)] == len(text)
    for number, character in enumerate(shown):
        written = text[offsets[number] : offsets[number + 1]]
        assert written == character.encode() or character == "\ufffd"


def test_long_texts_are_cut_between_words_and_nothing_is_lost(stand_in: Presidio) -> None:
    text = "Zoë Ng went on. " * 2500
    pieces = pieces_of(text)
    assert len(pieces) > 3
    assert all(len(piece.text) <= PIECE_MAX_CHARACTERS for piece in pieces)
    assert all(text[piece.start :].startswith(piece.text) for piece in pieces)
    (found,) = ask(detector(stand_in.url), text)
    assert len(found) == 2500
    assert len(pieces_of("x" * 50_000)) > 5


# -- asking


def test_the_question_is_as_documented(stand_in: Presidio) -> None:
    ask(detector(stand_in.url, frozenset({"person-name"}), min_score=0.5), "José")
    (question,) = stand_in.questions
    assert question == {"text": ["José"], "language": "en", "entities": ["PERSON"], "score_threshold": 0.5}
    request = stand_in.upstream.requests[-1]
    assert request.header(b"content-type") == [b"application/json"]
    assert request.header(b"host") == [f"127.0.0.1:{stand_in.upstream.port}".encode()]


def test_a_base_path_is_kept(stand_in: Presidio) -> None:
    failure(detector(stand_in.url + "/pii/v1"))
    assert [each.target for each in stand_in.upstream.requests] == [
        b"/pii/v1/supportedentities?language=en",
        b"/pii/v1/analyze",
    ]


def test_equal_texts_are_sent_once_and_known_ones_not_again(stand_in: Presidio) -> None:
    asked = detector(stand_in.url)

    async def twice() -> None:
        first = await asked.analyze([b"Peter Parker", b"Peter Parker", b"none"])
        assert await asked.analyze([b"none", b"Peter Parker", b"new"]) == [first[2], first[0], []]

    asyncio.run(twice())
    assert sorted(stand_in.asked) == ["Peter Parker", "new", "none"]


def test_many_texts_go_in_a_few_calls(stand_in: Presidio) -> None:
    asked = detector(stand_in.url)
    found = ask(asked, *(f"{number} José" for number in range(200)))
    assert all(len(spans) == 1 for spans in found)
    assert len(stand_in.questions) == -(-200 // TEXTS_PER_CALL)
    assert all(sum(map(len, question["text"])) <= CHARACTERS_PER_CALL for question in stand_in.questions)


def test_what_is_less_sure_than_wanted_or_was_not_asked_for_is_left_alone(stand_in: Presidio) -> None:
    rows = [
        {"entity_type": "PERSON", "start": 0, "end": 5, "score": 0.59},
        {"entity_type": "URL", "start": 0, "end": 5, "score": 1},
        {"entity_type": "PERSON", "start": 3, "end": 3, "score": 1},
        {"entity_type": "PERSON", "start": 6, "end": 12, "score": 1},
    ]
    stand_in.upstream.script = [Answer((in_http(["PERSON", "LOCATION"]),)), Answer((in_http([rows]),))]
    assert ask(detector(stand_in.url), "Peter Parker") == [[RemoteSpan(6, 12, "person-name", 1.0)]]


# -- failures


KNOWN = Answer((in_http(["PERSON", "LOCATION"]),))


def row(**changes: Any) -> list[list[dict[str, Any]]]:
    whole = {"entity_type": "PERSON", "start": 0, "end": 5, "score": 1.0, **changes}
    return [[{name: value for name, value in whole.items() if value is not None}]]


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([in_http({"error": "no"}, b"500 INTERNAL SERVER ERROR")], "HTTP 500"),
        ([in_http(b"", b"302 Found")], "HTTP 302"),
        ([in_http(b"<html>")], "not JSON"),
        ([in_http(b"[[]")], "not JSON"),
        ([in_http({})], "not one list for each text"),
        ([in_http([])], "not one list for each text"),
        ([in_http([[], []])], "not one list for each text"),
        ([in_http([{}])], "not one list for each text"),
        ([in_http([["Peter"]])], "lacks what was found"),
        ([in_http(row(start=None))], "lacks what was found"),
        ([in_http(row(start="0"))], "lacks what was found"),
        ([in_http(row(end=13))], "places that the text does not have"),
        ([in_http(row(start=-1))], "places that the text does not have"),
        ([in_http(row(start=6))], "places that the text does not have"),
        ([in_http(row(score="high"))], "places that the text does not have"),
        ([in_http(b" " * (ANSWER_MAX_BYTES + 1))], "larger than"),
        ([in_http(b"[[]]")[:-2]], "in the middle of its answer"),
        ([b"220 smtp ready\r\n"], "does not answer in HTTP"),
        ([b""], "in the middle of its answer"),
    ],
)  # fmt: skip
def test_nonsense_is_a_failure(stand_in: Presidio, segments: Sequence[bytes], said: str) -> None:
    stand_in.upstream.script = [KNOWN, Answer(segments, close=True)]
    assert said in failure(detector(stand_in.url))


def test_slowness_is_a_failure_in_time_and_the_next_body_is_asked_about_anew(stand_in: Presidio) -> None:
    asked = detector(stand_in.url, timeout_s=0.3)
    stand_in.upstream.script = [KNOWN, Answer((5.0,))]
    assert "within 0.3 seconds" in failure(asked)
    assert len(ask(asked, "Peter Parker")[0]) == 1
    assert asked.trouble is None


def test_an_answer_that_drips_is_a_failure_in_time(stand_in: Presidio) -> None:
    stand_in.upstream.script = [KNOWN, Answer([b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n", 0.05] * 40])]
    assert "within 0.3 seconds" in failure(detector(stand_in.url, timeout_s=0.3))


def test_nobody_there_is_a_failure(stand_in: Presidio) -> None:
    url = stand_in.url
    stand_in.close()
    assert "does not accept connections" in failure(detector(url))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:5002", "http://localhost:5002", "http://10.1.2.3", "http://[::1]:5002"]
)
def test_private_addresses_need_to_be_allowed(url: str) -> None:
    assert "not allowed" in failure(detector(url, allow_private=False))


@pytest.mark.parametrize("url", ["http://169.254.169.254", "http://100.100.100.200", "http://[fd00:ec2::254]"])
def test_metadata_services_are_never_asked(url: str) -> None:
    assert "not allowed" in failure(detector(url))


def test_a_name_that_does_not_resolve_is_a_failure() -> None:
    assert "does not resolve" in failure(detector("http://nowhere.invalid"))


def test_certificates_are_verified(tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "Somebody")
    presidio = Presidio(tls=server_context(authority, tmp_path))
    try:
        url = f"https://127.0.0.1:{presidio.upstream.port}"
        assert "not trusted" in failure(detector(url))
        assert len(ask(detector(url, ca_file=str(authority.path)), "José")[0]) == 1
    finally:
        presidio.close()


# -- whether it is there


def test_a_service_that_does_not_know_what_it_is_to_find_is_not_believed(stand_in: Presidio) -> None:
    stand_in.finds = {"PERSON": ["José"]}
    asked = detector(stand_in.url)
    with pytest.raises(DetectorFailedError, match="does not find LOCATION in language en"):
        ask(asked, "José")
    assert stand_in.asked == []
    assert "does not find LOCATION" in str(asked.trouble)
    assert len(ask(detector(stand_in.url, frozenset({"person-name"})), "José")[0]) == 1


def test_a_check_finds_out_and_takes_it_back(stand_in: Presidio) -> None:
    asked = detector(stand_in.url)
    stand_in.upstream.script = [Answer((in_http(b"", b"503 Busy"),))]
    asyncio.run(asked.check())
    assert "HTTP 503" in str(asked.trouble)
    asyncio.run(asked.check())
    assert asked.trouble is None


def test_services_that_stay_are_kept_and_all_of_their_troubles_are_told(stand_in: Presidio) -> None:
    rule = MaskingRule("people", frozenset({Where.REQUEST}), detectors=("person-name",))
    here, gone = service(stand_in.url), service("http://127.0.0.1:1", name="other")
    services = DetectorServices(dial)
    first = Configuration(masking=(rule,), detectors=(here, gone))
    made = services.of(first)
    services.put_in_force(first)
    assert services.trouble() is None
    asyncio.run(services.check())
    assert "`other`" in str(services.trouble())
    assert "`presidio`" not in str(services.trouble())
    second = Configuration(masking=(rule,), detectors=(here,))
    assert services.of(second)[0] is made[0]
    services.put_in_force(second)
    assert services.trouble() is None
