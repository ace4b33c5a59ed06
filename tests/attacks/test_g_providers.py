"""G: whoever controls a token or what a provider answers makes us fetch neither without end nor elsewhere."""

import asyncio
import contextlib
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from ostiary.adapters.identity_providers import IdentityProviderBook
from ostiary.gateway.dialling import dial
from ostiary.model.connection import Upstream
from ostiary.model.errors import OperatorError, OstiaryError
from ostiary.model.issuer import OidcIssuer, SamlIssuer
from support.http_server import Reply
from support.oidc_provider import OidcProvider
from support.providers import Turned, a_book, an_issuer
from support.raw_upstream import RawUpstream

FLOOD = 10_000
PUBLIC = "idp.localhost"

ELSEWHERE = (
    "https://169.254.169.254/latest/meta-data/",
    "https://[::ffff:169.254.169.254]/latest/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://172.16.0.1:8443/",
    "https://[fd12::1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://0.0.0.0/",
    "https://127.0.0.1:{trap}/",
    "https://localhost:{trap}/",
    "http://127.0.0.1:{trap}/",
    "http://[::1]:{trap}/",
    "http://localhost:{trap}/",
)
UNREADABLE = (
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://127.1/",
    "https://0177.0.0.1/",
    "https://idp.test@127.0.0.1:{trap}/",
    "https://127.0.0.1:{trap}\\@idp.test/",
    "https://127.0.0.1:{trap}#@idp.test/",
    "https://idp.test/\r\nHost: 127.0.0.1",
    "https://idp.test/ HTTP/1.1\r\n\r\nGET /",
    "https://127。0。0。1/",
    "https:/127.0.0.1:{trap}/",
    "//127.0.0.1:{trap}/",
    "gopher://127.0.0.1:{trap}/_GET",
    "file:///etc/passwd",
    "unix:/run/docker.sock",
    "HTTPS://10.0.0.1/",
    {"url": "https://10.0.0.1/"},
    ["https://10.0.0.1/"],
    1,
    True,
    "",
    "https://" + "a" * 5000 + ".test/",
)


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    running = OidcProvider(algorithm="ES256")
    yield running
    running.close()


@pytest.fixture
def trap() -> Iterator[RawUpstream]:
    """Nobody may come here."""
    server = RawUpstream()
    yield server
    server.close()
    assert server.connections == 0


@pytest.fixture
def clock() -> Turned:
    return Turned(time.time())


async def _dial_with_a_public_name(
    to: Upstream, *, allow_private: bool, ca_file: str | None
) -> tuple[StreamReader, StreamWriter]:
    """`idp.localhost` stands for a host on the internet; whatever else is dialled is judged as it is."""
    if to.host == PUBLIC:
        to, allow_private = replace(to, host="127.0.0.1"), True
    return await dial(to, allow_private=allow_private, ca_file=ca_file)


def published(provider: OidcProvider) -> OidcIssuer:
    """The provider under its public name, so that private addresses need not be allowed."""
    name = provider.url.replace("127.0.0.1", PUBLIC)
    provider.discovery.update(
        {
            "issuer": name,
            **{
                member: f"{name}/{path}"
                for member, path in {
                    "authorization_endpoint": "authorize",
                    "token_endpoint": "token",
                    "userinfo_endpoint": "userinfo",
                    "jwks_uri": "keys",
                    "revocation_endpoint": "revoke",
                    "end_session_endpoint": "end-session",
                }.items()
            },
        }
    )
    return OidcIssuer("company", name, "ostiary", "idp", algorithms=("ES256",))


# -- G06 ---------------------------------------------------------------------------------------------------------


async def _flood(book: IdentityProviderBook, issuer: OidcIssuer, at_once: bool) -> None:
    asking = (book.keys(issuer, f"odd-{number}") for number in range(FLOOD))
    if at_once:
        await asyncio.gather(*asking, return_exceptions=True)
    else:
        for each in asking:
            with contextlib.suppress(OperatorError):
                await each


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_G06_a_flood_of_odd_kids_fetches_keys_once_a_minute(
    provider: OidcProvider, clock: Turned, at_once: bool
) -> None:
    async def attack() -> None:
        book, issuer = a_book(clock), an_issuer(provider)
        for minute in range(1, 4):
            await _flood(book, issuer, at_once)
            assert provider.counts["keys"] == minute
            clock.now += 59.9
            await _flood(book, issuer, at_once)
            assert provider.counts["keys"] == minute
            clock.now += 0.2
        assert provider.counts["discovery"] == 1
        assert (await book.keys(issuer, provider.keys[0].kid)).knows(str(provider.keys[0].kid))

    asyncio.run(attack())


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply(body=b"no"), Reply(body=b'{"keys": []}')], ids=["500", "no", "empty"]
)
def test_G06_neither_does_it_while_the_provider_fails(provider: OidcProvider, clock: Turned, reply: Reply) -> None:
    async def attack() -> None:
        book, issuer = a_book(clock), an_issuer(provider)
        await book.keys(issuer, None)
        provider.faults["keys"] = reply
        clock.now += 61
        await _flood(book, issuer, at_once=False)
        assert provider.counts["keys"] == 2

    asyncio.run(attack())


