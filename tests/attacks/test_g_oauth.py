"""G01, G09, G12, G21, E23 at our own OAuth server: codes of both kinds, refresh tokens, proofs, scopes and answers."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ostiary.control.services.oauth import OAuthError
from ostiary.control.services.oauth.refresh_token import RefreshToken, read_refresh_token
from ostiary.identity.pkce import challenge_of
from ostiary.identity.tokens import mint_token, token_hash
from ostiary.model.token import TokenScope
from support.oauth_room import (
    CONSOLE,
    DEVICE_GRANT,
    NETWORK,
    REDIRECT,
    VERIFIER,
    OAuthRoom,
    answer_of,
    authorization,
    oauth_room,
    proof,
    refused,
)

API = {"method": "GET", "path": "/api/v1/status"}


def told(story: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that is a coroutine."""

    @functools.wraps(story)
    def test(**fixtures: Any) -> None:
        asyncio.run(asyncio.wait_for(story(**fixtures), 60))  # type: ignore[arg-type]

    return test


@pytest.fixture
def house(tmp_path: Path) -> Iterator[OAuthRoom]:
    with oauth_room(tmp_path) as house:
        yield house


def live(house: OAuthRoom) -> list[str]:
    """Tokens that open something, and tools that are signed in."""
    now = house.clock()
    tokens = [each.id for each in house.tokens.newest() if each.revoked_at is None and each.actor.expires_at > now]
    return tokens + [each.id for each in house.sign_ins.live() if each.kind == "tool" and each.is_live(now)]


# -- where the code goes


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:43210/callback",
        "http://localhost.evil.example:43210/callback",
        "http://127.0.0.1.evil.example:43210/callback",
        "http://127.0.0.1:43210@evil.example/callback",
        "http://127.0.0.1@evil.example:43210/callback",
        "http://user:pass@127.0.0.1:43210/callback",
        "http://evil.example/?http://127.0.0.1:43210/callback",
        "https://127.0.0.1:43210/callback",
        "HTTP://127.0.0.1:43210/callback",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:99999999/callback",
        "http://127.0.0.1:٤٣٢١٠/callback",
        "http://127.0.0.1:43210",
        "http://127.0.0.1:43210/callback#fragment",
        "http://127.0.0.1:43210/callback?next=evil",
        "http://127.0.0.1:43210/callback\\evil",
        "http://127.0.0.1:43210/call back",
        "http://127.0.0.1:43210/callback\r\nLocation: https://evil.example",
        "http://127.0.0.1:43210/callback\n",
        "http://127.1:43210/callback",
        "http://2130706433:43210/callback",
        "http://0x7f.0.0.1:43210/callback",
        "http://127.0.0.2:43210/callback",
        "http://0.0.0.0:43210/callback",
        "http://[::]:43210/callback",
        "http://[::ffff:127.0.0.1]:43210/callback",
        "http://[::1%25eth0]:43210/callback",
        "//127.0.0.1:43210/callback",
        "urn:ietf:wg:oauth:2.0:oob",
        "javascript:alert(1)//127.0.0.1:43210/",
        "",
    ],
)
def test_G12_a_code_goes_to_the_persons_own_machine_only(house: OAuthRoom, uri: str) -> None:
    with refused("invalid_request") as refusal:
        house.oauth.check(authorization(redirect_uri=uri))
    assert refusal.value.redirect_to is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1/", "http://[::1]:65535/a/b-c_d.e~f", REDIRECT])
def test_G12_loopback_addresses_are_taken(house: OAuthRoom, uri: str) -> None:
    assert house.oauth.check(authorization(redirect_uri=uri)).redirect_uri == uri


