"""Whether the people of an issuer came from the provider that it stands for."""

from collections.abc import Iterator, Mapping

from ostiary.control.services.provider_checks.finding import Finding, warn

SHOWN_MAX = 5


def origin_findings(name: str, identifier: str, origins: Mapping[str | None, int]) -> Iterator[Finding]:
    """`origins` as `People.origins`; `identifier` is the issuer's now, as in `User.issuer_identifier`."""
    others = {origin: count for origin, count in origins.items() if origin not in (None, identifier)}
    if not others:
        return
    people = sum(others.values())
    came = "1 person came" if people == 1 else f"{people:,} people came"
    before = ", ".join(sorted(str(origin) for origin in others)[:SHOWN_MAX])
    yield warn(
        f"{came} to '{name}' from another provider ({before}): nobody here now, and refused as `issuer_changed`.",
        "Give the new provider a name of its own, or let go of the people of the old one with `ostiary user forget`.",
    )
