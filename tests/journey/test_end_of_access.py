"""When access ends, everything of it ends within five seconds: streams, waiting requests, sessions, refreshing."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from support.access_house import SCIM_GROUP, SCIM_PATCH, SCIM_USER, AccessHouse, Running, Tool, access_house
from support.web_room import Browser

PROMISED_S = 5.0
_numbers = count(1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessHouse]:
    with access_house(tmp_path_factory.mktemp("access")) as house:
        yield house


def fresh_name() -> str:
    return f"ana{next(_numbers)}"


def replaced(house: AccessHouse, path: str, members: dict[str, object]) -> None:
    operation = {"op": "replace", "value": members}
    house.scim("PATCH", path, {"schemas": [SCIM_PATCH], "Operations": [operation]})


# -- how it ends


def deactivated(house: AccessHouse, tool: Tool) -> None:
    house.server.api("POST", f"/users/{tool.user_id}/deactivate")


def deactivated_by_the_command_line(house: AccessHouse, tool: Tool) -> None:
    done = house.server.cli("user", "deactivate", f"{tool.name}@example.com")
    assert done.returncode == 0, done


def inactive_by_scim(house: AccessHouse, tool: Tool) -> None:
    replaced(house, f"/Users/{tool.user_id}", {"active": False})


def removed_by_scim(house: AccessHouse, tool: Tool) -> None:
    house.scim("DELETE", f"/Users/{tool.user_id}")


def logged_out_by_the_provider(house: AccessHouse, tool: Tool) -> None:
    to = f"http://127.0.0.1:{house.console}/sign-in/corp/back-channel-logout"
    assert house.provider.send_logout(to, session=f"idp-session-{tool.name}") == 200


def logged_out_everywhere_by_the_provider(house: AccessHouse, tool: Tool) -> None:
    to = f"http://127.0.0.1:{house.console}/sign-in/corp/back-channel-logout"
    assert house.provider.send_logout(to, subject=f"sub-{tool.name}") == 200


def tools_sign_in_ended_elsewhere(house: AccessHouse, tool: Tool) -> None:
    """In another browser, on the page of one's own sign-ins."""
    other = house.sign_in(tool.name)
    ended = next(each for each in sign_ins_of(house, tool) if each["kind"] == "tool")
    page = other.form("/account", f"/account/sign-ins/{ended['id']}/end", {})
    assert page.status == 303, page.text


def refresh_token_given_back(house: AccessHouse, tool: Tool) -> None:
    form = {"client_id": "ostiary-cli", "token": tool.tokens["refresh_token"]}
    page = Browser(house.console, agent="ostiary").post("/oauth/revoke", form, origin=None, sec_fetch_site=None)
    assert page.status == 200


def token_revoked(house: AccessHouse, tool: Tool) -> None:
    (token,) = [
        each
        for each in house.server.api("GET", "/tokens")["tokens"]
        if each["actor"] == f"{tool.name}@example.com" and each["revoked_at"] is None
    ]
    house.server.api("DELETE", f"/tokens/{token['id']}")


def no_longer_in_the_group_at_the_provider(house: AccessHouse, tool: Tool) -> None:
    """Seen when they sign in again, or are asked for again."""
    house.sign_in(tool.name, groups=("sales",))


def group_gone_from_the_configuration(house: AccessHouse, tool: Tool) -> None:
    house.furnish(
        groups=[
            {"name": "engineering", "members": ["somebody@example.com"]},
            {"name": "builders", "from": {"scim": "Builders"}},
        ]
    )


def rule_gone_from_the_configuration(house: AccessHouse, tool: Tool) -> None:
    house.furnish(rules=[])


def sign_ins_of(house: AccessHouse, tool: Tool) -> list[dict[str, object]]:
    return list(house.server.api("GET", f"/users/{tool.user_id}/sign-ins")["sign_ins"])


@dataclass(frozen=True)
class Way:
    """`console` and `refresh`: whether those end as well."""

    end: Callable[[AccessHouse, Tool], None]
    console: bool = True
    refresh: bool = True


WAYS = (
    Way(deactivated),
    Way(deactivated_by_the_command_line),
    Way(inactive_by_scim),
    Way(removed_by_scim),
    Way(logged_out_by_the_provider),
    Way(logged_out_everywhere_by_the_provider),
    Way(tools_sign_in_ended_elsewhere, console=False),
    Way(refresh_token_given_back, console=False),
    Way(token_revoked, console=False, refresh=False),
    Way(no_longer_in_the_group_at_the_provider, console=False, refresh=False),
    Way(group_gone_from_the_configuration, console=False, refresh=False),
    Way(rule_gone_from_the_configuration, console=False, refresh=False),
)


