"""The dialled address is judged, however the upstream spelled it."""

import asyncio
import ipaddress

import pytest

from ostiary.gateway.guard import admitted_addresses, is_admitted
from ostiary.model.connection import Upstream
from ostiary.model.errors import GatewayRefusal


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fc00::1", "fd12::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2002:a00:1::",
        "::127.0.0.1", "198.18.0.1", "fec0::1",
        "64:ff9b:1:7f00:0:100:808:808", "64:ff9b:1::1.1.1.1",
    ],
)  # fmt: skip
def test_private_addresses_need_permission(text: str) -> None:
    assert not is_admitted(ipaddress.ip_address(text), allow_private=False)


@pytest.mark.parametrize("text", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12::1"])
def test_private_addresses_with_permission(text: str) -> None:
    assert is_admitted(ipaddress.ip_address(text), allow_private=True)


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254", "169.254.0.1", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.1.1.1",
        "240.0.0.1",
        "::", "fe80::1", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
        "100.100.100.200", "192.0.0.192", "fe80::1%eth0", "::1%lo",
    ],
)  # fmt: skip
def test_metadata_and_special_addresses_are_never_admitted(text: str) -> None:
    assert not is_admitted(ipaddress.ip_address(text), allow_private=True)
    assert not is_admitted(ipaddress.ip_address(text), allow_private=False)


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_admitted(text: str) -> None:
    assert is_admitted(ipaddress.ip_address(text), allow_private=False)


def _resolving_to(*answers: str) -> object:
    async def judged() -> list[str]:
        loop = asyncio.get_running_loop()

        async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            return [(0, 0, 0, "", (answer, port)) for answer in answers]

        loop.getaddrinfo = getaddrinfo  # type: ignore[assignment,method-assign]
        return await admitted_addresses(Upstream("https", "api.example", 443), allow_private=False)

    return asyncio.run(judged())


def test_one_private_answer_refuses_the_name() -> None:
    with pytest.raises(GatewayRefusal):
        _resolving_to("93.184.216.34", "127.0.0.1")


def test_all_public_answers_are_dialled_in_order() -> None:
    assert _resolving_to("93.184.216.34", "1.1.1.1", "93.184.216.34") == ["93.184.216.34", "1.1.1.1"]
