"""A stand-in for Presidio's analyzer, written from its documentation: it finds the words it is given."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from support.raw_upstream import Answer, RawUpstream, Request

PEOPLE = {"PERSON": ("Ana Müller", "José", "Zoë Ng", "Peter Parker"), "LOCATION": ("Zürich", "東京")}


class Presidio:
    """`asked` holds every text it was sent. Set `upstream.always` to make it answer anything else."""

    def __init__(self, finds: Mapping[str, Sequence[str]] = PEOPLE, score: float = 0.85, **how: Any) -> None:
        self.finds = finds
        self.score = score
        self.upstream = RawUpstream(**how)
        self.working = Answer(self._answer)
        self.upstream.always = self.working

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.upstream.port}"

    @property
    def questions(self) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in self.upstream.requests if each.target == b"/analyze"]

    @property
    def asked(self) -> list[str]:
        return [text for question in self.questions for text in question["text"]]

    def described(self, **changes: Any) -> dict[str, Any]:
        """Its entry in a declarative file."""
        return {"name": "presidio", "presidio": {"url": self.url, "allow_private": True, "timeout": "2s", **changes}}

    def close(self) -> None:
        self.upstream.close()

    def _answer(self, request: Request) -> list[bytes]:
        if request.target == b"/supportedentities?language=en" and request.method == b"GET":
            return [in_http([*self.finds, "EMAIL_ADDRESS"])]
        if request.target != b"/analyze" or request.method != b"POST":
            return [in_http({"error": "Not Found"}, b"404 NOT FOUND")]
        question = json.loads(request.body)
        texts = question["text"]
        found = [list(self._found(text, question)) for text in ([texts] if isinstance(texts, str) else texts)]
        return [in_http(found[0] if isinstance(texts, str) else found)]

    def _found(self, text: str, question: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for entity, words in self.finds.items():
            if entity not in question["entities"] or self.score < question["score_threshold"]:
                continue
            for word in words:
                for match in re.finditer(re.escape(word), text):
                    yield {
                        "analysis_explanation": None,
                        "end": match.end(),
                        "entity_type": entity,
                        "score": self.score,
                        "start": match.start(),
                    }


def in_http(document: Any, status: bytes = b"200 OK") -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@contextmanager
def presidio(**how: Any) -> Iterator[Presidio]:
    stand_in = Presidio(**how)
    try:
        yield stand_in
    finally:
        stand_in.close()
