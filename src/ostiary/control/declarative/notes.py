"""What is right as it stands and may still not be what was meant."""

from collections.abc import Iterator

from ostiary.control.declarative.values import moment_text
from ostiary.model.configuration import Configuration
from ostiary.policy.masking_scope import rules_for


def notes(configuration: Configuration, now: float) -> tuple[str, ...]:
    """Sentences about the whole of what would be in force at `now`, in seconds since the epoch."""
    return (*_idle_masking_rules(configuration), *_expired_exceptions(configuration, now))


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
