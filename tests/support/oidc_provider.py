"""A small OpenID provider on loopback, whole enough to sign in with, and as wrong as a test wants it.

    with oidc_provider() as provider:              # or OidcProvider(...) and close()
        provider.issuer                            # "http://127.0.0.1:PORT", or with `path` a path behind it
        provider.client_id, provider.client_secret # one client; secret None is a public one
        provider.person = Person("u-1", email="ana@example.com", groups=("eng",))   # who signs in next
        callback = provider.sign_in(authorization_url)  # what a browser does: the URL it is sent back to
        provider.rotate_keys()                     # a new signing key; the old one is no longer published
        provider.withdraw("u-1")                   # refresh says invalid_grant, userinfo 401, until `restore`
        provider.send_logout("http://…/back-channel-logout", subject="u-1")  # → HTTP status; or session="sid"
        provider.sign({"iss": …})                  # any claims as a JWT of the current key (workloads too)

`authorize` approves at once. Access tokens are opaque, or RFC 9068 JWTs with `access_token_audience`.

Knobs, each effective at once:
    faults["keys"] = Reply(status=500)     # by name: discovery keys authorize token userinfo revoke end-session
    discovery["issuer"] = "https://other"  # merged into the discovery document; None removes the member
    id_token["aud"] = "other"              # merged into ID token claims; None removes; `id_token_header` its header
    userinfo["groups"] = ["a"]             # merged into userinfo
    token_answer["token_type"] = "mac"     # merged into the token endpoint's answer
    key_headers = (("Cache-Control", "max-age=600"),)
    documents["/idp.xml"] = Reply(...)     # further files
    tells_issuer, rotates_refresh, checks_pkce, token_ttl_s, date_skew_s, clock
What was asked: counts["keys"] (fetches by the same names), requests (every `Received`), of_name("token").
"""

import base64
import hashlib
import http.client
import json
import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey, generate_key

from support.http_server import HttpServer, Received, Reply

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
Key = RSAKey | ECKey


@dataclass(frozen=True)
class Person:
    """`claims` are further ones, in ID token and userinfo."""

    subject: str = "u-1"
    email: str = "ana@example.com"
    name: str = "Ana Example"
    email_verified: bool = True
    groups: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Code:
    person: Person
    session: str
    form: dict[str, str]
    authenticated_at: int


@dataclass
class _Granted:
    """What an access or refresh token stands for."""

    person: Person
    session: str
    scope: str
    nonce: str | None
    authenticated_at: int
    expires_at: float


