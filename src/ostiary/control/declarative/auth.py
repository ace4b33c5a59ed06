"""`auth:` of a connection: how its secret is put into a request."""

from ostiary.control.declarative.nodes import Value
from ostiary.control.declarative.values import field_name, field_value, plain_text, secret_name
from ostiary.model.connection import AuthForm, AuthScheme

_BARE = (AuthScheme.BEARER, AuthScheme.BASIC_USERNAME, AuthScheme.NONE)
_NAMED = (AuthScheme.HEADER, AuthScheme.BASIC_PASSWORD, AuthScheme.QUERY)
_SCHEMES = tuple(scheme.value for scheme in (*_BARE, *_NAMED))


def read_auth(value: Value) -> tuple[AuthForm, ...]:
    """One form, or several that all apply."""
    if not value.is_list:
        return (_form(value),)
    items = value.items("auth")
    if not items:
        value.fail("auth is an empty list.", "Leave it out to use the kind's own form, or write `auth: none`.")
    forms: list[AuthForm] = []
    for item in items:
        form = _form(item)
        if form.scheme is AuthScheme.NONE:
            item.fail("'none' cannot stand beside another form.")
        if _place(form) in map(_place, forms):
            item.fail(f"Two forms write the same place ({' '.join(_place(form))}).")
        forms.append(form)
    return tuple(forms)


def write_auth(forms: tuple[AuthForm, ...]) -> object:
    """What `read_auth` reads back."""
    written = [_written(form) for form in forms]
    return written[0] if len(written) == 1 else written


def _form(value: Value) -> AuthForm:
    if not value.is_mapping:
        scheme = AuthScheme(value.word("auth", _SCHEMES))
        if scheme in _NAMED:
            value.fail(f"'{scheme}' needs a name.", f"Write {{{scheme}: NAME}}.")
        return AuthForm(scheme)
    members = value.mapping("auth", (*_SCHEMES, "secret", "prefix"))
    schemes = [word for word in members if word in _SCHEMES]
    if len(schemes) != 1:
        value.fail(f"auth names one of {', '.join(_SCHEMES)}; here are {len(schemes)}.")
    scheme = AuthScheme(schemes[0])
    if scheme is AuthScheme.NONE and "secret" in members:
        members["secret"].fail("'none' takes no secret.")
    return AuthForm(
        scheme=scheme,
        name=_name(scheme, members[scheme.value]),
        prefix=_prefix(scheme, members.get("prefix")),
        secret=secret_name(members["secret"]) if "secret" in members else None,
    )


def _name(scheme: AuthScheme, value: Value) -> str:
    match scheme:
        case AuthScheme.HEADER:
            return field_name(value, "the header of auth")
        case AuthScheme.QUERY:
            text = plain_text(value, "the query parameter of auth", 100)
            if not text.isascii() or not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
                value.fail("The query parameter of auth may hold letters, digits, - _ and . only.")
            return text
        case AuthScheme.BASIC_PASSWORD:
            text = field_value(value, "the user name of auth")
            if ":" in text:
                value.fail("A user name for basic-password must not hold a colon.")
            return text
        case _:
            if not value.is_empty and value.node.value != "true":
                value.fail(f"'{scheme}' takes no name.", f"Write {{{scheme}: true, secret: NAME}}.")
            return ""


def _prefix(scheme: AuthScheme, value: Value | None) -> str:
    if value is None:
        return ""
    if scheme is not AuthScheme.HEADER:
        value.fail("'prefix' has a meaning with 'header' only.")
    text = value.text("prefix")
    if not text.isascii() or not text.isprintable() or len(text) > 100 or text != text.lstrip():
        value.fail("prefix must be visible ASCII, at most 100 characters, without space before it.")
    return text


def _place(form: AuthForm) -> tuple[str, ...]:
    if form.scheme in (AuthScheme.HEADER, AuthScheme.QUERY):
        return (form.scheme.value, form.name)
    return (AuthScheme.HEADER.value, "authorization")


def _written(form: AuthForm) -> object:
    if not form.name and form.secret is None:
        return form.scheme.value
    written: dict[str, object] = {form.scheme.value: form.name or True}
    if form.prefix:
        written["prefix"] = form.prefix
    if form.secret is not None:
        written["secret"] = form.secret
    return written
