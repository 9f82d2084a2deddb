-- Sweeps: jobs that were made together and differ in some settings.

CREATE TABLE sweeps (
    id uuid PRIMARY KEY,
    request_id text COLLATE "C" CONSTRAINT sweeps_request_id_unique UNIQUE
        CONSTRAINT sweeps_request_id_length CHECK (char_length(request_id) BETWEEN 1 AND 100),
    message bytea NOT NULL
);
COMMENT ON TABLE sweeps IS 'Sets of jobs that one call made.';
COMMENT ON COLUMN sweeps.request_id IS 'Chosen by the client so that repeating the call is harmless; null for none.';
COMMENT ON COLUMN sweeps.message IS 'Serialised Sweep without its jobs.';

CREATE TABLE sweep_jobs (
    sweep_id uuid NOT NULL REFERENCES sweeps ON DELETE CASCADE,
    number integer NOT NULL CHECK (number >= 1),
    job_id uuid NOT NULL CONSTRAINT sweep_jobs_one_sweep_per_job UNIQUE REFERENCES jobs ON DELETE CASCADE,
    PRIMARY KEY (sweep_id, number)
);
COMMENT ON TABLE sweep_jobs IS 'The jobs of sweeps, those that are still there.';
COMMENT ON COLUMN sweep_jobs.number IS '1, 2, 3, … in the order in which they were made.';
