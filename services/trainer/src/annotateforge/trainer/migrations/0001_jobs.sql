-- Jobs, their attempts, events and epochs, and the workers that have been heard of.
--
-- A job's row is the lock of everything that belongs to it: whoever changes its attempts, events or epochs holds it FOR UPDATE,
-- and writes them in the transaction that also changes the row. That is what keeps the sequences of its events without a gap.

CREATE TYPE task_type AS ENUM (
    'classify', -- the class of a whole image
    'detect',   -- boxes around objects
    'segment'   -- outlines of objects
);
CREATE TYPE job_status AS ENUM (
    'pending',   -- in the queue
    'preparing', -- a worker has it and brings the data set
    'training',  -- a worker trains
    'completed', -- the model is registered; final
    'failed',    -- it ended without a model; final
    'cancelled'  -- somebody cancelled it; final
);
CREATE TYPE attempt_outcome AS ENUM (
    'completed', -- the model is registered
    'failed',    -- the worker says that no attempt can do it
    'cancelled', -- the worker stopped because somebody cancelled the job
    'released',  -- the worker handed the job back because it was shut down
    'lost'       -- the lease ran out
);
CREATE TYPE event_kind AS ENUM (
    'status_change',
    'dataset_ready',
    'epoch_start',
    'epoch_complete',
    'warning',
    'retry',
    'training_complete',
    'training_failed'
);

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    request_id text COLLATE "C" CONSTRAINT jobs_request_id_unique UNIQUE
        CONSTRAINT jobs_request_id_length CHECK (char_length(request_id) BETWEEN 1 AND 100),
    name text NOT NULL CONSTRAINT jobs_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    description text NOT NULL CONSTRAINT jobs_description_length CHECK (char_length(description) <= 10000),
    task_type task_type NOT NULL,
    config bytea NOT NULL,
    dataset bytea NOT NULL,
    device text NOT NULL,
    priority integer NOT NULL CONSTRAINT jobs_priority_range CHECK (priority BETWEEN -100 AND 100),
    restarted_from uuid,
    status job_status NOT NULL,
    attempt integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    lease_expire_time timestamptz,
    cancel_requested boolean NOT NULL DEFAULT false,
    last_sequence bigint NOT NULL CONSTRAINT jobs_has_events CHECK (last_sequence >= 1),
    total_epochs integer NOT NULL CHECK (total_epochs BETWEEN 1 AND 10000),
    current_epoch integer NOT NULL DEFAULT 0,
    seconds_per_epoch double precision,
    create_time timestamptz NOT NULL,
    start_time timestamptz,
    end_time timestamptz,
    model_id uuid,
    failure bytea,
    CONSTRAINT jobs_lease_while_worker_has_it CHECK ((lease_expire_time IS NOT NULL) = (status IN ('preparing', 'training'))),
    CONSTRAINT jobs_cancel_while_worker_has_it CHECK (NOT cancel_requested OR status IN ('preparing', 'training')),
    CONSTRAINT jobs_started_with_attempts CHECK ((start_time IS NOT NULL) = (attempt > 0)),
    CONSTRAINT jobs_attempted_unless_waiting CHECK (attempt > 0 OR status IN ('pending', 'cancelled')),
    CONSTRAINT jobs_ended_when_final CHECK ((end_time IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled'))),
    CONSTRAINT jobs_model_when_completed CHECK ((model_id IS NOT NULL) = (status = 'completed')),
    CONSTRAINT jobs_failure_when_failed CHECK ((failure IS NOT NULL) = (status = 'failed')),
    CONSTRAINT jobs_epochs_in_range CHECK (current_epoch BETWEEN 0 AND total_epochs)
);
-- The queue: what AcquireJob takes first comes first.
CREATE INDEX jobs_queue ON jobs (priority DESC, id) WHERE status = 'pending';
CREATE INDEX jobs_leases ON jobs (lease_expire_time) WHERE lease_expire_time IS NOT NULL;
CREATE INDEX jobs_by_status ON jobs (status, id);
COMMENT ON TABLE jobs IS 'Trainings, from their creation to their end.';
COMMENT ON COLUMN jobs.id IS 'UUIDv7: the order of ids is the order of creation.';
COMMENT ON COLUMN jobs.request_id IS 'Chosen by the client so that repeating a creation is harmless; null for none.';
COMMENT ON COLUMN jobs.config IS 'Serialised JobConfig with defaults filled in; its priority is the column of that name.';
COMMENT ON COLUMN jobs.dataset IS 'Serialised Dataset as it was when the job was made.';
COMMENT ON COLUMN jobs.device IS 'Device that a worker must have to be given the job; empty for any.';
COMMENT ON COLUMN jobs.priority IS 'The higher is taken first; among equals the older.';
COMMENT ON COLUMN jobs.restarted_from IS 'Job that this one repeats, which may be gone.';
COMMENT ON COLUMN jobs.attempt IS 'Number of the newest attempt; 0 before the first.';
COMMENT ON COLUMN jobs.lease_expire_time IS 'When the open attempt ends unless its worker is heard of.';
COMMENT ON COLUMN jobs.cancel_requested IS 'The worker is to stop.';
COMMENT ON COLUMN jobs.last_sequence IS 'Sequence of the newest row of events.';
COMMENT ON COLUMN jobs.current_epoch IS 'The last complete epoch; 0 before the first.';
COMMENT ON COLUMN jobs.seconds_per_epoch IS 'Smoothed duration of the newest attempt''s epochs, from which the remaining time is estimated.';
COMMENT ON COLUMN jobs.start_time IS 'Start of the first attempt.';
COMMENT ON COLUMN jobs.failure IS 'Serialised Failure.';

CREATE TABLE attempts (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    number integer NOT NULL CHECK (number >= 1),
    worker_id uuid NOT NULL,
    worker_name text NOT NULL,
    device text NOT NULL DEFAULT '',
    accepted_through bigint NOT NULL DEFAULT 0 CHECK (accepted_through >= 0),
    start_time timestamptz NOT NULL,
    end_time timestamptz,
    outcome attempt_outcome,
    PRIMARY KEY (job_id, number),
    CONSTRAINT attempts_ended_with_outcome CHECK ((end_time IS NULL) = (outcome IS NULL))
);
-- A job has one worker, and a worker one job.
CREATE UNIQUE INDEX attempts_one_open_per_job ON attempts (job_id) WHERE outcome IS NULL;
CREATE UNIQUE INDEX attempts_one_open_per_worker ON attempts (worker_id) WHERE outcome IS NULL;
COMMENT ON TABLE attempts IS 'Tries of workers at jobs. The number fences out workers that no longer have the job.';
COMMENT ON COLUMN attempts.number IS '1, 2, 3, … per job.';
COMMENT ON COLUMN attempts.device IS 'What it trains on; empty until training has started.';
COMMENT ON COLUMN attempts.accepted_through IS 'Number of the last report that is recorded; repeats of it and of those before are passed over.';
COMMENT ON COLUMN attempts.outcome IS 'How it ended; null while it is open.';

CREATE TABLE events (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    sequence bigint NOT NULL CHECK (sequence >= 1),
    attempt integer NOT NULL CHECK (attempt >= 0),
    time timestamptz NOT NULL,
    kind event_kind NOT NULL,
    message bytea NOT NULL,
    PRIMARY KEY (job_id, sequence)
);
COMMENT ON TABLE events IS 'What happened to jobs. Rows are never changed.';
COMMENT ON COLUMN events.sequence IS '1, 2, 3, … per job without a gap.';
COMMENT ON COLUMN events.attempt IS 'Attempt to which it belongs; 0 for none.';
COMMENT ON COLUMN events.message IS 'Serialised JobEvent, as published and streamed.';

CREATE TABLE epochs (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    epoch integer NOT NULL CHECK (epoch >= 1),
    attempt integer NOT NULL CHECK (attempt >= 1),
    message bytea NOT NULL,
    PRIMARY KEY (job_id, epoch)
);
COMMENT ON TABLE epochs IS 'Complete epochs, each as measured last; those that a later attempt measures anew are deleted when it gets there.';
COMMENT ON COLUMN epochs.message IS 'Serialised Epoch.';

CREATE TABLE workers (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL CONSTRAINT workers_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    description bytea NOT NULL,
    load bytea NOT NULL,
    heartbeat_time timestamptz NOT NULL
);
CREATE INDEX workers_by_name ON workers (name, id);
CREATE INDEX workers_by_heartbeat ON workers (heartbeat_time);
COMMENT ON TABLE workers IS 'Workers that were heard of lately; older ones are deleted.';
COMMENT ON COLUMN workers.id IS 'Chosen by the worker when it started.';
COMMENT ON COLUMN workers.description IS 'Serialised Worker as it described itself: devices and versions.';
COMMENT ON COLUMN workers.load IS 'Serialised Load at the last heartbeat.';

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    message_id text NOT NULL,
    payload bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE outbox IS 'What is still to be published over NATS; see annotateforge.runtime.outbox.';
