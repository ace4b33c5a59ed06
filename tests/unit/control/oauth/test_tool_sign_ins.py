"""`ostiary login` with a browser, and the tokens it gives afterwards."""

import asyncio
from dataclasses import replace

import pytest

from ostiary.control.services.provider_tokens import ProviderTokens
from ostiary.model.actor import ActorKind
from ostiary.model.issuer import ScimSettings, SignInLimits
from ostiary.model.permission import Permission
from ostiary.model.token import TokenScope
from support.oauth_room import CONSOLE, NETWORK, OAuthRoom, answer_of, authorization, proof, refused


async def test_a_browser_sign_in_gives_a_short_token_of_the_person_and_a_refresh_token(house: OAuthRoom) -> None:
    anna = house.user("anna", email="anna@example.com")
    visitor = house.visitor(anna, ago_s=100)
    request = house.oauth.check(authorization(device="annas laptop"))
    assert (request.asked.device, request.asked.agent) == ("annas laptop", None)
    sent = answer_of(await house.oauth.authorize(visitor, request))
    assert (sent["state"], sent["iss"]) == ("state-1", CONSOLE)
    answer = await house.redeem(sent["code"])
    assert (answer["token_type"], answer["expires_in"], answer["scope"], answer["user"]) == (
        "Bearer", 900, "gateway", "anna",
    )  # fmt: skip
    actor = house.actor(answer)
    assert actor is not None
    assert (actor.kind, actor.name, actor.user_id, actor.groups) == (ActorKind.USER, "anna", anna.id, frozenset())
    (sign_in,) = [each for each in house.sign_ins.live(user_id=anna.id) if each.kind == "tool"]
    assert (sign_in.authenticated_at, sign_in.issuer, sign_in.idp_session, sign_in.device, sign_in.network) == (
        house.clock() - 100, "corp", "idp-1", "annas laptop", NETWORK,
    )  # fmt: skip
    assert house.entries("admin.sign-in")[-1]["detail"]["kind"] == "tool"
    assert house.entries("admin.token.create")[-1]["detail"]["sign_in"] == sign_in.id


