-- Jobs, the files they refer to, and what happened to them.

CREATE TABLE meta (
    name TEXT PRIMARY KEY NOT NULL,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each file of the spool; `refs` counts the jobs that name it as document or result.
CREATE TABLE blobs (
    hash BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    refs INTEGER NOT NULL CHECK (refs >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    uid INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'quarantined', 'cancelled')),
    version INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    interruptions INTEGER NOT NULL,
    -- The life of the daemon that a running job is leased to.
    epoch INTEGER CHECK ((epoch IS NOT NULL) = (state = 'running')),
    accepted_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL CHECK ((finished_at IS NULL) = (state IN ('queued', 'running'))),
    not_before REAL,
    rank REAL NOT NULL,
    priority INTEGER NOT NULL,
    format TEXT NOT NULL,
    pool TEXT,
    name TEXT,
    deadline_s REAL,
    -- NULL once the job has finished; password_erased says that there was one.
    password TEXT,
    password_erased INTEGER NOT NULL DEFAULT 0,
    idempotency_key TEXT,
    fingerprint BLOB NOT NULL,
    -- Whether the same work, when it is submitted again, is answered with this job.
    answers INTEGER NOT NULL,
    labels TEXT,
    document BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    result BLOB CHECK ((result IS NOT NULL) = (state = 'succeeded')),
    result_bytes INTEGER NOT NULL DEFAULT 0,
    report TEXT,
    fault TEXT
) STRICT;

CREATE INDEX jobs_by_user ON jobs (uid, id);
CREATE UNIQUE INDEX jobs_by_work ON jobs (uid, fingerprint) WHERE answers = 1;
-- By user and pool, so that what waits for a full pool holds up nothing of the same user's for another.
CREATE INDEX jobs_ready ON jobs (uid, coalesce(pool, ''), rank, id) WHERE state = 'queued' AND not_before IS NULL;
CREATE INDEX jobs_postponed ON jobs (uid, coalesce(pool, ''), not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
CREATE INDEX jobs_running ON jobs (id) WHERE state = 'running';
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- Several keys may stand for one job: that of its submission, and those of the same work sent again.
CREATE TABLE keys (
    uid INTEGER NOT NULL,
    key TEXT NOT NULL,
    job INTEGER NOT NULL,
    PRIMARY KEY (uid, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX keys_by_job ON keys (job);

CREATE TABLE labels (
    job INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX labels_by_value ON labels (name, value, job);

CREATE TABLE history (
    job INTEGER NOT NULL,
    version INTEGER NOT NULL,
    at REAL NOT NULL,
    event TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    code TEXT,
    PRIMARY KEY (job, version)
) STRICT, WITHOUT ROWID;