@pytest.mark.parametrize(
    "parameters",
    [
        {"code_challenge": ""},
        {"code_challenge_method": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": VERIFIER[:-1]},
        {"code_challenge": challenge_of(VERIFIER) + "="},
        {"code_challenge": "=" * 43},
        {"response_type": "token"},
        {"response_type": "code id_token"},
        {"response_mode": "fragment"},
        {"scope": "scim"},
        {"scope": "gateway scim"},
        {"scope": "gateway  api"},
        {"agent": "x\u202ey"},
        {"device": "d" * 101},
    ],
)
def test_G01_a_request_without_S256_or_for_something_else_is_refused_to_the_client(
    house: OAuthRoom, parameters: dict[str, str]
) -> None:
    with pytest.raises(OAuthError) as refusal:
        house.oauth.check(authorization(**parameters))
    told_to = str(refusal.value.redirect_to)
    assert told_to.startswith(f"{REDIRECT}?")
    assert answer_of(told_to)["state"] == "state-1"
    assert "code" not in answer_of(told_to)


@pytest.mark.parametrize(
    "parameters", [{"client_id": ""}, {"client_id": "other"}, {"client_secret": "x"}, {"state": "a\r\nb"}]
)
def test_G12_a_stranger_is_told_nothing_at_any_address(house: OAuthRoom, parameters: dict[str, str]) -> None:
    with pytest.raises(OAuthError) as refusal:
        house.oauth.check(authorization(**parameters))
    assert refusal.value.redirect_to is None


def test_G01_no_parameter_stands_twice(house: OAuthRoom) -> None:
    for name, value in authorization():
        with refused("invalid_request"):
            house.oauth.check([*authorization(), (name, value)])


# -- codes


@pytest.mark.parametrize(
    "fields",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": challenge_of(VERIFIER)},
        {"code_verifier": VERIFIER + "v"},
        {"code_verifier": "v" * 42},
        {"code_verifier": "v" * 129},
        {"redirect_uri": "http://127.0.0.1:43211/callback"},
        {"redirect_uri": "http://[::1]:43210/callback"},
        {"redirect_uri": REDIRECT + "/"},
    ],
)
@told
async def test_G01_a_stolen_code_without_its_verifier_is_worth_nothing_and_spent(
    house: OAuthRoom, fields: dict[str, str]
) -> None:
    code = await house.code(house.visitor(house.user("anna")))
    with refused("invalid_grant"):
        await house.redeem(code, **fields)
    with refused("invalid_grant"):
        await house.redeem(code)
    assert live(house) == []


@pytest.mark.parametrize("missing", ["code", "redirect_uri", "code_verifier", "client_id"])
@told
async def test_G01_nothing_may_be_left_out_with_a_code(house: OAuthRoom, missing: str) -> None:
    code = await house.code(house.visitor(house.user("anna")))
    with pytest.raises(OAuthError):
        await house.redeem(**{"code": code, missing: ""})
    assert live(house) == []


@told
async def test_G01_a_code_used_twice_ends_what_it_made(house: OAuthRoom) -> None:
    code = await house.code(house.visitor(house.user("anna")))
    answer = await house.redeem(code)
    assert len(live(house)) == 2
    house.clock.now += 3000
    with refused("invalid_grant"):
        await house.redeem(code, code_verifier="w" * 43)
    assert live(house) == []
    with refused("invalid_grant"):
        await house.refresh(answer["refresh_token"])


