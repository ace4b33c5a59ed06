"""Signing in through a SAML provider: out with a request, in with a response, each once."""

import asyncio
import zlib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate
from lxml import etree

from ostiary.control.services.sign_in import Opened
from ostiary.identity.saml.instants import format_instant
from ostiary.model.errors import NotFoundError, SignInRefusedError, UnreachableError
from ostiary.model.issuer import Group, GroupSource, SamlIssuer
from support.http_server import Reply
from support.oidc_provider import oidc_provider
from support.saml_idp import ACS, NOW, SAMLP, SP, Pair, Words, metadata_xml, pair, post, signed_response
from support.sign_in_room import Browser, SignInRoom, parameters_of, sign_in_room


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SignInRoom]:
    with sign_in_room(tmp_path) as room:
        (tmp_path / "idp.xml").write_text(metadata_xml())
        room.clock.now = NOW
        room.trust(
            SamlIssuer("company", metadata_file=str(tmp_path / "idp.xml")),
            SamlIssuer("other", metadata_file=str(tmp_path / "idp.xml")),
            groups=(Group("builders", (GroupSource("company", "groups", "builders"),)),),
        )
        yield room


def request_of(url: str) -> tuple[dict[str, str], str]:
    """The attributes of the AuthnRequest, and RelayState."""
    sent = parameters_of(url)
    request = etree.fromstring(zlib.decompress(b64decode(sent["SAMLRequest"]), -15))
    assert request.tag == f"{{{SAMLP}}}AuthnRequest"
    return dict(request.attrib), sent["RelayState"]


def answer_to(
    request: dict[str, str], house: SignInRoom, number: int = 1, by: Pair | None = None, **words: object
) -> str:
    now = house.clock()
    said = Words(
        answers=request["ID"], confirmation_answers=request["ID"], assertion_id=f"_assertion-{number}",
        issue_instant=format_instant(now), confirmation_ends=format_instant(now + 300),
        starts=format_instant(now - 5), ends=format_instant(now + 300), session_ends=format_instant(now + 3600),
        authn_instant=format_instant(now - 10),
    )  # fmt: skip
    return post(signed_response(replace(said, **words), by=by or pair()))  # type: ignore[arg-type]


async def bring(browser: Browser, answer: str, relay_state: str, issuer: str = "company") -> Opened:
    """As browsers post it from a foreign page: without the console's cookie."""
    visit = replace(browser.visit, cookie=None)
    opened = await browser.room.service.finish_saml(issuer, browser.attempt, answer, relay_state, visit)
    browser.cookie = opened.cookie
    return opened


async def sign_in(browser: Browser, number: int = 1, step_up: bool = False, **words: object) -> Opened:
    request, relay_state = request_of(await browser.begin(next_path="/account", step_up=step_up))
    return await bring(browser, answer_to(request, browser.room, number, **words), relay_state)


async def test_somebody_signs_in_with_groups(house: SignInRoom) -> None:
    browser = house.browser()
    url = await browser.begin()
    assert urlsplit(url).netloc == "idp.example"
    request, relay_state = request_of(url)
    assert request["AssertionConsumerServiceURL"] == ACS
    assert "ForceAuthn" not in request
    assert SP.encode() in zlib.decompress(b64decode(parameters_of(url)["SAMLRequest"]), -15)
    assert len(relay_state) <= 80
    opened = await sign_in(browser)
    assert opened.next_path == "/account"
    visitor = await browser.visitor()
    assert (visitor.user.name, visitor.caller.groups) == ("ann@example.com", {"builders"})
    assert (visitor.sign_in.idp_session, visitor.sign_in.ends_at) == ("_session-1", NOW + 3600)
    assert visitor.sign_in.authenticated_at == NOW - 10


