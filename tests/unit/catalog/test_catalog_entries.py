"""The catalog as a whole, and the openai, anthropic and http entries."""

import pytest

from ostiary.catalog import load_catalog, read_kind
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.errors import OperatorError
from ostiary.model.operation import Class
from ostiary.protocols.kinds import OperationTable

CATALOG = load_catalog()
TABLES = {name: OperationTable(kind.operations) for name, kind in CATALOG.items()}


def test_every_entry_is_under_its_own_name() -> None:
    assert {"anthropic", "cursor", "http", "openai"} <= CATALOG.keys()
    assert all(name == kind.name for name, kind in CATALOG.items())


@pytest.mark.parametrize("kind", CATALOG.values(), ids=lambda kind: kind.name)
def test_every_row_says_what_it_does_in_one_sentence(kind) -> None:  # type: ignore[no-untyped-def]
    for row in kind.operations:
        assert row.summary.endswith("."), row.name
        assert row.summary[0].isupper(), row.name
        assert len(row.summary) < 120, row.name


@pytest.mark.parametrize("kind", CATALOG.values(), ids=lambda kind: kind.name)
def test_every_row_that_hands_out_a_credential_is_classed_so(kind) -> None:  # type: ignore[no-untyped-def]
    for row in kind.operations:
        assert not row.credential_fields or Class.CREDENTIAL in row.classes, row.name


OPENAI = """
spend                      POST   /v1/chat/completions                   chat.completions.create
read                       GET    /v1/chat/completions                   chat.completions.list
read                       GET    /v1/chat/completions/c1                chat.completions.get
write,irreversible         DELETE /v1/chat/completions/c1                chat.completions.delete
spend                      POST   /v1/completions                        completions.create
spend                      POST   /v1/responses                          responses.create
read                       GET    /v1/responses/r1                       responses.get
write,irreversible         DELETE /v1/responses/r1                       responses.delete
write,irreversible         POST   /v1/responses/r1/cancel                responses.cancel
read                       GET    /v1/responses/r1/input_items           responses.input_items.list
read                       POST   /v1/responses/input_tokens             responses.input_tokens.count
spend                      POST   /v1/embeddings                         embeddings.create
read                       GET    /v1/models                             models.list
read                       GET    /v1/models/gpt-5.4                     models.get
read                       GET    /v1/models/ft:gpt-4o:acme::7p4l        models.get
model-settings,irreversible DELETE /v1/models/ft:x                        models.delete
write                      POST   /v1/files                              files.upload
read                       GET    /v1/files                              files.list
read                       GET    /v1/files/f1                           files.get
read                       GET    /v1/files/f1/content                   files.content
write,irreversible         DELETE /v1/files/f1                           files.delete
write                      POST   /v1/uploads                            uploads.create
write                      POST   /v1/uploads/u1/parts                   uploads.parts.create
write                      POST   /v1/uploads/u1/complete                uploads.complete
write,irreversible         POST   /v1/uploads/u1/cancel                  uploads.cancel
spend,write                POST   /v1/batches                            batches.create
read                       GET    /v1/batches                            batches.list
read                       GET    /v1/batches/b1                         batches.get
write,irreversible         POST   /v1/batches/b1/cancel                  batches.cancel
spend                      POST   /v1/images/generations                 images.generate
spend                      POST   /v1/images/edits                       images.edit
spend                      POST   /v1/images/variations                  images.create_variation
spend                      POST   /v1/audio/speech                       audio.speech.create
spend                      POST   /v1/audio/transcriptions               audio.transcriptions.create
spend                      POST   /v1/audio/translations                 audio.translations.create
read                       POST   /v1/moderations                        moderations.create
spend,write                POST   /v1/fine_tuning/jobs                   fine_tuning.jobs.create
read                       GET    /v1/fine_tuning/jobs/j1/events         fine_tuning.jobs.list_events
write                      POST   /v1/vector_stores                      vector_stores.create
read                       POST   /v1/vector_stores/v1/search            vector_stores.search
write,irreversible         DELETE /v1/vector_stores/v1/files/f1          vector_stores.files.delete
write                      POST   /v1/assistants                         assistants.create
spend,write                POST   /v1/threads/runs                       threads.create_and_run
spend,write                POST   /v1/threads/t1/runs                    threads.runs.create
write                      POST   /v1/conversations                      conversations.create
read                       GET    /v1/conversations/c1/items             conversations.items.list
credential                 POST   /v1/organization/admin_api_keys        organization.admin_api_keys.create
credential POST /v1/organization/projects/p/service_accounts organization.projects.service_accounts.create
credential,spend           POST   /v1/realtime/client_secrets            realtime.client_secrets.create
spend,settings             POST   /v1/organization/spend_limit           organization.spend_limit.update
model-settings POST /v1/fine_tuning/checkpoints/c/permissions fine_tuning.checkpoints.permissions.create
"""
ANTHROPIC = """
spend                      POST   /v1/messages                           messages.create
read                       POST   /v1/messages/count_tokens              messages.count_tokens
read                       GET    /v1/models                             models.list
read                       GET    /v1/models/claude-x                    models.get
spend,write                POST   /v1/messages/batches                   messages.batches.create
read                       GET    /v1/messages/batches                   messages.batches.list
read                       GET    /v1/messages/batches/b1                messages.batches.get
read                       GET    /v1/messages/batches/b1/results        messages.batches.results
write,irreversible         POST   /v1/messages/batches/b1/cancel         messages.batches.cancel
write,irreversible         DELETE /v1/messages/batches/b1                messages.batches.delete
write                      POST   /v1/files                              files.upload
read                       GET    /v1/files/f1/content                   files.download
write,irreversible         DELETE /v1/files/f1                           files.delete
write                      POST   /v1/skills                             skills.create
read                       GET    /v1/skills/s1/versions                 skills.versions.list
read                       GET    /v1/organizations/me                   organization.get
settings                   POST   /v1/organizations/invites              organization.invites.create
settings,irreversible      DELETE /v1/organizations/users/u1             organization.users.remove
settings                   POST   /v1/organizations/api_keys/k1          organization.api_keys.update
credential                 POST   /v1/tunnels/t1/reveal_token            tunnels.reveal_token
read                       HEAD   /                                      probe
read                       GET    /api/hello                             hello
read                       HEAD   /api/hello                             hello
"""
ROWS = [
    (kind, *line.split())
    for kind, text in (("openai", OPENAI), ("anthropic", ANTHROPIC))
    for line in text.strip().splitlines()
]


