"""Where messages of SAML are checked: beside the event loop, and few at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from ostiary.control.identity_ports import OneTime
from ostiary.control.services.handles import handle_hash
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.identity.saml.response import Assertion, check_bare_assertion, check_response
from ostiary.model.errors import SignInRefusedError

_Result = TypeVar("_Result")

AT_ONCE = 1
"""What strangers send is work under the one lock of Python: a second worker would not be faster, and the event loop
would wait for both. Further messages wait their turn."""

WAITING_MAX = 256
"""So many wait at most: about ten seconds of work, and 64 MiB of messages. Networks have limits of their own before."""

USED_ASSERTIONS = "saml-assertion"
_SLACK_S = 60.0
"""Their ids are remembered so much longer than they could be accepted."""

_workers = ThreadPoolExecutor(AT_ONCE, "saml")
_places = asyncio.Semaphore(WAITING_MAX)


async def checked_response(encoded: str, metadata: IdentityProviderMetadata, **expected: Any) -> Assertion:
    """As `check_response`."""
    return await _beside(partial(check_response, encoded, metadata=metadata, **expected))


async def checked_bare_assertion(encoded: str, metadata: IdentityProviderMetadata, **expected: Any) -> Assertion:
    """As `check_bare_assertion`."""
    return await _beside(partial(check_bare_assertion, encoded, metadata=metadata, **expected))


async def use_once(one_time: OneTime, assertion: Assertion) -> None:
    """At whichever door it is shown: an assertion may be addressed to several. Raises `SignInRefusedError`."""
    used = handle_hash(f"{assertion.issuer} {assertion.id}")
    until = assertion.expires_at + _SLACK_S
    if not await asyncio.to_thread(one_time.put, USED_ASSERTIONS, used, {}, until):
        raise SignInRefusedError("used_before")


async def _beside(work: Callable[[], _Result]) -> _Result:
    if _places.locked():
        raise SignInRefusedError(
            "too_many_waiting", "Too many sign-ins are being checked at this moment.", "Try again in a few seconds."
        )
    async with _places:
        return await asyncio.get_running_loop().run_in_executor(_workers, work)
