"""Settings from the environment: right, or a sentence that names the variable."""

import pytest

from ostiary.model.errors import OperatorError
from ostiary.settings import Address, Settings
from ostiary.startup import public_gateway, trusted_proxies


def test_environment_and_overrides() -> None:
    settings = Settings.from_environment({"OSTIARY_HEAD_MAX_BYTES": "1000", "OSTIARY_LOG_LEVEL": "debug"}, ops=None)
    assert (settings.head_max_bytes, settings.log_level, settings.ops) == (1000, "debug", "127.0.0.1:8422")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OSTIARY_HEAD_MAX_BYTES", "many"),
        ("OSTIARY_HEAD_MAX_BYTES", "-5"),
        ("OSTIARY_HEAD_MAX_BYTES", "0"),
        ("OSTIARY_CLIENT_IDLE_TIMEOUT_S", "nan"),
        ("OSTIARY_CLIENT_IDLE_TIMEOUT_S", "inf"),
        ("OSTIARY_INSECURE_PLAINTEXT", "perhaps"),
        ("OSTIARY_LOG_LEVEL", "foo"),
    ],
)
def test_values_that_do_not_fit_name_the_variable(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.from_environment({name: value})


@pytest.mark.parametrize("text", ["foo", "host:", ":1", "host:65536", "host:-1", "host:1x"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="ADDRESS:PORT"):
        Address.parse(text)


def test_addresses() -> None:
    assert Address.parse("[::1]:8420") == Address("::1", 8420)
    assert str(Address("::1", 1)) == "[::1]:1"
    assert Address.parse("127.8.8.8:1").is_loopback
    assert not Address.parse("0.0.0.0:1").is_loopback
    everywhere = {"0.0.0.0:1": "127.0.0.1:1", "[::]:2": "[::1]:2", "192.0.2.1:3": "192.0.2.1:3", "gate:4": "gate:4"}
    assert {text: str(Address.parse(text).from_here) for text in everywhere} == everywhere


def test_the_gateways_public_address() -> None:
    assert public_gateway(Settings(gateway_url="")) is None
    public = public_gateway(Settings(gateway_url="https://Gate.example.com/tools/"))
    assert public is not None and public.host == "gate.example.com"


@pytest.mark.parametrize(
    "text", ["gate.example.com", "ftp://gate.example.com", "https://", "https://a@b.example", "https://a.example/?x=1",
             "https://a.example/#x", "https://a.example/ ", "https://a.example:0"]
)  # fmt: skip
def test_what_is_no_address_of_a_gateway(text: str) -> None:
    with pytest.raises(OperatorError, match="OSTIARY_GATEWAY_URL"):
        public_gateway(Settings(gateway_url=text))


def test_trusted_proxies_are_addresses_and_networks() -> None:
    assert not trusted_proxies(Settings(trusted_proxies=""))
    assert len(trusted_proxies(Settings(trusted_proxies="127.0.0.1, 2001:db8::/32")).networks) == 2
    with pytest.raises(OperatorError, match=r"OSTIARY_TRUSTED_PROXIES names 'proxy\.example'"):
        trusted_proxies(Settings(trusted_proxies="127.0.0.1,proxy.example"))
