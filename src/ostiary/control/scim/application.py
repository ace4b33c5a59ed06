"""SCIM 2.0 (RFC 7643, RFC 7644) as an application of its own, for the identity provider that provisions people.

What reads and writes resources is imported with the first request that is let in: an installation without SCIM never
loads it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ostiary.control.api.problems import status_of
from ostiary.control.identity_ports import People, ScimGroups
from ostiary.control.scim.bodies import Query, read_body, read_query, read_search
from ostiary.control.scim.errors import HEADERS, ScimError, answer, error_answer
from ostiary.control.scim.provisioning import Ending, Provisioning
from ostiary.control.scim.views import list_view
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.whole import whole
from ostiary.control.web.visitors import network_of
from ostiary.model.errors import OstiaryError

if TYPE_CHECKING:
    from ostiary.control.scim.groups import Groups
    from ostiary.control.scim.users import Users

_log = logging.getLogger("ostiary.control.scim")

IsScim = Callable[[str, str], Awaitable[bool]]
"""(bearer token, network address it comes from) → whether this is a live token of scope `scim`."""

TRIES = 3
"""Of a change that somebody else's got ahead of, when its sender did not say which version they mean."""

MEMBERS_ANSWERED_MAX = 1000
"""A change of a larger group is answered without the group: providers change it one member at a time."""

Handler = Callable[["Service", Request], Awaitable[Response]]


class Service:
    """The two kinds of resources and the discovery documents."""

    def __init__(self, people: People, groups: ScimGroups, provisioning: Provisioning, base: str) -> None:
        from ostiary.control.scim import discovery
        from ostiary.control.scim.groups import Groups
        from ostiary.control.scim.users import Users

        self.users = Users(people, groups, provisioning, base)
        self.groups = Groups(groups, provisioning, base)
        self.config = discovery.service_provider_config(base)
        self.types = discovery.resource_types(base)
        self.schemas = discovery.schemas(base)

    async def search(self, query: Query) -> dict[str, Any]:
        """Users, then groups. An attribute that only one of the two has matches none of the other."""
        pages: list[dict[str, Any]] = []
        refusals: list[ScimError] = []
        found = total = 0
        for resources in (self.users, self.groups):
            start = max(1, query.start_index - total)
            try:
                page = await resources.find(replace(query, start_index=start, count=query.count - found))
            except ScimError as failure:
                refusals.append(failure)
                continue
            pages += page["Resources"]
            found, total = len(pages), total + page["totalResults"]
        if len(refusals) == 2:
            raise refusals[0]
        return list_view(pages, total, query.start_index)

    def resources(self, kind: str) -> "Users | Groups":
        return self.users if kind == "Users" else self.groups


def create_scim(
    people: People,
    groups: ScimGroups,
    ending: Ending,
    log: AdminLog,
    *,
    issuer: Callable[[], str | None],
    is_scim: IsScim,
    new_id: Callable[[], str],
    base_url: Callable[[], str],
) -> Starlette:
    """To be mounted where `base_url` says, for example `https://ostiary.example.com/scim/v2`; it is asked once, at the
    first request. `issuer` is the identity provider whose people SCIM provisions, None while SCIM is switched off;
    `new_id` makes ids nobody can guess."""
    provisioning = Provisioning(people, groups, ending, log, issuer=issuer, new_id=new_id)
    loaded: list[Service] = []
    loading = asyncio.Lock()

    async def service() -> Service:
        async with loading:
            if not loaded:
                loaded.append(await asyncio.to_thread(Service, people, groups, provisioning, base_url().rstrip("/")))
        return loaded[0]

    def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            return await _run(handler, request, is_scim, provisioning, service)

        return run

    def route(path: str, handler: Handler, *methods: str) -> Route:
        return Route(path, endpoint(handler), methods=list(methods))

    async def no_route(request: Request, failure: Exception) -> Response:
        if not await is_scim(_bearer(request), network_of(request)):
            return _not_let_in()
        return _http_error(failure)

    of_kinds = [
        made
        for kind in ("Users", "Groups")
        for made in (
            route(f"/{kind}", _list, "GET"),
            route(f"/{kind}", _create, "POST"),
            route(f"/{kind}/.search", _search, "POST"),
            route(f"/{kind}/{{id}}", _show, "GET"),
            route(f"/{kind}/{{id}}", _change, "PUT", "PATCH"),
            route(f"/{kind}/{{id}}", _remove, "DELETE"),
        )
    ]
    return Starlette(
        routes=[
            route("/ServiceProviderConfig", _config, "GET"),
            route("/ResourceTypes", _types, "GET"),
            route("/ResourceTypes/{id}", _type, "GET"),
            route("/Schemas", _schemas, "GET"),
            route("/Schemas/{id}", _schema, "GET"),
            *of_kinds,
            route("/.search", _search_everything, "POST"),
        ],
        exception_handlers={HTTPException: no_route},
    )


