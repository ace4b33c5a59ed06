"""Multipart bodies: each part is masked as what it is, and everything around the texts stays."""

import pytest

from ostiary.gateway.bodies.choosing import NESTING_MAX, body_for
from ostiary.gateway.bodies.multipart_body import FIELD_MAX_BYTES, PART_HEAD_MAX_BYTES
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingFailedError
from ostiary.model.masking import MaskingRule, Where

EVERYWHERE = frozenset(Where)
ENGINE = MaskingEngine(
    [
        MaskingRule("key", EVERYWHERE, pattern="sk-[a-z0-9]{8}"),
        MaskingRule("password", EVERYWHERE, pattern=r"pass=(?P<value>[a-z0-9]{4,20})"),
        MaskingRule("names", EVERYWHERE, fields=("ssn",)),
    ],
    b"k" * 32,
)
TYPE = b"multipart/form-data; boundary=XyZ"
KEY = b"sk-abcd1234"
MARK = b"[masked:key]"


def through(data: bytes, content_type: bytes = TYPE) -> bytes:
    """The output, which is the same at every cut."""
    outputs = set()
    for size in (1, 2, 7, 100, len(data) + 1):
        body = body_for(content_type, ENGINE.masker(), ())
        outputs.add(b"".join([body.feed(data[at : at + size]) for at in range(0, len(data), size)]) + body.finish())
    (output,) = outputs
    return output


def part(content: bytes, *fields: bytes) -> bytes:
    return b"--XyZ\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + content + b"\r\n"


def named(name: bytes, content: bytes, *fields: bytes) -> bytes:
    return part(content, b'Content-Disposition: form-data; name="%b"' % name, *fields)


END = b"--XyZ--\r\n"
JSON = b"Content-Type: application/json"
BINARY = b"Content-Type: image/png"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (named(b"a", b"x " + KEY), named(b"a", b"x " + MARK)),
        (named(b"a", rb'{"k":"\u0073k-abcd1234"}', JSON), named(b"a", b'{"k":"[masked:key]"}', JSON)),
        (named(b"a", b'{"ssn":"1"}', JSON), named(b"a", b'{"ssn":"[masked:names]"}', JSON)),
        (named(b"a", b' {"ssn":"1"}'), named(b"a", b' {"ssn":"[masked:names]"}')),
        (named(b"a", b" " * 1500 + b'{"ssn":"1"}'), named(b"a", b" " * 1500 + b'{"ssn":"1"}')),
        (b"--XyZ\r\n" + BINARY + b"\r\n\r\n" + part(KEY), b"--XyZ\r\n" + BINARY + b"\r\n\r\n" + part(MARK)),
        (named(b"ssn", b"123"), named(b"ssn", b"[masked:names]")),
        (named(b"user[ssn]", b"123", JSON), named(b"user[ssn]", b"[masked:names]", JSON)),
        (named(b"pass", b"hunter22"), named(b"pass", b"[masked:password]")),
        (named(KEY, b"x"), named(MARK, b"x")),
        (b"before " + KEY + b"\r\n" + part(b"x"), b"before " + MARK + b"\r\n" + part(b"x")),
        (part(b""), part(b"")),
        (part(KEY + b"\r\n--Xy\r\n--XyY\r\n-" + KEY), part(MARK + b"\r\n--Xy\r\n--XyY\r\n-" + MARK)),
        (part(b"\x00\xff\x01", BINARY), part(b"\x00\xff\x01", BINARY)),
        (part(b"x", b"content-transfer-encoding: Binary"), part(b"x", b"content-transfer-encoding: Binary")),
        (b"--XyZ\n\nsk-abcd1234\n", b"--XyZ\n\n[masked:key]\n"),
        (b"--XyZ \t\r\n\r\nsk-abcd1234\r\n", b"--XyZ \t\r\n\r\n[masked:key]\r\n"),
    ],
)  # fmt: skip
def test_parts_are_masked_as_what_they_are(body: bytes, expected: bytes) -> None:
    assert through(body + END) == expected + END


