"""Lines of answers that were seen before keep their meaning (A01, A05, B18)."""

import gzip

from support.raw_upstream import answer
from support.scene import MARK, Scene


def test_A01_an_etag_seen_before_is_dropped_when_the_body_repeats_the_key(scene: Scene) -> None:
    scene.upstream.script = [
        answer(b"fine", b'ETag: "abc"'),
        answer(b"fine again", b'ETag: "abc"'),
        answer(b"echo " + scene.key.encode(), b'ETag: "abc"'),
        answer(b"missing", b'ETag: "abc"', status=b"404 Not Found"),
    ]
    first, second, echo, missing = (scene.ask() for _ in range(4))
    assert [first.header("etag"), second.header("etag")] == [[b'"abc"'], [b'"abc"']]
    assert MARK in echo.body
    assert echo.header("etag") == []
    assert missing.header("etag") == []


def test_A05_an_archive_stays_what_it_is_however_often_it_is_fetched(scene: Scene) -> None:
    archive = gzip.compress(b"hello " * 100)
    scene.upstream.script = [answer(archive, content_type=b"application/octet-stream") for _ in range(3)]
    assert [scene.ask().body == archive for _ in range(3)] == [True, True, True]


def test_B18_two_content_types_are_refused_though_both_were_seen_before(scene: Scene) -> None:
    scene.upstream.script = [
        answer(b"x", content_type=b"text/plain"),
        answer(b"x", content_type=b"application/octet-stream"),
        answer(b"x", b"Content-Type: application/octet-stream", content_type=b"text/plain"),
    ]
    assert [scene.ask().status for _ in range(3)] == [200, 200, 502]
