"""Signed notes: the published vectors, and every way to be wrong."""

import base64

import pytest

from ostiary.audit import standalone
from ostiary.audit.checkpoint import Checkpoint, SigningKey, open_checkpoint, parse_note, sign_checkpoint
from ostiary.audit.standalone import parse_key, split_notes
from ostiary.model.errors import IntegrityError

OLD, NEW = SigningKey("log.example/1", bytes(32)), SigningKey("log.example/1", bytes(31) + b"\x01")
STRANGER = SigningKey("witness.example", bytes(31) + b"\x02")
HEAD = Checkpoint("log.example/1", 7, bytes(range(32)))


def test_the_key_and_signature_of_the_go_note_package() -> None:
    key = parse_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    blob = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert blob[:4] == key.id
    for verify in (standalone.ed25519_verify, standalone.slow_ed25519_verify):
        assert verify(key.public, blob[4:], text)
        assert not verify(key.public, blob[4:], text + b"\n")
        assert not verify(key.public, blob[4:-1] + b"\x7f", text)
        assert not verify(key.public, b"", text)


@pytest.mark.parametrize(
    ("public", "signature", "message"),
    [  # RFC 8032, section 7.1, tests 1 and 2
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            "",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            "72",
        ),
    ],
)
def test_pure_python_ed25519_agrees_with_the_standard(public: str, signature: str, message: str) -> None:
    arguments = (bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message))
    assert standalone.slow_ed25519_verify(*arguments)
    high = bytearray(arguments[1])
    order = 2**252 + 27742317777372353535851937790883648493
    high[32:] = (int.from_bytes(high[32:], "little") + order).to_bytes(32, "little")
    assert not standalone.slow_ed25519_verify(arguments[0], bytes(high), arguments[2])


def test_a_checkpoint_comes_back_from_its_note() -> None:
    note = sign_checkpoint(HEAD, OLD)
    assert note.startswith(b"log.example/1\n7\n" + base64.b64encode(HEAD.root) + b"\n\n\xe2\x80\x94 log.example/1 ")
    assert open_checkpoint(note, [OLD.key]) == HEAD


def test_several_signatures_parse_and_one_known_key_suffices() -> None:
    note = sign_checkpoint(HEAD, STRANGER, OLD, NEW)
    assert len(parse_note(note).signatures) == 3
    assert open_checkpoint(note, [OLD.key]) == open_checkpoint(note, [NEW.key]) == HEAD


def test_extension_lines_are_signed_and_kept() -> None:
    text = HEAD.text + b"extra line\n"
    note = parse_note(text + b"\n" + OLD.signature_line(text))
    assert (note.size, note.signed_by([OLD.key])) == (7, True)


@pytest.mark.parametrize("keys", [[], [NEW.key], [STRANGER.key]])
def test_an_unknown_key_vouches_for_nothing(keys: list[standalone.Key]) -> None:
    with pytest.raises(IntegrityError):
        open_checkpoint(sign_checkpoint(HEAD, OLD), keys)


def test_a_witness_alone_does_not_vouch_for_the_log() -> None:
    assert not parse_note(sign_checkpoint(HEAD, STRANGER)).signed_by([STRANGER.key])


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace(b"\n7\n", b"\n8\n"),
        lambda note: note.replace(b"\n7\n", b"\n07\n"),
        lambda note: note.replace(b"\n7\n", b"\n-7\n"),
        lambda note: note.replace(b"\n7\n", "\n٧\n".encode()),
        lambda note: note.replace(b"log.example/1\n", b"log.example/2\n", 1),
        lambda note: note[:-1],
        lambda note: note + b"x\n",
        lambda note: note.replace(b"\n\n", b"\n"),
        lambda note: note.replace(b"\n\n", b"\n\n\n"),
        lambda note: note.replace(b"\n7\n", b"\r\n7\r\n"),
        lambda note: note.replace("\u2014".encode(), b"--"),
        lambda _: b"",
    ],
)
def test_a_changed_note_does_not_open(change: object) -> None:
    with pytest.raises(IntegrityError):
        open_checkpoint(change(sign_checkpoint(HEAD, OLD)), [OLD.key])  # type: ignore[operator]


def test_notes_of_one_file_are_told_apart() -> None:
    notes = [sign_checkpoint(HEAD, OLD), sign_checkpoint(HEAD, OLD, NEW), sign_checkpoint(HEAD, NEW)]
    assert split_notes(b"".join(notes)) == notes
    assert split_notes(b"".join(notes)[:-5])[:2] == notes[:2]


def test_keys_go_through_their_text() -> None:
    assert parse_key(OLD.key.text) == OLD.key
    for wrong in ("", "a+b", OLD.key.text.replace("+", "x+", 1), OLD.key.text[:-4] + "AAA="):
        with pytest.raises(ValueError):
            parse_key(wrong)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b"])
def test_a_key_name_that_a_note_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        SigningKey(name, bytes(32))