class OidcProvider:
    def __init__(
        self,
        *,
        client_id: str = "ostiary",
        client_secret: str | None = "the-client-secret",
        algorithm: str = "RS256",
        path: str = "",
        tls: ssl.SSLContext | None = None,
        access_token_audience: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.algorithm = algorithm
        self.access_token_audience = access_token_audience
        self.clock = clock
        self.person = Person()
        self.people: dict[str, Person] = {}
        self.faults: dict[str, Reply] = {}
        self.discovery: dict[str, Any] = {}
        self.id_token: dict[str, Any] = {}
        self.id_token_header: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.token_answer: dict[str, Any] = {}
        self.documents: dict[str, Reply] = {}
        self.key_headers: tuple[tuple[str, str], ...] = (("Cache-Control", "public, max-age=3600"),)
        self.tells_issuer = True
        self.rotates_refresh = True
        self.checks_pkce = True
        self.token_ttl_s = 300.0
        self.date_skew_s = 0.0
        self.counts: Counter[str] = Counter()
        self.requests: list[Received] = []
        self.keys: list[Key] = [self._new_key()]
        self.session = secrets.token_hex(8)
        self.authenticated_at = int(clock())
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Granted] = {}
        self._refresh: dict[str, _Granted] = {}
        self._withdrawn: set[str] = set()
        self._lock = threading.RLock()
        self._path = path
        self._tls = tls
        self._server = HttpServer(self._answer, lambda: formatdate(self.clock() + self.date_skew_s, usegmt=True), tls)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def issuer(self) -> str:
        return self.url + self._path

    @property
    def public_keys(self) -> dict[str, Any]:
        """The JWK Set."""
        return {"keys": [key.as_dict(private=False) for key in self.keys]}

    def of_name(self, name: str) -> list[Received]:
        """The requests for `discovery`, `keys`, `token`, …"""
        return [each for each in self.requests if self._names().get(each.path) == name]

    def close(self) -> None:
        self._server.close()

    # -- what a test does with it

    def sign_in(self, authorization_url: str) -> str:
        """Visit as a browser would. Returns where it is sent back to, with its code or error."""
        url = urlsplit(authorization_url)
        status, headers = self._visit("GET", f"{url.path}?{url.query}")
        assert status == 302, f"the provider answered {status}"
        return headers["location"]

    def rotate_keys(self, keep_old: bool = False) -> None:
        with self._lock:
            self.keys = [self._new_key(), *(self.keys if keep_old else [])]

    def withdraw(self, subject: str) -> None:
        with self._lock:
            self._withdrawn.add(subject)

    def restore(self, subject: str) -> None:
        with self._lock:
            self._withdrawn.discard(subject)

    def sign(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None, key: Key | None = None) -> str:
        signing = key or self.keys[0]
        head = _merged({"alg": self.algorithm, "kid": signing.kid, "typ": "JWT"}, header or {})
        return jwt.encode(head, dict(claims), signing, algorithms=[str(head["alg"])], default_type=None)

    def logout_token(self, *, subject: str | None = None, session: str | None = None, **changes: Any) -> str:
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_hex(8),
            "sub": subject,
            "sid": session,
            "events": {LOGOUT_EVENT: {}},
        }
        return self.sign(_merged({name: value for name, value in claims.items() if value is not None}, changes),
                         {"typ": "logout+jwt"})  # fmt: skip

    def send_logout(self, to: str, *, tls: ssl.SSLContext | None = None, **claims: Any) -> int:
        """POST a logout token (see `logout_token`) to the client. Returns its status."""
        url = urlsplit(to)
        assert url.hostname is not None
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(url.hostname, url.port, timeout=10, context=tls)
            if url.scheme == "https"
            else http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        )
        body = urlencode({"logout_token": self.logout_token(**claims)})
        connection.request("POST", url.path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        status = connection.getresponse().status
        connection.close()
        return status

    # -- answering

    def _names(self) -> dict[str, str]:
        return {
            f"{self._path}/.well-known/openid-configuration": "discovery",
            f"{self._path}/keys": "keys",
            f"{self._path}/authorize": "authorize",
            f"{self._path}/token": "token",
            f"{self._path}/userinfo": "userinfo",
            f"{self._path}/revoke": "revoke",
            f"{self._path}/end-session": "end-session",
        }

    def _answer(self, request: Received) -> Reply:
        with self._lock:
            self.requests.append(request)
            if request.path in self.documents:
                self.counts[request.path] += 1
                return self.documents[request.path]
            name = self._names().get(request.path)
            if name is None:
                return _json({"error": "not_found"}, 404)
            self.counts[name] += 1
            fault = self.faults.get(name)
            return fault if fault is not None else _ANSWERS[name](self, request)

    def _discovery(self, _: Received) -> Reply:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "end_session_endpoint": f"{self.issuer}/end-session",
            "scopes_supported": ["openid", "profile", "email", "groups", "offline_access"],
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "claims_supported": ["sub", "iss", "email", "email_verified", "name", "groups"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.tells_issuer,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }
        return _json(_merged(document, self.discovery))

    def _keys(self, _: Received) -> Reply:
        return _json(self.public_keys, headers=self.key_headers)

    def _authorize(self, request: Received) -> Reply:
        form = request.form
        if form.get("client_id") != self.client_id or "redirect_uri" not in form:
            return _json({"error": "invalid_request"}, 400)
        answer = {"state": form["state"]} if "state" in form else {}
        if self.tells_issuer:
            answer["iss"] = self.issuer
        is_oidc = form.get("response_type") == "code" and "openid" in form.get("scope", "").split()
        if not is_oidc or (self.checks_pkce and form.get("code_challenge_method") != "S256"):
            answer["error"] = "invalid_request"
        elif self.person.subject in self._withdrawn:
            answer["error"] = "access_denied"
        else:
            if form.get("prompt") == "login" or "max_age" in form:
                self.authenticated_at = int(self.clock())
            answer["code"] = secrets.token_urlsafe(24)
            self._codes[answer["code"]] = _Code(self.person, self.session, form, self.authenticated_at)
        joint = "&" if "?" in form["redirect_uri"] else "?"
        return Reply(302, headers=(("Location", form["redirect_uri"] + joint + urlencode(answer)),))

    def _token(self, request: Received) -> Reply:
        form = request.form
        if not self._is_client(request, form):
            return _json({"error": "invalid_client"}, 401)
        match form.get("grant_type"):
            case "authorization_code":
                return self._code_grant(form)
            case "refresh_token":
                return self._refresh_grant(form)
            case _:
                return _json({"error": "unsupported_grant_type"}, 400)

    def _is_client(self, request: Received, form: Mapping[str, str]) -> bool:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            name, _, secret = base64.b64decode(value).decode().partition(":")
            return (unquote_plus(name), unquote_plus(secret)) == (self.client_id, self.client_secret)
        return (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)

    def _code_grant(self, form: Mapping[str, str]) -> Reply:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or form.get("redirect_uri") != code.form["redirect_uri"]:
            return _json({"error": "invalid_grant"}, 400)
        if self.checks_pkce and challenge_of(form.get("code_verifier", "")) != code.form.get("code_challenge"):
            return _json({"error": "invalid_grant"}, 400)
        granted = _Granted(code.person, code.session, code.form["scope"], code.form.get("nonce"),
                           code.authenticated_at, 0)  # fmt: skip
        return self._tokens(granted)

    def _refresh_grant(self, form: Mapping[str, str]) -> Reply:
        handle = form.get("refresh_token", "")
        granted = self._refresh.get(handle)
        if granted is None or granted.person.subject in self._withdrawn:
            return _json({"error": "invalid_grant"}, 400)
        if self.rotates_refresh:
            del self._refresh[handle]
        granted.nonce = None
        granted.person = self.people.get(granted.person.subject, granted.person)
        return self._tokens(granted, None if self.rotates_refresh else handle)

    def _tokens(self, granted: _Granted, refresh: str | None = None) -> Reply:
        now = int(self.clock())
        granted.expires_at = now + self.token_ttl_s
        person = granted.person
        access = secrets.token_urlsafe(24)
        if self.access_token_audience is not None:
            claims = {"sub": person.subject, "client_id": self.client_id, "iat": now, "exp": int(granted.expires_at)}
            claims |= {"iss": self.issuer, "aud": self.access_token_audience, "jti": access, "scope": granted.scope}
            access = self.sign({**claims, **_described(person)}, {"typ": "at+jwt"})
        self._access[access] = granted
        refresh = refresh or secrets.token_urlsafe(24)
        self._refresh[refresh] = granted
        digest = hashlib.sha256(access.encode()).digest()[:16]
        claims = {
            "iss": self.issuer,
            "sub": person.subject,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "auth_time": granted.authenticated_at,
            "sid": granted.session,
            "at_hash": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            **({} if granted.nonce is None else {"nonce": granted.nonce}),
            **_described(person),
        }
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int(self.token_ttl_s),
            "refresh_token": refresh,
            "scope": granted.scope,
            "id_token": self.sign(_merged(claims, self.id_token), self.id_token_header),
        }
        return _json(_merged(answer, self.token_answer), headers=(("Cache-Control", "no-store"),))

    def _userinfo(self, request: Received) -> Reply:
        granted = self._access.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if granted is None or granted.expires_at < self.clock() or granted.person.subject in self._withdrawn:
            return _json({"error": "invalid_token"}, 401)
        person = self.people.get(granted.person.subject, granted.person)
        return _json(_merged({"sub": person.subject, **_described(person)}, self.userinfo))

    def _revoke(self, request: Received) -> Reply:
        if not self._is_client(request, request.form):
            return _json({"error": "invalid_client"}, 401)
        self._refresh.pop(request.form.get("token", ""), None)
        self._access.pop(request.form.get("token", ""), None)
        return Reply()

    def _end_session(self, request: Received) -> Reply:
        to = request.form.get("post_logout_redirect_uri")
        if to is None:
            return Reply(body=b"Signed out.", content_type="text/plain")
        state = request.form.get("state")
        return Reply(302, headers=(("Location", to if state is None else f"{to}?{urlencode({'state': state})}"),))

    # -- helpers

    def _new_key(self) -> Key:
        parameters = {"kid": secrets.token_hex(6), "use": "sig", "alg": self.algorithm}
        key = (
            generate_key("EC", "P-256", parameters)
            if self.algorithm == "ES256"
            else generate_key("RSA", 2048, parameters)
        )
        assert isinstance(key, RSAKey | ECKey)
        return key

    def _visit(self, method: str, target: str) -> tuple[int, dict[str, str]]:
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(
                "127.0.0.1", self._server.port, timeout=10, context=ssl._create_unverified_context()
            )
            if self._tls
            else http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=10)
        )
        connection.request(method, target)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        connection.close()
        return response.status, headers


_ANSWERS: dict[str, Callable[[OidcProvider, Received], Reply]] = {
    "discovery": OidcProvider._discovery,
    "keys": OidcProvider._keys,
    "authorize": OidcProvider._authorize,
    "token": OidcProvider._token,
    "userinfo": OidcProvider._userinfo,
    "revoke": OidcProvider._revoke,
    "end-session": OidcProvider._end_session,
}


@contextmanager
def oidc_provider(**how: Any) -> Iterator[OidcProvider]:
    provider = OidcProvider(**how)
    try:
        yield provider
    finally:
        provider.close()


def challenge_of(verifier: str) -> str:
    """PKCE's S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _described(person: Person) -> dict[str, Any]:
    claims = {"email": person.email, "email_verified": person.email_verified, "name": person.name}
    return {**claims, **({"groups": list(person.groups)} if person.groups else {}), **person.claims}


def _merged(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**document, **changes}.items() if changes.get(name, value) is not None}


def _json(document: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, json.dumps(document).encode(), headers)
