"""The SQLite schema as numbered steps. A step that was released is never changed; a new one is added."""

MIGRATIONS: tuple[tuple[int, str], ...] = (
    (
        1,
        """
        CREATE TABLE meta (
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE configuration_versions (
            version INTEGER PRIMARY KEY AUTOINCREMENT,
            yaml TEXT NOT NULL,
            applied_at REAL NOT NULL,
            applied_by TEXT NOT NULL,
            filename TEXT NOT NULL
        ) STRICT;

        CREATE TABLE sealed_secrets (
            name TEXT NOT NULL,
            version INTEGER NOT NULL CHECK (version >= 1),
            sealed BLOB NOT NULL,
            created_at REAL NOT NULL,
            replaced_at REAL,
            PRIMARY KEY (name, version)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE tokens (
            hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
            id TEXT NOT NULL UNIQUE,
            actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'service', 'agent')),
            actor TEXT NOT NULL,
            agent TEXT,
            groups TEXT NOT NULL,
            connections TEXT,
            created_at REAL NOT NULL,
            created_by TEXT NOT NULL,
            expires_at REAL NOT NULL,
            revoked_at REAL,
            last_used_at REAL,
            last_network TEXT
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE approvals (
            id TEXT PRIMARY KEY,
            state TEXT NOT NULL
                CHECK (state IN ('waiting', 'granted', 'used', 'denied', 'expired', 'withdrawn')),
            fingerprint TEXT NOT NULL,
            actor_kind TEXT NOT NULL,
            actor TEXT NOT NULL,
            agent TEXT,
            connection TEXT NOT NULL,
            operation TEXT NOT NULL,
            method TEXT NOT NULL,
            target TEXT NOT NULL,
            rule TEXT NOT NULL,
            preview TEXT NOT NULL,
            body_bytes INTEGER NOT NULL,
            asked_at REAL NOT NULL,
            expires_at REAL NOT NULL,
            exchange TEXT NOT NULL,
            reason_required INTEGER NOT NULL,
            decided_by TEXT,
            decided_at REAL,
            reason TEXT
        ) STRICT, WITHOUT ROWID;

        CREATE UNIQUE INDEX approvals_open
            ON approvals (fingerprint, actor_kind, actor, ifnull(agent, char(0)))
            WHERE state IN ('waiting', 'granted');
        CREATE INDEX approvals_due ON approvals (expires_at) WHERE state IN ('waiting', 'granted');
        CREATE INDEX approvals_asked ON approvals (asked_at);
        """,
    ),
    (
        2,
        """
        CREATE TABLE placeholders (
            id BLOB PRIMARY KEY CHECK (length(id) = 32),
            version INTEGER NOT NULL CHECK (version >= 1),
            sealed BLOB NOT NULL,
            expires_at REAL NOT NULL
        ) STRICT;

        CREATE INDEX placeholders_due ON placeholders (expires_at);

        CREATE TABLE placeholder_numbers (
            actor BLOB PRIMARY KEY CHECK (length(actor) = 32),
            version INTEGER NOT NULL,
            numbers BLOB NOT NULL,
            used_at REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
    ),
)
