"""The declarative file: a configuration, or an error that names the place; and what was written back reads the same."""

import random

from engine import fuzz

from ostiary.catalog import load_catalog
from ostiary.control.declarative import DeclarativeError, parse, render

KINDS = load_catalog()
CORPUS = (
    b"""version: 1
secrets:
  - {name: k, from: {env: KEY}}
connections:
  - {name: c, kind: cursor, secret: k}
  - {name: h, kind: http, upstream: "https://api.example.com:8443/base", auth: {header: X-Key}, secret: k, labels: [a]}
rules:
  - {name: r, who: {groups: [g]}, on: [c], operations: ["class:read"], effect: allow}
  - name: w
    effect: ask
    approval: {hold: 2m, expires: 30m, quorum: 1, grant: once, reason: required}
""",
    b"version: 1\nrules: []\n",
)


def target(data: bytes, _chance: random.Random) -> None:
    try:
        configuration = parse(data.decode("utf-8", "replace"), "file.yaml", KINDS)
    except DeclarativeError as error:
        assert str(error)
        return
    assert parse(render(configuration), "again.yaml", KINDS) == configuration


if __name__ == "__main__":
    fuzz("declarative", CORPUS, target)