@told
async def test_G01_a_code_used_by_many_at_once_leaves_nothing(house: OAuthRoom) -> None:
    for _ in range(5):
        code = await house.code(house.visitor(house.people.named("anna") or house.user("anna")))
        results = await asyncio.gather(*(house.redeem(code) for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(result, dict) for result in results) <= 1
        assert live(house) == []


@told
async def test_G01_a_code_lives_for_a_minute(house: OAuthRoom) -> None:
    code = await house.code(house.visitor(house.user("anna")))
    house.clock.now += 60
    with refused("invalid_grant"):
        await house.redeem(code)


@pytest.mark.parametrize("what", ["person", "console session"])
@told
async def test_E23_a_code_of_somebody_whose_access_ended_gives_nothing(house: OAuthRoom, what: str) -> None:
    anna = house.user("anna")
    visitor = house.visitor(anna)
    code = await house.code(visitor)
    if what == "person":
        house.deactivate(anna)
    else:
        await house.end.of_sign_in(visitor.sign_in, "signed out")
    with refused("invalid_grant"):
        await house.redeem(code)
    assert live(house) == []


# -- refresh tokens


@told
async def test_G21_a_spent_refresh_token_ends_the_whole_sign_in(house: OAuthRoom) -> None:
    first = await house.login(house.visitor(house.user("anna")))
    second = await house.refresh(first["refresh_token"])
    house.clock.now += 11
    with refused("invalid_grant"):
        await house.refresh(first["refresh_token"])
    assert live(house) == []
    assert house.reasons() == ["refresh_token_reused"]
    with refused("invalid_grant"):
        await house.refresh(second["refresh_token"])
    assert house.actor(second) is None


@told
async def test_G21_however_old_the_spent_refresh_token_is(house: OAuthRoom) -> None:
    first = await house.login(house.visitor(house.user("anna")))
    newest = first
    for _ in range(5):
        house.clock.now += 900
        newest = await house.refresh(newest["refresh_token"])
    with refused("invalid_grant"):
        await house.refresh(first["refresh_token"])
    assert live(house) == []


@told
async def test_G21_within_ten_seconds_too_once_its_successor_was_used(house: OAuthRoom) -> None:
    first = await house.login(house.visitor(house.user("anna")))
    second = await house.refresh(first["refresh_token"])
    await house.refresh(second["refresh_token"])
    with refused("invalid_grant"):
        await house.refresh(first["refresh_token"])
    assert live(house) == []


@told
async def test_G21_a_thief_and_the_owner_do_not_both_go_on(house: OAuthRoom) -> None:
    """Both got the same next token within the ten seconds: whoever uses it second ends the sign-in."""
    first = await house.login(house.visitor(house.user("anna")))
    owners, thiefs = await asyncio.gather(*(house.refresh(first["refresh_token"]) for _ in range(2)))
    house.clock.now += 60
    await house.refresh(thiefs["refresh_token"])
    house.clock.now += 60
    with refused("invalid_grant"):
        await house.refresh(owners["refresh_token"])
    assert live(house) == []


@told
async def test_G21_guessed_refresh_tokens_are_nothing_and_harm_nobody(house: OAuthRoom) -> None:
    answer = await house.login(house.visitor(house.user("anna")))
    real = read_refresh_token(answer["refresh_token"])
    assert real is not None
    text = answer["refresh_token"]
    guesses = [
        RefreshToken(b"\0" * 32, real.turn).text, text + "A", text[:-1], text.swapcase(), text.removeprefix("ostr_"),
        "ostr_", "ostr_" + "A" * 86, "ostr_" + "=" * 86, answer["access_token"], "\udcff", "ostr_é",
    ]  # fmt: skip
    for guess in guesses:
        with refused("invalid_grant"):
            await house.refresh(guess)
    assert await house.refresh(text)


@told
async def test_G21_a_bound_refresh_token_neither_works_nor_ends_anything_without_its_key(house: OAuthRoom) -> None:
    answer = await house.login(house.visitor(house.user("anna")), proof=proof(house.clock))
    second = await house.refresh(answer["refresh_token"], proof=proof(house.clock))
    house.clock.now += 60
    for stolen in (answer, second):
        for shown in (None, proof(house.clock, "thief")):
            with refused("invalid_grant"):
                await house.refresh(stolen["refresh_token"], proof=shown)
    assert await house.refresh(second["refresh_token"], proof=proof(house.clock))


@told
async def test_E23_nothing_of_somebody_who_was_deactivated_works(house: OAuthRoom) -> None:
    anna = house.user("anna", "owner")
    visitor = house.visitor(anna)
    answer = await house.login(visitor)
    api = await house.refresh(answer["refresh_token"], scope="api")
    begun = await house.device()
    await house.oauth.device_decide(visitor, begun["user_code"], True, NETWORK)
    house.deactivate(anna)
    assert await house.oauth.caller_of(api["access_token"], NETWORK) is None, "even before its tokens are revoked"
    with refused("invalid_grant"):
        await house.refresh(api["refresh_token"])
    with refused("invalid_grant"):
        await house.poll(begun)
    await house.end.of_user(replace(anna, active=False), "deactivated")
    assert live(house) == []


# -- scopes


@told
async def test_G09_a_token_of_one_scope_opens_nothing_else(house: OAuthRoom) -> None:
    ada = house.visitor(house.user("ada", "owner"))
    answer = await house.login(ada)
    texts = {
        TokenScope.GATEWAY: answer["access_token"],
        TokenScope.API: (await house.refresh(answer["refresh_token"], scope="api"))["access_token"],
        TokenScope.SCIM: (await house.token_service.create(ada.caller, scope="scim")).text,
    }
    for scope, text in texts.items():
        opened = {
            TokenScope.GATEWAY: house.tokens.find(token_hash(text.encode())) is not None,
            TokenScope.API: await house.oauth.caller_of(text, NETWORK) is not None,
            TokenScope.SCIM: await house.oauth.is_scim(text, NETWORK),
        }
        assert opened == {each: each is scope for each in TokenScope}


@told
async def test_G09_a_sign_in_for_the_gateway_never_opens_the_api(house: OAuthRoom) -> None:
    ada = house.visitor(house.user("ada", "owner"))
    for parameters in ({"scope": "gateway"}, {"agent": "cursor@laptop"}):
        answer = await house.login(ada, **parameters)
        for scope in ("api", "gateway api", "scim", "api scim", "owner", "API"):
            with refused("invalid_scope"):
                await house.refresh(answer["refresh_token"], scope=scope)
        assert await house.refresh(answer["refresh_token"])
    only_api = await house.login(ada, scope="api")
    assert (only_api["scope"], house.actor(only_api)) == ("api", None)
    with refused("invalid_scope"):
        await house.refresh(only_api["refresh_token"], scope="gateway")
    assert (await house.refresh(only_api["refresh_token"]))["scope"] == "api"


@told
async def test_G09_refresh_tokens_and_codes_are_no_bearer_tokens(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("ada", "owner"))
    code = await house.code(visitor)
    answer = await house.login(visitor)
    for text in (code, answer["refresh_token"]):
        assert await house.oauth.caller_of(text, NETWORK) is None
        assert not await house.oauth.is_scim(text, NETWORK)
        assert house.tokens.find(token_hash(text.encode())) is None


# -- device codes


@told
async def test_G21_codes_of_devices_cannot_be_guessed_by_a_visitor(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("mallory"))
    begun = await house.device()
    for number in range(5):
        with refused("invalid_grant"):
            await house.oauth.device_show(visitor, f"BBBB-BBB{'BCDFG'[number]}", f"192.0.2.{number}")
    for _ in range(3):
        with refused("temporarily_unavailable") as refusal:
            await house.oauth.device_show(visitor, begun["user_code"], "192.0.2.99")
    assert refusal.value.status == 429  # type: ignore[attr-defined]
    house.clock.now += 61
    assert await house.oauth.device_show(visitor, begun["user_code"], NETWORK)


@told
async def test_G21_nor_by_many_visitors_of_one_network_nor_by_200_at_once(house: OAuthRoom) -> None:
    visitors = [house.visitor(house.user(f"m{number}")) for number in range(50)]
    begun = await house.device()
    tries = [house.oauth.device_show(visitors[n % 50], f"BBBB-{n:04d}", NETWORK) for n in range(200)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    errors = [getattr(result, "error", "") for result in results]
    assert errors.count("invalid_grant") == 20
    assert errors.count("temporarily_unavailable") == 180
    with refused("temporarily_unavailable"):
        await house.oauth.device_decide(house.visitor(house.user("x")), begun["user_code"], True, NETWORK)
    with refused("authorization_pending"):
        await house.poll(begun)


@told
async def test_G21_wrong_used_and_old_codes_have_one_answer(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    used, old = await house.device(), await house.device()
    await house.oauth.device_decide(visitor, used["user_code"], False, NETWORK)
    house.clock.now += 601
    answers = set()
    for code in (used["user_code"], old["user_code"], "BBBB-BBBB", "", "A" * 10_000, "\udcff" * 8):
        house.clock.now += 600
        with pytest.raises(OAuthError) as refusal:
            await house.oauth.device_show(visitor, code, NETWORK)
        answers.add((refusal.value.error, refusal.value.description, refusal.value.status))
    assert len(answers) == 1


@told
async def test_G14_looking_at_a_device_decides_nothing(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    begun = await house.device(device="\u00fcber laptop")
    for _ in range(3):
        shown = await house.oauth.device_show(visitor, begun["user_code"], "198.51.100.1")
    assert shown.network == NETWORK, "the page shows where the device is, not where the visitor is"
    with refused("authorization_pending"):
        await house.poll(begun)


@told
async def test_G21_devices_begun_in_a_flood_are_limited(house: OAuthRoom) -> None:
    begun = [await house.device() for _ in range(20)]
    with refused("temporarily_unavailable"):
        await house.device()
    assert await house.oauth.device_begin([("client_id", "ostiary-cli")], "198.51.100.1")
    assert len({each["user_code"] for each in begun}) == 20


@told
async def test_G21_a_device_code_is_not_the_users_code_nor_anothers(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    one, two = await house.device(), await house.device()
    await house.oauth.device_decide(visitor, one["user_code"], True, NETWORK)
    for wrong in (one["user_code"], one["user_code"].replace("-", ""), "ostd_" + "A" * 43):
        with refused("expired_token"):
            await house.token(grant_type=DEVICE_GRANT, device_code=wrong)
    with refused("authorization_pending"):
        await house.poll(two)
    results = await asyncio.gather(*(house.poll(one) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(result, dict) for result in results) == 1


# -- proofs


@told
async def test_G01_a_proof_of_possession_counts_once_and_for_this_request_only(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    good = proof(house.clock)
    code = await house.code(visitor)
    answer = await house.redeem(code, proof=good)
    wrong = [
        good,
        proof(house.clock, htu=f"{CONSOLE}/oauth/revoke"),
        proof(house.clock, htu="https://evil.example/oauth/token"),
        proof(house.clock, htu="http://ostiary.example/oauth/token"),
        proof(house.clock, htm="GET"),
        proof(house.clock, iat=house.clock() - 600),
        proof(house.clock, iat=house.clock() + 600),
        proof(house.clock, jti=None),
        proof(house.clock, jti=""),
        f"{proof(house.clock)},{proof(house.clock)}",
        "x",
        "x" * 100_000,
        answer["refresh_token"],
    ]
    for shown in wrong:
        with refused("invalid_dpop_proof"):
            await house.refresh(answer["refresh_token"], proof=shown)
    assert await house.refresh(answer["refresh_token"], proof=proof(house.clock))


@told
async def test_G01_a_proof_shown_many_times_at_once_counts_once(house: OAuthRoom) -> None:
    answer = await house.login(house.visitor(house.user("anna")), proof=proof(house.clock))
    shown = proof(house.clock)
    tries = [house.refresh(answer["refresh_token"], proof=shown) for _ in range(10)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, dict) for result in results) == 1


@told
async def test_G01_a_bound_api_token_needs_a_proof_for_the_request_and_the_token(house: OAuthRoom) -> None:
    answer = await house.login(house.visitor(house.user("anna")), proof=proof(house.clock))
    api = (await house.refresh(answer["refresh_token"], proof=proof(house.clock), scope="api"))["access_token"]
    url = f"{CONSOLE}{API['path']}"

    async def opens(shown: str | None) -> bool:
        try:
            return await house.oauth.caller_of(api, NETWORK, **API, proof=shown) is not None
        except OAuthError:
            return False

    good = proof(house.clock, htu=url, htm="GET", token=api)
    assert await opens(good)
    assert not await opens(good), "a replay"
    assert not await opens(None)
    assert not await opens(proof(house.clock, "thief", htu=url, htm="GET", token=api))
    assert not await opens(proof(house.clock, htu=url, htm="GET")), "without ath"
    assert not await opens(proof(house.clock, htu=url, htm="GET", token="another"))
    assert not await opens(proof(house.clock, htu=url, htm="POST", token=api))
    assert not await opens(proof(house.clock, htu=f"{CONSOLE}/api/v1/users", htm="GET", token=api))


# -- what answers give away


@told
async def test_G21_guesses_have_one_answer_and_a_limit(house: OAuthRoom) -> None:
    ada = house.visitor(house.user("ada", "owner"))
    answer = await house.login(ada)
    again = await house.refresh(answer["refresh_token"], scope="api")
    api = again["access_token"]
    flooded = "203.0.113.9"
    for number in range(100):
        guess = mint_token("u", bytes([number]) * 32) if number % 2 else f"ost_u{number:049d}"
        assert await house.oauth.caller_of(guess, flooded) is None
    assertion = {"grant_type": "urn:ietf:params:oauth:grant-type:saml2-bearer", "assertion": "x"}
    for call in (
        house.oauth.caller_of(mint_token("u", b"\1" * 32), flooded),
        house.oauth.caller_of(answer["access_token"], flooded),
        house.oauth.is_scim(api, flooded),
        house.token(grant_type="refresh_token", refresh_token="x", network=flooded),
        house.token(**assertion, network=flooded),
        house.token(grant_type="refresh_token", refresh_token="x", network=flooded, proof="x"),
        house.oauth.revoke([("token", "x")], flooded),
    ):
        with refused("temporarily_unavailable") as refusal:
            await call
        assert refusal.value.status == 429  # type: ignore[attr-defined]
        assert refusal.value.headers()["retry-after"] == "1"  # type: ignore[attr-defined]
    assert await house.oauth.caller_of(api, flooded) is not None, "who holds a right token is always served"
    assert await house.token(grant_type="refresh_token", refresh_token=again["refresh_token"], network=flooded)
    with refused("invalid_grant"):
        await house.token(**assertion, network=NETWORK)
    house.clock.now += 1
    with refused("invalid_grant"):
        await house.token(**assertion, network=flooded)


@told
async def test_G21_every_wrong_grant_has_the_same_answer(house: OAuthRoom) -> None:
    anna = house.user("anna")
    used = await house.code(house.visitor(anna))
    spent = await house.redeem(used)
    await house.oauth.revoke([("token", spent["refresh_token"])], NETWORK)
    answers = set()
    for call in (
        house.redeem(used),
        house.redeem("ostc_" + "A" * 43),
        house.redeem(await house.code(house.visitor(anna)), code_verifier="w" * 43),
        house.refresh(spent["refresh_token"]),
        house.refresh("ostr_" + "A" * 86),
    ):
        with pytest.raises(OAuthError) as refusal:
            await call
        answers.add((refusal.value.error, refusal.value.description, refusal.value.status))
    assert len(answers) == 1


@told
async def test_G21_no_answer_repeats_what_was_sent(house: OAuthRoom) -> None:
    mark = "MARK<script>alert(1)</script>"
    names = (
        "grant_type", "client_id", "client_secret", "code", "redirect_uri", "code_verifier", "refresh_token", "scope",
        "device_code", "subject_token", "subject_token_type", "assertion", "agent", "audience", "token", mark,
    )  # fmt: skip
    grants = [str(grant) for grant in house.oauth.metadata()["grant_types_supported"]]
    for grant in (*grants, mark):
        for name in names:
            house.clock.now += 60
            form = {"grant_type": grant, **dict.fromkeys(names, "x"), "client_id": "ostiary-cli", name: mark}
            with pytest.raises(OAuthError) as refusal:
                await house.oauth.token(list(form.items()), NETWORK, proof=None)
            assert "MARK" not in repr(refusal.value.document())
    for name in ("client_id", "redirect_uri", "state", "scope", "code_challenge", "agent", "response_type"):
        with pytest.raises(OAuthError) as refusal:
            house.oauth.check(authorization(**{name: mark + "\n"}))
        assert "MARK" not in repr(refusal.value.document())
    assert "MARK" not in repr(house.log.rows)


@pytest.mark.parametrize(
    "form",
    [
        [],
        [("grant_type", "")],
        [("grant_type", "password"), ("username", "a"), ("password", "b")],
        [("grant_type", "client_credentials")],
        [("grant_type", "implicit")],
        [("grant_type", "refresh_token"), ("grant_type", "refresh_token")],
        [("grant_type", "refresh_token"), ("client_id", "ostiary-cli"), ("refresh_token", "x" * 300_000)],
        [(f"p{number}", "x") for number in range(1000)],
    ],
)
@told
async def test_G21_other_grants_doubles_and_floods_of_fields_are_refused(
    house: OAuthRoom, form: list[tuple[str, str]]
) -> None:
    with pytest.raises(OAuthError) as refusal:
        await house.oauth.token(form, NETWORK)
    assert refusal.value.error in {"invalid_request", "unsupported_grant_type"}
    assert refusal.value.status == 400
