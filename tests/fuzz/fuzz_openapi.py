"""OpenAPI documents and request paths: operations or one sentence, and a path matches at most one of them."""

import json
import random

from engine import fuzz

from ostiary.model.errors import OstiaryError
from ostiary.protocols.openapi import operations_from_openapi
from ostiary.protocols.operation_table import OperationTable

CORPUS = tuple(
    json.dumps(document).encode()
    for document in (
        {"openapi": "3.1.0", "paths": {"/a/{b}": {"get": {"operationId": "a.get"}, "post": {}}}},
        {"openapi": "3.0.0", "paths": {"/x": {"delete": {"x-ostiary-classes": ["read"]}}, "/x/{y}:run": {"put": {}}}},
    )
)


def target(data: bytes, chance: random.Random) -> None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = {"openapi": "3.1.0", "paths": {data.decode("latin-1"): {"get": {}}}}
    if not isinstance(document, dict):
        return
    try:
        table = OperationTable(operations_from_openapi(document))
    except OstiaryError:
        return
    table.match(chance.choice(("GET", "POST", "HEAD", "DELETE")), data.decode("latin-1"))


if __name__ == "__main__":
    fuzz("openapi", CORPUS, target)
