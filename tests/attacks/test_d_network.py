"""D01-D11: where a connection may lead, and what of our environment it must not obey."""

import ipaddress
import ssl
import time
from pathlib import Path

import pytest

from ostiary.gateway.guard import is_admitted
from support.cases import each
from support.certificates import make_authority, server_context
from support.fixtures import Traps
from support.installation import Refused
from support.raw_client import Reply, request
from support.raw_upstream import RawUpstream, answer
from support.scene import Scene

OPEN = {"secret": None, "auth": None, "allow_private": None, "allow_plaintext": True}
"""Without a secret, so that only the address can be the reason."""


def through(scene: Scene, connection: str, path: str = "/a") -> Reply:
    return scene.say(request("GET", f"/{connection}{path}", [scene.bearer]))


def taken(scene: Scene, name: str, **changes) -> str | None:
    """The added connection's name; None when the configuration is refused as the caller's fault."""
    try:
        return scene.also(name, **changes)
    except Refused as refusal:
        if refusal.status not in {400, 422}:
            raise
        return None


def must_lead_nowhere(scene: Scene, changes: dict) -> None:
    """The configuration is not taken, or the exchange is refused; nothing reaches the upstream."""
    before = scene.upstream.connections
    name = taken(scene, "odd", **changes)
    if name is not None:
        reply = through(scene, name)
        assert reply.status == 502, f"{changes}: {reply.raw[:300]!r}"
        scene.must_be_refused(reply, 502, closed=False)
    assert scene.upstream.connections == before, f"{changes} reached the upstream"


def test_D01_private_addresses_are_refused_unless_allowed(scene: Scene) -> None:
    port = scene.upstream.port
    hosts = [
        "127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost", "sub.localhost", "0.0.0.0", "[::1]", "[::]",
        "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "169.254.170.2", "100.64.0.1",
        "100.100.100.200", "192.0.0.192", "198.18.0.1", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "[ff02::1]", "192.0.2.1", "[2001:db8::1]", "[100::1]",
    ]  # fmt: skip

    def check(_: str, host: str) -> None:
        started = time.monotonic()
        changes = {**OPEN, "upstream": f"http://{host}:{port}"}
        must_lead_nowhere(scene, changes)
        assert time.monotonic() - started < 1.5, "it was dialled"

    each({host: host for host in hosts}, check)
    allowed = scene.also("allowed", **{**OPEN, "allow_private": True})
    assert through(scene, allowed).body == b"ok", "the control failed: the cases prove nothing"


@pytest.mark.parametrize("allow_private", [False, True])
def test_D01_addresses_that_are_never_or_only_privately_dialled(allow_private: bool) -> None:
    """What no test can dial from here is judged in the guard itself: a resolver may answer with any of these."""
    private = [
        "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "::1", "fc00::1",
        "fd12::1", "fec0::1",
        "feff::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2002:a00:1::1", "64:ff9b:1::7f00:1", "64:ff9b:1:7f00:0:100:808:808", "64:ff9b:1:a00:0:100:808:808",
    ]  # fmt: skip
    never = [
        "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.170.2", "255.255.255.255", "224.0.0.1", "240.0.0.1", "::",
        "fe80::1",
        "ff02::1", "ff0e::1", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
        "::a9fe:a9fe",
        "fe80::1%lo", "::ffff:0.0.0.0", "100.100.100.200", "192.0.0.192",
    ]  # fmt: skip
    public = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::1", "::ffff:1.1.1.1"]
    admitted = {text for text in private + never + public if is_admitted(ipaddress.ip_address(text), allow_private)}
    wanted = set(public) if not allow_private else {*public, *private}
    assert admitted - wanted == set(), "dialled though it must not be"
    if not allow_private:
        assert wanted - admitted == set(), "a public address is refused"


def test_D02_odd_spellings_are_judged_as_the_address_dialled(scene: Scene) -> None:
    port = scene.upstream.port
    hosts = [
        "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "0x0",
        "00.0.0.0",
        "127.0.0.1.", "localhost.", "LOCALHOST", "LocalHost.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:7f00:1::]",
        "[fe80::1%25lo]", "[fe80::1%lo]", "[::1%25lo]", "[0:0:0:0:0:0:0:1]", "[::0001]", "127。0。0。1", "１２７.0.0.1",
        "①②⑦.⓪.⓪.①", "ⓛocalhost", "loc\u00adalhost", "127.0.0.1%00.example.com", "127.0.0.1%2eexample", "[::]",
        "[::ffff:0:127.0.0.1]", "0127.0.0.1", "127.0.0.01", "127.000.000.001", "[::ffff:169.254.169.254]",
        "localhost%00", "localhost\u3002",
    ]  # fmt: skip

    def check(_: str, host: str) -> None:
        must_lead_nowhere(scene, {**OPEN, "upstream": f"http://{host}:{port}"})

    each({host: host for host in hosts}, check)


