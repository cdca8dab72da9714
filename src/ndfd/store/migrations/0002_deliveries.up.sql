-- Who is told of a job's end, the outbox of what they are told, and the files that watch folders have given.

ALTER TABLE jobs ADD COLUMN deliveries_due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN deliveries_failed INTEGER NOT NULL DEFAULT 0;

-- A job whose end somebody has still to be told of is not forgotten by itself.
DROP INDEX jobs_finished;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL AND deliveries_due = 0;

CREATE TABLE hooks (
    job INTEGER NOT NULL,
    target TEXT NOT NULL,
    -- The watched file, where there is one; '' otherwise, so that the key tells two alike.
    watch TEXT NOT NULL,
    path TEXT NOT NULL,
    mark TEXT NOT NULL,
    PRIMARY KEY (job, target, watch, path, mark)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    job INTEGER NOT NULL,
    target TEXT NOT NULL,
    watch TEXT NOT NULL,
    path TEXT NOT NULL,
    mark TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- NULL: given up.
    next_at REAL,
    fault TEXT
) STRICT;

CREATE INDEX deliveries_by_job ON deliveries (job);
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_by_target ON deliveries (target, next_at) WHERE next_at IS NOT NULL;

CREATE TABLE taken_files (
    watch TEXT NOT NULL,
    path TEXT NOT NULL,
    mark TEXT NOT NULL,
    PRIMARY KEY (watch, path)
) STRICT, WITHOUT ROWID;
