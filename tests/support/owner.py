"""The local owner of a `sign_in_room`, with an authenticator app."""

import base64
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from ostiary.control.services.owner import TotpEnrolment
from support.sign_in_room import SignInRoom

FIRST_OWNER = "Olga Owner"


def code_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["code"][0]


def key_of(enrolment: TotpEnrolment) -> TOTP:
    """What an app makes codes with after it was shown `enrolment`."""
    secret = enrolment.secret + "=" * (-len(enrolment.secret) % 8)
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30)


async def make_owner(room: SignInRoom, link: str | None = None) -> TOTP:
    """Follow a link to its end; that of the first start unless one is given."""
    url = link or await room.owner.first_start_link()
    assert url is not None
    key = key_of(await room.owner.enrol_totp(code_of(url), FIRST_OWNER, "192.0.2.1"))
    browser = room.browser()
    opened = await room.owner.confirm_totp(code_of(url), key.generate(room.clock()).decode(), browser.visit)
    assert await room.visitor(opened.cookie) is not None
    return key
