"""One request and its whole answer, or a sentence why there is none."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from ostiary.adapters.http_call import FORM, Answer, HttpCall
from ostiary.gateway.dialling import dial
from ostiary.model.connection import Upstream
from ostiary.model.errors import OperatorError, UnreachableError
from support.raw_upstream import Answer as Told
from support.raw_upstream import RawUpstream, answer


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.close()


def ask(
    to: RawUpstream, method: str = "GET", target: str = "/x", body: bytes | None = None, most: int = 1000, **how: Any
) -> Answer:
    call = HttpCall(dial, Upstream("http", "127.0.0.1", to.port, "/base"), allow_private=True, ca_file=None)
    return asyncio.run(call(method, target, body, most, **how))


def test_what_is_asked(upstream: RawUpstream) -> None:
    ask(upstream, "POST", "/x?a=1", b"a=b", content_type=FORM, accept="text/x", fields=b"Authorization: Basic eDp5\r\n")
    request = upstream.requests[0]
    assert request.line == b"POST /base/x?a=1 HTTP/1.1"
    assert request.body == b"a=b"
    assert dict(request.headers) == {
        b"Host": f"127.0.0.1:{upstream.port}".encode(),
        b"Accept": b"text/x",
        b"Accept-Encoding": b"identity",
        b"User-Agent": b"ostiary",
        b"Connection": b"close",
        b"Content-Type": b"application/x-www-form-urlencoded",
        b"Content-Length": b"3",
        b"Authorization": b"Basic eDp5",
    }


def test_the_answer_with_its_header(upstream: RawUpstream) -> None:
    upstream.always = answer(b"{}", b"Cache-Control: no-store", b"cache-control: private", content_type=b"A/JSON; x=y")
    got = ask(upstream)
    assert (got.status, got.body, got.media_type) == (200, b"{}", "a/json")
    assert got.headers["cache-control"] == "no-store, private"


def test_a_redirect_is_an_answer_and_not_followed(upstream: RawUpstream) -> None:
    upstream.always = answer(b"", b"Location: http://169.254.169.254/", status=b"302 Found")
    assert ask(upstream).status == 302
    assert upstream.connections == 1


def test_a_trailer_is_not_a_header(upstream: RawUpstream) -> None:
    upstream.always = Told(
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nCache-Control: max-age=9\r\n\r\n",)
    )
    got = ask(upstream)
    assert got.body == b"ok"
    assert "cache-control" not in got.headers


def test_an_answer_may_end_with_its_connection(upstream: RawUpstream) -> None:
    upstream.always = Told((b"HTTP/1.0 200 OK\r\n\r\nwhole",), close=True)
    assert ask(upstream).body == b"whole"


@pytest.mark.parametrize(
    ("told", "failure", "sentence"),
    [
        (Told((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",), close=True), UnreachableError, "in the middle"),
        (Told((b"HTTP/1.1 200 OK\r\nConte",), close=True), UnreachableError, "in the middle"),
        (Told((b"",), close=True), UnreachableError, "in the middle"),
        (Told((b"\0\0",), close=True), UnreachableError, "in HTTP"),
        (Told((b"HTTP/1.1 200 OK\r\n", 0.05), reset=True), UnreachableError, "."),
        (answer(b"x" * 1000), OperatorError, "larger than 1,000 bytes"),
        (Told((b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300,)), OperatorError, "larger than 1,000 bytes"),
        (Told((30.0,)), UnreachableError, "within 0.2 seconds"),
        (Told((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", *[0.1, b"x"] * 8)), UnreachableError, "within 0.2"),
    ],
)
def test_whatever_goes_wrong_is_a_sentence(
    upstream: RawUpstream, told: Told, failure: type[OperatorError], sentence: str
) -> None:
    upstream.always = told
    with pytest.raises(failure) as caught:
        ask(upstream, deadline_s=0.2)
    assert sentence in str(caught.value)


def test_a_name_that_takes_too_long_counts_too() -> None:
    async def never(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(30)

    call = HttpCall(never, Upstream("http", "127.0.0.1", 1), allow_private=True, ca_file=None)
    with pytest.raises(UnreachableError, match=r"within 0\.05 seconds"):
        asyncio.run(call("GET", "/", None, 10, deadline_s=0.05))