def test_text_behind_the_last_delimiter_is_looked_at() -> None:
    assert through(part(b"a") + END + b"after " + KEY) == part(b"a") + END + b"after " + MARK


def test_a_secret_is_not_put_together_over_a_delimiter() -> None:
    body = part(b"sk-ab") + part(b"cd1234") + END
    assert through(body) == body


@pytest.mark.parametrize("end", [b"", b"--XyZ", b"--XyZ\r\n", b"--XyZ\r\nContent-Type: a", b"--XyZ-", b"--Xy", b"\r"])
def test_a_body_that_is_cut_off_keeps_all_its_bytes(end: bytes) -> None:
    assert through(part(KEY) + end) == part(MARK) + end


def test_a_quoted_boundary_may_hold_anything() -> None:
    kind = b'multipart/mixed; x=y; BOUNDARY = "a b:c"'
    assert through(b"--a b:c\r\n\r\n" + KEY + b"\r\n--a b:c--", kind) == b"--a b:c\r\n\r\n" + MARK + b"\r\n--a b:c--"


@pytest.mark.parametrize(
    "kind",
    [
        b"multipart/mixed", b"multipart/mixed; boundary=", b"multipart/mixed; boundary=a; boundary=b",
        b"multipart/mixed; boundary*=utf-8''a; boundary=b", b'multipart/mixed; boundary="a\\b"',
    ],
)  # fmt: skip
def test_a_doubtful_boundary_is_refused(kind: bytes) -> None:
    with pytest.raises(MaskingFailedError):
        through(part(b"x") + END, kind)


@pytest.mark.parametrize(
    "body",
    [
        part(b"c2stYWJjZA==", b"Content-Transfer-Encoding: base64"),
        part(b"c2stYWJjZA==", b"CONTENT-TRANSFER-ENCODING :\r\n base64"),
        part(b"c2stYWJjZA==", b"Content-Transfer-Encoding: x-uuencode"),
        part(b"c2stYWJjZA==", b"Content-Transfer-Encoding: 7bit", b"Content-Transfer-Encoding: base64"),
        part(b"x", b"Content-Encoding: gzip"),
        part(b"x", JSON, BINARY),
        part(KEY, BINARY),
        b"--XyZ\r\n" + b"a" * (PART_HEAD_MAX_BYTES + 1),
        part(b"x", b"X: " + b"a" * PART_HEAD_MAX_BYTES),
        b"--XyZ" + b" " * 2000 + b"\r\n\r\n",
        b"--XyZa\r\n\r\nx",
        part(b"x\r\n--XyZ-a"),
        named(b"ssn", b"1" * (FIELD_MAX_BYTES + 1)),
    ],
)
def test_what_others_may_read_in_another_way_is_refused(body: bytes) -> None:
    masked = body_for(TYPE, ENGINE.masker(), ())
    with pytest.raises(MaskingFailedError):
        masked.feed(body + END)


def test_a_folded_type_is_read() -> None:
    fields = b"Content-Type:\r\n application/json"
    assert through(part(rb'["\u0073k-abcd1234"]', fields) + END) == part(b'["[masked:key]"]', fields) + END


def nested(levels: int) -> bytes:
    body = KEY
    for level in range(levels):
        body = b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n%b\r\n--b%d--" % (
            level + 1,
            level,
            body,
            level + 1,
        )
    return body


def test_multipart_bodies_in_one_another_are_read_to_a_depth() -> None:
    kind = b"multipart/mixed; boundary=b%d"
    assert MARK in through(nested(NESTING_MAX), kind % NESTING_MAX)
    with pytest.raises(MaskingFailedError, match="within"):
        through(nested(NESTING_MAX + 1), kind % (NESTING_MAX + 1))


def test_a_large_clean_part_passes_as_it_comes() -> None:
    body = body_for(TYPE, ENGINE.masker(), ())
    body.feed(part(b"", BINARY)[:-2])
    piece = b"\x01" * 100_000
    assert body.feed(piece) is piece
