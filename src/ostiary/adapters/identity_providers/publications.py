"""What one issuer publishes: its discovery document and its keys, or its SAML metadata."""

import asyncio
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ostiary.adapters.http_call import Answer
from ostiary.adapters.identity_providers.asking import (
    DISCOVERY,
    KEY_SET,
    SAML_METADATA,
    Clock,
    ProviderCall,
    freshness_s,
    json_object,
    must_be_ok,
)
from ostiary.adapters.identity_providers.discovery import checked_discovery, discovery_url
from ostiary.adapters.identity_providers.files import KeptFile
from ostiary.adapters.identity_providers.kept import Fetched, Kept
from ostiary.identity.keys import KeyBook
from ostiary.identity.saml.metadata import IdentityProviderMetadata
from ostiary.model.errors import OperatorError
from ostiary.model.issuer import OidcIssuer, SamlIssuer, WorkloadIssuer

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
FRESH_LEAST_S = 5 * MINUTE_S
FRESH_ORDINARILY_S = HOUR_S
FRESH_MOST_S = DAY_S
USABLE_S = DAY_S
"""Counted from the fetch: as long a provider that does not answer is taken to be as it was."""
METADATA_USABLE_S = 7 * DAY_S
"""Of SAML metadata that names no end of its own."""

_JSON_OR_JWKS = "application/json, application/jwk-set+json"
_SAML_OR_XML = "application/samlmetadata+xml, application/xml, text/xml"


class Publications:
    """Of an OpenID provider or an issuer of workload tokens."""

    def __init__(
        self,
        issuer: OidcIssuer | WorkloadIssuer,
        call: ProviderCall,
        clock: Clock,
        keys_changed: Callable[[], None],
    ) -> None:
        self._issuer = issuer
        self._keys_changed = keys_changed
        self._last: KeyBook | None = None
        self._call = call
        self._clock = clock
        self._discovery = Kept(self._fetch_discovery, clock)
        self._keys = Kept(self._fetch_keys, clock)
        keys_file = issuer.keys_file if isinstance(issuer, WorkloadIssuer) else None
        self._keys_file = None if keys_file is None else KeptFile(keys_file, _key_book)
        self.clock_difference_s: float | None = None
        """By how much the provider's clock was ahead of ours when it last answered."""

    async def metadata(self) -> Mapping[str, Any]:
        return await self._discovery.get()

    async def keys(self, kid: str | None) -> KeyBook:
        if self._keys_file is not None:
            with self._call.naming(KEY_SET):
                return self._noticed(await self._keys_file.get())
        book = self._noticed(await self._keys.get())
        return book if kid is None or book.knows(kid) else self._noticed(await self._keys.again())

    def known_keys(self) -> KeyBook | None:
        known = self._keys.peek() if self._keys_file is None else self._keys_file.peek()
        return None if known is None else self._noticed(known)

    def _noticed(self, book: KeyBook) -> KeyBook:
        """What was believed by keys that are gone is believed no more."""
        if book is not self._last:
            is_new = self._last is not None and not book.is_like(self._last)
            self._last = book
            if is_new:
                self._keys_changed()
        return book

    async def _fetch_discovery(self) -> Fetched[Mapping[str, Any]]:
        with self._call.naming(DISCOVERY):
            url = discovery_url(self._issuer)
        answer = await self._call.get(DISCOVERY, url)
        self.clock_difference_s = _clock_difference_s(answer, self._clock())
        with self._call.naming(DISCOVERY):
            must_be_ok(answer)
            return self._kept_as_told(checked_discovery(self._issuer, json_object(answer.body)), answer)

    async def _fetch_keys(self) -> Fetched[KeyBook]:
        keys_url = self._issuer.keys_url if isinstance(self._issuer, WorkloadIssuer) else None
        url = keys_url or (await self.metadata())["jwks_uri"]
        answer = await self._call.get(KEY_SET, url, accept=_JSON_OR_JWKS)
        if keys_url is not None:
            self.clock_difference_s = _clock_difference_s(answer, self._clock())
        with self._call.naming(KEY_SET):
            must_be_ok(answer)
            # Not on the loop: the first key set brings a library with it.
            return self._kept_as_told(await asyncio.to_thread(_key_book, answer.body), answer)

    def _kept_as_told(self, value: Any, answer: Answer) -> Fetched[Any]:
        now = self._clock()
        fresh_s = freshness_s(answer, FRESH_ORDINARILY_S, FRESH_LEAST_S, FRESH_MOST_S)
        return Fetched(value, now + fresh_s, now + USABLE_S)


class SamlPublications:
    """Of a SAML identity provider. Metadata is read again every hour at least, and when a message is signed by none of
    its certificates."""

    def __init__(self, issuer: SamlIssuer, call: ProviderCall, clock: Clock) -> None:
        self._issuer = issuer
        self._call = call
        self._clock = clock
        self._fetched = Kept(self._fetch, clock)
        self._file = (
            None
            if issuer.metadata_file is None
            else KeptFile(issuer.metadata_file, lambda xml: IdentityProviderMetadata.parse(xml, clock()))
        )
        self.clock_difference_s: float | None = None

    async def metadata(self, again: bool = False) -> IdentityProviderMetadata:
        if self._file is None:
            return await (self._fetched.again() if again else self._fetched.get())
        with self._call.naming(SAML_METADATA):
            found = await self._file.get()
            if found.valid_until is not None and found.valid_until <= self._clock():
                raise OperatorError("It was valid until a time that is over.", "Get it from the provider again.")
            return found

    async def _fetch(self) -> Fetched[IdentityProviderMetadata]:
        answer = await self._call.get(SAML_METADATA, self._issuer.metadata_url, accept=_SAML_OR_XML)
        now = self._clock()
        self.clock_difference_s = _clock_difference_s(answer, now)
        with self._call.naming(SAML_METADATA):
            must_be_ok(answer)
            found = await asyncio.to_thread(IdentityProviderMetadata.parse, answer.body, now)
        usable_until = now + METADATA_USABLE_S if found.valid_until is None else found.valid_until
        fresh_s = freshness_s(answer, HOUR_S, FRESH_LEAST_S, HOUR_S)
        return Fetched(found, min(now + fresh_s, usable_until), usable_until)


def _key_book(body: bytes) -> KeyBook:
    return KeyBook.parse(json_object(body))


def _clock_difference_s(answer: Answer, now: float) -> float | None:
    """A cache says by `Age` how long ago it was dated."""
    age = answer.headers.get("age", "0")
    try:
        dated = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return dated + (int(age) if age.isascii() and age.isdigit() and len(age) < 8 else 0) - now
