"""URLs: where a browser would really go."""

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.identity.urls import form_of, is_https_or_loopback, is_relative_path, quoted, read_url, with_query


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_pairs_are_read_back_by_everybody(pairs: list[tuple[str, str]]) -> None:
    try:
        query = form_of(pairs)
    except UnicodeEncodeError:
        return
    assert urllib.parse.parse_qsl(query, keep_blank_values=True) == pairs


@given(st.text(max_size=40))
def test_quoting_is_that_of_rfc_3986(text: str) -> None:
    try:
        assert quoted(text) == urllib.parse.quote(text, safe="")
    except UnicodeEncodeError:
        return


@pytest.mark.parametrize(
    ("url", "joined"),
    [
        ("https://a/b", "https://a/b?x=%2F"),
        ("https://a/b?", "https://a/b?x=%2F"),
        ("https://a/b?c=1", "https://a/b?c=1&x=%2F"),
        ("https://a/b?c=1&", "https://a/b?c=1&x=%2F"),
        ("https://a/b#f", "https://a/b?x=%2F"),
        ("https://a/b?c=1#f?", "https://a/b?c=1&x=%2F"),
    ],
)
def test_a_query_is_added_to_what_is_there(url: str, joined: str) -> None:
    assert with_query(url, [("x", "/")]) == joined
    assert with_query(url, []) == url.partition("#")[0]


@pytest.mark.parametrize(
    "url",
    ["https://a", "https://a.example:8443/b?c", "HTTPS://A.example/", "http://localhost:80/cb", "http://127.0.0.1:9/",
     "http://127.9.9.9/", "http://[::1]:8080/x", "https://[2001:db8::1]/"],
)  # fmt: skip
def test_https_and_this_machine_are_fine(url: str) -> None:
    assert is_https_or_loopback(url)


@pytest.mark.parametrize(
    "url",
    ["", "a", "/a", "//a", "https:a", "ftp://a/", "https:/a", "http://a", "http://127.0.0.1.example/",
     "http://localhost.example/",
     "http://user@localhost/", "https://a@b/", "https://a\\@b/", "https://a b/", "https://a/\n", "https://a/#f",
     "javascript:alert(1)", "https://a:0/", "https://a:65536/", "https://a:/", "https://[::1", "https://[v1.a]/",
     "https://é.example/", "http://127.1/", "http://0x7f000001/", "http://0.0.0.0/", "https://" + "a" * 2000,
     "https://-a/", "https://a.-/", "https://.a/", " https://a/"],
)  # fmt: skip
def test_everything_else_is_not(url: str) -> None:
    assert not is_https_or_loopback(url)


@pytest.mark.parametrize("path", ["/", "/a", "/a/b?c=d#e", "/sign-in?next=%2Fa", "/%5Cevil", "/a:b", "/a@b"])
def test_a_path_of_this_site(path: str) -> None:
    assert is_relative_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "a", "//evil", "///evil", "/\\evil", "\\\\evil", "/a//b", "/a\\b", "https://evil", "/\tevil", "/\n", "/ a",
     " /a",
     "/a\u2028", "/é", "javascript:alert(1)", "/" * 2, "/" + "a" * 2000, "/a\x00", "/\x7f", "?a", "#a", "@evil",
     ".//evil"],
)  # fmt: skip
def test_a_path_that_may_lead_away(path: str) -> None:
    assert not is_relative_path(path)


@given(st.text(alphabet="/\\.:@?#%abhtps \t\n\x00é", min_size=1, max_size=12))
def test_no_path_leads_away(path: str) -> None:
    if is_relative_path(path):
        joined = urllib.parse.urlsplit(urllib.parse.urljoin("https://us.example/x", path))
        assert (joined.scheme, joined.netloc) == ("https", "us.example")


def test_parts() -> None:
    url = read_url("https://[2001:DB8::1]:444/a/b?c#d")
    assert url is not None
    assert (url.scheme, url.host, url.port) == ("https", "2001:db8::1", 444)
    assert (url.path, url.query, url.fragment) == ("/a/b", "c", "d")
    bare = read_url("http://a?c")
    assert bare is not None
    assert (bare.port, bare.path, bare.query, bare.fragment) == (80, "/", "c", None)
