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
    (
        3,
        """
        ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT 'gateway' CHECK (scope IN ('gateway', 'api', 'scim'));
        ALTER TABLE tokens ADD COLUMN user_id TEXT;
        ALTER TABLE tokens ADD COLUMN sign_in TEXT;
        ALTER TABLE tokens ADD COLUMN bound_to TEXT;
        CREATE INDEX tokens_of_actor ON tokens (actor COLLATE NOCASE);
        CREATE INDEX tokens_of_sign_in ON tokens (sign_in) WHERE sign_in IS NOT NULL;

        CREATE TABLE users (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            name_key TEXT NOT NULL UNIQUE,
            origin TEXT NOT NULL CHECK (origin IN ('sign-in', 'scim', 'local')),
            display_name TEXT NOT NULL,
            email TEXT,
            issuer TEXT,
            subject TEXT,
            external_id TEXT,
            active INTEGER NOT NULL CHECK (active IN (0, 1)),
            claims TEXT NOT NULL,
            scim TEXT,
            created_at REAL NOT NULL,
            changed_at REAL NOT NULL,
            seen_at REAL,
            version INTEGER NOT NULL,
            UNIQUE (issuer, subject)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX users_external ON users (external_id) WHERE external_id IS NOT NULL;

        CREATE TABLE scim_groups (
            id TEXT PRIMARY KEY,
            display_name TEXT NOT NULL,
            name_key TEXT NOT NULL UNIQUE,
            external_id TEXT,
            created_at REAL NOT NULL,
            changed_at REAL NOT NULL,
            version INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE scim_members (
            group_id TEXT NOT NULL REFERENCES scim_groups (id) ON DELETE CASCADE,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            PRIMARY KEY (group_id, user_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX scim_groups_of_user ON scim_members (user_id);

        CREATE TABLE sign_ins (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL CHECK (kind IN ('console', 'tool')),
            handle BLOB NOT NULL UNIQUE CHECK (length(handle) = 32),
            spent_handle BLOB,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            issuer TEXT,
            idp_session TEXT,
            sealed BLOB,
            agent TEXT,
            device TEXT NOT NULL,
            network TEXT NOT NULL,
            bound_to TEXT,
            created_at REAL NOT NULL,
            authenticated_at REAL NOT NULL,
            seen_at REAL NOT NULL,
            idle_s REAL,
            ends_at REAL NOT NULL,
            checked_at REAL,
            ended_at REAL,
            ended_why TEXT NOT NULL DEFAULT ''
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sign_ins_of_user ON sign_ins (user_id) WHERE ended_at IS NULL;
        CREATE INDEX sign_ins_spent ON sign_ins (spent_handle) WHERE spent_handle IS NOT NULL;

        CREATE TABLE one_time (
            purpose TEXT NOT NULL,
            hash BLOB NOT NULL CHECK (length(hash) = 32),
            document TEXT NOT NULL,
            expires_at REAL NOT NULL,
            PRIMARY KEY (purpose, hash)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX one_time_due ON one_time (expires_at);

        CREATE TABLE owner_credentials (
            id TEXT PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            kind TEXT NOT NULL CHECK (kind IN ('totp', 'passkey')),
            sealed BLOB NOT NULL,
            counter INTEGER NOT NULL,
            failures INTEGER NOT NULL DEFAULT 0,
            created_at REAL NOT NULL,
            used_at REAL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE service_accounts (
            name TEXT PRIMARY KEY COLLATE NOCASE,
            groups TEXT NOT NULL,
            connections TEXT,
            description TEXT NOT NULL,
            created_at REAL NOT NULL,
            created_by TEXT NOT NULL,
            disabled_at REAL
        ) STRICT, WITHOUT ROWID;
        """,
    ),
    (
        4,
        # A revoked token is found as little, and as fast, as one that never was.
        """
        CREATE UNIQUE INDEX tokens_live ON tokens (hash, scope) WHERE revoked_at IS NULL;
        """,
    ),
    (
        5,
        # Whose request an approval is, as a person; the provider behind an issuer's name; since when its word counts.
        """
        ALTER TABLE approvals ADD COLUMN user_id TEXT;
        ALTER TABLE approvals ADD COLUMN token_id TEXT;
        ALTER TABLE users ADD COLUMN issuer_identifier TEXT;
        ALTER TABLE users ADD COLUMN not_before REAL;
        """,
    ),
)