def must_have_ended(house: AccessHouse, running: Running, begun: float) -> None:
    """The stream is cut and the waiting request refused in time, and nobody can have it sent any more."""
    assert running.stream_ended_within(PROMISED_S - (time.monotonic() - begun)), "the stream goes on"
    reply = running.refusal(max(0.1, PROMISED_S - (time.monotonic() - begun)))
    assert reply.complete, "the waiting request is told nothing"
    assert reply.status in (401, 403), reply.raw
    assert house.approval_of(running.held_path) is None, "it can still be approved"
    assert not house.reached(running.held_path)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.end.__name__)
def test_what_runs_and_what_waits_ends_within_five_seconds(house: AccessHouse, way: Way) -> None:
    tool = house.login(fresh_name())
    bystander = house.login(fresh_name())
    running, others = house.work(tool.token), house.work(bystander.token)
    changes_all = way.end in (group_gone_from_the_configuration, rule_gone_from_the_configuration)
    try:
        begun = time.monotonic()
        way.end(house, tool)
        must_have_ended(house, running, begun)
        assert house.ask(tool.token).status in (401, 403, 404)
        assert tool.console_is_over() is way.console
        status, document = tool.refresh()
        assert (status, document.get("error")) == ((400, "invalid_grant") if way.refresh else (200, None)), document
        if not changes_all:
            assert others.flows(), "somebody else's stream ended too"
            assert not bystander.console_is_over()
            assert bystander.refresh()[0] == 200
    finally:
        running.close()
        others.close()
        if changes_all:
            house.furnish()


def own_token(house: AccessHouse, tool: Tool) -> str:
    """`ostiary token create --ttl 8h`."""
    status, tokens = house.token_endpoint(
        grant_type="refresh_token", refresh_token=str(tool.tokens["refresh_token"]), scope="api"
    )
    assert status == 200, tokens
    tool.tokens["refresh_token"] = tokens["refresh_token"]
    headers = {"Authorization": f"Bearer {tokens['access_token']}", "Content-Type": "application/json"}
    page = Browser(house.console, agent="ostiary").send("POST", "/api/v1/tokens", b'{"ttl_s": 28800}', headers)
    assert page.status == 201, page.text
    return str(json.loads(page.body)["token"])


def issuer_gone_from_the_configuration(house: AccessHouse, tool: Tool) -> None:
    house.furnish(
        identity={"issuers": []},
        groups=[
            {"name": "engineering", "members": [f"{tool.name}@example.com"]},
            {"name": "builders", "members": ["somebody@example.com"]},
        ],
    )


OWN_ENDS = (
    logged_out_by_the_provider,
    logged_out_everywhere_by_the_provider,
    refresh_token_given_back,
    issuer_gone_from_the_configuration,
)


@pytest.mark.parametrize("end", OWN_ENDS, ids=lambda end: end.__name__)
def test_what_somebody_made_for_themselves(house: AccessHouse, end: Callable[[AccessHouse, Tool], None]) -> None:
    tool, bystander = house.login(fresh_name()), house.login(fresh_name())
    token, other = own_token(house, tool), own_token(house, bystander)
    running = house.work(token)
    try:
        begun = time.monotonic()
        end(house, tool)
        assert running.stream_ended_within(PROMISED_S - (time.monotonic() - begun)), "the stream goes on"
        assert house.ask(token).status == 401
        if end is not issuer_gone_from_the_configuration:
            assert house.ask(other).status == 200
    finally:
        running.close()
        house.furnish()


@pytest.mark.parametrize("is_told", [False, True])
def test_the_providers_word_of_before_opens_nothing_after(house: AccessHouse, is_told: bool) -> None:
    """The ID token stands in the address that signs out at the provider: it may be known to others."""
    tool = house.login(fresh_name())
    page = tool.browser.form("/account", "/sign-out", {})
    found = re.search(r"id_token_hint=([^&\"]+)", page.text)
    assert found is not None
    if is_told:
        logged_out_everywhere_by_the_provider(house, tool)
    exchange = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": found[1],
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
    }
    status, document = house.token_endpoint(**exchange)
    assert (status, document["error"]) == (400, "invalid_grant")


