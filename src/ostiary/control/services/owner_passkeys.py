"""Passkeys (WebAuthn) of the local owner, checked by fido2. That is imported at first use only."""

import hashlib
import json
import logging
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from ostiary.identity.urls import read_url
from ostiary.model.errors import CallerError, OperatorError, SignInRefusedError

if TYPE_CHECKING:
    from fido2.server import Fido2Server

_WRONG = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    ArithmeticError,
    RecursionError,
    struct.error,
    InvalidSignature,
    UnsupportedAlgorithm,
)
"""What fido2 raises for answers that are wrong, or no answers at all."""

State = Mapping[str, Any]
"""Between the options and the answer; JSON."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """A new credential: `id` as `credential_id` makes it, `data` what it is verified with, `counter` its
    signatures'."""

    id: str
    data: bytes
    counter: int


def what_passkeys_need(console_url: str) -> str:
    """Empty where browsers make passkeys for the console; else what it takes that they do."""
    url = read_url(console_url)
    if url is not None and not _is_address(url.host) and (url.scheme == "https" or url.is_loopback):
        return ""
    better = "an https address with a host name"
    if url is not None and url.is_loopback:
        better = f"{url.scheme}://localhost:{url.port}"
    return (
        "Browsers make passkeys for https pages with a host name, and for http://localhost; this console is"
        f" {console_url}. To use one, start Ostiary with OSTIARY_CONSOLE_URL set to {better}."
    )


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


class Passkeys:
    """For the console at one address: its host is the relying party, and only pages of that origin count."""

    def __init__(self, console_url: str) -> None:
        """Raises `CallerError` where browsers make no passkeys."""
        url = read_url(console_url)
        if url is None:
            raise OperatorError("The console's address is no http or https URL.", "Set `console_url`.")
        needed = what_passkeys_need(console_url)
        if needed:
            raise CallerError(needed, "Or use an authenticator app.")
        self._host = url.host
        usual_port = 443 if url.scheme == "https" else 80
        self._origin = f"{url.scheme}://{url.host}" + ("" if url.port == usual_port else f":{url.port}")

    def creation(self, user_id: str, name: str, challenge: bytes) -> tuple[Mapping[str, Any], State]:
        """Options for `navigator.credentials.create`, and the state for `created`."""
        from fido2.webauthn import (
            PublicKeyCredentialUserEntity,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        options, state = self._server().register_begin(
            PublicKeyCredentialUserEntity(id=user_id.encode(), name=name, display_name=name),
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
            challenge=challenge,
        )
        return _as_json(options), _as_json(state)

    def created(self, state: State, answer: Mapping[str, Any]) -> Passkey:
        """Raises `SignInRefusedError`."""
        from fido2.webauthn import RegistrationResponse

        try:
            if RegistrationResponse.from_dict(answer).response.client_data.cross_origin:
                raise SignInRefusedError("passkey_wrong")
            data = self._server().register_complete(state, answer)
            if data.credential_data is None:
                raise SignInRefusedError("passkey_wrong")
            credential = bytes(data.credential_data)
            return Passkey(credential_id(data.credential_data.credential_id), credential, data.counter)
        except _WRONG:
            raise SignInRefusedError("passkey_wrong") from None

    def request(self, challenge: bytes) -> tuple[Mapping[str, Any], State]:
        """Options for `navigator.credentials.get` that name nobody, and the state for `counter_of`."""
        from fido2.webauthn import UserVerificationRequirement

        options, state = self._server().authenticate_begin(
            user_verification=UserVerificationRequirement.REQUIRED, challenge=challenge
        )
        return _as_json(options), _as_json(state)

    def named_in(self, answer: Mapping[str, Any]) -> str:
        """The id of the credential that an answer claims to be of. Raises `SignInRefusedError`."""
        from fido2.webauthn import AuthenticationResponse

        try:
            return credential_id(AuthenticationResponse.from_dict(answer).raw_id)
        except _WRONG:
            raise SignInRefusedError("passkey_wrong") from None

    def counter_of(self, state: State, data: bytes, answer: Mapping[str, Any]) -> int:
        """The signature counter of an answer that was made with this credential. Raises `SignInRefusedError`."""
        from fido2.webauthn import AttestedCredentialData, AuthenticationResponse

        try:
            response = AuthenticationResponse.from_dict(answer)
            if response.response.client_data.cross_origin:
                raise SignInRefusedError("passkey_wrong")
            self._server().authenticate_complete(state, [AttestedCredentialData(data)], answer)
            return response.response.authenticator_data.counter
        except _WRONG:
            raise SignInRefusedError("passkey_wrong") from None

    def _server(self) -> "Fido2Server":
        from fido2.server import Fido2Server
        from fido2.webauthn import PublicKeyCredentialRpEntity

        # It would log the ids of credentials.
        logging.getLogger("fido2").setLevel(logging.WARNING)
        entity = PublicKeyCredentialRpEntity(name="Ostiary", id=self._host)
        return Fido2Server(entity, verify_origin=lambda origin: origin == self._origin)


def credential_id(raw_id: bytes) -> str:
    """What an authenticator's own id is stored as."""
    return "pk_" + hashlib.sha256(raw_id).hexdigest()[:32]


def _as_json(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Plain objects, strings and numbers."""
    plain: Mapping[str, Any] = json.loads(json.dumps(dict(document), default=dict))
    return plain
