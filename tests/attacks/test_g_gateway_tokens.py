"""G03-G09 on the gateway: tokens of other issuers, each wrong in one way, and tokens bound to their sender."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.http_server import Reply as HttpReply
from support.oidc_provider import OidcProvider, oidc_provider
from support.raw_client import RawClient, Reply, request
from support.raw_upstream import OK, Answer
from support.scene import Scene


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider() as running:
        yield running


@pytest.fixture
def trusting(scene: Scene, provider: OidcProvider) -> Scene:
    """The scene's connection for jobs of one repository, whose tokens the provider signs."""
    scene.installation.apply(
        {
            "identity": {"issuers": [{"name": "forge", "workload": described(provider)}]},
            "rules": [
                {
                    "name": f"deploys {scene.name}",
                    "who": {"services": ["deploy"]},
                    "on": [scene.connection["http"]],
                    "effect": "allow",
                }
            ],
        }
    )
    return scene


def described(provider: OidcProvider) -> dict[str, Any]:
    return {
        "issuer": provider.issuer,
        "audience": "ostiary",
        "allow_private": True,
        "accepts": [{"service": "deploy", "claims": {"repository": "acme/api", "ref": "refs/heads/*"}}],
    }


def claims(provider: OidcProvider, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": provider.issuer,
        "aud": "ostiary",
        "sub": "repo:acme/api:ref:refs/heads/main",
        "repository": "acme/api",
        "ref": "refs/heads/main",
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def ask_with(scene: Scene, token: str, *, field: str = "Authorization: Bearer ") -> Reply:
    return scene.say(request("GET", scene.target("http"), [field + token], None))


def has_begun(client: RawClient) -> bool:
    """The head and the body's first bytes may come one after the other."""
    seen = client.some(5.0)
    return b"begun" in seen or b"begun" in client.some(5.0)


def test_a_job_comes_in_with_its_own_token_and_is_recorded_as_the_service(
    trusting: Scene, provider: OidcProvider
) -> None:
    reply = ask_with(trusting, provider.sign(claims(provider)))
    assert reply.status == 200, reply.raw[:300]
    exchange = reply.header("x-ostiary-exchange")[0].decode()
    (entry,) = [
        found
        for found in trusting.installation.entries(trusting.first_index)
        if found["type"] == "exchange.intent" and found["exchange"] == exchange
    ]
    assert (entry["actor"]["kind"], entry["actor"]["name"]) == ("service", "deploy")
    assert ask_with(trusting, provider.sign(claims(provider)), field="x-api-key: ").status == 200


def test_the_token_itself_goes_nowhere(trusting: Scene, provider: OidcProvider) -> None:
    token = provider.sign(claims(provider))
    assert ask_with(trusting, token).status == 200
    assert token.encode() not in b"".join(trusting.upstream.received)
    trusting.must_not_be_kept(token)


HOUR = 3600
WRONG: dict[str, Callable[[OidcProvider], str]] = {
    "another audience": lambda p: p.sign(claims(p, aud="somebody-else")),
    "no audience": lambda p: p.sign(claims(p, aud=None)),
    "another issuer": lambda p: p.sign(claims(p, iss="https://evil.example")),
    "expired": lambda p: p.sign(claims(p, iat=int(time.time()) - HOUR, exp=int(time.time()) - 120)),
    "not yet": lambda p: p.sign(claims(p, nbf=int(time.time()) + HOUR)),
    "no end": lambda p: p.sign(claims(p, exp=None)),
    "an end in words": lambda p: p.sign(claims(p, exp="9999999999")),
    "lives for years": lambda p: p.sign(claims(p, exp=int(time.time()) + 20_000 * HOUR)),
    "another repository": lambda p: p.sign(claims(p, repository="acme/api-evil")),
    "a repository in other case": lambda p: p.sign(claims(p, repository="Acme/API")),
    "no repository": lambda p: p.sign(claims(p, repository=None)),
    "a tag": lambda p: p.sign(claims(p, ref="refs/tags/v1")),
    "a key of somebody else": lambda p: p.sign(claims(p), key=OTHER.keys[0]),
    "a key of somebody else under the right kid": lambda p: p.sign(
        claims(p), header={"kid": p.keys[0].kid}, key=OTHER.keys[0]
    ),
    "no algorithm": lambda p: f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims(p))}.",
    "no signature": lambda p: p.sign(claims(p)).rpartition(".")[0] + ".",
    "a changed letter": lambda p: changed(p.sign(claims(p))),
    "claims exchanged": lambda p: exchanged(p),
}
OTHER = OidcProvider()


