"""The masker never fails, keeps its bound, gives the same output at every cut, and leaves no plain key."""

import random

from engine import cut, fuzz

from ostiary.masking.injected import MARK, InjectedSecretMatcher
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.secret import Secret
from support.spellings import SPELLINGS

KEYS = (b"sk-live-9fK2mQ7xR4", b"abcd1234", b"abcd1234-and-more", b"k&%\\k&%\\", b"aaaaaaaa")
MATCHER = InjectedSecretMatcher(
    [Secret(f"key-{index}", 1, key) for index, key in enumerate(KEYS)],
    (AuthForm(AuthScheme.BASIC_USERNAME), AuthForm(AuthScheme.BASIC_PASSWORD, "me")),
)
CORPUS = [
    b"", b"plain text", MARK, b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n',
    *(b"<" + spell(key) + b">" for spell in SPELLINGS.values() for key in KEYS),
]  # fmt: skip


def target(data: bytes, chance: random.Random) -> None:
    whole, findings = MATCHER.mask(data, "body")
    stream = MATCHER.stream("body")
    output = []
    for piece in cut(data, chance):
        output.append(stream.feed(piece))
        assert stream.held_bytes <= MATCHER.hold_back_max_bytes
    output.append(stream.finish())
    assert b"".join(output) == whole
    assert stream.findings() == findings
    assert bool(findings) == (whole != data)
    assert not any(key in whole for key in KEYS)
    assert sum(found.length for found in findings) <= len(data)


if __name__ == "__main__":
    fuzz("masker", CORPUS, target)