async def test_nothing_that_opens_anything_is_in_the_audit_log_or_the_database(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    code = await house.code(visitor)
    answer = await house.redeem(code)
    kept = repr(house.log.rows) + repr(house.tokens._database.rows("SELECT * FROM one_time"))
    kept += repr(house.tokens._database.rows("SELECT * FROM sign_ins"))
    kept += repr(house.tokens._database.rows("SELECT * FROM tokens"))
    for secret in (code, answer["access_token"], answer["refresh_token"], answer["refresh_token"][5:40]):
        assert secret not in kept


async def test_who_refuses_sends_the_browser_back_without_a_code(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    url = await house.oauth.authorize(visitor, house.oauth.check(authorization()), approve=False)
    assert answer_of(url)["error"] == "access_denied"
    assert "code" not in answer_of(url)


async def test_a_refresh_token_gives_another_and_the_token_of_the_scope_that_is_asked_for(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna", "auditor"))
    first = await house.login(visitor)
    house.clock.now += 600
    second = await house.refresh(first["refresh_token"], scope="api")
    assert second["scope"] == "api"
    assert second["refresh_token"] != first["refresh_token"]
    assert house.actor(second) is None
    assert house.actor(second, TokenScope.API) is not None
    caller = await house.oauth.caller_of(second["access_token"], NETWORK)
    assert caller is not None
    assert (caller.label, caller.is_fresh) == ("anna", False)
    assert Permission.AUDIT_READ in caller.permissions
    assert await house.oauth.caller_of(first["access_token"], NETWORK) is None
    third = await house.refresh(second["refresh_token"])
    assert third["scope"] == "gateway"


async def test_an_agents_sign_in_speaks_for_the_person_and_the_agent_and_never_opens_the_api(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna", "owner"))
    answer = await house.login(visitor, agent="cursor@laptop")
    actor = house.actor(answer)
    assert actor is not None
    assert (actor.kind, actor.name, actor.agent) == (ActorKind.AGENT, "anna", "cursor@laptop")
    with refused("invalid_scope"):
        await house.refresh(answer["refresh_token"], scope="api")
    with refused("invalid_scope"):
        house.oauth.check(authorization(agent="cursor@laptop", scope="gateway api"))
    assert (await house.refresh(answer["refresh_token"]))["user"] == "anna"


async def test_a_lost_answer_may_be_asked_for_again_within_ten_seconds(house: OAuthRoom) -> None:
    first = await house.login(house.visitor(house.user("anna")))
    lost = await house.refresh(first["refresh_token"])
    house.clock.now += 9
    again = await house.refresh(first["refresh_token"])
    assert again["refresh_token"] == lost["refresh_token"]
    assert again["access_token"] != lost["access_token"]
    assert (await house.refresh(again["refresh_token"]))["scope"] == "gateway"


async def test_twenty_at_once_get_the_same_next_token(house: OAuthRoom) -> None:
    first = await house.login(house.visitor(house.user("anna")))
    answers = await asyncio.gather(*(house.refresh(first["refresh_token"]) for _ in range(20)))
    assert len({answer["refresh_token"] for answer in answers}) == 1
    assert len({answer["access_token"] for answer in answers}) == 20
    assert await house.refresh(answers[0]["refresh_token"])


async def test_a_refresh_that_was_broken_off_before_it_turned_does_not_lock_out(house: OAuthRoom) -> None:
    from ostiary.control.services.oauth.refresh_token import read_refresh_token
    from ostiary.control.services.oauth.tool_tokens import SUCCESSORS

    first = await house.login(house.visitor(house.user("anna")))
    presented = read_refresh_token(first["refresh_token"])
    assert presented is not None
    house.one_time.put(SUCCESSORS, presented.handle, {"salt": "00"}, house.clock() + 10)
    house.clock.now += 60
    assert await house.refresh(first["refresh_token"])


async def test_a_sign_in_of_a_tool_ends_at_its_limit_and_its_tokens_do_not_outlive_it(house: OAuthRoom) -> None:
    answer = await house.login(house.visitor(house.user("anna")))
    house.clock.now += 30 * 86_400 - 60
    last = await house.refresh(answer["refresh_token"])
    assert last["expires_in"] == 60
    house.clock.now += 60
    with refused("invalid_grant"):
        await house.refresh(last["refresh_token"])


async def test_signing_out_with_the_refresh_token_ends_the_sign_in_and_its_tokens(house: OAuthRoom) -> None:
    answer = await house.login(house.visitor(house.user("anna")))
    await house.oauth.revoke([("client_id", "ostiary-cli"), ("token", answer["refresh_token"])], NETWORK)
    assert house.actor(answer) is None
    with refused("invalid_grant"):
        await house.refresh(answer["refresh_token"])


async def test_who_holds_an_access_token_may_end_it_and_what_is_unknown_is_no_error(house: OAuthRoom) -> None:
    answer = await house.login(house.visitor(house.user("anna")))
    await house.oauth.revoke([("token", answer["access_token"])], NETWORK)
    assert house.actor(answer) is None
    assert len(house.revoked) == 1
    for unknown in ("", "ostr_x", answer["access_token"], "ost_u" + "a" * 49, "\udcff"):
        if unknown:
            await house.oauth.revoke([("token", unknown)], NETWORK)
    assert await house.refresh(answer["refresh_token"])


async def test_a_sign_in_that_began_with_a_key_goes_on_with_that_key_only(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    code = await house.code(visitor)
    answer = await house.redeem(code, proof=proof(house.clock))
    assert answer["token_type"] == "DPoP"
    actor = house.actor(answer)
    assert actor is not None
    assert str(actor.bound_to).startswith("jkt:")
    for other in (None, proof(house.clock, "another")):
        with refused("invalid_grant"):
            await house.refresh(answer["refresh_token"], proof=other)
    again = await house.refresh(answer["refresh_token"], proof=proof(house.clock), scope="api")
    url = f"{CONSOLE}/api/v1/status"
    shown = proof(house.clock, htu=url, htm="GET", token=again["access_token"])
    called = {"method": "GET", "path": "/api/v1/status"}
    caller = await house.oauth.caller_of(again["access_token"], NETWORK, **called, proof=shown)
    assert caller is not None
    assert await house.oauth.caller_of(again["access_token"], NETWORK, **called) is None


@pytest.mark.parametrize("how", ["the person", "the sign-in"])
async def test_a_token_made_while_access_ends_does_not_work(house: OAuthRoom, how: str) -> None:
    anna = house.user("anna")
    first = await house.login(house.visitor(anna))
    add = house.tokens.add

    def end_then_add(*arguments: object) -> None:
        if how == "the person":
            house.deactivate(anna)
        for sign_in in house.sign_ins.live(user_id=anna.id):
            if how == "the sign-in":
                house.sign_ins.end(sign_in.id, house.clock(), "test")
        add(*arguments)  # type: ignore[arg-type]

    house.tokens.add = end_then_add  # type: ignore[method-assign]
    with refused("invalid_grant"):
        await house.refresh(first["refresh_token"])
    live = [record for record in house.tokens.newest() if record.revoked_at is None]
    assert len(live) == 1, "only the token from before"


async def test_the_limits_of_sign_ins_are_those_of_the_configuration(house: OAuthRoom) -> None:
    house.configuration = replace(house.configuration, sign_in_limits=SignInLimits(tool_absolute_s=100))
    answer = await house.login(house.visitor(house.user("anna")))
    assert answer["expires_in"] == 100


async def test_the_document_about_the_server_names_what_there_is(house: OAuthRoom) -> None:
    document = house.oauth.metadata()
    assert document["issuer"] == CONSOLE
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert "urn:ietf:params:oauth:grant-type:token-exchange" in document["grant_types_supported"]


@pytest.mark.parametrize(
    ("tokens", "scim", "days"),
    [
        (ProviderTokens(refresh_token="r"), None, 30),
        (ProviderTokens(access_token="a", expires_at=1e12), None, 30),
        (ProviderTokens(access_token="a", expires_at=1.0), None, 1),
        (ProviderTokens(access_token="a"), None, 1),
        (None, None, 1),
        (None, ScimSettings("corp"), 30),
        (None, ScimSettings("another"), 1),
    ],
)
async def test_people_are_told_how_long_a_tool_of_somebody_nobody_can_be_asked_about_is_signed_in(
    house: OAuthRoom, tokens: ProviderTokens | None, scim: ScimSettings | None, days: float
) -> None:
    house.configuration = replace(house.configuration, scim=scim)
    anna = house.user("anna")
    visitor = house.visitor(anna, tokens=tokens)
    assert await house.oauth.life_s(visitor) == days * 86_400
    house.clock.now += 1800.0
    assert await house.oauth.life_s(visitor) == days * 86_400 - (1800 if days == 1 else 0)
    await house.login(visitor)
    (tool,) = [each for each in house.sign_ins.live(user_id=anna.id) if each.kind == "tool"]
    # The re-check ends it, counted from when its person came to the console, unless they are confirmed meanwhile.
    assert tool.ends_at == house.clock() + 30 * 86_400
    assert tool.checked_at == visitor.sign_in.created_at
