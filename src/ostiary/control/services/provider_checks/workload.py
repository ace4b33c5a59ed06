"""Checks of an issuer of tokens for machines."""

from collections.abc import AsyncIterator, Iterator

from ostiary.control.services.provider_checks.finding import (
    ExaminedProviders,
    Finding,
    clock_findings,
    fail,
    failed,
    key_findings,
    ok,
    warn,
)
from ostiary.identity.presets import WORKLOAD_PRESETS
from ostiary.model.errors import OstiaryError
from ostiary.model.issuer import WorkloadIssuer


async def workload_findings(issuer: WorkloadIssuer, providers: ExaminedProviders) -> AsyncIterator[Finding]:
    for finding in _preset(issuer):
        yield finding
    try:
        book = await providers.keys(issuer, None)
    except OstiaryError as failure:
        yield failed(failure)
    else:
        for finding in key_findings(book, issuer.algorithms):
            yield finding
        for finding in clock_findings(providers.clock_difference_s(issuer)):
            yield finding
    yield ok(
        f"Tokens are accepted when they are made for `{issuer.audience}`", "Ask the issuer for exactly this audience."
    )
    for finding in _rules(issuer):
        yield finding


def _preset(issuer: WorkloadIssuer) -> Iterator[Finding]:
    preset = WORKLOAD_PRESETS.get(issuer.preset)
    if preset is None:
        return
    if preset.issuer and issuer.issuer != preset.issuer:
        yield warn(f"{preset.title} tokens usually come from {preset.issuer_example}.", "Compare `issuer`.")
    for note in preset.notes:
        yield warn(f"Keep in mind: {note}")


def _rules(issuer: WorkloadIssuer) -> Iterator[Finding]:
    if not issuer.accepts:
        yield fail("No rule says whose tokens are accepted, so none are.", "Add `accepts`.")
    preset = WORKLOAD_PRESETS.get(issuer.preset)
    for rule in issuer.accepts:
        claims = [condition.claim for condition in rule.conditions]
        if not claims:
            yield fail(
                f"Every token of the issuer is the service `{rule.service}`: its rule has no condition.",
                "Add a condition that only your own workloads meet.",
            )
        elif any("*" in condition.values for condition in rule.conditions):
            yield warn(
                f"A condition of the service `{rule.service}` is met by any value.", "Name the values you expect."
            )
        elif preset is not None and not set(claims) & set(preset.claims):
            yield warn(
                f"The service `{rule.service}` has no condition on what tells {preset.title} workloads apart.",
                f"Add one on {', '.join(preset.claims[:3])} or a similar claim.",
            )
        else:
            yield ok(f"The service `{rule.service}` takes a token with the right {', '.join(claims)}.")
