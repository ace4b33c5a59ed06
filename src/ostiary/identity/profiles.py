"""Who somebody is by what their OpenID provider says: their name here, and the claims that groups are made from."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

import re2

from ostiary.identity.claims import VALUE_MAX, VALUES_MAX, lookup, must_text, texts_of
from ostiary.identity.jwt import JwtError
from ostiary.identity.presets import PRESETS
from ostiary.model.issuer import GroupsFrom, OidcIssuer
from ostiary.model.person import Profile, name_key

NAME_MAX = 200
"""Characters."""

_EMAIL = re.compile(r"[^\s@:]{1,64}@[^\s@:]{1,253}")
_GMAIL = ("@gmail.com", "@googlemail.com")

Claims = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Groups:
    values: tuple[str, ...] = ()
    missing: str = ""


def profile_of(
    issuer: OidcIssuer, id_claims: Claims, userinfo: Claims | None, wanted_claims: frozenset[str]
) -> Profile:
    """`wanted_claims` are kept, nothing else. What the ID token says goes before what userinfo does.

    A person is (issuer, `sub`). Their name is the issuer's `user_claim` when it is one visible line of at most 200
    characters without a colon, fits the issuer's `names`, and for `email` is verified; otherwise it is made of issuer
    and `sub`. Raises `JwtError` when userinfo is somebody else's.
    """
    subject = must_text(id_claims, "sub")
    if userinfo is not None and userinfo.get("sub") != subject:
        raise JwtError("userinfo_of_other_subject")
    documents = (id_claims,) if userinfo is None else (id_claims, userinfo)
    email = next((text for document in documents if (text := _email(issuer, document))), None)
    groups = _groups(issuer, id_claims, userinfo) if issuer.groups_claim in wanted_claims else _Groups()
    claims = {
        name: values
        for name in wanted_claims - {issuer.groups_claim}
        if (values := next((texts for document in documents if (texts := _texts(document, name))), ()))
    }
    if groups.values:
        claims[issuer.groups_claim] = groups.values
    return Profile(
        issuer=issuer.name,
        subject=subject,
        name=_name(issuer, documents, email, subject),
        display_name=next((name for document in documents if is_visible_line(name := document.get("name"))), ""),
        email=email,
        claims=claims,
        groups_missing=groups.missing,
        issuer_identifier=issuer.issuer,
    )


def is_visible_line(text: object) -> TypeGuard[str]:
    """One line of at most 200 characters that looks like what it is: nothing invisible, nothing that turns the
    direction of writing, no blanks around it, composed as Unicode recommends."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= NAME_MAX
        and text.isprintable()
        and text == text.strip()
        and unicodedata.is_normalized("NFC", text)
    )


def may_name(names: Sequence[str], name: str) -> bool:
    """Whether an issuer with these `names` may call somebody so: one of the globs matches, whatever the case, or there
    are none. `*` stands for any run of characters."""
    return not names or any(_glob(name_key(pattern)).fullmatch(name_key(name)) is not None for pattern in names)


@lru_cache(maxsize=1000)
def _glob(pattern: str) -> "re2._Regexp":
    """RE2 takes linear time whatever the stars."""
    return re2.compile("(?s)" + ".*".join(re2.escape(part) for part in pattern.split("*")))


def _name(issuer: OidcIssuer, documents: tuple[Claims, ...], email: str | None, subject: str) -> str:
    if issuer.user_claim == "email":
        chosen: object = email
    elif issuer.user_claim == "sub":
        chosen = None
    else:
        chosen = next(
            (value for document in documents if (value := lookup(document, issuer.user_claim)) is not None), None
        )
    # A colon is in the names we make; nobody may choose one that is made for somebody else.
    if is_visible_line(chosen) and ":" not in chosen and may_name(issuer.names, chosen):
        return chosen
    made = f"{issuer.name}:{subject}"
    if not is_visible_line(made):
        raise JwtError("name_unusable")
    return made


def _email(issuer: OidcIssuer, document: Claims) -> str | None:
    """The address, when the same document says that it was verified, or everything this issuer says is trusted."""
    email = document.get("email")
    if not is_visible_line(email) or _EMAIL.fullmatch(email) is None:
        return None
    if issuer.trust_email:
        return email
    if document.get("email_verified") is not True:
        return None
    if issuer.preset == "google" and "hd" not in document and not email.lower().endswith(_GMAIL):
        return None  # Google vouches for its own addresses and those of its customers' domains only
    return email


def _groups(issuer: OidcIssuer, id_claims: Claims, userinfo: Claims | None) -> _Groups:
    """None unless they are known whole: who had too many to be told could miss just the one that forbids."""
    name = issuer.groups_claim
    preset = PRESETS.get(issuer.preset)
    document = userinfo if issuer.groups_from is GroupsFrom.USERINFO else id_claims
    if document is None:
        return _Groups(missing="Groups come from userinfo, which was not asked.")
    elsewhere = document.get("_claim_names")
    if (isinstance(elsewhere, dict) and name in elsewhere) or document.get("hasgroups") in (True, "true"):
        return _Groups(missing="They are in more groups than the provider puts into a token.")
    value = lookup(document, name)
    if value is None:
        if preset is not None and not preset.says_groups:
            return _Groups(missing=f"{preset.title} does not say groups.")
        return _Groups(missing=f"The provider says no claim '{name}'.")
    items = value if isinstance(value, list) else [value]
    values = tuple(item for item in items if isinstance(item, str))
    if len(values) != len(items):
        return _Groups(missing=f"The claim '{name}' is no list of texts.")
    if len(values) > VALUES_MAX or any(len(item) > VALUE_MAX for item in values):
        return _Groups(missing=f"The claim '{name}' has more or longer values than are taken.")
    if preset is not None and preset.groups_max is not None and len(values) >= preset.groups_max:
        return _Groups(missing=f"{preset.title} cuts lists of groups off at {preset.groups_max}.")
    return _Groups(values)


def _texts(document: Claims, name: str) -> tuple[str, ...]:
    texts = texts_of(lookup(document, name))
    return texts if len(texts) <= VALUES_MAX and all(len(text) <= VALUE_MAX for text in texts) else ()
