"""The API's routes about people, their sign-ins and groups, in rows as those of `routes`."""

from collections.abc import Mapping
from typing import Any

from ostiary.audit.entries import entry_time
from ostiary.control.api.fields import Field
from ostiary.control.api.route import Route
from ostiary.control.caller import Caller
from ostiary.control.services import Services
from ostiary.control.services.people import GroupOverview, Person
from ostiary.model.person import SignIn

Arguments = Mapping[str, Any]


async def show_me(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    oneself = await services.people.me(caller)
    return {
        "label": oneself.label,
        "permissions": sorted(permission.value for permission in oneself.permissions),
        "fresh": oneself.is_fresh,
        "user": None if oneself.person is None else _person(oneself.person),
    }


async def list_users(services: Services, caller: Caller, arguments: Arguments) -> Any:
    people = await services.people.list(caller, arguments["after"], arguments["limit"])
    after = people[-1].user.name if len(people) == arguments["limit"] else None
    return {"users": [_person(person) for person in people], "after": after}


async def show_user(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"user": _person(await services.people.show(caller, arguments["id"]))}


async def deactivate_user(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"user": _person(await services.people.deactivate(caller, arguments["id"]))}


async def activate_user(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"user": _person(await services.people.reactivate(caller, arguments["id"]))}


async def forget_user(services: Services, caller: Caller, arguments: Arguments) -> Any:
    await services.people.forget(caller, arguments["id"])
    return {"id": arguments["id"], "removed": True}


async def list_sign_ins(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"sign_ins": [_sign_in(found) for found in await services.people.sign_ins(caller, arguments["id"])]}


async def end_sign_in(services: Services, caller: Caller, arguments: Arguments) -> Any:
    await services.people.end_sign_in(caller, arguments["id"])
    return {"id": arguments["id"], "ended": True}


async def list_groups(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    found = await services.people.groups(caller)
    return {
        "groups": [_group(overview) for overview in found.groups],
        "provisioned": [{"name": name, "members": count} for name, count in found.provisioned.items()],
    }


def _person(person: Person) -> dict[str, Any]:
    user = person.user
    return {
        "id": user.id,
        "name": user.name,
        "display_name": user.display_name,
        "email": user.email,
        "active": user.active,
        "origin": user.origin.value,
        "issuer": user.issuer,
        "external_id": user.external_id,
        "groups": sorted(person.groups),
        "roles": sorted(person.roles),
        "created_at": _time(user.created_at),
        "changed_at": _time(user.changed_at),
        "seen_at": _time(user.seen_at),
    }


def _sign_in(sign_in: SignIn) -> dict[str, Any]:
    return {
        "id": sign_in.id,
        "kind": sign_in.kind.value,
        "issuer": sign_in.issuer,
        "agent": sign_in.agent,
        "device": sign_in.device,
        "network": sign_in.network,
        "created_at": _time(sign_in.created_at),
        "authenticated_at": _time(sign_in.authenticated_at),
        "seen_at": _time(sign_in.seen_at),
        "ends_at": _time(sign_in.ends_at),
        "ended_at": _time(sign_in.ended_at),
        "ended_why": sign_in.ended_why,
    }


def _group(overview: GroupOverview) -> dict[str, Any]:
    group = overview.group
    return {
        "name": group.name,
        "sources": [
            {"issuer": source.issuer, "claim": source.claim, "value": source.value} for source in group.sources
        ],
        "scim": list(group.scim),
        "named": list(group.members),
        "members": list(overview.members),
        "member_count": overview.member_count,
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else entry_time(seconds)


_USER = {"user": "id, name, display_name, email, active, origin, issuer, groups, roles and times."}

PEOPLE_ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/me", "showMe", "Who you are here, and what you may do.", show_me,
        {
            "label": "How the audit log names you.", "permissions": "What you may do.",
            "fresh": "Whether your sign-in is recent enough for what takes one.",
            "user": "As in the list of users; null for the local owner.",
        },
    ),
    Route(
        "GET", "/users", "listUsers", "People by name; yourself alone without people.read.", list_users,
        {"users": _USER["user"], "after": "Ask again with this; null when these are the last."},
        query=(
            Field("after", "string", "Only names beyond this one.", default="", most=1000),
            Field("limit", "integer", "At most so many.", default=100, least=1, most=500),
        ),
    ),
    Route("GET", "/users/{id}", "showUser", "One person.", show_user, _USER),
    Route(
        "POST", "/users/{id}/deactivate", "deactivateUser",
        "Take somebody's access away: sign-ins, tokens, waiting requests and running streams end.",
        deactivate_user, _USER,
    ),
    Route("POST", "/users/{id}/activate", "activateUser", "Let somebody sign in again.", activate_user, _USER),
    Route(
        "DELETE", "/users/{id}", "forgetUser", "Remove somebody; what they did stays in the audit log.", forget_user,
        {"id": "Who was removed.", "removed": "true"},
    ),
    Route(
        "GET", "/users/{id}/sign-ins", "listSignIns", "Somebody's sign-ins, the newest first.", list_sign_ins,
        {"sign_ins": "id, kind, issuer, agent, device, network and times."},
    ),
    Route(
        "POST", "/sign-ins/{id}/end", "endSignIn", "End a sign-in with its tokens.", end_sign_in,
        {"id": "The sign-in.", "ended": "true"},
    ),
    Route(
        "GET", "/groups", "listGroups", "Groups, what puts people into them, and who is in them now.", list_groups,
        {
            "groups": "name, sources, scim, named, members (at most 1000) and member_count.",
            "provisioned": "Groups that SCIM provisions: name and members (count).",
        },
    ),
)  # fmt: skip