@pytest.fixture(scope="module", autouse=True)
def _close_other() -> Iterator[None]:
    yield
    OTHER.close()


def encoded(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def changed(token: str) -> str:
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature[:10]}{'A' if signature[10] != 'A' else 'B'}{signature[11:]}"


def exchanged(provider: OidcProvider) -> str:
    header, _, signature = provider.sign(claims(provider, repository="acme/other")).split(".")
    return f"{header}.{encoded(claims(provider))}.{signature}"


@pytest.mark.parametrize("how", sorted(WRONG))
def test_a_token_wrong_in_one_way_is_nobodys(trusting: Scene, provider: OidcProvider, how: str) -> None:
    assert ask_with(trusting, provider.sign(claims(provider))).status == 200
    trusting.upstream.forget()
    reply = ask_with(trusting, WRONG[how](provider))
    trusting.must_be_refused(reply, 401, code="token_unknown", closed=False)
    trusting.nothing_reached_upstream()


def test_a_right_token_of_somebody_who_never_signed_in_says_so_and_a_wrong_one_nothing(
    scene: Scene, provider: OidcProvider
) -> None:
    issuer = {"issuer": provider.issuer, "client_id": "ostiary", "accept_tokens_for": "ostiary", "allow_private": True}
    scene.installation.apply({"identity": {"issuers": [{"name": "corp", "oidc": issuer}]}})
    said = claims(provider, sub="u-77", client_id="some-tool", jti="1")
    reply = ask_with(scene, provider.sign(said, header={"typ": "at+jwt"}))
    scene.must_be_refused(reply, 401, code="token_unknown", closed=False)
    assert b"never signed in here" in reply.body
    assert b"ostiary login" in reply.body
    header = {"typ": "at+jwt", "kid": provider.keys[0].kid}
    for forged in (
        provider.sign(said, header=header, key=OTHER.keys[0]),
        provider.sign({**said, "aud": "somebody-else"}, header=header),
        provider.sign({**said, "exp": int(time.time()) - HOUR}, header=header),
    ):
        reply = ask_with(scene, forged)
        scene.must_be_refused(reply, 401, code="token_unknown", closed=False)
        assert b"never signed in" not in reply.body


def test_G06_a_flood_of_odd_keys_fetches_once_a_minute(trusting: Scene, provider: OidcProvider) -> None:
    ask_with(trusting, provider.sign(claims(provider)))
    before = provider.counts["keys"]
    for number in range(60):
        token = provider.sign(claims(provider), header={"kid": f"../../odd-{number}"})
        assert ask_with(trusting, token).status == 401
    assert provider.counts["keys"] - before <= 1


