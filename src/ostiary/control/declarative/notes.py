"""What is right as it stands and may still not be what was meant."""

from collections.abc import Iterator

from ostiary.control.declarative.values import moment_text
from ostiary.model.configuration import Configuration
from ostiary.model.issuer import OidcIssuer, SamlIssuer
from ostiary.policy.masking_scope import rules_for


def notes(configuration: Configuration, now: float) -> tuple[str, ...]:
    """Sentences about the whole of what would be in force at `now`, in seconds since the epoch."""
    return (
        *_idle_masking_rules(configuration),
        *_expired_exceptions(configuration, now),
        *_names_of_anybody(configuration),
    )


def _idle_masking_rules(configuration: Configuration) -> Iterator[str]:
    if not configuration.connections:
        return
    busy = {rule.name for entry in configuration.connections for rule in rules_for(entry, configuration.masking)}
    for rule in configuration.masking:
        if rule.name not in busy:
            yield f"The masking rule '{rule.name}' holds on no connection."


def _expired_exceptions(configuration: Configuration, now: float) -> Iterator[str]:
    for rule in configuration.masking:
        for exemption in rule.exemptions:
            if exemption.expires_at is not None and exemption.expires_at <= now:
                yield (
                    f"An exception of the masking rule '{rule.name}' has no effect since"
                    f" {moment_text(exemption.expires_at)}, when it expired: {exemption.reason}"
                )


def _names_of_anybody(configuration: Configuration) -> Iterator[str]:
    issuers = [issuer for issuer in configuration.issuers if isinstance(issuer, OidcIssuer | SamlIssuer)]
    unbound = [f"'{issuer.name}'" for issuer in issuers if not issuer.names]
    if len(issuers) > 1 and unbound:
        yield (
            f"There are {len(issuers)} issuers of people, and {_listed(unbound)} without `names`: whoever of any issuer"
            " comes first takes a name. `names` says which an issuer may give."
        )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