async def _run(
    handler: Handler,
    request: Request,
    is_scim: IsScim,
    provisioning: Provisioning,
    service: Callable[[], Awaitable[Service]],
) -> Response:
    try:
        if not await is_scim(_bearer(request), network_of(request)):
            return _not_let_in()
        if not provisioning.is_on():
            raise ScimError(403, "SCIM is not switched on in the configuration of this installation.")
        return await handler(await service(), request)
    except ScimError as failure:
        return error_answer(failure)
    except OstiaryError as failure:
        return error_answer(ScimError(status_of(failure), str(failure)))
    except ClientDisconnect:
        return error_answer(ScimError(400, "The body ended early."))
    except Exception as failure:  # noqa: BLE001 - the outermost place of a request
        # Only what kind of failure: its text could hold what somebody sent.
        _log.error("scim_request_failed kind=%s", type(failure).__name__)
        return error_answer(ScimError(500, "Something went wrong inside Ostiary."))


def _not_let_in() -> Response:
    return error_answer(ScimError(401, "This needs a token of scope scim."), {"www-authenticate": "Bearer"})


def _bearer(request: Request) -> str:
    fields = request.headers.getlist("authorization")
    scheme, _, token = (fields[0] if len(fields) == 1 else "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _list(service: Service, request: Request) -> Response:
    return answer(200, await service.resources(_kind(request)).find(read_query(request)))


async def _search(service: Service, request: Request) -> Response:
    return answer(200, await service.resources(_kind(request)).find(read_search(await read_body(request))))


async def _search_everything(service: Service, request: Request) -> Response:
    return answer(200, await service.search(read_search(await read_body(request))))


async def _show(service: Service, request: Request) -> Response:
    resource, version = await service.resources(_kind(request)).show(request.path_params["id"], read_query(request))
    if version in {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}:
        return Response(None, 304, {**HEADERS, "etag": version})
    return answer(200, resource, {"etag": version})


async def _create(service: Service, request: Request) -> Response:
    body = await read_body(request)
    resource, version = await whole(service.resources(_kind(request)).create(body, _whole_or_some(request)))
    location = f"{service.config['meta']['location'].rpartition('/')[0]}/{_kind(request)}/{resource['id']}"
    return answer(201, resource, {"etag": version, "location": location})


async def _change(service: Service, request: Request) -> Response:
    body = await read_body(request)
    resources = service.resources(_kind(request))
    change = resources.replace if request.method == "PUT" else resources.patch
    if_match = request.headers.get("if-match")
    for tries_left in reversed(range(TRIES)):
        try:
            steps = change(request.path_params["id"], body, _whole_or_some(request), if_match)
            resource, version = await whole(steps)
            if len(resource.get("members", ())) > MEMBERS_ANSWERED_MAX:
                return Response(None, 204, {**HEADERS, "etag": version})
            return answer(200, resource, {"etag": version})
        except ScimError as failure:
            if failure.status != 412 or if_match is not None or not tries_left:
                raise
    raise AssertionError


async def _remove(service: Service, request: Request) -> Response:
    if_match = request.headers.get("if-match")
    await whole(service.resources(_kind(request)).remove(request.path_params["id"], if_match))
    return Response(None, 204, HEADERS)


def _kind(request: Request) -> str:
    """`Users` or `Groups`: the route's own first segment."""
    path: str = request.scope["route"].path
    return path.split("/")[1]


def _whole_or_some(request: Request) -> Query:
    """Which attributes the answer to a write holds; the rest of a list's query has no meaning there."""
    query = read_query(request)
    return Query(attributes=query.attributes, excluded=query.excluded)


async def _config(service: Service, _request: Request) -> Response:
    return answer(200, service.config)


async def _types(service: Service, request: Request) -> Response:
    return _all_of(list(service.types.values()), request)


async def _type(service: Service, request: Request) -> Response:
    return _one_of(service.types, request)


async def _schemas(service: Service, request: Request) -> Response:
    return _all_of(list(service.schemas.values()), request)


async def _schema(service: Service, request: Request) -> Response:
    return _one_of(service.schemas, request)


def _all_of(documents: list[Any], request: Request) -> Response:
    if request.query_params.get("filter") is not None:
        raise ScimError(403, "These are not filtered.")
    return answer(200, list_view(documents, len(documents), 1))


def _one_of(documents: Any, request: Request) -> Response:
    found = documents.get(request.path_params["id"])
    if found is None:
        raise ScimError(404, "There is no such resource.")
    return answer(200, found)


def _http_error(failure: Exception) -> Response:
    status = failure.status_code if isinstance(failure, HTTPException) else 500
    headers = dict(failure.headers or {}) if isinstance(failure, HTTPException) else {}
    return error_answer(ScimError(status, "Not with this method." if status == 405 else "It is not here."), headers)
