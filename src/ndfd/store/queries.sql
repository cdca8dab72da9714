-- The statements of the store. `queries.py` reads this file.

-- name: set_meta
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: tallies
SELECT state, uid, count(*), sum(size_bytes), sum(result_bytes) FROM jobs GROUP BY state, uid;

-- name: blob_bytes
SELECT coalesce(sum(size_bytes), 0) FROM blobs;


-- Files

-- name: refer
INSERT INTO blobs (hash, size_bytes, refs) VALUES (?, ?, 1) ON CONFLICT (hash) DO UPDATE SET refs = refs + 1 RETURNING refs;

-- name: unrefer
UPDATE blobs SET refs = refs - 1 WHERE hash = ? RETURNING refs, size_bytes;

-- name: drop_blob
DELETE FROM blobs WHERE hash = ? AND refs = 0;

-- name: blob
SELECT size_bytes FROM blobs WHERE hash = ?;


-- Submission

-- name: job_of_key
SELECT jobs.* FROM keys JOIN jobs ON jobs.number = keys.job WHERE keys.uid = ? AND keys.key = ?;

-- name: job_of_work
SELECT * FROM jobs WHERE uid = ? AND fingerprint = ? AND answers = 1;

-- name: insert_job
INSERT INTO jobs (
    id, uid, state, version, attempts, interruptions, accepted_at, rank, priority, format, pool, name, deadline_s,
    password, idempotency_key, fingerprint, answers, labels, document, size_bytes
) VALUES (?, ?, ?, 1, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?);

-- name: insert_key
INSERT INTO keys (uid, key, job) VALUES (?, ?, ?);

-- name: keys_of_job
SELECT count(*) FROM keys WHERE job = ?;

-- name: insert_label
INSERT INTO labels (job, name, value) VALUES (?, ?, ?);

-- name: insert_history
INSERT INTO history (job, version, at, event, state, attempt, code) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: shorten_history
DELETE FROM history WHERE job = ? AND version > 1 AND version <= ?;

-- name: insert_hook
INSERT OR IGNORE INTO hooks (job, target, watch, path, mark) VALUES (?, ?, ?, ?, ?);

-- name: take_file
INSERT INTO taken_files (watch, path, mark) VALUES (?, ?, ?)
ON CONFLICT (watch, path) DO UPDATE SET mark = excluded.mark;


-- Changes. Each names the state, and where a run is meant the attempt and the life it belongs to, that it expects.

-- name: job
SELECT * FROM jobs WHERE id = ?;

-- name: jobs_of_prefix
SELECT * FROM jobs WHERE id >= ?1 AND id < ?2 AND (?3 IS NULL OR uid = ?3) ORDER BY id LIMIT 2;

-- name: start
UPDATE jobs SET state = ?, version = version + 1, attempts = attempts + 1, epoch = ?, started_at = ?, not_before = NULL
WHERE number = ? AND state = ? AND version = ?;

-- name: finish
UPDATE jobs SET state = ?, version = version + 1, attempts = ?, epoch = NULL, finished_at = ?, not_before = NULL,
    password = NULL, password_erased = password_erased OR password IS NOT NULL,
    answers = ?, result = ?, result_bytes = ?, report = ?, fault = ?
WHERE number = ? AND state = ? AND version = ?;

-- name: requeue
UPDATE jobs SET state = ?, version = version + 1, attempts = ?, interruptions = ?, epoch = NULL, finished_at = NULL,
    not_before = ?, answers = ?, result = NULL, result_bytes = 0, report = NULL, fault = ?
WHERE number = ? AND state = ? AND version = ?;

-- name: other_answers
SELECT 1 FROM jobs WHERE uid = ? AND fingerprint = ? AND answers = 1 AND number <> ?;

-- name: touch
UPDATE jobs SET version = version + 1 WHERE number = ?;

-- name: count_deliveries
UPDATE jobs SET
    deliveries_due = (SELECT count(next_at) FROM deliveries WHERE job = jobs.number),
    deliveries_failed = (SELECT count(*) - count(next_at) FROM deliveries WHERE job = jobs.number)
WHERE number = ?;

-- name: running
SELECT * FROM jobs WHERE state = 'running' AND id > ? ORDER BY id LIMIT ?;


-- Forgetting

-- name: forget_job
DELETE FROM jobs WHERE number = ? AND state = ?;

-- name: forget_history
DELETE FROM history WHERE job = ?;

-- name: forget_labels
DELETE FROM labels WHERE job = ?;

-- name: forget_keys
DELETE FROM keys WHERE job = ?;

