-- Models, the files that belong to them, which of them was active when, and the blobs that hold the files' bytes.
--
-- Life of a blob. A registration, an ingest, first claims its digests (a row in blobs, a row in ingest_blobs), then writes the
-- bytes to the object store, then commits the model with its artifacts and gives the claims back. Whenever a reference goes,
-- a trigger notes the digest in loose_blobs, and the sweep deletes what nothing refers to any more, row and bytes under one
-- row lock. So the bytes of a committed artifact are always there, and bytes that nobody needs go, however a process dies.

CREATE TYPE task_type AS ENUM (
    'classify', -- the class of a whole image
    'detect',   -- boxes around objects
    'segment'   -- outlines of objects
);

CREATE TABLE models (
    id uuid PRIMARY KEY,
    job_id uuid NOT NULL CONSTRAINT models_job_unique UNIQUE,
    attempt integer NOT NULL CHECK (attempt >= 1),
    name text NOT NULL CONSTRAINT models_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CONSTRAINT models_description_length CHECK (char_length(description) <= 10000),
    task_type task_type NOT NULL,
    architecture text NOT NULL CHECK (char_length(architecture) BETWEEN 1 AND 100),
    classes text[] NOT NULL CHECK (cardinality(classes) BETWEEN 1 AND 1000 AND array_position(classes, NULL) IS NULL),
    image_size integer NOT NULL CHECK (image_size > 0),
    metrics jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metrics) = 'object'),
    dataset_id uuid NOT NULL,
    dataset_digest text NOT NULL CHECK (dataset_digest ~ '^([0-9a-f]{64})?$'),
    config bytea NOT NULL,
    best_epoch integer NOT NULL CHECK (best_epoch >= 0),
    epochs_trained integer NOT NULL CHECK (epochs_trained >= 0),
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT models_id_task_unique UNIQUE (id, task_type)
);
COMMENT ON TABLE models IS 'Trained models; a job has one. That it has an artifact best.pt is seen to by whoever writes it.';
COMMENT ON COLUMN models.id IS 'UUIDv7: the order of ids is the order of registration.';
COMMENT ON COLUMN models.job_id IS 'Job of the trainer that trained it.';
COMMENT ON COLUMN models.attempt IS 'Attempt of the job; a later one replaces the content, an earlier one is refused.';
COMMENT ON COLUMN models.name IS 'At first the job''s; afterwards it belongs to people, and a later attempt leaves it.';
COMMENT ON COLUMN models.classes IS 'Class labels; position minus one is the class id.';
COMMENT ON COLUMN models.image_size IS 'Side in pixels of the images that it was trained on.';
COMMENT ON COLUMN models.metrics IS 'Finite numbers by name, of the final evaluation.';
COMMENT ON COLUMN models.dataset_digest IS 'SHA-256 of the data set''s manifest in hexadecimal; empty when it was not told.';
COMMENT ON COLUMN models.config IS 'annotateforge.api.trainer.v1.JobConfig in protobuf''s binary form: no query looks into it, and it follows the rules by which protos evolve.';
COMMENT ON COLUMN models.best_epoch IS 'From 1; 0 when it was not told.';

CREATE TABLE blobs (
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    create_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE blobs IS 'Digests whose bytes are, or are about to be, in the object store. Every use of a blob has a foreign key to here.';

CREATE TABLE artifacts (
    model_id uuid NOT NULL REFERENCES models ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL
        CHECK (char_length(name) BETWEEN 1 AND 200 AND name NOT IN ('.', '..') AND name !~ '[/\\]'),
    content_type text NOT NULL CHECK (char_length(content_type) BETWEEN 3 AND 100),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    sha256 bytea NOT NULL CONSTRAINT artifacts_blob REFERENCES blobs,
    PRIMARY KEY (model_id, name)
);
CREATE INDEX artifacts_sha256 ON artifacts (sha256);
COMMENT ON TABLE artifacts IS 'Files of models; their bytes are in the object store under sha256.';
COMMENT ON COLUMN artifacts.name IS 'File name without folders; best.pt holds the weights.';

CREATE TABLE activations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id uuid NOT NULL,
    task_type task_type NOT NULL,
    activate_time timestamptz NOT NULL,
    deactivate_time timestamptz CHECK (deactivate_time >= activate_time),
    activated_by text NOT NULL,
    active_model_id uuid GENERATED ALWAYS AS (CASE WHEN deactivate_time IS NULL THEN model_id END) STORED,
    CONSTRAINT activations_active_model FOREIGN KEY (active_model_id, task_type) REFERENCES models (id, task_type)
);
CREATE UNIQUE INDEX activations_one_per_task ON activations (task_type) WHERE deactivate_time IS NULL;
CREATE INDEX activations_active_model_id ON activations (active_model_id) WHERE active_model_id IS NOT NULL;
COMMENT ON TABLE activations IS 'Which model was the active one of its task, from when to when. A model is active while it has an open row here.';
COMMENT ON COLUMN activations.id IS 'Within a task in the order of activation: whoever activates holds the task''s lock.';
COMMENT ON COLUMN activations.model_id IS 'No foreign key: the history outlives the model.';
COMMENT ON COLUMN activations.deactivate_time IS 'Null while the model is active.';
COMMENT ON COLUMN activations.activated_by IS 'Subject of the token.';
COMMENT ON COLUMN activations.active_model_id IS 'model_id while it is active. Its foreign key keeps an active model from being deleted and from being another task''s.';

CREATE TABLE ingests (
    id uuid PRIMARY KEY,
    expire_time timestamptz NOT NULL
);
COMMENT ON TABLE ingests IS 'Registrations that are writing blobs. One whose process died is deleted by the sweep after expire_time.';

CREATE TABLE ingest_blobs (
    ingest_id uuid NOT NULL REFERENCES ingests ON DELETE CASCADE,
    sha256 bytea NOT NULL CONSTRAINT ingest_blobs_blob REFERENCES blobs,
    PRIMARY KEY (ingest_id, sha256)
);
CREATE INDEX ingest_blobs_sha256 ON ingest_blobs (sha256);
COMMENT ON TABLE ingest_blobs IS 'Claims: blobs of a registration whose model is not committed yet.';

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
CREATE TRIGGER artifacts_note_loose_blobs AFTER DELETE ON artifacts
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_loose_blobs();
CREATE TRIGGER ingest_blobs_note_loose_blobs AFTER DELETE ON ingest_blobs
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_loose_blobs();

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    message_id text NOT NULL,
    payload bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE outbox IS 'What is to be told over NATS, in this order; deleted once NATS has acknowledged it.';