async def test_a_step_up_ends_what_the_browser_began_with(house: SignInRoom) -> None:
    browser = house.browser()
    before = await sign_in(browser)
    house.clock.now += 400.0
    assert not (await browser.visitor()).caller.is_fresh
    request, relay_state = request_of(await browser.begin(step_up=True))
    assert request["ForceAuthn"] == "true"
    await bring(browser, answer_to(request, house, 2), relay_state)
    assert (await browser.visitor()).caller.is_fresh
    assert await house.visitor(before.cookie) is None
    assert len(await house.sessions.own(before.user)) == 1


async def test_a_step_up_takes_a_proof_made_after_it_began(house: SignInRoom) -> None:
    browser = house.browser()
    await sign_in(browser)
    house.clock.now += 400.0
    with pytest.raises(SignInRefusedError):
        await sign_in(browser, 2, step_up=True, authn_instant=format_instant(house.clock() - 100))
    assert house.reasons() == ["auth_time_too_old"]


async def test_g17_an_answer_works_once_even_for_another_request(house: SignInRoom) -> None:
    browser = house.browser()
    request, relay_state = request_of(await browser.begin())
    answer = answer_to(request, house)
    await bring(browser, answer, relay_state)
    with pytest.raises(SignInRefusedError):
        await bring(browser, answer, relay_state)
    second, relay_state = request_of(await browser.begin())
    with pytest.raises(SignInRefusedError):
        await bring(browser, answer, relay_state)
    # The provider answers again with an assertion that was used already.
    third, relay_state = request_of(await browser.begin())
    assert second["ID"] != third["ID"]
    with pytest.raises(SignInRefusedError):
        await bring(browser, answer_to(third, house), relay_state)
    assert house.reasons() == ["attempt_unknown", "in_response_to", "used_before"]


async def test_g17_used_assertions_are_remembered_as_long_as_they_could_be_taken(house: SignInRoom) -> None:
    browser = house.browser()
    await sign_in(browser, ends=format_instant(NOW + 3000), confirmation_ends=format_instant(NOW + 3000))
    house.clock.now += 2999.0
    await house.recheck.once()
    with pytest.raises(SignInRefusedError):
        await sign_in(browser)
    assert house.reasons() == ["used_before"]


async def test_g01_an_answer_in_another_browser_signs_nobody_in(house: SignInRoom) -> None:
    attacker, victim = house.browser("198.51.100.7"), house.browser()
    request, relay_state = request_of(await attacker.begin())
    with pytest.raises(SignInRefusedError):
        await bring(victim, answer_to(request, house), relay_state)
    for state in ("", "guessed"):
        with pytest.raises(SignInRefusedError):
            await bring(victim, answer_to(request, house), state)
    assert house.reasons() == ["another_browser", "state_missing", "attempt_unknown"]


async def test_g01_an_answer_for_one_provider_is_none_of_another(house: SignInRoom) -> None:
    browser = house.browser()
    request, relay_state = request_of(await browser.begin())
    with pytest.raises(SignInRefusedError):
        await bring(browser, answer_to(request, house), relay_state, "other")
    assert house.reasons() == ["answer_of_other_issuer"]
    with pytest.raises(NotFoundError):
        await bring(browser, "", relay_state, "unknown")


async def test_g01_an_attempt_is_over_after_ten_minutes(house: SignInRoom) -> None:
    browser = house.browser()
    request, relay_state = request_of(await browser.begin())
    house.clock.now += 600.0
    with pytest.raises(SignInRefusedError):
        await bring(browser, answer_to(request, house), relay_state)
    assert house.reasons() == ["attempt_unknown"]


async def test_g17_what_another_key_signed_signs_nobody_in(house: SignInRoom) -> None:
    browser = house.browser()
    request, relay_state = request_of(await browser.begin())
    words = Words(answers=request["ID"], confirmation_answers=request["ID"])
    with pytest.raises(SignInRefusedError) as refused:
        await bring(browser, post(signed_response(words, by=pair("evil"))), relay_state)
    assert house.reasons() == ["signature"]
    assert "signature" not in str(refused.value)
    assert house.people.named("ann@example.com") is None


