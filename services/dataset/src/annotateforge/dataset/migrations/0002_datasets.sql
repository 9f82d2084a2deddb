-- Frozen data sets and the blobs that they keep alive.

CREATE TYPE task_type AS ENUM ('classify', 'detect', 'segment');

CREATE TABLE datasets (
    id uuid PRIMARY KEY,
    identity bytea NOT NULL CONSTRAINT datasets_identity_unique UNIQUE CHECK (octet_length(identity) = 32),
    digest bytea NOT NULL CONSTRAINT datasets_manifest REFERENCES blobs,
    task_type task_type NOT NULL,
    spec bytea NOT NULL,
    report bytea NOT NULL,
    archive_size_bytes bigint NOT NULL CHECK (archive_size_bytes > 0),
    create_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE datasets IS 'Frozen specs. A row never changes.';
COMMENT ON COLUMN datasets.id IS 'UUIDv7: the order of ids is the order of creation.';
COMMENT ON COLUMN datasets.identity IS 'SHA-256 over digest, spec and what the check counted: freezing the same spec over unchanged data finds the row that is there.';
COMMENT ON COLUMN datasets.digest IS 'SHA-256 of the manifest, which is the blob of that name.';
COMMENT ON COLUMN datasets.spec IS 'A DatasetSpec message with its defaults filled in.';
COMMENT ON COLUMN datasets.report IS 'The HealthReport message of the time of freezing.';

CREATE TABLE dataset_blobs (
    dataset_id uuid NOT NULL REFERENCES datasets ON DELETE CASCADE,
    sha256 bytea NOT NULL CONSTRAINT dataset_blobs_blob REFERENCES blobs,
    PRIMARY KEY (dataset_id, sha256)
);
CREATE INDEX dataset_blobs_sha256 ON dataset_blobs (sha256);
COMMENT ON TABLE dataset_blobs IS 'Blobs that a data set needs: its images, its manifest and its label pack.';

CREATE TRIGGER dataset_blobs_note_loose_blobs AFTER DELETE ON dataset_blobs
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_loose_blobs();
