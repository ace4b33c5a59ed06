"""Canaille, an OpenID provider of another make, in memory, with two people.

Usage: canaille_provider.py PORT CONSOLE_URL NAME ; the client's secret in OIDC_CLIENT_SECRET, people's password in
PEOPLES_PASSWORD.
"""

import os
import sys

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server


def main(port: int, console_url: str, name: str) -> None:
    key = RSAKey.generate_key(2048, {"alg": "RS256", "use": "sig"}, auto_kid=True)
    app = create_app(
        {
            "SECRET_KEY": os.urandom(32).hex(),
            "SERVER_NAME": f"localhost:{port}",
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {
                "DATABASE": "memory",
                "ENABLE_PASSWORD_COMPROMISSION_CHECK": False,
                "CAPTCHA_ENABLED": False,
                "JAVASCRIPT": False,
            },
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)], "TRUSTED_DOMAINS": ["127.0.0.1"]},
        },
    )
    with app.app_context():
        people = [
            models.User(
                user_name=login,
                formatted_name=f"{login.capitalize()} Example",
                given_name=login.capitalize(),
                family_name="Example",
                display_name=login,
                emails=[f"{login}@people.example"],
                password=os.environ["PEOPLES_PASSWORD"],
            )
            for login in ("gina", "hugo")
        ]
        for person in people:
            Backend.instance.save(person)
        Backend.instance.save(models.Group(display_name="builders", members=people[:1]))
        Backend.instance.save(models.Group(display_name="guests", members=people))
        client = models.Client(
            client_id="ostiary",
            client_secret=os.environ["OIDC_CLIENT_SECRET"],
            client_name="Ostiary",
            client_uri=console_url,
            redirect_uris=[f"{console_url}/sign-in/{name}/callback"],
            post_logout_redirect_uris=[f"{console_url}/sign-in"],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            scope=["openid", "profile", "email", "groups"],
            token_endpoint_auth_method="client_secret_basic",
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
