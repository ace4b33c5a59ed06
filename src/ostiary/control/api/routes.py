"""Every route of the API as a table; the application and its OpenAPI document are both made from it."""

from ostiary.control.api import handlers
from ostiary.control.api.fields import Field
from ostiary.control.api.identity_routes import IDENTITY_ROUTES
from ostiary.control.api.people_routes import PEOPLE_ROUTES
from ostiary.control.api.route import CONFIGURATION_MAX_BYTES, PREFIX, Route
from ostiary.control.api.token_routes import TOKEN_ROUTES
from ostiary.model.approval import ApprovalState

__all__ = ["PREFIX", "ROUTES", "Route"]

_FILE = (
    Field("yaml", "string", "The declarative file's text.", required=True),
    Field("filename", "string", "The name that errors give.", default="configuration.yaml", least=1, most=4096),
    Field("prune", "boolean", "Also remove what the file does not name.", default=False),
)
_REASON = (Field("reason", "string", "Why; kept on record.", least=0, most=1000),)
_AFTER = Field("after", "integer", "Only entries with an index above this.", default=-1, least=-1)


def _limit(default: int, most: int) -> Field:
    return Field("limit", "integer", "At most so many.", default=default, least=1, most=most)


_PLAN = {
    "plan": "Changes: action (+ ~ -), kind, name, detail.", "version": "The version in force.",
    "notes": "Sentences about what may not be meant as it stands.",
}  # fmt: skip
_APPROVAL = {"approval": "The approval as it stands now."}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/status", "showStatus", "Is everything working?", handlers.show_status,
        {"version": "Of Ostiary.", "ready": "Whether every part works.", "parts": "Each part: ok, or what is wrong."},
    ),
    Route(
        "GET", "/configuration", "showConfiguration", "The configuration in force, as a declarative file.",
        handlers.show_configuration,
        {"yaml": "The file; never a secret's value.", "version": "0 before anything was applied."},
    ),
    Route(
        "POST", "/configuration/plan", "planConfiguration", "What applying a file would change.",
        handlers.plan_configuration, _PLAN, body=_FILE, body_max_bytes=CONFIGURATION_MAX_BYTES,
    ),
    Route(
        "POST", "/configuration/apply", "applyConfiguration", "Apply a file, all of it or nothing.",
        handlers.apply_configuration, _PLAN, body=_FILE, body_max_bytes=CONFIGURATION_MAX_BYTES,
    ),
    Route(
        "GET", "/connections", "listConnections", "The connections that there are for you.",
        handlers.list_connections, {"connections": "name and kind."},
    ),
    Route(
        "GET", "/secrets", "listSecrets", "The secrets' names, places and versions; never a value.",
        handlers.list_secrets, {"secrets": "name, provider, reference, version, set_at, versions."},
    ),
    Route(
        "PUT", "/secrets/{name}", "setSecret", "Set a stored secret's value; it cannot be read back.",
        handlers.set_secret, {"name": "The secret.", "version": "The new version's number."},
        body=(Field("value", "string", "8 to 4096 visible ASCII characters.", required=True),),
    ),
    Route(
        "POST", "/tokens", "createToken", "Make a gateway token.", handlers.create_token,
        {
            "token": "The token; shown this once.", "id": "For listing and revoking.", "expires_at": "RFC 3339.",
            "unknown_connections": "Connections it names that do not exist.",
        },
        body=(
            Field("actor", "string", "Who it speaks for; yourself when absent."),
            Field("kind", "string", "What the actor is.", default="user", words=("user", "service", "agent")),
            Field("groups", "strings", "The actor's groups."),
            Field("ttl_s", "number", "Life in seconds; the server's default when absent."),
            Field("connections", "strings", "The only connections it may use; all that rules allow when absent."),
            Field("agent", "string", "Label of the tool that acts for the person."),
            Field("scope", "string", "What it opens.", default="gateway", words=("gateway", "scim")),
            Field("certificate", "string", "PEM; it then works only on connections that show this certificate."),
        ),
        created=True,
    ),
    Route(
        "GET", "/tokens", "listTokens", "The tokens that were made, the newest first.", handlers.list_tokens,
        {"tokens": "id, actor, kind, agent, groups, connections and times; never the token."},
    ),
    Route(
        "DELETE", "/tokens/{id}", "revokeToken", "End a token now.", handlers.revoke_token,
        {"id": "The token's id.", "revoked": "true"},
    ),
    Route(
        "GET", "/sessions", "listSessions", "Sessions, the newest first.", handlers.list_sessions,
        {"sessions": "id, actor, agent, connection, tool_session, started_at, last_at, exchanges (count)."},
        query=(
            _limit(50, 1000),
            Field("actor", "string", "Only this actor's."),
            Field("connection", "string", "Only on this connection."),
        ),
    ),
    Route(
        "GET", "/sessions/{id}", "showSession", "A session and its exchanges.", handlers.show_session,
        {"session": "As in the list.", "exchanges": "The oldest first."},
    ),
    Route(
        "GET", "/exchanges/{id}", "showExchange", "One exchange.", handlers.show_exchange,
        {"exchange": "What its intent and outcome entries say."},
    ),
    Route(
        "GET", "/recordings/{exchange}", "showRecording", "What went through; looking is itself on record.",
        handlers.show_recording, {"frames": "at_us, direction, head, and text or base64."},
    ),
    Route(
        "GET", "/audit/entries", "listEntries", "Audit entries in their order.", handlers.list_entries,
        {"entries": "index and entry."}, query=(_AFTER, _limit(100, 1000)),
    ),
    Route(
        "GET", "/audit/checkpoint", "showCheckpoint", "The audit log's signed head.", handlers.show_checkpoint,
        {"size": "Entries.", "root": "Of the Merkle tree.", "note": "The signed note."},
    ),
    Route(
        "POST", "/audit/verify", "verifyAudit", "Check every entry, hash and signature.", handlers.verify_audit,
        {"whole": "Whether nothing was altered.", "sentence": "What was found.", "index": "The first bad entry."},
    ),
    Route(
        "GET", "/events", "followEvents", "Exchange entries beyond an index; waits up to 20 s for the first.",
        handlers.follow_events, {"entries": "index and entry.", "after": "Ask again with this."}, query=(_AFTER,),
    ),
    Route(
        "GET", "/approvals", "listApprovals", "Requests that wait, or waited, for a person.",
        handlers.list_approvals, {"approvals": "The newest first."},
        query=(
            Field("state", "string", "Only in this state.", words=tuple(state.value for state in ApprovalState)),
            _limit(200, 1000),
        ),
    ),
    Route(
        "GET", "/approvals/{id}", "showApproval", "One request, exactly as it would be sent.",
        handlers.show_approval, _APPROVAL,
    ),
    Route(
        "POST", "/approvals/{id}/approve", "approve", "Let the request be sent, once and exactly as shown.",
        handlers.approve, _APPROVAL, body=_REASON,
    ),
    Route(
        "POST", "/approvals/{id}/deny", "deny", "Refuse the request, or take back an unused grant.",
        handlers.deny, _APPROVAL, body=_REASON,
    ),
    *TOKEN_ROUTES,
    *PEOPLE_ROUTES,
    *IDENTITY_ROUTES,
)  # fmt: skip
