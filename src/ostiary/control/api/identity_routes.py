"""The API's routes about issuers, and the way back in for the owner, in rows as those of `routes`."""

from collections.abc import Mapping
from typing import Any

from ostiary.control.api.fields import Field
from ostiary.control.api.route import CONFIGURATION_MAX_BYTES, Route
from ostiary.control.caller import Caller
from ostiary.control.services import Services

Arguments = Mapping[str, Any]


async def examine_issuer(services: Services, caller: Caller, arguments: Arguments) -> Any:
    found = await services.identity.examine(caller, arguments["name"], arguments["yaml"], arguments["filename"])
    return {
        "findings": [
            {"level": finding.level.value, "sentence": finding.sentence, "next": finding.next_step} for finding in found
        ]
    }


async def make_owner_link(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    return {"url": await services.owner.new_link(caller)}


IDENTITY_ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/identity/examine", "examineIssuer", "Ask an issuer what it offers, and say what is configured wrong.",
        examine_issuer, {"findings": "level (ok, warn, fail), sentence and next."},
        body=(
            Field("name", "string", "The issuer.", required=True),
            Field("yaml", "string", "A declarative file that is not applied yet; the one in force when absent."),
            Field("filename", "string", "The name that errors give.", default="configuration.yaml", least=1, most=4096),
        ),
        body_max_bytes=CONFIGURATION_MAX_BYTES,
    ),
    Route(
        "POST", "/owner-link", "makeOwnerLink", "A link that makes the local owner, or lets them back in.",
        make_owner_link, {"url": "Works once, within 24 hours."}, created=True,
    ),
)  # fmt: skip
