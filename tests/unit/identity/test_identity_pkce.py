"""PKCE as RFC 7636 has it."""

import pytest

from ostiary.identity.pkce import challenge_of, fits, is_challenge, is_verifier, new_verifier

VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_rfc() -> None:
    assert challenge_of(VERIFIER) == CHALLENGE
    assert fits(VERIFIER, CHALLENGE)
    assert is_verifier(VERIFIER) and is_challenge(CHALLENGE)


def test_a_new_one_is_one() -> None:
    verifier = new_verifier(bytes(range(32)))
    assert is_verifier(verifier)
    assert is_challenge(challenge_of(verifier))
    with pytest.raises(ValueError, match="random"):
        new_verifier(b"short")


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, CHALLENGE, VERIFIER[:-1], VERIFIER + "\n", "é" * 43])
def test_other_verifiers_do_not_fit(verifier: str) -> None:
    assert not fits(verifier, CHALLENGE)


@pytest.mark.parametrize(
    "challenge", ["", "plain", VERIFIER + "A", CHALLENGE[:-1] + "N", CHALLENGE + "=", CHALLENGE[:-1]]
)
def test_what_cannot_be_a_challenge(challenge: str) -> None:
    assert not is_challenge(challenge)


def test_plain_is_not_supported() -> None:
    assert not fits(VERIFIER, VERIFIER)