@pytest.mark.parametrize(("kind", "classes", "method", "path", "name"), ROWS)
def test_known_routes_are_one_row_with_sensible_classes(
    kind: str, classes: str, method: str, path: str, name: str
) -> None:
    found = TABLES[kind].match(method, path)
    assert found is not None
    assert found.name == name
    assert found.classes == {Class(word) for word in classes.split(",")}


@pytest.mark.parametrize(("kind", "classes", "method", "path", "name"), ROWS)
def test_near_misses_match_no_row(kind: str, classes: str, method: str, path: str, name: str) -> None:
    table = TABLES[kind]
    routes = [f"{path}//", f"/{path}", f"{path}/extra/x/y/z", f"/v2{path.removeprefix('/v1')}"]
    routes += [path.upper()] if path != path.upper() else []
    routes += [f"{path}/"] if path != "/" else []
    for route in routes:
        assert table.match(method, route) is None, route
    assert table.match("TRACE", path) is None
    assert table.match("PUT", path) is None


def test_the_openai_paths_carry_v1_once() -> None:
    assert TABLES["openai"].match("POST", "/chat/completions") is None
    assert TABLES["openai"].match("POST", "/v1/v1/chat/completions") is None


def test_anthropic_takes_its_key_in_a_header_and_names_claude_codes_session() -> None:
    kind = CATALOG["anthropic"]
    assert kind.auth == (AuthForm(AuthScheme.HEADER, "x-api-key"),)
    assert kind.session_headers == ("x-claude-code-session-id",)
    assert kind.upstream == "https://api.anthropic.com"
    assert kind.error_shape == "anthropic"


def test_openai_takes_a_bearer_and_knows_the_tools_session_headers() -> None:
    kind = CATALOG["openai"]
    assert kind.auth == (AuthForm(AuthScheme.BEARER),)
    assert kind.session_headers == ("x-session-id", "session_id", "session-id")
    assert kind.upstream == "https://api.openai.com"
    assert not kind.websocket


def test_http_has_no_upstream_and_takes_any_path() -> None:
    kind = CATALOG["http"]
    assert (kind.upstream, kind.error_shape) == ("", "problem")
    found = TABLES["http"].match("DELETE", "/anything/at/all")
    assert found is not None
    assert found.classes == {Class.WRITE, Class.IRREVERSIBLE}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: [", "x.yaml: not readable as YAML: line "),
        ("- a", "x.yaml: document: must be a mapping."),
        ("kind: a\nkind: b", "x.yaml: not readable as YAML: line 1: the key 'kind' stands twice."),
        ("!!python/object/apply:os.getcwd []", "x.yaml: not readable as YAML: line 1: "),
        ("kind: a\ncolour: red", "x.yaml: colour: unknown key."),
    ],
)
def test_a_broken_file_is_told_with_its_name(text: str, expected: str) -> None:
    with pytest.raises(OperatorError) as caught:
        read_kind(text, "x.yaml")
    assert str(caught.value).startswith(expected)
