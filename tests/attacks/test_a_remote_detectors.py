"""Remote detectors fail closed: what they could not see is not sent and not passed on, and nothing else is asked."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.fixtures import Traps
from support.presidio import Presidio, in_http
from support.raw_client import Reply, request
from support.raw_upstream import Answer, answer, chunked, wait_until
from support.scene import Scene

NAME = "Ana Müller"
KNOWN = Answer((in_http(["PERSON", "LOCATION"]),))
BROKEN: dict[str, Answer] = {
    "HTTP 500": Answer((in_http({"error": "out of memory"}, b"500 INTERNAL SERVER ERROR"),)),
    "not HTTP": Answer((b"\0\0\0",), close=True),
    "not JSON": Answer((in_http(b"<html>"),)),
    "fewer lists than texts": Answer((in_http([]),)),
    "beyond the text": Answer((in_http([[{"entity_type": "PERSON", "start": 0, "end": 10**6, "score": 1}]]),)),
    "ten megabytes": Answer((in_http(b"[[" + b" " * 10_000_000 + b"]]"),)),
    "cut off": Answer((in_http(b"[[]]")[:-2],), close=True),
    "reset": Answer((b"HTTP/1.1 200 OK\r\n",), reset=True),
    "too slow": Answer((30.0,)),
    "a redirect": Answer((b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",)),
}


@pytest.fixture
def presidio(scene: Scene) -> Iterator[Presidio]:
    """Asked about every request and answer of the scene's connections."""
    stand_in = Presidio()
    use(scene, stand_in)
    yield stand_in
    stand_in.close()


def use(scene: Scene, stand_in: Presidio, **changes: Any) -> None:
    rule = {"name": "people", "detectors": ["person-name"], "where": ["request", "response"], **changes}
    scene.installation.apply({"detectors": [stand_in.described()], "masking": [rule]})


def post(scene: Scene, text: str = NAME, kind: str = "openai", **how: Any) -> Reply:
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": f"write to {text} today"}]}).encode()
    return scene.ask(
        kind, "/v1/chat/completions", "Content-Type: application/json", method="POST", body=body, deadline_s=20.0, **how
    )


def no_name(scene: Scene) -> None:
    """Neither in what the upstream got, nor in what we keep."""
    scene.must_not_be_kept(NAME)
    assert NAME.encode() not in b"".join(scene.upstream.received)


@pytest.mark.parametrize("failing", BROKEN)
def test_A_a_request_that_the_detector_could_not_see_is_not_sent(
    scene: Scene, presidio: Presidio, failing: str
) -> None:
    presidio.upstream.script = [KNOWN]
    presidio.upstream.always = BROKEN[failing]
    reply = post(scene)
    scene.must_be_refused(reply, 502, code="masking_failed", closed=False)
    scene.nothing_reached_upstream()
    scene.must_not_be_kept(NAME)


@pytest.mark.parametrize("failing", BROKEN)
@pytest.mark.parametrize("form", ["whole", "chunked", "stream"])
def test_A_an_answer_that_the_detector_could_not_see_is_not_passed_on(
    scene: Scene, presidio: Presidio, failing: str, form: str
) -> None:
    text = f'{{"reply":"ask {NAME}"}}'.encode()
    scene.upstream.always = {
        "whole": answer(text, content_type=b"application/json"),
        "chunked": chunked([text[:12], text[12:]], content_type=b"application/json"),
        "stream": chunked([b"data: " + text + b"\n\n", b"data: [DONE]\n\n"], content_type=b"text/event-stream"),
    }[form]
    presidio.upstream.script = [KNOWN]
    presidio.upstream.always = BROKEN[failing]
    reply = scene.ask("openai", deadline_s=20.0)
    scene.must_be_refused(reply, 502, code="masking_failed", closed=False)
    assert NAME.encode() not in reply.raw
    no_name(scene)


def test_A_a_detector_that_is_down_closes_its_connections_only(scene: Scene, presidio: Presidio) -> None:
    presidio.close()
    scene.must_be_refused(post(scene), 502, code="masking_failed", closed=False)
    scene.nothing_reached_upstream()
    scene.installation.apply({"connections": [scene.described("http", masking=[])]})
    assert scene.ask("http").status == 200
    status, said = scene.installation.ops("/readyz")
    assert status == 503
    assert "The detector `presidio` gives no usable answer." in json.loads(said)["parts"]["detectors"]


