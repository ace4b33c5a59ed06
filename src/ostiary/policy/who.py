"""Whether a `Who` speaks of an actor: every name it lists, and every name the actor goes by, as comparable keys."""

from ostiary.model.actor import Actor, ActorKind
from ostiary.model.rule import Who

Key = tuple[str, str]
"""A list of `Who` and a name on it."""


def keys_of_who(who: Who) -> list[Key]:
    """Who is meant, whatever agent they use; empty when that is everybody."""
    lists = (("group", who.groups), ("user", who.users), ("service", who.services))
    return [(kind, name) for kind, names in lists for name in names]


def keys_of_actor(actor: Actor) -> list[Key]:
    """A person's agent is bound by what is said of the person."""
    keys: list[Key] = [("group", group) for group in actor.groups]
    keys.append(("service" if actor.kind is ActorKind.SERVICE else "user", actor.name))
    return keys


def uses_one_of(agents: frozenset[str], actor: Actor) -> bool:
    """Whether the actor is one of these agents of theirs; none listed means whatever they use. A label is chosen by the
    person: it narrows what is said of people, and never adds to it."""
    return not agents or (actor.kind is ActorKind.AGENT and actor.agent in agents)


def speaks_of(who: Who, actor: Actor) -> bool:
    named = keys_of_who(who)
    return uses_one_of(who.agents, actor) and (not named or not set(named).isdisjoint(keys_of_actor(actor)))
