"""Our own addresses that identity providers are told; `console_url` is without a slash at its end."""


def callback_url(console_url: str, issuer: str) -> str:
    """The redirect URI of an OpenID provider."""
    return f"{console_url}/sign-in/{issuer}/callback"


def signed_out_url(console_url: str) -> str:
    """Where an OpenID provider sends the browser after signing out (`post_logout_redirect_uri`)."""
    return f"{console_url}/sign-in"


def acs_url(console_url: str, issuer: str) -> str:
    """Where a SAML provider posts its responses."""
    return f"{console_url}/saml/{issuer}/acs"


def sp_entity_id(console_url: str, issuer: str) -> str:
    """Our name at a SAML provider: where our metadata is."""
    return f"{console_url}/saml/{issuer}/metadata"