def test_G06_whoever_leaves_at_once_keeps_nobody_from_new_keys(provider: OidcProvider, clock: Turned) -> None:
    async def attack() -> None:
        book, issuer = a_book(clock), an_issuer(provider)
        await book.keys(issuer, None)
        provider.rotate_keys()
        clock.now += 61
        kid = str(provider.keys[0].kid)
        leaving = [asyncio.create_task(book.keys(issuer, f"odd-{number}")) for number in range(100)]
        await asyncio.sleep(0)
        for each in leaving:
            each.cancel()
        assert (await book.keys(issuer, kid)).knows(kid)
        assert provider.counts["keys"] == 2

    asyncio.run(attack())


@pytest.mark.parametrize(
    "header", ["", "e30", "!!", "x" * 100_000, "eyJraWQiOjF9", "eyJraWQiOm51bGx9", "W10", "ü", "\0", "e" * 5]
)
def test_G05_a_header_that_names_no_kid_fetches_nothing(provider: OidcProvider, clock: Turned, header: str) -> None:
    async def attack() -> None:
        book, issuer = a_book(clock), an_issuer(provider)
        await book.keys(issuer, None)
        clock.now += 61
        await book.keys_for(issuer, f"{header}.e30.x")
        assert provider.counts["keys"] == 1

    asyncio.run(attack())


# -- where an answer leads ---------------------------------------------------------------------------------------

Use = Callable[[IdentityProviderBook, OidcIssuer], Awaitable[object]]
USES: dict[str, Use] = {
    "jwks_uri": lambda book, issuer: book.keys(issuer, None),
    "token_endpoint": lambda book, issuer: book.token(issuer, {"grant_type": "refresh_token"}),
    "userinfo_endpoint": lambda book, issuer: book.userinfo(issuer, "token"),
    "revocation_endpoint": lambda book, issuer: book.revoke(issuer, "token"),
}


def _refused(provider: OidcProvider, clock: Turned, member: str, url: Any) -> str:
    book = a_book(clock, _dial_with_a_public_name)
    issuer = published(provider)
    provider.discovery[member] = url
    with pytest.raises(OperatorError) as caught:
        asyncio.run(asyncio.wait_for(USES[member](book, issuer), 5))  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("member", USES)
@pytest.mark.parametrize("url", ELSEWHERE)
def test_G_a_discovered_address_leads_to_no_private_one(
    provider: OidcProvider, trap: RawUpstream, clock: Turned, member: str, url: str
) -> None:
    assert "not allowed here" in _refused(provider, clock, member, url.format(trap=trap.port))


@pytest.mark.parametrize("member", USES)
@pytest.mark.parametrize("url", UNREADABLE, ids=range(len(UNREADABLE)))
def test_G_a_discovered_address_that_two_could_read_differently_is_not_used(
    provider: OidcProvider, trap: RawUpstream, clock: Turned, member: str, url: Any
) -> None:
    text = url.format(trap=trap.port) if isinstance(url, str) else url
    sentence = _refused(provider, clock, member, text)
    assert "cannot be used" in sentence or "not allowed here" in sentence or "does not resolve" in sentence
    assert provider.counts == {"discovery": 1}


def test_G_metadata_addresses_stay_closed_where_private_ones_are_open(provider: OidcProvider, clock: Turned) -> None:
    provider.discovery["jwks_uri"] = "https://169.254.169.254/latest/meta-data/iam/security-credentials/"
    with pytest.raises(OperatorError, match="not allowed here"):
        asyncio.run(a_book(clock).keys(an_issuer(provider), None))


