-- What trainings print, so that it can be read when their worker is gone.

CREATE TABLE log_chunks (
    job_id uuid NOT NULL,
    attempt integer NOT NULL,
    first_number bigint NOT NULL CHECK (first_number >= 1),
    last_number bigint NOT NULL,
    bytes integer NOT NULL CHECK (bytes > 0),
    lines bytea NOT NULL,
    PRIMARY KEY (job_id, first_number),
    FOREIGN KEY (job_id, attempt) REFERENCES attempts ON DELETE CASCADE,
    CONSTRAINT log_chunks_lines_ascend CHECK (last_number >= first_number)
);
CREATE INDEX log_chunks_by_attempt ON log_chunks (job_id, attempt, first_number);
COMMENT ON TABLE log_chunks IS 'Lines that trainings printed, some to a row. The newest of an attempt is never deleted before the job.';
COMMENT ON COLUMN log_chunks.first_number IS 'Number of its first line in the log of the job, from 1 over all attempts.';
COMMENT ON COLUMN log_chunks.last_number IS 'Number of its last line; lines in between may be missing.';
COMMENT ON COLUMN log_chunks.bytes IS 'Size of `lines`, by which old rows are deleted.';
COMMENT ON COLUMN log_chunks.lines IS 'Serialised Log.';
