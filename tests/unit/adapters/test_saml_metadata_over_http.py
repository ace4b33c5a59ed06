"""SAML metadata by address or file: read again often enough for a new certificate, used on while nobody answers."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.adapters.identity_providers import IdentityProviderBook
from ostiary.identity.saml.instants import format_instant
from ostiary.model.errors import OperatorError, UnreachableError
from support.http_server import Reply
from support.oidc_provider import OidcProvider
from support.providers import Turned, a_book, a_saml_issuer
from support.saml_idp import metadata_xml, pair

DAY_S = 86_400.0


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    running = OidcProvider(algorithm="ES256")
    yield running
    running.close()


@pytest.fixture
def clock() -> Turned:
    return Turned(time.time())


@pytest.fixture
def book(clock: Turned) -> IdentityProviderBook:
    return a_book(clock)


def publish(provider: OidcProvider, xml: str, *headers: tuple[str, str]) -> None:
    provider.documents["/idp.xml"] = Reply(
        body=xml.encode(), content_type="application/samlmetadata+xml", headers=headers
    )


async def test_a_new_certificate_is_known_within_the_hour(
    provider: OidcProvider, book: IdentityProviderBook, clock: Turned
) -> None:
    issuer = a_saml_issuer(metadata_url=f"{provider.url}/idp.xml")
    publish(provider, metadata_xml(), ("Cache-Control", "max-age=999999"))
    assert (await book.saml(issuer)).certificates == (pair().der,)
    publish(provider, metadata_xml(pair(), pair("next")))
    clock.now += 3599
    assert len((await book.saml(issuer)).certificates) == 1
    clock.now += 1
    assert (await book.saml(issuer)).certificates == (pair().der, pair("next").der)
    assert provider.counts["/idp.xml"] == 2


@pytest.mark.parametrize("has_end", [True, False])
async def test_it_is_used_on_while_nobody_answers_until_it_is_over(
    provider: OidcProvider, book: IdentityProviderBook, clock: Turned, has_end: bool
) -> None:
    usable_s = 2 * DAY_S if has_end else 7 * DAY_S
    issuer = a_saml_issuer(metadata_url=f"{provider.url}/idp.xml")
    end = f' validUntil="{format_instant(clock.now + usable_s)}"' if has_end else ""
    publish(provider, metadata_xml(root=end))
    await book.saml(issuer)
    provider.documents["/idp.xml"] = Reply(503)
    clock.now += usable_s - 2
    await book.saml(issuer)
    clock.now += 2
    with pytest.raises(UnreachableError, match="SAML metadata of the identity provider `saml` cannot be had"):
        await book.saml(issuer)


async def test_metadata_that_ends_soon_is_fetched_when_it_is_over(
    provider: OidcProvider, book: IdentityProviderBook, clock: Turned
) -> None:
    issuer = a_saml_issuer(metadata_url=f"{provider.url}/idp.xml")
    publish(provider, metadata_xml(root=f' validUntil="{format_instant(clock.now + 5)}"'))
    await book.saml(issuer)
    clock.now += 6
    with pytest.raises(OperatorError, match="is over"):
        await book.saml(issuer)
    publish(provider, metadata_xml())
    clock.now += 10
    await book.saml(issuer)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(404), "HTTP 404"),
        (Reply(301, headers=(("Location", "http://169.254.169.254/"),)), "Redirects are not followed"),
        (Reply(body=b"<html>secret words</html>"), "EntityDescriptor"),
        (Reply(body=b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>'), "DOCTYPE or entities"),
        (Reply(endless=True), "larger than 1,048,576 bytes"),
    ],
)
async def test_metadata_that_is_none(
    provider: OidcProvider, book: IdentityProviderBook, reply: Reply, sentence: str
) -> None:
    provider.documents["/idp.xml"] = reply
    with pytest.raises(OperatorError) as caught:
        await book.saml(a_saml_issuer(metadata_url=f"{provider.url}/idp.xml"))
    assert sentence in str(caught.value)
    assert "secret words" not in str(caught.value)


async def test_a_file_is_read_again_when_it_changes(book: IdentityProviderBook, clock: Turned, tmp_path: Path) -> None:
    path = tmp_path / "idp.xml"
    issuer = a_saml_issuer(metadata_file=str(path))
    with pytest.raises(OperatorError, match="cannot be read: No such file"):
        await book.saml(issuer)
    path.write_text(metadata_xml())
    assert (await book.saml(issuer)).certificates == (pair().der,)
    path.write_text(metadata_xml(pair("next"), root=f' validUntil="{format_instant(clock.now + 60)}"'))
    assert (await book.saml(issuer)).certificates == (pair("next").der,)
    clock.now += 61
    with pytest.raises(OperatorError, match="over"):
        await book.saml(issuer)