def test_G_an_issuer_that_is_no_longer_trusted_ends_what_runs(trusting: Scene, provider: OidcProvider) -> None:
    token = provider.sign(claims(provider))
    trusting.upstream.always = Answer((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun", 30.0), close=True)
    with trusting.client() as client:
        client.send(request("GET", trusting.target("http"), [f"Authorization: Bearer {token}"], None))
        assert has_begun(client)
        trusting.open()  # the scene's own configuration again, and nothing else
        seen, closed = client.until_close(5.0)
        assert closed, seen
    trusting.must_be_refused(ask_with(trusting, token), 401, code="token_unknown", closed=False)


def trust(scene: Scene, issuer: dict[str, Any]) -> None:
    scene.installation.apply({"identity": {"issuers": [{"name": "forge", "workload": issuer}]}})


OTHER_ENTRY = {"service": "review", "claims": {"repository": "acme/other"}}
NO_LONGER: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "its entry is gone": lambda issuer: {**issuer, "accepts": [OTHER_ENTRY]},
    "other claims": lambda issuer: {**issuer, "accepts": [{**issuer["accepts"][0], "claims": {"ref": "refs/tags/*"}}]},
    "other connections": lambda issuer: {**issuer, "accepts": [{**issuer["accepts"][0], "connections": ["none"]}]},
    "another service": lambda issuer: {**issuer, "accepts": [{**issuer["accepts"][0], "service": "review"}]},
    "another audience": lambda issuer: {**issuer, "audience": "somebody-else"},
    "another issuer": lambda issuer: {**issuer, "issuer": "https://127.0.0.1:9"},
}


@pytest.mark.parametrize("how", sorted(NO_LONGER))
def test_E23_a_job_that_is_accepted_no_more_loses_what_runs(trusting: Scene, provider: OidcProvider, how: str) -> None:
    token = provider.sign(claims(provider))
    trusting.upstream.always = Answer((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun", 30.0), close=True)
    with trusting.client() as client:
        client.send(request("GET", trusting.target("http"), [f"Authorization: Bearer {token}"], None))
        assert has_begun(client)
        trust(trusting, NO_LONGER[how](described(provider)))
        seen, closed = client.until_close(5.0)
        assert closed, seen


def test_E23_jobs_keep_what_runs_while_others_come_and_go(trusting: Scene, provider: OidcProvider) -> None:
    token, issuer = provider.sign(claims(provider)), described(provider)
    trusting.upstream.always = Answer((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun", 30.0), close=True)
    with trusting.client() as client:
        client.send(request("GET", trusting.target("http"), [f"Authorization: Bearer {token}"], None))
        assert has_begun(client)
        trust(trusting, {**issuer, "accepts": [OTHER_ENTRY, *issuer["accepts"]]})
        trust(trusting, issuer)
        assert client.until_close(1.0) == (b"", False)


def test_G_a_disabled_service_account_ends_the_jobs_own_tokens_and_what_runs(
    trusting: Scene, provider: OidcProvider
) -> None:
    """Its account may be written otherwise: names of machines are one whatever their case."""
    token, here = provider.sign(claims(provider)), trusting.installation
    here.api("POST", "/service-accounts", {"name": "Deploy"})
    assert ask_with(trusting, token).status == 200
    trusting.upstream.always = Answer((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun", 30.0), close=True)
    with trusting.client() as client:
        client.send(request("GET", trusting.target("http"), [f"Authorization: Bearer {token}"], None))
        assert has_begun(client)
        here.api("POST", "/service-accounts/Deploy/disable")
        seen, closed = client.until_close(5.0)
        assert closed, seen
    trusting.upstream.always = OK
    trusting.upstream.forget()
    for each in (token, provider.sign(claims(provider, jti="another"))):
        trusting.must_be_refused(ask_with(trusting, each), 401, code="token_unknown", closed=False)
    trusting.nothing_reached_upstream()
    here.api("POST", "/service-accounts/Deploy/enable")
    assert ask_with(trusting, token).status == 200


def test_G_an_expired_provider_does_not_matter_while_keys_are_known(trusting: Scene, provider: OidcProvider) -> None:
    assert ask_with(trusting, provider.sign(claims(provider))).status == 200
    provider.faults["keys"] = provider.faults["discovery"] = HttpReply(500)
    try:
        assert ask_with(trusting, provider.sign(claims(provider, jti="another"))).status == 200
    finally:
        provider.faults.clear()


def test_two_tokens_in_one_request_are_ambiguous(trusting: Scene, provider: OidcProvider) -> None:
    token = provider.sign(claims(provider))
    fields = [f"Authorization: Bearer {token}", f"x-api-key: {trusting.token}"]
    raw = request("GET", trusting.target("http"), fields, None)
    trusting.must_be_refused(trusting.say(raw), 400, closed=False)


def test_a_jwt_of_nobody_asks_nobody(scene: Scene) -> None:
    """Without a trusted issuer nothing is fetched, whatever the token says."""
    with oidc_provider() as stranger:
        reply = ask_with(scene, stranger.sign(claims(stranger)))
        scene.must_be_refused(reply, 401, code="token_unknown", closed=False)
        assert not stranger.requests
