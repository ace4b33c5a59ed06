"""Whether a `Who` speaks of an actor: every name it lists, and every name the actor goes by, as comparable keys."""

from ostiary.model.actor import Actor, ActorKind
from ostiary.model.rule import Who

Key = tuple[str, str | None]
"""A list of `Who` and a name on it."""


def keys_of_who(who: Who) -> list[Key]:
    """Empty when it speaks of everybody."""
    lists = (("group", who.groups), ("user", who.users), ("service", who.services), ("agent", who.agents))
    return [(kind, name) for kind, names in lists for name in names]


def keys_of_actor(actor: Actor) -> list[Key]:
    """A person's agent is bound by what is said of the person, too."""
    keys: list[Key] = [("group", group) for group in actor.groups]
    match actor.kind:
        case ActorKind.SERVICE:
            keys.append(("service", actor.name))
        case ActorKind.AGENT:
            keys += [("user", actor.name), ("agent", actor.agent)]
        case ActorKind.USER:
            keys.append(("user", actor.name))
    return keys


def speaks_of(who: Who, actor: Actor) -> bool:
    named = keys_of_who(who)
    return not named or not set(named).isdisjoint(keys_of_actor(actor))
