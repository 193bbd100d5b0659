"""Migrations of the SQLite database of the state, from each version of its schema to the next."""

# Migrations, each from the version of its index to the next: append, raise
# _FORMAT of sqlite.py, and never edit.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE images (
            reference TEXT PRIMARY KEY,
            target TEXT NOT NULL, -- a descriptor in JSON
            created TEXT NOT NULL, -- ISO 8601, UTC
            updated TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE cache (
            id INTEGER PRIMARY KEY, -- grows, so it is the order of storing
            key TEXT NOT NULL UNIQUE,
            diff_id TEXT, -- NULL, as is descriptor: the vertex gave nothing
            descriptor TEXT,
            created TEXT NOT NULL,
            description TEXT NOT NULL
        )""",
        """CREATE TABLE contexts (
            id INTEGER PRIMARY KEY,
            directory BLOB NOT NULL UNIQUE -- file names are bytes
        )""",
        """CREATE TABLE files (
            context INTEGER NOT NULL REFERENCES contexts (id),
            path TEXT NOT NULL,
            stamp BLOB NOT NULL, -- packed: half the time of five columns
            digest TEXT NOT NULL,
            xattrs BLOB, -- NULL: none
            PRIMARY KEY (context, path)
        ) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE blob_origins (
            id INTEGER PRIMARY KEY, -- grows, so it is the order of learning
            digest TEXT NOT NULL,
            repository TEXT NOT NULL, -- with its registry
            UNIQUE (digest, repository)
        )""",
    ),
    (
        "ALTER TABLE cache ADD COLUMN used TEXT",  # NULL: not used since it was created
        "ALTER TABLE cache ADD COLUMN uses INTEGER NOT NULL DEFAULT 0",
    ),
    # One "KEY CONTENT" per line; NULL: unknown, and no definition key finds the record.
    ("ALTER TABLE cache ADD COLUMN made_from TEXT",),
    (
        "DROP TABLE files",
        """CREATE TABLE known_files (
            context INTEGER NOT NULL REFERENCES contexts (id),
            part INTEGER NOT NULL, -- grows, so it is the order of saving
            content BLOB NOT NULL, -- many files: a fraction of the time of a row for each
            PRIMARY KEY (context, part)
        )""",
    ),
    (
        """CREATE TABLE traces (
            key TEXT PRIMARY KEY, -- a digest of the command line, the environment ...
            stored INTEGER NOT NULL, -- nanoseconds since 1970
            content TEXT NOT NULL -- JSON
        )""",
    ),
)
