-- Data sets that the dataset service is asked to keep for jobs.

CREATE TABLE dataset_holds (
    job_id uuid PRIMARY KEY,
    dataset_id text NOT NULL,
    confirmed boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE dataset_holds IS 'Written before the dataset service is asked, deleted after it was told that the job has ended; so no hold is forgotten, however a process dies. Without a foreign key: it outlives the job.';
COMMENT ON COLUMN dataset_holds.confirmed IS 'Whether the dataset service has the hold.';
CREATE INDEX jobs_not_ended ON jobs (id) WHERE end_time IS NULL;