def test_D05_upstream_urls_are_canonical_or_refused(scene: Scene) -> None:
    port = scene.upstream.port
    base = f"127.0.0.1:{port}"
    urls = [
        f"http://user:password@{base}", f"http://user@{base}", f"http://{base}@evil.example",
        f"http://evil.example\\@{base}",
        f"http://{base}\\@evil.example", f"http://{base}#@evil.example", f"http://{base}?x", f"http://{base}/a?b=c",
        f"http://{base}#a", f"http://127.0.0.1%2eevil.example:{port}", f"http://127.0.0.1\t:{port}",
        f"http://127.0.0.1 :{port}",
        f"http:\\\\{base}", f"http:/{base}", f"http:{base}", f"//{base}",
        base, f"ftp://{base}", f"file://{base}/etc/passwd",
        f"gopher://{base}", f"unix://{base}", f"HTTP+UNIX://{base}", f"http://{base}/a/../b",
        f"http://{base}/%2e%2e/b",
        f"http://{base}//b", f"http://{base}/a\\b", f"http://{base}/a;b", f"http://{base}/%00",
        f"http://127.0.0.1:0{port}",
        "http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:-1", f"http://127.0.0.1:+{port}",
        "http://127.0.0.1:x",
        "http://", "http:///a", f"http://:{port}", f"http://[::1:{port}", f"http://::1:{port}", "", " ",
        f" http://{base}",
        f"http://{base} ", f"http://{base}\n", "http://a..b", "http://-a.example", "http://a_b .example",
        "http://" + "a" * 300,
        f"http://{base}/a b", f"http://127.0.0.1:{port}:80", "javascript:alert(1)", f"http://{base},evil.example",
    ]  # fmt: skip

    def check(_: str, url: str) -> None:
        name = taken(scene, "url", upstream=url)
        if name is None:
            return
        # Taken: then it means this upstream in one canonical spelling and nothing else.
        scene.upstream.forget()
        assert through(scene, name).status == 200
        sent = scene.upstream.requests[-1]
        assert sent.header(b"host") == [base.encode()], sent.raw
        assert sent.target == b"/a", sent.raw

    each({repr(url): url for url in urls}, check)

    def check_name(_: str, host: str) -> None:
        name = taken(scene, "name", upstream=f"http://{host}:{port}")
        if name is None:
            return
        scene.upstream.forget()
        reply = through(scene, name)
        if reply.status == 200:
            assert scene.upstream.requests[-1].header(b"host") == [f"localhost:{port}".encode()]
        else:
            scene.must_be_refused(reply, 502, closed=False)

    names = (
        "LOCALHOST",
        "LocalHost",
        "localhost.",
        "localhost..",
        "lоcalhost",
        "ⅼocalhost",
        "localhosſt",
        "lo%63alhost",
    )
    each({name: name for name in names}, check_name)


def test_D05_our_host_field_is_canonical(scene: Scene) -> None:
    """What the client wrote as Host never reaches the upstream."""
    port = scene.installation.gateway_port
    for host in ("localhost", "LOCALHOST", f"127.0.0.1:{port}", f"localhost:0{port}", "localhost.", "localhost:"):
        scene.upstream.forget()
        reply = scene.say(request("GET", scene.target(), [scene.bearer], host=host))
        if reply.status == 200:
            assert scene.upstream.requests[-1].header(b"host") == [f"127.0.0.1:{scene.upstream.port}".encode()]
        else:
            scene.must_be_refused(reply, 400, 403, 421, closed=False)


@pytest.fixture
def encrypted(scene: Scene, tmp_path: Path):
    """Adds TLS upstreams and closes them."""
    opened: list[RawUpstream] = []

    def add(context: ssl.SSLContext) -> RawUpstream:
        upstream = RawUpstream(context)
        upstream.always = answer(b"over TLS")
        opened.append(upstream)
        return upstream

    yield add
    for upstream in opened:
        upstream.close()


