"""What becomes of each header field, both ways, as tables. Names are lower case, ASCII."""

from enum import IntEnum


class RequestField(IntEnum):
    """What the gateway does with a request field; everything but FORWARD keeps it from the upstream."""

    FORWARD = 0
    DROP = 1
    HOST = 2
    CONTENT_LENGTH = 3
    TRANSFER_ENCODING = 4
    CONNECTION = 5
    CREDENTIAL = 6
    EXPECT = 7
    ACCEPT_ENCODING = 8
    UPGRADE = 9
    CONTENT_ENCODING = 10
    CONTENT_TYPE = 11
    ORIGIN = 12
    FETCH_SITE = 13
    REFUSE = 14
    PROOF = 15


CREDENTIAL_FIELDS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
"""Where the gateway token may stand; all of them are removed before forwarding."""

HOP_BY_HOP_FIELDS = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-authentication-info",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
"""RFC 9110 section 7.6.1 and the historical ones that peers still honour."""

FORGED_ORIGIN_FIELDS = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"fastly-client-ip",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-original-host",
        b"x-host",
        b"x-envoy-original-path",
        b"x-envoy-external-address",
        b"x-waf-bypass",
        b"x-forwarded",
        b"forwarded-for",
        b"client-ip",
        b"x-original-uri",
        b"x-original-for",
        b"x-original-forwarded-for",
        b"x-remote-user",
        b"remote-user",
        b"x-remote-ip",
        b"x-remote-addr",
        b"remote-addr",
        b"x-authenticated-user",
        b"x-azure-clientip",
        b"x-appengine-user-ip",
        b"x-proxyuser-ip",
        b"x-custom-ip-authorization",
    }
)
"""Fields by which a client pretends to be elsewhere or to ask for something else."""

METHOD_OVERRIDE_FIELDS = frozenset(
    {
        b"x-http-method-override",
        b"x-http-methodoverride",
        b"http-method-override",
        b"x-http-method",
        b"x-method-override",
        b"x-original-method",
        b"x-method",
        b"_method",
    }
)

DROPPED_REQUEST_FIELDS = (
    HOP_BY_HOP_FIELDS
    | FORGED_ORIGIN_FIELDS
    | METHOD_OVERRIDE_FIELDS
    | {
        b"cookie",
        b"cookie2",
        b"referer",
        b"range",
        b"if-range",
        b"request-range",
        b"early-data",
        b"x-auth-token",
        b"x-access-token",
        b"x-amz-security-token",
        b"expect-ct",
        b"access-control-request-method",
        b"access-control-request-headers",
        b"access-control-request-private-network",
    }
)

_SPECIAL_REQUEST_FIELDS = {
    b"host": RequestField.HOST,
    b"content-length": RequestField.CONTENT_LENGTH,
    b"transfer-encoding": RequestField.TRANSFER_ENCODING,
    b"connection": RequestField.CONNECTION,
    b"expect": RequestField.EXPECT,
    b"accept-encoding": RequestField.ACCEPT_ENCODING,
    b"upgrade": RequestField.UPGRADE,
    b"content-encoding": RequestField.CONTENT_ENCODING,
    b"content-type": RequestField.CONTENT_TYPE,
    b"origin": RequestField.ORIGIN,
    b"sec-fetch-site": RequestField.FETCH_SITE,
    b"max-forwards": RequestField.REFUSE,
    b"dpop": RequestField.PROOF,
} | dict.fromkeys(CREDENTIAL_FIELDS, RequestField.CREDENTIAL)

_DROPPED_REQUEST_PREFIXES = (b"x-forwarded-", b"x-ostiary-", b"proxy-")


def request_field(name: bytes) -> RequestField:
    """The fate of a request field. A name that some servers read as another (`x_api_key`) shares its fate,
    except that it is never taken for the real one: it is dropped."""
    special = _SPECIAL_REQUEST_FIELDS.get(name)
    if special is not None:
        return special
    if name in DROPPED_REQUEST_FIELDS or name.startswith(_DROPPED_REQUEST_PREFIXES):
        return RequestField.DROP
    if b"_" in name or b"." in name:
        alias = name.replace(b"_", b"-").replace(b".", b"-")
        if request_field(alias) is not RequestField.FORWARD:
            return RequestField.DROP
    return RequestField.FORWARD


class ResponseField(IntEnum):
    FORWARD = 0
    DROP = 1
    CONTENT_LENGTH = 2
    TRANSFER_ENCODING = 3
    CONNECTION = 4
    CONTENT_ENCODING = 5
    CONTENT_TYPE = 6
    KEEP_ALIVE = 7
    ETAG = 8
    UNSCANNED = 9


_SPECIAL_RESPONSE_FIELDS = {
    b"content-length": ResponseField.CONTENT_LENGTH,
    b"transfer-encoding": ResponseField.TRANSFER_ENCODING,
    b"connection": ResponseField.CONNECTION,
    b"content-encoding": ResponseField.CONTENT_ENCODING,
    b"content-type": ResponseField.CONTENT_TYPE,
    b"keep-alive": ResponseField.KEEP_ALIVE,
    b"etag": ResponseField.ETAG,
}

DROPPED_RESPONSE_FIELDS = HOP_BY_HOP_FIELDS | {
    # Would bind the tool to the upstream, or let it report elsewhere.
    b"set-cookie",
    b"set-cookie2",
    b"alt-svc",
    b"alt-used",
    b"nel",
    b"report-to",
    b"reporting-endpoints",
    b"sourcemap",
    b"x-sourcemap",
    b"refresh",
    b"strict-transport-security",
    b"public-key-pins",
    b"expect-ct",
    b"clear-site-data",
    b"service-worker-allowed",
    b"via",
    # Speak of bytes that masking and decoding may have changed.
    b"digest",
    b"content-digest",
    b"repr-digest",
    b"want-digest",
    b"content-md5",
    b"signature",
    b"signature-input",
    b"accept-ranges",
    b"content-range",
    # Replaced by our own `cache-control: no-store`.
    b"cache-control",
    b"cdn-cache-control",
    b"surrogate-control",
    b"expires",
    b"pragma",
    b"age",
    b"content-security-policy-report-only",
}

_DROPPED_RESPONSE_PREFIXES = (b"access-control-", b"x-ostiary-", b"proxy-", b"x-amz-meta-authorization")


def response_field(name: bytes) -> ResponseField:
    """The fate of a response field."""
    special = _SPECIAL_RESPONSE_FIELDS.get(name)
    if special is not None:
        return special
    if name in DROPPED_RESPONSE_FIELDS or name.startswith(_DROPPED_RESPONSE_PREFIXES):
        return ResponseField.DROP
    return ResponseField.FORWARD
