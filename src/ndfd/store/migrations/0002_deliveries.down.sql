DROP TABLE taken_files;
DROP TABLE deliveries;
DROP TABLE hooks;

DROP INDEX jobs_finished;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

ALTER TABLE jobs DROP COLUMN deliveries_failed;
ALTER TABLE jobs DROP COLUMN deliveries_due;
