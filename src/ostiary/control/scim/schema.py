"""The users and groups of SCIM as `scim2_models` knows them. Importing this loads pydantic: nothing does so before the
first request that is let in."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field, ValidationError
from scim2_models import (
    Context,
    Email,
    EnterpriseUser,
    Group,
    Manager,
    Mutability,
    PatchOp,
    Reference,
    SCIMException,
    ScimPolicy,
    User,
)
from scim2_models import Error as ScimErrorMessage

from ostiary.control.scim.bodies import check_filter_size, require_schema
from ostiary.control.scim.errors import ScimError, invalid

GROUP_SCHEMA = str(Group.__schema__)
USER_SCHEMA = str(User.__schema__)
ENTERPRISE_SCHEMA = str(EnterpriseUser.__schema__)

DOCUMENT_MAX_CHARACTERS = 64 * 1024
VALUES_MAX = 20
"""Of one attribute of one person. Each operation of a PATCH costs as much as there are values."""


class Mail(Email):
    """Directories hold addresses that no mail server would take (`ada@corp.local`), so they are text."""

    value: str | None = None


class Boss(Manager):
    """Entra ID sends the manager's id alone."""

    value: str | None = None
    ref: Annotated[Reference[Any] | None, Mutability.read_write] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )


class Enterprise(EnterpriseUser):
    manager: Boss | None = None


class Person(User[Enterprise]):
    emails: list[Mail] | None = None  # type: ignore[assignment]


NAMES_MAX = 2000
"""Of attributes in one request about one person."""

POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
"""What Okta and Entra ID send beyond the RFC."""

_FOR_PROGRAMMERS = re.compile(r"^\d+ validation errors? for \w+ | \[type=[^\]]*\]| For further information visit \S+")

_SERVERS_OWN = frozenset({"schemas", "id", "meta", "groups", "password"})


def person_of(body: Mapping[str, Any], *, is_new: bool) -> dict[str, Any]:
    """What a client says of a person, without what it has no say in. Raises `ScimError`."""
    require_schema(body, USER_SCHEMA)
    _check_names(body)
    context = Context.RESOURCE_CREATION_REQUEST if is_new else Context.RESOURCE_REPLACEMENT_REQUEST
    with _refusing(), POLICY:
        person = Person.model_validate(_with_managers(body), scim_ctx=context)
        return _said(person)


def patched_person(said: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The same after a PATCH of it. `said` holds the server's own attributes too, so that writing one of them is told
    from repeating it. Raises `ScimError`."""
    operations = operations_of(body)
    _check_names(body)
    for operation in operations:
        check_filter_size(str(operation.get("path") or ""))
    message = {"schemas": body.get("schemas"), "Operations": [_with_managers(operation) for operation in operations]}
    with _refusing(), POLICY:
        person = Person.model_validate(said)
        patch = PatchOp[Person].model_validate(message, scim_ctx=Context.RESOURCE_PATCH_REQUEST)
        for step in patch.operations or ():
            # One by one, so that nothing grows beyond what would be kept: each costs as much as there is.
            patch.model_copy(update={"operations": [step]}).patch(person)
            _check_values(person)
        return _said(person)


def operations_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The operations of a PATCH with the names of their members in lower case. Raises `ScimError`."""
    operations = next((value for name, value in body.items() if name.lower() == "operations"), None)
    if not isinstance(operations, list) or not operations:
        raise ScimError(400, "'Operations' must be a list with at least one operation.", "invalidSyntax")
    if not all(isinstance(operation, dict) for operation in operations):
        raise ScimError(400, "Each operation must be an object.", "invalidSyntax")
    return [{name.lower(): value for name, value in operation.items()} for operation in operations]


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except SCIMException as failure:
        raise ScimError(failure.status, _one_line(failure.detail), failure.scim_type) from None
    except ValidationError as failure:
        first = ScimErrorMessage.from_validation_errors(failure.errors(include_url=False))[0]
        raise ScimError(first.status or 400, _one_line(first.detail or ""), first.scim_type or "") from None


def refusing() -> Any:
    """Library failures as `ScimError`."""
    return _refusing()


def _said(person: Person) -> dict[str, Any]:
    document: dict[str, Any] = person.model_dump(scim_ctx=Context.DEFAULT)
    said = {name: value for name, value in document.items() if name not in _SERVERS_OWN}
    _check_values(person)
    if _size(said) > DOCUMENT_MAX_CHARACTERS:
        raise ScimError(400, "The user's attributes are too long.", "tooMany")
    return said


def _check_names(body: Any) -> None:
    """Each name is looked for among the attributes there are, and may be a path to be parsed."""
    if _names(body) > NAMES_MAX:
        raise ScimError(400, f"The body has more than {NAMES_MAX:,} names in it.", "tooMany")


def _names(value: Any) -> int:
    if isinstance(value, Mapping):
        return len(value) + sum(_names(held) for held in value.values())
    if isinstance(value, list):
        return sum(_names(held) for held in value)
    return 0


def _check_values(person: Person) -> None:
    for name, value in person:
        if isinstance(value, list) and len(value) > VALUES_MAX:
            raise invalid(f"'{name}' has more than {VALUES_MAX} values.")


def _size(value: Any) -> int:
    """Characters, about."""
    if isinstance(value, Mapping):
        return sum(len(name) + _size(held) for name, held in value.items())
    if isinstance(value, list):
        return sum(_size(held) for held in value)
    return len(str(value))


def _with_managers(value: Any) -> Any:
    """A manager that is told as text in the form of RFC 7643."""
    if not isinstance(value, Mapping):
        return value
    changed = {name: _manager(held) if _is_manager(name) else _with_managers(held) for name, held in value.items()}
    if _is_manager(str(value.get("path", ""))) and "value" in changed:
        changed["value"] = _manager(value["value"])
    return changed


def _is_manager(name: str) -> bool:
    return name.lower() in {"manager", f"{ENTERPRISE_SCHEMA}:manager".lower()}


def _manager(held: Any) -> Any:
    if not isinstance(held, str):
        return held
    return {"value": held} if held else None


def _one_line(text: str) -> str:
    """A message without what pydantic adds for programmers."""
    return _FOR_PROGRAMMERS.sub("", " ".join(text.split()))[:500]
