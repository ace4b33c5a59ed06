"""Telephone numbering plans out of libphonenumber's metadata, each as one regular expression.

Its own parser takes 70 µs a number and plan; a text full of numbers would take seconds.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata

_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip
_COUNTRY_CODE_DIGITS = (1, 2, 3)
_ABROAD = re.compile(r"00|011")


class _Plan(NamedTuple):
    significant: re.Pattern[str]
    """Every number that may be given out, without the trunk prefix."""
    trunk: re.Pattern[str] | None
    transform: str | None
    """What becomes of a number that begins with a trunk prefix and captures something."""

    def holds_from_abroad(self, digits: str) -> bool:
        """Without a trunk prefix, or with one that is written though it is not dialled."""
        if self.significant.fullmatch(digits):
            return True
        found = self.trunk.match(digits) if self.trunk is not None and self.transform is None else None
        return found is not None and self.significant.fullmatch(digits, found.end()) is not None

    def holds(self, digits: str) -> bool:
        if self.significant.fullmatch(digits):
            return True
        found = self.trunk.match(digits) if self.trunk is not None else None
        if found is None or not found.end():
            return False
        if self.transform is None or not found.re.groups or found.group(found.re.groups) is None:
            return self.significant.fullmatch(digits, found.end()) is not None
        return self.significant.fullmatch(found.expand(self.transform) + digits[found.end() :]) is not None


def is_given_out(digits: str, region: str) -> bool:
    """Whether this is a number as dialled within a region (`DE`), or from it to another country."""
    abroad = _ABROAD.match(digits)
    if abroad is not None and is_given_out_abroad(digits[abroad.end() :]):
        return True
    return _plan(region).holds(digits)


def is_given_out_abroad(digits: str) -> bool:
    """Whether this is a country's code and a number there."""
    for count in _COUNTRY_CODE_DIGITS:
        plans = _plans(digits[:count])
        if plans:
            return any(plan.holds_from_abroad(digits[count:]) for plan in plans)
    return False


@cache
def _plan(region: str) -> _Plan:
    from phonenumbers import PhoneMetadata

    return _read(PhoneMetadata.metadata_for_region(region))


@cache
def _plans(country_code: str) -> tuple[_Plan, ...]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(country_code), ()) if country_code.isdigit() else ()
    if regions == ("001",):
        return (_read(PhoneMetadata.metadata_for_nongeo_region(int(country_code))),)
    return tuple(_plan(region) for region in regions)


def _read(metadata: "PhoneMetadata | None") -> _Plan:
    if metadata is None:  # for no region that is named here
        return _Plan(re.compile(r"(?!)"), None, None)
    patterns = [desc.national_number_pattern for kind in _KINDS if (desc := getattr(metadata, kind)) is not None]
    prefix = metadata.national_prefix_for_parsing
    return _Plan(
        re.compile("|".join(f"(?:{pattern})" for pattern in patterns if pattern and pattern != "NA")),
        re.compile(prefix) if prefix else None,
        re.sub(r"\\([0-9])", r"\\g<\1>", rule) if (rule := metadata.national_prefix_transform_rule) else None,
    )
