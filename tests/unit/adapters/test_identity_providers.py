"""Identity providers over HTTP: what they publish is theirs and safe to use, and their word reaches us as it is."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from ostiary.adapters.identity_providers import IdentityProviderBook
from ostiary.control.identity_ports import IdentityProviders
from ostiary.gateway.dialling import dial
from ostiary.model.errors import OperatorError, ProviderRefusedError, SecretUnavailableError, UnreachableError
from support.http_server import Reply
from support.oidc_provider import OidcProvider, Person, challenge_of
from support.providers import Secrets, Turned, a_book, a_workload_issuer, an_issuer

VERIFIER = "v" * 43
BACK = "https://ostiary.test/sign-in/company/callback"
DAY_S = 86_400.0


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    running = OidcProvider(path="/tenants/one", algorithm="ES256")
    yield running
    running.close()


@pytest.fixture
def clock() -> Turned:
    return Turned(time.time())


@pytest.fixture
def book(clock: Turned) -> IdentityProviderBook:
    return a_book(clock)


def authorization_url(provider: OidcProvider, scope: str = "openid email groups") -> str:
    parameters = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": BACK,
        "scope": scope,
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    return f"{provider.issuer}/authorize?{urlencode(parameters)}"


async def code_form(provider: OidcProvider) -> dict[str, str]:
    back = await asyncio.to_thread(provider.sign_in, authorization_url(provider))
    code = parse_qs(urlsplit(back).query)["code"][0]
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}


def test_it_is_what_the_use_cases_ask_for(book: IdentityProviderBook) -> None:
    typed: IdentityProviders = book
    assert typed is book


# -- discovery ---------------------------------------------------------------------------------------------------


async def test_discovery_is_fetched_once_and_kept(provider: OidcProvider, book: IdentityProviderBook) -> None:
    issuer = an_issuer(provider)
    found = await asyncio.gather(*(book.metadata(issuer) for _ in range(20)))
    assert found[0]["token_endpoint"] == f"{provider.issuer}/token"
    assert provider.counts["discovery"] == 1


async def test_an_issuer_with_a_slash_at_its_end(book: IdentityProviderBook) -> None:
    provider = OidcProvider(path="/", algorithm="ES256")
    try:
        provider.documents["/.well-known/openid-configuration"] = provider._discovery(None)  # type: ignore[arg-type]
        assert (await book.metadata(an_issuer(provider)))["issuer"].endswith("/")
    finally:
        provider.close()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"issuer": "https://evil.test"}, "of another issuer"),
        ({"issuer": None}, "of another issuer"),
        ({"issuer": ["x"]}, "of another issuer"),
        ({"issuer": "https://login.test/{tenantid}/v2.0"}, "every tenant"),
        ({"token_endpoint": None}, "does not name its token_endpoint"),
        ({"jwks_uri": None}, "does not name its jwks_uri"),
        ({"jwks_uri": "http://idp.test/keys"}, "jwks_uri cannot be used. It is not https"),
        ({"jwks_uri": 5}, "jwks_uri cannot be used. It is not a plain https URL"),
        ({"token_endpoint": "file:///etc/passwd"}, "token_endpoint cannot be used"),
        ({"token_endpoint": "https://a@idp.test/"}, "token_endpoint cannot be used"),
        ({"token_endpoint": "https://idp.test/\r\nX: y"}, "token_endpoint cannot be used"),
        ({"token_endpoint": "https://idp.test/#x"}, "token_endpoint cannot be used"),
        ({"token_endpoint": "https://idp.test:99999/"}, "above 65535"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint cannot be used"),
        ({"userinfo_endpoint": "http://10.0.0.1/"}, "userinfo_endpoint cannot be used. It is not https"),
        ({"end_session_endpoint": "https://0x7f.1/"}, "odd spelling"),
        ({"end_session_endpoint": "https://2130706433/"}, "odd spelling"),
    ],
)
async def test_a_discovery_document_that_is_not_to_be_trusted(
    provider: OidcProvider, book: IdentityProviderBook, changes: dict[str, Any], sentence: str
) -> None:
    provider.discovery.update(changes)
    with pytest.raises(OperatorError) as caught:
        await book.metadata(an_issuer(provider))
    assert str(caught.value).startswith("The discovery document of the identity provider `company` makes no sense.")
    assert sentence in str(caught.value)
    assert "evil" not in str(caught.value)


async def test_a_slash_too_many_is_named(provider: OidcProvider, book: IdentityProviderBook) -> None:
    provider.discovery["issuer"] = f"{provider.issuer}/"
    with pytest.raises(OperatorError, match="a slash at its end"):
        await book.metadata(an_issuer(provider))


@pytest.mark.parametrize(
    ("reply", "kind", "sentence"),
    [
        (Reply(500), UnreachableError, "HTTP 500"),
        (Reply(429), UnreachableError, "HTTP 429"),
        (Reply(404, b"secret words"), OperatorError, "HTTP 404"),
        (Reply(302, headers=(("Location", "http://169.254.169.254/"),)), OperatorError, "Redirects are not followed"),
        (Reply(body=b"<html>secret words"), OperatorError, "not JSON"),
        (Reply(body=b'["secret words"]'), OperatorError, "not a JSON object"),
        (Reply(body=b"[" * 100_000), OperatorError, "not JSON"),
        (Reply(body=b" " * 2_000_000), OperatorError, "larger than 1,048,576 bytes"),
        (Reply(endless=True), OperatorError, "larger than 1,048,576 bytes"),
        (Reply(raw=b"SSH-2.0 secret words\r\n"), UnreachableError, "does not answer in HTTP"),
    ],
)
async def test_an_answer_that_is_none(
    provider: OidcProvider, book: IdentityProviderBook, reply: Reply, kind: type[OperatorError], sentence: str
) -> None:
    provider.faults["discovery"] = reply
    with pytest.raises(kind) as caught:
        await book.metadata(an_issuer(provider))
    assert "`company`" in str(caught.value)
    assert sentence in str(caught.value)
    assert "secret words" not in str(caught.value)
    assert provider.counts["discovery"] == 1


async def test_a_provider_that_is_not_there(book: IdentityProviderBook) -> None:
    gone = OidcProvider(algorithm="ES256")
    gone.close()
    with pytest.raises(UnreachableError, match="does not accept connections"):
        await book.metadata(an_issuer(gone))


async def test_a_loopback_provider_takes_allow_private(provider: OidcProvider, book: IdentityProviderBook) -> None:
    with pytest.raises(UnreachableError, match="not allowed here"):
        await book.metadata(an_issuer(provider, allow_private=False))
    assert provider.requests == []


# -- keys --------------------------------------------------------------------------------------------------------


async def test_a_new_key_is_known_after_a_minute(
    provider: OidcProvider, book: IdentityProviderBook, clock: Turned
) -> None:
    issuer = an_issuer(provider)
    assert book.known_keys(issuer) is None
    old = provider.keys[0].kid
    assert old is not None
    assert (await book.keys(issuer, old)).knows(old)
    provider.rotate_keys()
    new = provider.keys[0].kid
    assert new is not None
    assert not (await book.keys_for(issuer, provider.sign({"iss": provider.issuer}))).knows(new)
    clock.now += 60
    found = await book.keys_for(issuer, provider.sign({"iss": provider.issuer}))
    assert found.knows(new)
    assert not found.knows(old)
    assert book.known_keys(issuer) is found
    assert (provider.counts["keys"], provider.counts["discovery"]) == (2, 1)


async def test_other_keys_than_before_are_told_once_whoever_fetched_them(provider: OidcProvider, clock: Turned) -> None:
    told: list[float] = []
    book = IdentityProviderBook(dial, Secrets(idp="the-client-secret"), clock, lambda: told.append(clock.now))
    issuer = an_issuer(provider)
    for _ in range(3):  # the same keys, fetched again
        await book.keys(issuer, None)
        clock.now += 3600
    assert (provider.counts["keys"], told) == (3, [])
    provider.rotate_keys(keep_old=True)
    await book.keys(issuer, None)
    assert len(told) == 1
    provider.keys.pop()
    clock.now += 3600
    await book.keys(issuer, None)
    assert book.known_keys(issuer) is not None
    assert len(told) == 2
    await book.apart().keys(issuer, None)
    assert len(told) == 2


async def test_other_keys_in_a_file_are_told(provider: OidcProvider, clock: Turned, tmp_path: Path) -> None:
    told: list[float] = []
    book = IdentityProviderBook(dial, Secrets(), clock, lambda: told.append(clock.now))
    path = tmp_path / "keys.json"
    issuer = a_workload_issuer(provider, keys_file=str(path))
    for number in range(2):
        path.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in provider.keys], "number": number}))
        await book.keys(issuer, None)
    assert told == []
    provider.rotate_keys()
    path.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in provider.keys], "more": True}))
    await book.keys(issuer, None)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("told", "fresh_s"),
    [
        ("max-age=1800", 1800),
        ("public, MAX-AGE=7200, must-revalidate", 7200),
        ("max-age=1", 300),
        ("max-age=0", 300),
        ("no-store", 300),
        ("no-cache", 300),
        ("max-age=99999999", DAY_S),
        ("max-age=-5", 3600),
        ("max-age=" + "9" * 5000, 3600),
        ("max-age=tomorrow", 3600),
        ("", 3600),
    ],
)
async def test_keys_are_kept_as_long_as_the_provider_says_within_bounds(
    provider: OidcProvider, book: IdentityProviderBook, clock: Turned, told: str, fresh_s: float
) -> None:
    provider.key_headers = (("Cache-Control", told),)
    issuer = an_issuer(provider)
    await book.keys(issuer, None)
    clock.now += fresh_s - 1
    await book.keys(issuer, None)
    assert book.known_keys(issuer) is not None
    assert provider.counts["keys"] == 1
    clock.now += 1
    assert book.known_keys(issuer) is None
    await book.keys(issuer, None)
    assert provider.counts["keys"] == 2


@pytest.mark.parametrize("reply", [Reply(500), Reply(404), Reply(body=b"<html>"), Reply(body=b'{"keys": 1}')])
async def test_keys_outlive_a_provider_that_fails_by_a_day(
    provider: OidcProvider, book: IdentityProviderBook, clock: Turned, reply: Reply
) -> None:
    issuer = an_issuer(provider)
    kept = await book.keys(issuer, None)
    provider.faults["keys"] = reply
    clock.now += DAY_S - 1
    assert await book.keys(issuer, None) is kept
    assert book.known_keys(issuer) is kept
    clock.now += 1
    assert book.known_keys(issuer) is None
    with pytest.raises(OperatorError):
        await book.keys(issuer, None)


async def test_what_an_issuer_publishes_is_kept_over_a_new_configuration_that_leaves_it(
    provider: OidcProvider, book: IdentityProviderBook
) -> None:
    issuer = an_issuer(provider)
    kept = await book.keys(issuer, None)
    book.put_in_force([replace(issuer)])
    assert book.known_keys(issuer) is kept
    book.put_in_force([replace(issuer, allow_private=False)])
    assert book.known_keys(issuer) is None


async def test_workload_keys_by_discovery_and_by_address(provider: OidcProvider, book: IdentityProviderBook) -> None:
    kid = provider.keys[0].kid
    assert kid is not None
    assert (await book.keys(a_workload_issuer(provider), kid)).knows(kid)
    direct = a_workload_issuer(provider, name="direct", issuer="spiffe", keys_url=f"{provider.issuer}/keys")
    assert (await book.keys(direct, kid)).knows(kid)
    assert provider.counts == {"discovery": 1, "keys": 2}
    assert book.clock_difference_s(direct) == pytest.approx(0, abs=2)


async def test_workload_keys_from_a_file_are_read_again_when_it_changes(
    provider: OidcProvider, book: IdentityProviderBook, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(provider.public_keys))
    issuer = a_workload_issuer(provider, keys_file=str(path))
    assert book.known_keys(issuer) is None
    first = await book.keys(issuer, "nobody-knows")
    assert book.known_keys(issuer) is first
    provider.rotate_keys()
    path.write_text(json.dumps(provider.public_keys) + " ")
    assert book.known_keys(issuer) is None
    kid = provider.keys[0].kid
    assert kid is not None
    assert (await book.keys(issuer, kid)).knows(kid)
    assert provider.requests == []
    path.write_text("not json")
    with pytest.raises(OperatorError, match=r"key set of the identity provider `ci` makes no sense\. It is not JSON"):
        await book.keys(issuer, kid)
    path.unlink()
    assert book.known_keys(issuer) is None
    with pytest.raises(OperatorError, match="cannot be read: No such file"):
        await book.keys(issuer, kid)


# -- tokens ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ways", "uses_header"),
    [
        (None, True),
        (["client_secret_basic"], True),
        (["client_secret_post"], False),
        (["private_key_jwt", "client_secret_post", "client_secret_basic"], True),
    ],
)
@pytest.mark.parametrize("secret", ["the-client-secret", "a:b c%&=+/~ü".replace("ü", "u")])
async def test_a_code_becomes_tokens(
    provider: OidcProvider, clock: Turned, ways: list[str] | None, uses_header: bool, secret: str
) -> None:
    provider.client_secret = secret
    provider.discovery["token_endpoint_auth_methods_supported"] = ways
    got = await a_book(clock, secret=secret).token(an_issuer(provider), await code_form(provider))
    assert got["token_type"] == "Bearer"
    request = provider.of_name("token")[0]
    assert ("authorization" in request.headers) is uses_header
    assert ("client_secret" in request.form) is not uses_header


async def test_a_public_client_has_no_secret(book: IdentityProviderBook) -> None:
    provider = OidcProvider(client_secret=None, algorithm="ES256")
    try:
        assert "id_token" in await book.token(an_issuer(provider), await code_form(provider))
        request = provider.of_name("token")[0]
        assert "authorization" not in request.headers
        assert request.form["client_id"] == "ostiary"
    finally:
        provider.close()


async def test_a_provider_that_takes_no_secret(provider: OidcProvider, book: IdentityProviderBook) -> None:
    provider.discovery["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]
    with pytest.raises(OperatorError, match="does not let clients prove themselves by a secret"):
        await book.token(an_issuer(provider), {"grant_type": "refresh_token"})


async def test_no_is_an_answer_with_its_code(provider: OidcProvider, book: IdentityProviderBook, clock: Turned) -> None:
    issuer = an_issuer(provider)
    with pytest.raises(ProviderRefusedError) as caught:
        await book.token(issuer, {"grant_type": "refresh_token", "refresh_token": "wrong"})
    assert caught.value.error == "invalid_grant"
    with pytest.raises(ProviderRefusedError) as caught:
        await a_book(clock, secret="another-secret").token(issuer, {"grant_type": "refresh_token"})
    assert caught.value.error == "invalid_client"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(500, b'{"error": "invalid_grant"}'), UnreachableError),
        (Reply(503), UnreachableError),
        (Reply(429, b'{"error": "slow_down"}'), UnreachableError),
        (Reply(400, b"secret words"), OperatorError),
        (Reply(400, b'{"error": "Secret Words <script>"}'), OperatorError),
        (Reply(400, b'{"error": 5}'), OperatorError),
        (Reply(302, b'{"error": "invalid_grant"}', (("Location", "http://127.0.0.1/"),)), OperatorError),
        (Reply(200, b"secret words"), OperatorError),
    ],
)
async def test_what_is_no_refusal_ends_nobodys_access(
    provider: OidcProvider, book: IdentityProviderBook, reply: Reply, kind: type[OperatorError]
) -> None:
    provider.faults["token"] = reply
    with pytest.raises(kind) as caught:
        await book.token(an_issuer(provider), {"grant_type": "refresh_token", "refresh_token": "x"})
    assert "token endpoint of the identity provider `company`" in str(caught.value)
    assert "ecret" not in str(caught.value)


async def test_an_error_with_status_200_is_a_refusal(provider: OidcProvider, book: IdentityProviderBook) -> None:
    provider.faults["token"] = Reply(200, b'{"error": "invalid_grant"}')
    with pytest.raises(ProviderRefusedError):
        await book.token(an_issuer(provider), {"grant_type": "refresh_token"})


async def test_a_secret_that_cannot_be_had(provider: OidcProvider, book: IdentityProviderBook) -> None:
    issuer = an_issuer(provider, client_secret="none-such")
    with pytest.raises(SecretUnavailableError):
        await book.token(issuer, {"grant_type": "refresh_token"})
    with pytest.raises(SecretUnavailableError):
        await book.check_secret(issuer)
    assert provider.counts["token"] == 0


async def test_a_refresh_token_is_given_back(provider: OidcProvider, book: IdentityProviderBook) -> None:
    issuer = an_issuer(provider)
    got = await book.token(issuer, await code_form(provider))
    await book.revoke(issuer, got["refresh_token"])
    with pytest.raises(ProviderRefusedError):
        await book.token(issuer, {"grant_type": "refresh_token", "refresh_token": got["refresh_token"]})


async def test_without_a_revocation_endpoint_nothing_is_given_back(
    provider: OidcProvider, book: IdentityProviderBook
) -> None:
    provider.discovery["revocation_endpoint"] = None
    await book.revoke(an_issuer(provider), "x")
    assert provider.counts == {"discovery": 1}


# -- userinfo ----------------------------------------------------------------------------------------------------


async def test_userinfo(provider: OidcProvider, book: IdentityProviderBook) -> None:
    provider.person = Person("u-7", groups=("eng", "ops"))
    issuer = an_issuer(provider)
    got = await book.token(issuer, await code_form(provider))
    assert (await book.userinfo(issuer, got["access_token"]))["groups"] == ["eng", "ops"]
    provider.withdraw("u-7")
    with pytest.raises(ProviderRefusedError) as caught:
        await book.userinfo(issuer, got["access_token"])
    assert caught.value.error == "invalid_token"


@pytest.mark.parametrize("token", ["a\r\nX: y", "a b", "", "ü", "a" * 20_000])
async def test_an_access_token_that_would_break_the_request(
    provider: OidcProvider, book: IdentityProviderBook, token: str
) -> None:
    with pytest.raises(OperatorError):
        await book.userinfo(an_issuer(provider), token)
    assert provider.counts["userinfo"] == 0


async def test_signed_userinfo(provider: OidcProvider, book: IdentityProviderBook) -> None:
    issuer = an_issuer(provider)
    claims = {"iss": provider.issuer, "aud": provider.client_id, "sub": "u-1", "groups": ["a"]}

    def signed(**changes: Any) -> Reply:
        return Reply(body=provider.sign({**claims, **changes}).encode(), content_type="application/jwt")

    provider.faults["userinfo"] = signed()
    assert (await book.userinfo(issuer, "x"))["groups"] == ["a"]
    head, _, tail = signed().body.partition(b".")
    for wrong in (
        signed(aud="another"),
        signed(iss="https://another.test"),
        replace(signed(), body=head + b"." + base64.urlsafe_b64encode(b"{}") + b"." + tail.partition(b".")[2]),
        replace(signed(), body=b"\xff"),
    ):
        provider.faults["userinfo"] = wrong
        with pytest.raises(OperatorError, match="It is signed, and"):
            await book.userinfo(issuer, "x")


async def test_the_difference_of_the_clocks(provider: OidcProvider, book: IdentityProviderBook) -> None:
    issuer = an_issuer(provider)
    assert book.clock_difference_s(issuer) is None
    provider.date_skew_s = 120
    await book.metadata(issuer)
    assert book.clock_difference_s(issuer) == pytest.approx(120, abs=2)