-- name: forget_hooks
DELETE FROM hooks WHERE job = ?;

-- name: forget_deliveries
DELETE FROM deliveries WHERE job = ?;

-- name: oldest_finished
SELECT * FROM jobs WHERE finished_at IS NOT NULL AND deliveries_due = 0 ORDER BY finished_at LIMIT ?;


-- The queue

-- A line is what one user has waiting for one pool: the next one after a line is found without going through it.

-- name: next_line_ready
SELECT * FROM (
    SELECT uid, coalesce(pool, '') AS line FROM jobs
    WHERE state = 'queued' AND not_before IS NULL AND uid = ?1 AND coalesce(pool, '') > ?2
    ORDER BY coalesce(pool, '') LIMIT 1
) UNION ALL SELECT * FROM (
    SELECT uid, coalesce(pool, '') AS line FROM jobs
    WHERE state = 'queued' AND not_before IS NULL AND uid > ?1 ORDER BY uid, coalesce(pool, '') LIMIT 1
) LIMIT 1;

-- name: next_line_postponed
SELECT * FROM (
    SELECT uid, coalesce(pool, '') AS line FROM jobs
    WHERE state = 'queued' AND not_before IS NOT NULL AND uid = ?1 AND coalesce(pool, '') > ?2
    ORDER BY coalesce(pool, '') LIMIT 1
) UNION ALL SELECT * FROM (
    SELECT uid, coalesce(pool, '') AS line FROM jobs
    WHERE state = 'queued' AND not_before IS NOT NULL AND uid > ?1 ORDER BY uid, coalesce(pool, '') LIMIT 1
) LIMIT 1;

-- name: ready
SELECT id, uid, rank, pool, accepted_at FROM jobs
WHERE state = 'queued' AND not_before IS NULL AND uid = ? AND coalesce(pool, '') = ? ORDER BY rank, id LIMIT ?;

-- name: due
SELECT id, uid, rank, pool, accepted_at FROM jobs
WHERE state = 'queued' AND not_before IS NOT NULL AND uid = ? AND coalesce(pool, '') = ? AND not_before <= ?
ORDER BY not_before LIMIT ?;

-- name: next_due
SELECT min(not_before) FROM jobs
WHERE state = 'queued' AND not_before IS NOT NULL AND uid = ? AND coalesce(pool, '') = ? AND not_before > ?;


-- Reading

-- name: list
SELECT * FROM jobs;

-- name: history
SELECT at, event, state, attempt, code FROM history WHERE job = ? ORDER BY version;

-- name: deliveries_due
SELECT deliveries.id, target, deliveries.attempts, watch, path, mark, jobs.* FROM deliveries
JOIN jobs ON jobs.number = deliveries.job WHERE next_at IS NOT NULL AND next_at <= ? ORDER BY next_at LIMIT ?;

-- name: deliveries_due_to
SELECT deliveries.id, target, deliveries.attempts, watch, path, mark, jobs.* FROM deliveries
JOIN jobs ON jobs.number = deliveries.job
WHERE next_at IS NOT NULL AND next_at <= ? AND target = ? ORDER BY next_at LIMIT ?;

-- name: delivery_moments
-- From target to target by the index: one of them may have a hundred thousand deliveries waiting.
WITH RECURSIVE targets (target) AS (
    SELECT min(target) FROM deliveries WHERE next_at IS NOT NULL
    UNION ALL
    SELECT (SELECT min(target) FROM deliveries WHERE next_at IS NOT NULL AND target > targets.target)
    FROM targets WHERE targets.target IS NOT NULL
)
SELECT target, (SELECT min(next_at) FROM deliveries WHERE next_at IS NOT NULL AND target = targets.target)
FROM targets WHERE target IS NOT NULL;

-- name: taken_files
SELECT path, mark FROM taken_files WHERE watch = ?;

-- name: drop_taken
DELETE FROM taken_files WHERE watch = ? AND path = ?;


-- The outbox

-- name: hooks
SELECT target, watch, path, mark FROM hooks WHERE job = ?;

-- name: insert_delivery
INSERT INTO deliveries (id, job, target, watch, path, mark, next_at) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: delivery
SELECT job, next_at FROM deliveries WHERE id = ?;

-- name: delivered
DELETE FROM deliveries WHERE id = ?;

-- name: delivery_failed
UPDATE deliveries SET attempts = attempts + 1, next_at = ?, fault = ? WHERE id = ?;

-- name: job_by_number
SELECT * FROM jobs WHERE number = ?;
