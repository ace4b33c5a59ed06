"""G17: an assertion that is addressed to the browser's door and to the token endpoint works at one of them, once."""

import asyncio
import copy
from pathlib import Path

import pytest

from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.one_time import OneTime
from ostiary.control.services.saml_checks import checked_bare_assertion, checked_response, use_once
from ostiary.identity.saml.response import Assertion
from ostiary.model.errors import SignInRefusedError
from support import saml_idp as idp


async def shown_at_both() -> tuple[Assertion, Assertion]:
    said = idp.assertion(idp.Words())
    first = said.find(f".//{{{idp.SAML}}}SubjectConfirmation")
    assert first is not None
    second = copy.deepcopy(first)
    data = second.find(f"{{{idp.SAML}}}SubjectConfirmationData")
    assert data is not None
    data.set("Recipient", idp.TOKEN_URL)
    del data.attrib["InResponseTo"]
    first.addnext(second)
    idp.sign(said)
    bare = idp.grant(said)
    whole = idp.post(idp.response(idp.Words(), said))
    metadata = idp.metadata()
    by_browser = await checked_response(
        whole, metadata, sp_entity_id=idp.SP, acs_url=idp.ACS, request_id=idp.REQUEST, now=idp.NOW
    )
    by_program = await checked_bare_assertion(bare, metadata, token_url=idp.TOKEN_URL, sp_entity_id=idp.SP, now=idp.NOW)
    return by_browser, by_program


@pytest.mark.parametrize("first", [0, 1])
def test_G17_one_assertion_for_two_doors_opens_one(tmp_path: Path, first: int) -> None:
    async def show() -> None:
        one_time = OneTime(Database(tmp_path / "ostiary.db"))
        both = await shown_at_both()
        await use_once(one_time, both[first])
        for again in both:
            with pytest.raises(SignInRefusedError) as refused:
                await use_once(one_time, again)
            assert refused.value.reason == "used_before"

    asyncio.run(show())