def test_D09_bad_certificates_are_502(scene: Scene, encrypted, tmp_path: Path, traps: Traps) -> None:
    authority = make_authority(tmp_path, "Ours")
    stranger = make_authority(tmp_path, "Stranger")

    def context(signer, **how) -> ssl.SSLContext:
        return server_context(signer, tmp_path, **how)

    old = context(authority)
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    contexts = {
        "self-signed": context(None),
        "stranger's authority": context(stranger),
        "other name": context(authority, names=("example.com",)),
        "name only in the subject": context(authority, names=("server",)),
        "other address": context(authority, names=("127.0.0.2",)),
        "wildcard": context(authority, names=("*.0.0.1",)),
        "address as a name": context(authority, names=("x127.0.0.1",)),
        "expired": context(authority, valid_days=(-30, -1)),
        "not yet valid": context(authority, valid_days=(1, 30)),
        "TLS 1.1": old,
    }

    def check(_: str, chosen: ssl.SSLContext) -> None:
        upstream = encrypted(chosen)
        name = scene.also("tls", upstream=f"https://127.0.0.1:{upstream.port}", ca_file=str(authority.path))
        scene.must_be_refused(through(scene, name), 502, code="upstream_unreachable", closed=False)
        assert b"".join(upstream.received) == b""

    each(contexts, check)

    good = encrypted(context(authority))
    name = scene.also("tls", upstream=f"https://127.0.0.1:{good.port}", ca_file=str(authority.path))
    assert through(scene, name).body == b"over TLS", "the control failed: the cases prove nothing"
    by_name = scene.also("tlsname", upstream=f"https://localhost:{good.port}", ca_file=str(authority.path))
    assert through(scene, by_name).body == b"over TLS"
    # The system's roots know neither our authority nor the one that SSL_CERT_FILE offers.
    system = scene.also("tlssystem", upstream=f"https://127.0.0.1:{good.port}")
    scene.must_be_refused(through(scene, system), 502, code="upstream_unreachable", closed=False)


def test_D09_there_is_no_switch_that_trusts_everybody(scene: Scene) -> None:
    for word in ("verify", "insecure", "tls_verify", "insecure_skip_verify", "verify_tls", "skip_verify"):
        for value in (False, True, "none"):
            with pytest.raises(Refused):
                scene.also("lax", upstream="https://127.0.0.1:1", **{word: value})
    with pytest.raises(Refused):
        scene.also("noca", upstream="https://127.0.0.1:1", ca_file="relative.pem")


def test_D09_a_missing_or_broken_ca_file_never_means_no_check(scene: Scene, encrypted, tmp_path: Path) -> None:
    upstream = encrypted(server_context(None, tmp_path))
    empty, garbage = tmp_path / "empty.pem", tmp_path / "garbage.pem"
    empty.write_text("")
    garbage.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for path in (empty, garbage, tmp_path / "missing.pem", tmp_path):
        name = taken(scene, "ca", upstream=f"https://127.0.0.1:{upstream.port}", ca_file=str(path))
        if name is None:
            continue
        scene.must_be_refused(through(scene, name), 502, 503, closed=False)
    assert b"".join(upstream.received) == b""


def test_D09_a_secret_over_plain_http_only_on_loopback(scene: Scene) -> None:
    for host in ("example.com", "93.184.216.34", "10.0.0.1", "[fd00::1]"):
        changes = {"upstream": f"http://{host}", "allow_private": True}
        must_lead_nowhere(scene, changes)
    with pytest.raises(Refused):
        scene.also("plain", upstream="http://example.com", secret=None, auth={"header": "x-k", "secret": scene.secret})


def test_D10_the_environment_is_not_obeyed(scene: Scene, encrypted, traps: Traps, tmp_path: Path) -> None:
    """The shared server runs with proxies, a foreign root, a key log and a netrc in its environment."""
    assert scene.installation.environment["HTTPS_PROXY"].endswith(str(traps.proxy.port))
    assert scene.ask().body == b"ok"
    authority = make_authority(tmp_path, "Ours")
    good = encrypted(server_context(authority, tmp_path))
    name = scene.also("tls", upstream=f"https://127.0.0.1:{good.port}", ca_file=str(authority.path))
    assert through(scene, name).body == b"over TLS"
    bare = scene.also("bare", **{**OPEN, "allow_private": True})
    assert through(scene, bare).body == b"ok"
    assert scene.upstream.requests[-1].header(b"authorization") == [], "a netrc was read"
    foreign = encrypted(server_context(traps.authority, tmp_path))
    fooled = scene.also("fooled", upstream=f"https://127.0.0.1:{foreign.port}")
    scene.must_be_refused(through(scene, fooled), 502, closed=False)
    assert b"".join(foreign.received) == b"", "SSL_CERT_FILE was obeyed"
    unreachable = scene.also("far", **{**OPEN, "upstream": "https://no-such-host.invalid"})
    scene.must_be_refused(through(scene, unreachable), 502, closed=False)
    assert traps.proxy.connections == 0, "a proxy of the environment was used"
    assert not traps.key_log.exists() or traps.key_log.read_bytes() == b"", "TLS keys were logged"
