"""A SAML identity provider of another make (pysaml2, which signs with xmlsec1), with two people.

Usage: pysaml2_provider.py PORT CONSOLE_URL NAME KEYS ; KEYS has stamp.key and stamp.pem. It listens before it knows the
other side: that side's metadata is fetched when it is first needed.

GET /metadata, GET /sign-on, and POST /admin/sign {"response": true, "assertion": true} as samlp's script has them.
"""

import html
import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NameID
from saml2.server import Server

PEOPLE = {"sara": ["eng"], "simon": ["sales"]}


class Provider:
    def __init__(self, port: int, console_url: str, name: str, keys: Path) -> None:
        self._console_url, self._name, self._keys = console_url, name, keys
        self._base = f"http://localhost:{port}"
        self._lock = threading.Lock()
        self._server: Server | None = None
        self.signs = {"response": True, "assertion": True}

    def metadata(self) -> bytes:
        return str(entity_descriptor(self._configuration(None))).encode()

    def answer(self, parameters: dict[str, str], login: str) -> str:
        """The page that posts the answer to a request, as `login`."""
        server = self._with_metadata()
        asked = server.parse_authn_request(parameters["SAMLRequest"], BINDING_HTTP_REDIRECT)
        where = server.response_args(asked.message)
        response = server.create_authn_response(
            {
                "email": [f"{login}@stamp.example"],
                "displayName": [f"{login.capitalize()} Example"],
                "groups": PEOPLE[login],
            },
            name_id=NameID(format=NAMEID_FORMAT_EMAILADDRESS, text=f"{login}@stamp.example"),
            authn={"class_ref": PASSWORDPROTECTEDTRANSPORT},
            sign_response=self.signs["response"],
            sign_assertion=self.signs["assertion"],
            sign_alg="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            digest_alg="http://www.w3.org/2001/04/xmlenc#sha256",
            in_response_to=where["in_response_to"],
            destination=where["destination"],
            sp_entity_id=where["sp_entity_id"],
        )
        page = server.apply_binding(
            BINDING_HTTP_POST, str(response), where["destination"], parameters["RelayState"], response=True
        )
        return str(page["data"])

    def _with_metadata(self) -> Server:
        with self._lock:
            if self._server is None:
                with urllib.request.urlopen(f"{self._console_url}/saml/{self._name}/metadata") as answer:
                    self._server = Server(config=self._configuration(answer.read().decode()))
            return self._server

    def _configuration(self, other: str | None) -> IdPConfig:
        sign_on = (f"{self._base}/sign-on", BINDING_HTTP_REDIRECT)
        document: dict[str, Any] = {
            "entityid": f"{self._base}/metadata",
            "service": {"idp": {"endpoints": {"single_sign_on_service": [sign_on]}, "name_id_format": []}},
            "key_file": str(self._keys / "stamp.key"),
            "cert_file": str(self._keys / "stamp.pem"),
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "attribute_map_dir": None,
        }
        if other is not None:
            document["metadata"] = {"inline": [other]}
        return IdPConfig().load({key: value for key, value in document.items() if value is not None})


def handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, _single(urlsplit(self.path).query)
            if path == "/metadata":
                self._send("application/samlmetadata+xml", provider.metadata())
            elif path == "/sign-on":
                kept = "".join(
                    f'<input type="hidden" name="{html.escape(key)}" value="{html.escape(value)}">'
                    for key, value in query.items()
                )
                self._send("text/html", _FORM.replace("KEPT", kept).encode())
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path == "/admin/sign":
                provider.signs.update(json.loads(body))
                self._send("application/json", b"{}")
                return
            fields = _single(body)
            login = fields.pop("login")
            if login not in PEOPLE:
                self.send_error(403)
                return
            self._send("text/html", provider.answer(fields, login).encode())

        def _send(self, content_type: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


_FORM = """<!doctype html><title>Stamp Works</title><h1>Stamp Works</h1><form method="post" action="/sign-on">KEPT
<label>Login <input name="login" autofocus></label><button>Continue</button></form>"""


def _single(encoded: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(encoded, keep_blank_values=True).items()}


if __name__ == "__main__":
    it = Provider(int(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler(it)).serve_forever()
