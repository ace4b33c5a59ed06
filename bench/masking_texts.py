"""What masking is measured on: texts and rules, made the same way in every run."""

import argparse
import json
import random
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from ostiary.masking.engine import MaskingEngine, detector_names
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.masking import MaskingRule, Where
from ostiary.model.secret import Secret

KEY = b"sk-bench-5f0c1e7a9b3d4f62a8e1c7d5b9f3a2e4"
PERSONAL = ("email", "payment-card", "iban", "phone")
LARGE = 64 * 1024
SMALL = 1024
EVENT_BYTES = 400

_ANYWHERE = frozenset(Where)
_PLAIN = """
the door opens when a known guest asks for it and the keeper finds the name in the book of the house while rain
falls on stone steps outside every letter that leaves is read once more before the rider takes it across river
bridge market square nobody pays twice because accounts are written down each evening under lamp light where
questions about order price weight and number of barrels have their answer
"""
_TECHNICAL = """
token key password session model request response update release version server client error value function
"""
_WORDS = tuple(_PLAIN.split())
_TECHNICAL_WORDS = tuple(_TECHNICAL.split())
"""One word in twenty is one of these."""
_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_HEX = "0123456789abcdef"


# -- rules


def built_in(*detectors: str) -> tuple[MaskingRule, ...]:
    return (MaskingRule("all", _ANYWHERE, detectors=detectors),)


def own(count: int) -> tuple[MaskingRule, ...]:
    """So many patterns of vendors' tokens, each with a prefix of its own."""
    rng = random.Random(41)
    prefixes: set[str] = set()
    rules: list[MaskingRule] = []
    while len(rules) < count:
        prefix = "".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randint(3, 6))) + rng.choice("_-_")
        if prefix in prefixes:
            continue
        prefixes.add(prefix)
        rest = rng.choice(("[A-Za-z0-9]{32}", "[0-9a-f]{40}", "[A-Za-z0-9_-]{24,64}", "(?:live|test)_[A-Za-z0-9]{24}"))
        rules.append(MaskingRule(f"own-{len(rules)}", _ANYWHERE, pattern=prefix + rest))
    return tuple(rules)


RULE_SETS: dict[str, Callable[[], tuple[MaskingRule, ...]]] = {
    "secrets": lambda: built_in("secrets"),
    "secrets and personal data": lambda: built_in("secrets", *PERSONAL),
    "every detector": lambda: built_in(*detector_names()),
    "80 own patterns": lambda: own(80),
    "273 own patterns": lambda: own(273),
    "800 own patterns": lambda: own(800),
}


@cache
def engine(name: str) -> MaskingEngine:
    return MaskingEngine(RULE_SETS[name](), b"k" * 32)


@cache
def injected() -> InjectedSecretMatcher:
    return InjectedSecretMatcher([Secret("key", 1, KEY)], [AuthForm(AuthScheme.BEARER)])


# -- texts


def sentence(rng: random.Random) -> str:
    words = [rng.choice(_TECHNICAL_WORDS if rng.random() < 0.05 else _WORDS) for _ in range(rng.randint(6, 18))]
    if rng.random() < 0.2:
        words.insert(3, str(rng.randint(2, 2400)))
    return " ".join(words).capitalize() + rng.choice((".", ".", ".", "?", "!", ";"))


def prose(size: int) -> bytes:
    rng = random.Random(3)
    text = ""
    while len(text) < size:
        text += " ".join(sentence(rng) for _ in range(5)) + "\n\n"
    return text[:size].encode()


def code(size: int) -> bytes:
    """Python of the standard library, as it is."""
    return Path(argparse.__file__).read_bytes()[:size]


def uuid(rng: random.Random) -> str:
    digits = "".join(rng.choices(_HEX, k=32))
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _record(rng: random.Random) -> dict[str, object]:
    return {
        "id": "msg_" + "".join(rng.choices(_ALPHANUMERIC, k=24)),
        "object": "thread.message",
        "run": uuid(rng),
        "created_at": 1_760_000_000 + rng.randint(0, 9_000_000),
        "updated_at": f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:17:"
        f"{rng.randint(0, 59):02}.{rng.randint(0, 999):03}Z",
        "author": {"role": rng.choice(("user", "assistant")), "name": rng.choice(_WORDS), "seat": rng.randint(1, 400)},
        "text": " ".join(sentence(rng) for _ in range(3)),
        "digest": "".join(rng.choices(_HEX, k=64)),
        "score": round(rng.random(), 6),
        "tags": rng.choices(_WORDS, k=3),
        "url": f"https://api.example.com/v1/threads/{rng.randint(1, 99999)}/messages?limit=20&order=desc",
        "usage": {"input_tokens": rng.randint(9, 4000), "output_tokens": rng.randint(9, 900), "cached": None},
        "done": True,
    }