def test_A_a_detector_that_lacks_what_a_rule_needs_is_not_believed(scene: Scene, presidio: Presidio) -> None:
    presidio.finds = {"LOCATION": ("Zürich",)}
    scene.installation.apply({"detectors": [presidio.described(timeout="3s")]})
    scene.must_be_refused(post(scene), 502, code="masking_failed", closed=False)
    scene.nothing_reached_upstream()
    assert presidio.asked == []


def test_A_a_blocked_name_is_not_sent_and_a_blocked_answer_not_passed_on(scene: Scene, presidio: Presidio) -> None:
    use(scene, presidio, action="block")
    scene.must_be_refused(post(scene), 403, code="denied", closed=False)
    scene.nothing_reached_upstream()
    scene.upstream.always = answer(f"ask {NAME}".encode())
    reply = scene.ask("http")
    scene.must_be_refused(reply, 502, code="masking_failed", closed=False)
    assert NAME.encode() not in reply.raw
    no_name(scene)


def test_A_names_are_masked_both_ways_and_kept_nowhere(scene: Scene, presidio: Presidio) -> None:
    scene.upstream.always = chunked(
        [
            f'data: {{"choices":[{{"index":0,"delta":{{"content":"{part}"}}}}]}}\n\n'.encode()
            for part in ("An", "a Mü", "ller!")
        ],
        content_type=b"text/event-stream",
    )
    reply = post(scene)
    assert reply.status == 200
    events = [json.loads(line[6:]) for line in reply.body.split(b"\n\n") if line]
    assert [event["choices"][0]["delta"]["content"] for event in events] == ["[masked:person-name]", "", "!"]
    assert b"write to [masked:person-name] today" in scene.upstream.requests[-1].body
    no_name(scene)
    found = scene.must_be_recorded(reply)["findings"]
    assert sum(each["count"] for each in found if each["detector"] == "person-name") == 2


def test_A_the_detector_sees_no_secret_that_is_masked_here(scene: Scene, presidio: Presidio) -> None:
    scene.upstream.always = answer(b"You sent Bearer " + scene.key.encode() + f", {NAME}".encode())
    reply = scene.ask("http")
    assert reply.body == b"You sent Bearer [masked:injected-secret], [masked:person-name]"
    assert scene.key.encode() not in b"".join(presidio.upstream.received)
    assert scene.token.encode() not in b"".join(presidio.upstream.received)


def test_A_large_answers_are_refused_and_large_pictures_pass(scene: Scene, presidio: Presidio) -> None:
    large = 9 * 1024 * 1024
    scene.upstream.always = answer(b"a text without end " * (large // 19), content_type=b"text/plain")
    scene.must_be_refused(scene.ask("http", deadline_s=30.0), 502, code="masking_failed", closed=False)
    picture = b"\x89PNG\r\n\x1a\n\0\0\xff\xfe" * (large // 12)
    scene.upstream.always = answer(picture, content_type=b"image/png")
    assert scene.ask("http", deadline_s=30.0).body == picture
    assert presidio.asked == []


def test_D10_D11_the_detector_is_asked_without_proxies(scene: Scene, presidio: Presidio, traps: Traps) -> None:
    assert post(scene).status == 200
    assert presidio.asked
    assert traps.proxy.connections == 0


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200"])
def test_D11_metadata_services_are_not_asked(scene: Scene, presidio: Presidio, host: str) -> None:
    detector = presidio.described(url=f"http://{host}", allow_plaintext=True)
    scene.installation.apply({"detectors": [detector]})
    scene.must_be_refused(post(scene), 502, code="masking_failed", closed=False)
    scene.nothing_reached_upstream()


@pytest.mark.parametrize("direction", ["request", "response"])
def test_A_a_client_that_leaves_while_the_detector_is_asked_gets_nothing(
    scene: Scene, presidio: Presidio, direction: str
) -> None:
    use(scene, presidio, where=[direction])
    scene.upstream.always = answer(f"ask {NAME}".encode())
    assert post(scene).status == 200
    asked = len(presidio.upstream.requests)
    presidio.upstream.always = Answer((1.0,), close=True)
    scene.upstream.always = answer(f"never heard of {NAME}".encode())
    scene.upstream.forget()
    with scene.client() as client:
        client.send(request("POST", scene.target("http", "/x"), [scene.bearer], f"another {NAME}".encode()))
        assert len(presidio.upstream.wait_for_requests(asked + 1)) > asked
    assert wait_until(lambda: scene.installation.api("GET", "/status")["running_exchanges"] == 0)
    if direction == "request":
        assert b"another" not in b"".join(scene.upstream.received)
    presidio.upstream.always = presidio.working
    assert post(scene).status == 200
