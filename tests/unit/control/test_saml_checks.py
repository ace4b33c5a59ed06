"""Messages of SAML wait their turn, and not without end."""

import asyncio
import threading

import pytest

from ostiary.control.services import saml_checks
from ostiary.model.errors import SignInRefusedError


async def test_what_waits_to_be_checked_has_a_bound_and_room_again_afterwards() -> None:
    go_on = threading.Event()
    waiting = [
        asyncio.create_task(saml_checks._beside(lambda: go_on.wait(20))) for _ in range(saml_checks.WAITING_MAX)
    ]
    await asyncio.sleep(0)
    try:
        with pytest.raises(SignInRefusedError) as refused:
            await saml_checks._beside(lambda: True)
        assert refused.value.reason == "too_many_waiting"
    finally:
        go_on.set()
    assert await asyncio.gather(*waiting) == [True] * saml_checks.WAITING_MAX
    assert await saml_checks._beside(lambda: True)
