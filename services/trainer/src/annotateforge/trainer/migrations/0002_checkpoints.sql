-- Checkpoints from which jobs go on, and why attempts ended that were of no use. How blobs come and go is told in
-- annotateforge.runtime.blob_claims.

ALTER TYPE attempt_outcome ADD VALUE 'interrupted'; -- the worker says that another attempt can go on where it could not
ALTER TYPE event_kind ADD VALUE 'checkpoint_saved';

ALTER TABLE jobs ADD COLUMN batch_size integer CONSTRAINT jobs_batch_size_positive CHECK (batch_size >= 1);
COMMENT ON COLUMN jobs.batch_size IS 'Images in a batch since memory ran out; null while it suffices.';

ALTER TABLE attempts
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN message text NOT NULL DEFAULT '';
UPDATE attempts SET reason = 'WORKER_LOST' WHERE outcome = 'lost';
COMMENT ON COLUMN attempts.reason IS 'Why it was of no use, a stable UPPER_SNAKE name, if it is one of those of which a job bears only so many in a row.';
COMMENT ON COLUMN attempts.message IS 'The same in a sentence.';

CREATE TABLE blobs (
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    create_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE blobs IS 'Digests whose bytes are, or are about to be, in the object store. Every use of a blob has a foreign key to here.';

CREATE TABLE checkpoints (
    job_id uuid PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    attempt integer NOT NULL CHECK (attempt >= 1),
    epoch integer NOT NULL CHECK (epoch >= 1),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 1),
    sha256 bytea NOT NULL CONSTRAINT checkpoints_blob REFERENCES blobs,
    create_time timestamptz NOT NULL
);
CREATE INDEX checkpoints_sha256 ON checkpoints (sha256);
COMMENT ON TABLE checkpoints IS 'The newest checkpoint of each job that has one and has not ended. Rows are replaced, not changed, so that the bytes of the old one are noted as loose.';
COMMENT ON COLUMN checkpoints.epoch IS 'The epoch after which the state was taken.';

CREATE TABLE ingests (
    id uuid PRIMARY KEY,
    expire_time timestamptz NOT NULL
);
COMMENT ON TABLE ingests IS 'Uploads that are writing blobs. One whose process died is deleted by the sweep after expire_time.';

CREATE TABLE ingest_blobs (
    ingest_id uuid NOT NULL REFERENCES ingests ON DELETE CASCADE,
    sha256 bytea NOT NULL CONSTRAINT ingest_blobs_blob REFERENCES blobs,
    PRIMARY KEY (ingest_id, sha256)
);
CREATE INDEX ingest_blobs_sha256 ON ingest_blobs (sha256);
COMMENT ON TABLE ingest_blobs IS 'Claims: blobs of an upload whose checkpoint is not committed yet.';

CREATE TABLE loose_blobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256 bytea NOT NULL
);
COMMENT ON TABLE loose_blobs IS 'Digests that lost a reference and may have none left. Without a unique key on purpose: a digest noted again while the sweep looks at it must stay noted.';

CREATE FUNCTION note_loose_blobs() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO loose_blobs (sha256) SELECT DISTINCT sha256 FROM gone;
    RETURN NULL;
END
$$;
CREATE TRIGGER checkpoints_note_loose_blobs AFTER DELETE ON checkpoints
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_loose_blobs();
CREATE TRIGGER ingest_blobs_note_loose_blobs AFTER DELETE ON ingest_blobs
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_loose_blobs();
