"""The key for signed SAML requests: one for an installation, made when it is needed, sealed at rest."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.x509 import load_der_x509_certificate

from ostiary.adapters.saml_keys import StoredSamlKeys
from ostiary.adapters.sealer import Sealer
from ostiary.adapters.stores.sqlite import Store
from ostiary.model.errors import IntegrityError
from ostiary.vault.sealing import RootKey

NOW = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "ostiary.db")
    yield opened
    opened.close()


def keys_of(store: Store, root: bytes = b"k" * 32) -> StoredSamlKeys:
    sealer = Sealer(RootKey(root), store.installation, "saml")
    return StoredSamlKeys(store, sealer, f"Ostiary {store.installation}", lambda: NOW)


def sealed_in(store: Store) -> str:
    stored = store.meta("saml-signing-key")
    assert stored is not None
    return stored


async def test_the_first_requests_make_one_key_and_later_ones_find_it(store: Store) -> None:
    assert store.meta("saml-signing-key") is None
    one, other = keys_of(store), keys_of(store)  # the other knows nothing of the first's waiting
    made = await asyncio.gather(one.signing(), one.signing(), other.signing(), other.signing())
    assert len({signing.certificate for signing in made}) == 1
    assert len({signing.key.private_numbers().d for signing in made}) == 1
    found = await keys_of(store).signing()
    assert (found.certificate, found.key.key_size) == (made[0].certificate, 3072)
    certificate = load_der_x509_certificate(found.certificate)
    assert certificate.public_key() == found.key.public_key()
    assert certificate.subject.rfc4514_string() == f"CN=Ostiary {store.installation}"
    sealed = b64decode(sealed_in(store))
    numbers = found.key.private_numbers()
    for secret in (numbers.p, numbers.q, numbers.d):
        assert secret.to_bytes(384, "big").lstrip(b"\0") not in sealed
    assert found.certificate not in sealed


async def test_what_cannot_be_opened_is_said_and_nothing_is_made_in_its_place(store: Store) -> None:
    await keys_of(store).signing()
    kept = sealed_in(store)
    with pytest.raises(IntegrityError):
        await keys_of(store, b"x" * 32).signing()
    assert sealed_in(store) == kept
    store.set_meta("saml-signing-key", b64encode(b64decode(kept)[:-1] + b"\0").decode())
    with pytest.raises(IntegrityError):
        await keys_of(store).signing()
    store.set_meta("saml-signing-key", "no base64")
    with pytest.raises(IntegrityError):
        await keys_of(store).signing()