def records(size: int, insert: Callable[[random.Random], str] | None = None, every: int = 1) -> bytes:
    """A list of records of about this size, `insert` at the end of every so many-th record's text."""
    rng = random.Random(5)
    made: list[dict[str, object]] = []
    length = 40
    while True:
        record = _record(rng)
        if insert is not None and len(made) % every == 0:
            record["text"] = f"{record['text']} {insert(rng)}"
        length += len(json.dumps(record)) + 2
        if length > size:
            break
        made.append(record)
    shell = json.dumps({"object": "list", "data": made, "has_more": False, "note": ""})
    rest = max(0, size - len(shell))
    return (shell[:-2] + prose(rest).decode().replace("\n", " ") + shell[-2:]).encode()


def with_addresses(count: int) -> bytes:
    """64 KiB of JSON with so many e-mail addresses."""
    rng = random.Random(6)

    def address() -> str:
        return f"{rng.choice(_WORDS)}.{rng.choice(_WORDS)}@{rng.choice(_WORDS)}.example.org"

    lines = [{"n": number, "who": address(), "said": sentence(rng)[:120]} for number in range(count)]
    return json.dumps(lines).encode().ljust(LARGE)


def with_secrets(count: int) -> bytes:
    """64 KiB of JSON with so many tokens of one vendor in its texts."""
    step = LARGE // count // 2
    rng = random.Random(8)
    token = "gh" + "p_"
    lines = []
    for number in range(count):
        text = (" ".join(sentence(rng) for _ in range(20)))[: 2 * step - 120]
        lines.append({"n": number, "said": f"{text} {token}{''.join(rng.choices(_ALPHANUMERIC, k=36))} and more"})
    return json.dumps(lines).encode().ljust(LARGE)


# -- events


def deltas(count: int) -> list[str]:
    """Words as a model streams them, with the space before."""
    rng = random.Random(9)
    out: list[str] = []
    while len(out) < count:
        for word in sentence(rng).split():
            out += [" " + word] if len(word) < 9 else [" " + word[:5], word[5:]]
    return out[:count]


def _event(document: dict[str, object], name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()


def _chunk(text: str) -> dict[str, object]:
    return {
        "id": "chatcmpl-CkQ3v9xT7mLp2Rw8Zb4Nc6Fd1Hs5",
        "object": "chat.completion.chunk",
        "created": 1_764_000_000,
        "model": "gpt-5.4-mini-2026-03-17",
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [
            {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
        ],
        "usage": None,
    }  # fmt: skip


def chat_events(count: int) -> list[bytes]:
    """Events of 400 bytes that differ in their text and in the padding that hides its length."""
    rng = random.Random(10)
    out = []
    for text in deltas(count):
        bare = {**_chunk(text), "obfuscation": ""}
        padding = EVENT_BYTES - len(_event(bare))
        out.append(_event({**bare, "obfuscation": "".join(rng.choices(_ALPHANUMERIC, k=padding))}))
    return out


def framed_events(count: int) -> list[bytes]:
    """Events of about 400 bytes that differ in their text only."""
    padding = EVENT_BYTES - len(_event({**_chunk(" words"), "provider": ""}))
    return [_event({**_chunk(text), "provider": "p" * padding}) for text in deltas(count)]


def message_events(count: int) -> list[bytes]:
    """Anthropic's, of about 130 bytes."""
    return [
        _event(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
            "content_block_delta",
        )
        for text in deltas(count)
    ]


# -- texts made to be slow


def adversarial(size: int) -> Iterator[tuple[str, bytes]]:
    rng = random.Random(11)
    rows = {
        "digits": b"0123456789",
        "digit groups": b"4242 4242-",
        "@": b"@",
        "a@": b"a@",
        "a.a@": b"a.a@",
        "eyJ": b"eyJ",
        "eyJa.": b"eyJa.",
        "-----BEGIN": b"-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----": b"-----BEGIN PRIVATE KEY-----\n",
        "a": b"a",
        "aA0_": b"aA0_",
        "://a:": b"://a:",
        "password=": b"password=",
        "key: ": b"key: ",
        "ghp_": b"gh" + b"p_",
        "AKIA": b"AK" + b"IA",
        "quotes": b'"',
        "backslashes": b"\\",
        "brackets": b"[{",
        "blanks": b" ",
        "NUL": b"\0",
        "%41": b"%41",
    }
    for name, unit in rows.items():
        yield name, (unit * (size // len(unit) + 1))[:size]
    yield "random bytes in base64", b64encode(rng.randbytes(size))[:size]
    yield "random bytes in hex", rng.randbytes(size).hex().encode()[:size]
    yield "random bytes", rng.randbytes(size)
