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
    b"""version: 1
connections:
  - {name: c, kind: cursor, masking: [m, n]}
masking:
  - {name: m, detectors: [secrets, email], where: [request, response], action: partial, on: ["c*"], who: {users: [u]}}
  - {name: n, pattern: 'ACME-[0-9]{8}', ignore_case: true, where: [recording], action: hash}
  - name: o
    words: [Project X]
    where: [response]
    archives: block
    exceptions:
      - {reason: r, expires: 2030-01-01, matching: 'Project (X|Y)'}
      - {reason: s, expires: never, on: [c]}
  - {name: p, fields: [ssn, /user/*/mail], where: [response], action: seal}
""",
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
