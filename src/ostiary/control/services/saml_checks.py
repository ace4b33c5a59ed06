"""Where messages of SAML are checked: beside the event loop, and few at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.identity.saml.response import Assertion, check_bare_assertion, check_response

_Result = TypeVar("_Result")

AT_ONCE = 1
"""What strangers send is work under the one lock of Python: a second worker would not be faster, and the event loop
would wait for both. Further messages wait their turn."""

_workers = ThreadPoolExecutor(AT_ONCE, "saml")


async def checked_response(encoded: str, metadata: IdentityProviderMetadata, **expected: Any) -> Assertion:
    """As `check_response`."""
    return await _beside(partial(check_response, encoded, metadata=metadata, **expected))


async def checked_bare_assertion(encoded: str, metadata: IdentityProviderMetadata, **expected: Any) -> Assertion:
    """As `check_bare_assertion`."""
    return await _beside(partial(check_bare_assertion, encoded, metadata=metadata, **expected))


async def _beside(work: Callable[[], _Result]) -> _Result:
    return await asyncio.get_running_loop().run_in_executor(_workers, work)
