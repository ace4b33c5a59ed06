"""What nginx, Envoy and Ostiary are told: each checks the caller's bearer token and injects the key."""

import json

TOKEN = "ost_s3mJc0p1Qy7Rk2Wv9Xz4Bn6Tf8Lh5Dg1Sa0Ue2Io4Py6Mq8"
KEY = "sk-bench-5f0c1e7a9b3d4f62a8e1c7d5b9f3a2e4"
SENTENCE = "The doorkeeper asks who is there, looks into the book and opens for those he may let in. "


def _text(size: int, shell: str) -> str:
    """JSON of exactly `size` bytes, shaped like an answer of a model API."""
    filler = (SENTENCE * (size // len(SENTENCE) + 1))[: size - len(shell) + 2]
    text = shell.replace("%s", filler)
    if len(text) != size:
        raise ValueError(f"the body has {len(text)} bytes, not {size}")
    return text


BODY_1K = _text(1024, '{"object":"list","data":[{"id":"gpt-5.4-mini","object":"model","owned_by":"%s"}]}')
BODY_64K = _text(65536, '{"object":"list","data":[{"id":"file-1","object":"file","filename":"%s"}],"has_more":false}')


def nginx_upstream(port: int, folder: str) -> str:
    """1 KiB at /v1/models, 64 KiB at /v1/files, from files whose descriptors stay open."""
    return f"""
worker_processes 1;
daemon off;
error_log {folder}/upstream-error.log warn;
pid {folder}/upstream.pid;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type application/json;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16 inactive=600s;
    open_file_cache_valid 600s;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    client_body_temp_path {folder}/upstream-client; proxy_temp_path {folder}/upstream-proxy;
    fastcgi_temp_path {folder}/upstream-f; uwsgi_temp_path {folder}/upstream-u;
    scgi_temp_path {folder}/upstream-s;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /v1/models {{ alias {folder}/body-1k.json; }}
        location = /v1/files {{ alias {folder}/body-64k.json; }}
    }}
}}
"""


def nginx_proxy(port: int, folder: str, upstream_port: int, stream_port: int) -> str:
    return f"""
worker_processes 1;
daemon off;
error_log {folder}/nginx-error.log warn;
pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    map_hash_bucket_size 256;
    map $http_authorization $known {{ default 0; "Bearer {TOKEN}" 1; }}
    upstream requests {{ server 127.0.0.1:{upstream_port}; keepalive 512; keepalive_requests 100000000; }}
    upstream streams {{ server 127.0.0.1:{stream_port}; keepalive 512; keepalive_requests 100000000; }}
    keepalive_requests 100000000;
    client_body_temp_path {folder}/nginx-client; proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-f; uwsgi_temp_path {folder}/nginx-u; scgi_temp_path {folder}/nginx-s;
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_read_timeout 600s;
    proxy_set_header Connection "";
    proxy_set_header Authorization "Bearer {KEY}";
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        if ($known = 0) {{ return 401; }}
        location /bench/ {{ proxy_pass http://requests/; }}
        location /stream/ {{ proxy_pass http://streams/; }}
    }}
}}
"""


def envoy(port: int, upstream_port: int, stream_port: int) -> str:
    """One header rule in the routes, nothing else: no filter but the router, no log."""

    def cluster(name: str, target: int) -> dict[str, object]:
        address = {"socket_address": {"address": "127.0.0.1", "port_value": target}}
        limits = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
        return {
            "name": name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [limits]},
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
            },
        }

    def route(prefix: str, name: str) -> dict[str, object]:
        bearer = {"name": "authorization", "string_match": {"exact": f"Bearer {TOKEN}"}}
        return {
            "match": {"prefix": prefix, "headers": [bearer]},
            "route": {"cluster": name, "prefix_rewrite": "/", "timeout": "0s", "idle_timeout": "0s"},
            "request_headers_to_add": [
                {
                    "header": {"key": "authorization", "value": f"Bearer {KEY}"},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }
            ],
        }

    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "bench",
        "generate_request_id": False,
        "route_config": {
            "name": "bench",
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        route("/bench/", "requests"),
                        route("/stream/", "streams"),
                        {"match": {"prefix": "/"}, "direct_response": {"status": 401}},
                    ],
                }
            ],
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            }
        ],
    }
    listener = {
        "name": "bench",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }
    clusters = [cluster("requests", upstream_port), cluster("streams", stream_port)]
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}})


def ostiary(upstream_port: int, stream_port: int) -> str:
    """Everything on: identity, rules, injection, masking of the key, durable intent, recording."""
    return f"""version: 1
secrets:
  - {{name: bench-key, from: {{stored: true}}}}
connections:
  - name: bench
    kind: openai
    upstream: http://127.0.0.1:{upstream_port}
    secret: bench-key
    allow_private: true
  - name: stream
    kind: openai
    upstream: http://127.0.0.1:{stream_port}
    secret: bench-key
    allow_private: true
rules:
  - name: bench reads
    who: {{groups: [bench]}}
    on: [bench, stream]
    operations: ["class:read"]
    effect: allow
  - name: bench asks models
    who: {{groups: [bench]}}
    on: [stream]
    operations: [chat.completions.create]
    effect: allow
"""
