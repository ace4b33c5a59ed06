"""TLS on both sides: our listener with its certificate, an upstream whose authority only the connection knows."""

import ssl
from pathlib import Path

from support.certificates import make_authority, server_context
from support.endurance import open_house
from support.raw_client import RawClient, request


def test_tls_listener_and_tls_upstream_with_its_own_authority(tmp_path: Path) -> None:
    far, near = tmp_path / "far-tls", tmp_path / "near-tls"
    far.mkdir()
    near.mkdir()
    far_authority = make_authority(far, "Far CA")
    server_context(far_authority, far)
    near_authority = make_authority(near, "Near CA")
    server_context(near_authority, near)
    trusting = ssl.create_default_context(cafile=str(near_authority.path))
    pem = str(near / "server.pem")
    with open_house(
        tmp_path,
        options=(f"--tls-cert={pem}", f"--tls-key={pem}"),
        pem=far / "server.pem",
        ca_file=str(far_authority.path),
    ) as house:
        with RawClient(house.port, tls=trusting) as client:
            for number in range(3):
                client.send(request("GET", f"/far/large?{number * 100_000 + 1}", house.headers()))
                answer = client.reply()
                assert (answer.status, len(answer.body)) == (200, number * 100_000 + 1)
        assert house.upstream.state()["connections"] == 1
        with RawClient(house.port) as plain:
            plain.send(request("GET", "/far/small", house.headers()))
            assert b"200" not in plain.until_close(2.0)[0][:16]


def test_an_upstream_of_an_unknown_authority_is_not_spoken_to(tmp_path: Path) -> None:
    far, other = tmp_path / "far-tls", tmp_path / "other-tls"
    far.mkdir()
    other.mkdir()
    server_context(make_authority(far, "Far CA"), far)
    stranger = make_authority(other, "Other CA")
    with (
        open_house(tmp_path, pem=far / "server.pem", ca_file=str(stranger.path)) as house,
        RawClient(house.port) as client,
    ):
        client.send(request("GET", "/far/small", house.headers()))
        answer = client.reply()
        assert answer.status == 502
        assert b"upstream_unreachable" in answer.body
        assert house.upstream.targets() == []