async def test_a_new_certificate_is_found_when_it_is_first_used_at_most_once_a_minute(house: SignInRoom) -> None:
    with oidc_provider() as server:

        def publish(*names: str) -> None:
            server.documents["/idp.xml"] = Reply(body=metadata_xml(*map(pair, names)).encode())

        async def signed_by(name: str, number: int) -> Opened:
            browser = house.browser()
            request, relay_state = request_of(await browser.begin())
            return await bring(browser, answer_to(request, house, number, by=pair(name)), relay_state)

        publish("idp")
        house.trust(SamlIssuer("company", metadata_url=f"{server.url}/idp.xml", allow_private=True))
        await signed_by("idp", 1)
        publish("idp", "next")
        with pytest.raises(SignInRefusedError):
            await signed_by("next", 2)  # fetched a moment ago
        house.clock.now += 60
        assert (await signed_by("next", 3)).user.name == "ann@example.com"
        for number in range(3):
            with pytest.raises(SignInRefusedError):
                await signed_by("evil", number)
        house.clock.now += 60
        with pytest.raises(SignInRefusedError):
            await signed_by("evil", 4)
        assert server.counts["/idp.xml"] == 3
        server.documents["/idp.xml"] = Reply(503)
        house.clock.now += 60
        with pytest.raises(SignInRefusedError):
            await signed_by("evil", 5)
        await signed_by("next", 6)
        assert set(house.reasons()) == {"signature"}


async def test_a_provider_that_wants_signed_requests_gets_them_with_the_key_of_our_metadata(
    house: SignInRoom, tmp_path: Path
) -> None:
    before = etree.fromstring(await house.service.saml_metadata("company"))
    (tmp_path / "idp.xml").write_text(metadata_xml(role=' WantAuthnRequestsSigned="true"'))
    house.providers.put_in_force(())
    url, other = await asyncio.gather(house.browser().begin(), house.browser().begin("other"))
    ours = etree.fromstring(await house.service.saml_metadata("company"))
    assert [each[0].get("AuthnRequestsSigned") for each in (before, ours)] == ["false", "true"]
    certificates = ["".join(each.itertext("{*}X509Certificate")) for each in (before, ours)]
    assert len(set(certificates)) == 1
    key = load_der_x509_certificate(b64decode(certificates[0])).public_key()
    assert isinstance(key, RSAPublicKey)
    for sent in (url, other):
        signed, _, _ = sent.partition("?")[2].partition("&Signature=")
        key.verify(b64decode(parameters_of(sent)["Signature"]), signed.encode(), PKCS1v15(), SHA256())
    browser = house.browser()
    request, relay_state = request_of(await browser.begin())
    assert (await bring(browser, answer_to(request, house), relay_state)).user.name == "ann@example.com"


async def test_our_metadata_is_there_before_the_providers_is(house: SignInRoom, tmp_path: Path) -> None:
    (tmp_path / "idp.xml").unlink()
    house.providers.put_in_force(())
    assert b'AuthnRequestsSigned="false"' in await house.service.saml_metadata("company")
    with pytest.raises(NotFoundError):
        await house.service.saml_metadata("unknown")


async def test_no_provider_is_asked_at_sign_out(house: SignInRoom) -> None:
    browser = house.browser()
    await sign_in(browser)
    assert await house.service.sign_out(browser.cookie) is None
    assert await house.visitor(browser.cookie) is None


async def test_a_file_that_is_gone_lets_nobody_in(house: SignInRoom, tmp_path: Path) -> None:
    (tmp_path / "idp.xml").unlink()
    house.providers.put_in_force(())
    with pytest.raises(Exception) as failure:
        await house.browser().begin()
    assert not isinstance(failure.value, UnreachableError | SignInRefusedError)
    assert house.reasons()[0].startswith("provider_")
