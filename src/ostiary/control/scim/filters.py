"""Filters of SCIM, parsed by `scim2_models` and evaluated here on plain documents: a list looks at thousands."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unicodedata import normalize

from scim2_models import Extension, ScimFilter
from scim2_models.path import (
    AttributeBinding,
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)
from scim2_models.path.resolution import coerce_value

from ostiary.control.scim.bodies import check_filter_size
from ostiary.control.scim.errors import ScimError
from ostiary.control.scim.schema import refusing
from ostiary.model.person import name_key

Test = Callable[[Mapping[str, Any]], bool]

_COMPARED: Mapping[CompareOperator, Callable[[Any, Any], bool]] = {
    CompareOperator.eq: operator.eq,
    CompareOperator.gt: operator.gt,
    CompareOperator.ge: operator.ge,
    CompareOperator.lt: operator.lt,
    CompareOperator.le: operator.le,
    CompareOperator.co: lambda actual, expected: expected in actual,
    CompareOperator.sw: lambda actual, expected: bool(actual.startswith(expected)),
    CompareOperator.ew: lambda actual, expected: bool(actual.endswith(expected)),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """`demands` are the values that lower-case attributes must equal in everything that matches: what to look up first.
    That of a value among several stands under its dotted path.
    `names` are the lower-case attributes it looks at."""

    matches: Test
    demands: Mapping[str, str]
    names: frozenset[str]


def compiled(text: str, model: Any) -> Filter:
    """Raises `ScimError`."""
    check_filter_size(text)
    with refusing():
        parsed = ScimFilter[model](text)
        if "password" in text.lower() and "password" in set(_names(parsed.ast)):
            raise ScimError(400, "Passwords are not kept here.", "invalidFilter")
        if any(not _is_unicode(value) for value in _values(parsed.ast)):
            raise ScimError(400, "The filter holds what is no Unicode.", "invalidFilter")
        return Filter(_test(parsed.ast, model), dict(_demands(parsed.ast)), frozenset(_names(parsed.ast)))


def _demands(node: FilterNode) -> Iterator[tuple[str, str]]:
    match node:
        case Comparison(AttrPath(attr=name, sub_attr=None), CompareOperator.eq, str() as value):
            yield name.lower(), value
        case Comparison(AttrPath(attr=name, sub_attr=str() as sub), CompareOperator.eq, str() as value):
            yield f"{name}.{sub}".lower(), value
        case ValuePath(path, inner):
            yield from ((f"{path.attr.lower()}.{name}", value) for name, value in _demands(inner))
        case LogicalExpr(LogicalOperator.and_, terms):
            for term in terms:
                yield from _demands(term)


def _names(node: FilterNode) -> Iterator[str]:
    match node:
        case Comparison(path) | Present(path) | ValuePath(path):
            yield path.attr.lower()
        case Not(inner):
            yield from _names(inner)
        case LogicalExpr(_, terms):
            for term in terms:
                yield from _names(term)


def _values(node: FilterNode) -> Iterator[Any]:
    match node:
        case Comparison(_, _, value):
            yield value
        case Not(inner) | ValuePath(_, inner):
            yield from _values(inner)
        case LogicalExpr(_, terms):
            for term in terms:
                yield from _values(term)


def _is_unicode(value: Any) -> bool:
    """Half a surrogate pair cannot be looked up."""
    return not isinstance(value, str) or value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)


def _test(node: FilterNode, model: Any) -> Test:
    match node:
        case LogicalExpr(LogicalOperator.and_, terms):
            tests = [_test(term, model) for term in terms]
            return lambda document: all(test(document) for test in tests)
        case LogicalExpr(_, terms):
            tests = [_test(term, model) for term in terms]
            return lambda document: any(test(document) for test in tests)
        case Not(inner):
            negated = _test(inner, model)
            return lambda document: not negated(document)
        case Present(path):
            read = _reader(_bound(path, model))
            return lambda document: any(_is_present(value) for value in read(document))
        case ValuePath(path, inner):
            bound = _bound(path, model)
            if bound.sub_field_name is not None or not isinstance(bound.field_type, type):
                raise ScimError(400, f"'{path}' has no values to choose from.", "invalidFilter")
            read, chosen = _reader(bound), _test(inner, bound.field_type)
            return lambda document: any(isinstance(item, Mapping) and chosen(item) for item in read(document))
        case Comparison():
            return _comparison(node, model)
    raise ScimError(400, "The filter is not understood.", "invalidFilter")


def _comparison(node: Comparison, model: Any) -> Test:
    bound = _filter_bound(node.attr_path, model)
    read, key = _reader(bound), _comparison_key(bound)
    # Binary values stand as text in a document.
    coerced = coerce_value(bound, node.value, node.op)
    expected = key(node.value if isinstance(coerced, bytes) else coerced)
    if node.op is CompareOperator.ne:
        return lambda document: all(not _holds(operator.eq, key(value), expected) for value in read(document))
    if expected is None:
        return lambda document: node.op is CompareOperator.eq and not any(True for _ in read(document))
    compare = _COMPARED[node.op]
    return lambda document: any(_holds(compare, key(value), expected) for value in read(document))


def _holds(compare: Callable[[Any, Any], bool], actual: Any, expected: Any) -> bool:
    try:
        return compare(actual, expected)
    except (TypeError, AttributeError):
        return False


def _comparison_key(bound: AttributeBinding) -> Callable[[Any], Any]:
    if bound.target_type is datetime:
        return _moment
    fold = _exact if bound.case_exact else name_key
    return lambda value: fold(value) if isinstance(value, str) else value


def _exact(text: str) -> str:
    return normalize("NFC", text)


def _moment(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _bound(path: AttrPath, model: Any) -> AttributeBinding:
    # The name of an attribute binds in any filter; this one only carries the model.
    bound = ScimFilter[model]("id pr").resolve(path) if _is_resource(model) else _inner_bound(path, model)
    if bound is None:
        raise ScimError(400, f"There is no attribute '{path}'.", "invalidFilter")
    return bound


def _filter_bound(path: AttrPath, model: Any) -> AttributeBinding:
    if not _is_resource(model):
        return _bound(path, model)
    bound = ScimFilter[model]("id pr").resolve_comparison(path)
    if bound is None:
        raise ScimError(400, f"There is no attribute '{path}'.", "invalidFilter")
    return bound


def _is_resource(model: Any) -> bool:
    return hasattr(model, "__schema__")


def _inner_bound(path: AttrPath, model: Any) -> AttributeBinding | None:
    """Of the values of a complex attribute."""
    from scim2_models.path.resolution import _resolve_filter_path

    return _resolve_filter_path(model, path, strict=True, for_comparison=True)


def _reader(bound: AttributeBinding) -> Callable[[Mapping[str, Any]], list[Any]]:
    """The values that a path stands for, none where it is not set."""
    name = bound.model._scim_name(bound.field_name)
    extension = str(bound.model.__schema__) if issubclass(bound.model, Extension) else None
    sub_name = None
    if bound.sub_field_name is not None and bound.target_model is not None:
        sub_name = bound.target_model._scim_name(bound.sub_field_name)

    def read(document: Mapping[str, Any]) -> list[Any]:
        host = document if extension is None else document.get(extension, {})
        held = host.get(name)
        values = held if isinstance(held, list) else [] if held is None else [held]
        if sub_name is None:
            return values
        return [item[sub_name] for item in values if isinstance(item, Mapping) and item.get(sub_name) is not None]

    return read


def _is_present(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_present(held) for held in value.values())
    if isinstance(value, list):
        return any(_is_present(held) for held in value)
    return value is not None and value != ""