def test_taken_from_a_group_by_scim(house: AccessHouse) -> None:
    """They are still a member of the house, and may do no more what the group could."""
    name = fresh_name()
    user = house.scim("POST", "/Users", {"schemas": [SCIM_USER], "userName": f"{name}@example.com", "active": True})
    group = house.scim(
        "POST",
        "/Groups",
        {"schemas": [SCIM_GROUP], "displayName": "Builders", "members": [{"value": user["id"]}]},
    )
    tool = house.login(name, groups=())
    running = house.work(tool.token)
    try:
        begun = time.monotonic()
        remove = {"op": "remove", "path": f'members[value eq "{user["id"]}"]'}
        house.scim("PATCH", f"/Groups/{group['id']}", {"schemas": [SCIM_PATCH], "Operations": [remove]})
        must_have_ended(house, running, begun)
        assert house.ask(tool.token).status in (403, 404)
        assert not tool.console_is_over()
        assert tool.refresh()[0] == 200
    finally:
        running.close()
        house.scim("DELETE", f"/Groups/{group['id']}")


@pytest.mark.parametrize("how", ["disabled", "key revoked"])
def test_a_service_account(house: AccessHouse, how: str) -> None:
    api = house.server.api
    if all(account["name"] != "deploy" for account in api("GET", "/service-accounts")["service_accounts"]):
        api("POST", "/service-accounts", {"name": "deploy"})
    key = api("POST", "/service-accounts/deploy/keys", {})
    running = house.work(key["token"])
    try:
        begun = time.monotonic()
        if how == "disabled":
            api("POST", "/service-accounts/deploy/disable")
        else:
            api("DELETE", f"/service-accounts/deploy/keys/{key['id']}")
        must_have_ended(house, running, begun)
        assert house.ask(key["token"]).status == 401
    finally:
        running.close()
        api("POST", "/service-accounts/deploy/enable")


def test_who_comes_back_gets_in_again_and_the_old_token_stays_dead(house: AccessHouse) -> None:
    tool = house.login(fresh_name())
    deactivated(house, tool)
    browser, page = house.arrive(tool.name)
    assert page.status == 403, page.text
    assert browser.get("/account").status == 303
    house.server.api("POST", f"/users/{tool.user_id}/activate")
    again = house.login(tool.name)
    assert house.ask(again.token).status == 200
    assert house.ask(tool.token).status == 401
    assert tool.refresh()[1]["error"] == "invalid_grant"


def test_killed_right_after_it_ended_it_stays_ended(tmp_path: Path) -> None:
    """The answer is the promise: whatever happens to the process then, nobody comes in again."""
    with access_house(tmp_path) as house:
        for end in (deactivated, inactive_by_scim, logged_out_by_the_provider, refresh_token_given_back):
            tool = house.login(fresh_name())
            running = house.work(tool.token)
            end(house, tool)
            house.server.kill()
            assert running.stream_ended_within(PROMISED_S)
            running.close()
            house.server.start()
            assert house.ask(tool.token).status == 401, end.__name__
            assert tool.refresh()[1]["error"] == "invalid_grant", end.__name__
            assert tool.console_is_over() is (end is not refresh_token_given_back), end.__name__
            assert house.approval_of(running.held_path) is None
        assert house.server.cli("audit", "verify").returncode == 0


def test_an_exception_from_masking_ends_with_its_group(house: AccessHouse) -> None:
    """What streams on would be unmasked still. A group that has no part in it changes nothing."""
    claimed = {"engineering": "eng", "press": "press", "chess": "chess"}
    exception = {"reason": "they publish it", "expires": "never", "who": {"groups": ["press"]}, "on": ["*"]}
    house.furnish(
        groups=[
            *({"name": name, "from": {"issuer": "corp", "claim": "groups", "value": value}}
              for name, value in claimed.items()),
            {"name": "builders", "from": {"scim": "Builders"}},
        ],
        masking=[{"name": "projects", "words": ["Bluebird"], "where": ["response"], "exceptions": [exception]}],
    )  # fmt: skip
    tool = house.login(fresh_name(), groups=("eng", "press", "chess"))
    running = house.work(tool.token)
    try:
        house.sign_in(tool.name, groups=("eng", "press"))
        assert running.flows()
        house.sign_in(tool.name, groups=("eng",))
        assert running.stream_ended_within(PROMISED_S)
        assert house.ask(tool.token).status == 200
    finally:
        running.close()
        house.furnish()
