"""What this SCIM service says of itself."""

from collections.abc import Mapping
from typing import Any

from scim2_models import Group, User

from ostiary.control.scim.bodies import BODY_MAX_BYTES, PAGE_MAX
from ostiary.control.scim.schema import ENTERPRISE_SCHEMA, Enterprise
from ostiary.control.scim.views import GROUP_SCHEMA, USER_SCHEMA

_CONFIG_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
_TYPE_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"


def service_provider_config(base: str) -> dict[str, Any]:
    return {
        "schemas": [_CONFIG_SCHEMA],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": BODY_MAX_BYTES},
        "filter": {"supported": True, "maxResults": PAGE_MAX},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token of scope scim, made by whoever runs this installation.",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_types(base: str) -> dict[str, dict[str, Any]]:
    """By id."""
    described: tuple[tuple[str, str, str, list[dict[str, Any]]], ...] = (
        ("User", USER_SCHEMA, "A person.", [{"schema": ENTERPRISE_SCHEMA, "required": False}]),
        ("Group", GROUP_SCHEMA, "A group of people.", []),
    )
    return {
        name: {
            "schemas": [_TYPE_SCHEMA],
            "id": name,
            "name": name,
            "endpoint": f"/{name}s",
            "description": description,
            "schema": schema,
            **({"schemaExtensions": extensions} if extensions else {}),
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"},
        }
        for name, schema, description, extensions in described
    }


def schemas(base: str) -> dict[str, Mapping[str, Any]]:
    """By id."""
    found: dict[str, Mapping[str, Any]] = {}
    for model in (User, Enterprise, Group):
        document = model.to_schema().model_dump()
        identifier = document["id"]
        document["attributes"] = [_as_served(attribute) for attribute in document["attributes"] if _is_kept(attribute)]
        document["meta"] = {"resourceType": "Schema", "location": f"{base}/Schemas/{identifier}"}
        found[identifier] = document
    return found


def _is_kept(attribute: Mapping[str, Any]) -> bool:
    """Passwords are none of this service's attributes."""
    return bool(attribute["name"] != "password")


def _as_served(attribute: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where this service differs from the RFC's schema: somebody always is active or is not, and members are told by
    their ids alone."""
    if attribute["name"] == "active":
        return {**attribute, "required": True}
    if attribute["name"] == "members":
        return {**attribute, "subAttributes": [sub for sub in attribute["subAttributes"] if sub["name"] != "display"]}
    return attribute