def test_G_an_https_issuer_is_not_led_to_plain_http(provider: OidcProvider, clock: Turned) -> None:
    """With the secret and the code on the way there."""
    from ostiary.adapters.identity_providers.discovery import checked_discovery

    secure = OidcIssuer("company", "https://idp.test", "ostiary")
    document = {
        "issuer": "https://idp.test",
        "authorization_endpoint": "https://idp.test/a",
        "token_endpoint": "http://127.0.0.1:80/token",
        "jwks_uri": "https://idp.test/keys",
    }
    with pytest.raises(OperatorError, match="token_endpoint is not https"):
        checked_discovery(secure, document)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("what", ["discovery", "keys", "token", "userinfo"])
def test_G_a_redirect_is_not_followed(
    provider: OidcProvider, trap: RawUpstream, clock: Turned, what: str, status: int
) -> None:
    book, issuer = a_book(clock), an_issuer(provider)
    provider.faults[what] = Reply(status, headers=(("Location", f"http://127.0.0.1:{trap.port}/latest/meta-data/"),))
    uses: dict[str, Awaitable[object]] = {
        "discovery": book.metadata(issuer),
        "keys": book.keys(issuer, None),
        "token": book.token(issuer, {"grant_type": "refresh_token", "refresh_token": "x"}),
        "userinfo": book.userinfo(issuer, "token"),
    }

    async def attack() -> None:
        with pytest.raises(OperatorError, match="Redirects are not followed"):
            await uses.pop(what)
        for rest in uses.values():
            rest.close()  # type: ignore[attr-defined]

    asyncio.run(attack())


def test_G_saml_metadata_leads_nowhere_else(provider: OidcProvider, trap: RawUpstream, clock: Turned) -> None:
    book = a_book(clock, _dial_with_a_public_name)
    for url in (*ELSEWHERE, *(url for url in UNREADABLE if isinstance(url, str))):
        issuer = SamlIssuer("saml", metadata_url=url.format(trap=trap.port))
        with pytest.raises(OperatorError):
            asyncio.run(asyncio.wait_for(book.saml(issuer), 5))


# -- what an answer holds ----------------------------------------------------------------------------------------

MARK = "Zq7-words-of-the-body"
HOSTILE: dict[str, bytes] = {
    "not JSON": f"<html>{MARK}".encode(),
    "a list": f'["{MARK}"]'.encode(),
    "a text": f'"{MARK}"'.encode(),
    "deep": b'{"issuer":' + b"[" * 200_000,
    "many members": b"{" + b",".join(b'"%d":1' % number for number in range(80_000)) + b"}",
    "a long issuer": b'{"issuer":"' + b"h" * 900_000 + b'"}',
    "no UTF-8": b'{"issuer":"\xff\xfe"}',
    "a lone surrogate": b'{"issuer":"\\ud800"}',
    "twice": f'{{"issuer":"{MARK}","issuer":"{MARK}"}}'.encode(),
    "a huge number": b'{"issuer":' + b"9" * 500_000 + b"}",
    "not a number": b'{"issuer":NaN}',
    "nothing": b"",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=list(HOSTILE))
@pytest.mark.parametrize("what", ["discovery", "keys"])
def test_G_a_hostile_body_is_a_sentence_without_it(
    provider: OidcProvider, clock: Turned, what: str, body: bytes
) -> None:
    provider.faults[what] = Reply(body=body)
    started = time.monotonic()
    with pytest.raises(OstiaryError) as caught:
        asyncio.run(a_book(clock).keys(an_issuer(provider), "kid"))
    assert "`company`" in str(caught.value)
    assert MARK not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert caught.value.__cause__ is None
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("what", ["discovery", "keys", "token", "userinfo"])
@pytest.mark.parametrize(
    "reply",
    [Reply(body=b"{" * 400, drip_s=0.01), Reply(delay_s=30), Reply(endless=True), Reply(body=b" " * 5_000_000)],
    ids=["drip", "silence", "endless", "large"],
)
def test_G_an_answer_without_end_ends(
    provider: OidcProvider, clock: Turned, monkeypatch: pytest.MonkeyPatch, what: str, reply: Reply
) -> None:
    monkeypatch.setattr("ostiary.adapters.identity_providers.asking.DEADLINE_S", 0.3)
    provider.faults[what] = reply
    book, issuer = a_book(clock), an_issuer(provider)

    async def attack() -> None:
        with pytest.raises(OperatorError, match=r"larger than 1,048,576 bytes|within 0\.3 seconds"):
            await {
                "discovery": lambda: book.metadata(issuer),
                "keys": lambda: book.keys(issuer, None),
                "token": lambda: book.token(issuer, {"grant_type": "refresh_token"}),
                "userinfo": lambda: book.userinfo(issuer, "token"),
            }[what]()

    started = time.monotonic()
    asyncio.run(attack())
    assert time.monotonic() - started < 5
