-- Projects, their images and annotations, and the blobs that hold the images' bytes.
--
-- Life of a blob. An ingest first claims the digest (a row in blobs, a row in ingest_blobs), then writes the bytes to the
-- object store, then commits its images and gives the claim back. Whoever needs a blob refers to blobs(sha256) by a foreign key; whenever a
-- reference goes, a trigger notes the digest in loose_blobs, and the sweep deletes what nothing refers to any more, row and bytes under
-- one row lock. So bytes that a committed row needs are always there, and bytes that nobody needs go, however a process dies.

CREATE TYPE image_format AS ENUM ('jpeg', 'png', 'bmp', 'tiff', 'webp');
CREATE TYPE annotation_type AS ENUM (
    'circle',    -- x, y, radius
    'box',       -- x_min, y_min, x_max, y_max
    'rectangle', -- x, y of four corners in order around it
    'polygon'    -- x, y of three or more corners in order around it
);

CREATE TABLE projects (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL CONSTRAINT projects_name_unique UNIQUE
        CONSTRAINT projects_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CONSTRAINT projects_description_length CHECK (char_length(description) <= 10000),
    image_count bigint NOT NULL DEFAULT 0 CHECK (image_count >= 0),
    annotation_count bigint NOT NULL DEFAULT 0 CHECK (annotation_count >= 0),
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE projects IS 'Named collections of images.';
COMMENT ON COLUMN projects.id IS 'UUIDv7: the order of ids is the order of creation.';
COMMENT ON COLUMN projects.image_count IS 'Kept by a trigger on images.';
COMMENT ON COLUMN projects.annotation_count IS 'Sum of images.annotation_count, kept by a trigger on images.';
COMMENT ON COLUMN projects.update_time IS 'Last change of name, description, images or annotations.';

CREATE TABLE blobs (
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    create_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE blobs IS 'Digests whose bytes are, or are about to be, in the object store. Every use of a blob has a foreign key to here.';

CREATE TABLE images (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    filename text COLLATE "C" NOT NULL CONSTRAINT images_filename_length CHECK (char_length(filename) BETWEEN 1 AND 1000),
    sha256 bytea NOT NULL CONSTRAINT images_blob REFERENCES blobs,
    crc32 bigint NOT NULL CHECK (crc32 BETWEEN 0 AND 4294967295),
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    format image_format NOT NULL,
    width integer NOT NULL CHECK (width > 0),
    height integer NOT NULL CHECK (height > 0),
    image_class text NOT NULL DEFAULT '' CONSTRAINT images_class_length CHECK (char_length(image_class) <= 200),
    "group" text NOT NULL DEFAULT '' CONSTRAINT images_group_length CHECK (char_length("group") <= 200),
    annotation_count integer NOT NULL DEFAULT 0 CHECK (annotation_count BETWEEN 0 AND 10000),
    create_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT images_filename_unique UNIQUE (project_id, filename)
);
CREATE INDEX images_sha256 ON images (sha256);
COMMENT ON TABLE images IS 'Pictures of a project; their bytes are in the object store under sha256.';
COMMENT ON COLUMN images.filename IS 'Name under which it came, with folders; "/" between them.';
COMMENT ON COLUMN images.crc32 IS 'CRC-32 of the bytes, as in ZIP.';
COMMENT ON COLUMN images.width IS 'Pixels of the upright picture (EXIF orientation applied).';
COMMENT ON COLUMN images.height IS 'Pixels of the upright picture (EXIF orientation applied).';
COMMENT ON COLUMN images.image_class IS 'Class of the whole picture; empty when it has none.';
COMMENT ON COLUMN images."group" IS 'Images of one project with the same non-empty group stay on one side of a split.';
COMMENT ON COLUMN images.annotation_count IS 'Rows of annotations; written in the transaction that writes them.';

CREATE TABLE annotations (
    id uuid NOT NULL,
    image_id uuid NOT NULL REFERENCES images ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 0),
    class_label text NOT NULL DEFAULT '' CONSTRAINT annotations_label_length CHECK (char_length(class_label) <= 200),
    type annotation_type NOT NULL,
    coordinates double precision[] NOT NULL,
    confidence double precision CONSTRAINT annotations_confidence_range CHECK (confidence BETWEEN 0 AND 1),
    source text NOT NULL DEFAULT '' CONSTRAINT annotations_source_length CHECK (char_length(source) <= 200),
    PRIMARY KEY (image_id, position),
    CONSTRAINT annotations_coordinates_finite CHECK (
        array_position(coordinates, NULL) IS NULL
        AND NOT coordinates && ARRAY['NaN', 'Infinity', '-Infinity']::double precision[]
    ),
    CONSTRAINT annotations_shape CHECK (
        CASE type
            WHEN 'circle' THEN cardinality(coordinates) = 3 AND coordinates[3] > 0
            WHEN 'box' THEN cardinality(coordinates) = 4
                AND coordinates[1] < coordinates[3] AND coordinates[2] < coordinates[4]
            WHEN 'rectangle' THEN cardinality(coordinates) = 8
            WHEN 'polygon' THEN cardinality(coordinates) BETWEEN 6 AND 20000 AND cardinality(coordinates) % 2 = 0
        END
    )
);
COMMENT ON TABLE annotations IS 'Labelled shapes on images.';
COMMENT ON COLUMN annotations.id IS 'Shown to people; rows are found by image and position.';
COMMENT ON COLUMN annotations.position IS 'Order in which the annotations of the image were set, from 0.';
COMMENT ON COLUMN annotations.class_label IS 'Empty while nobody has chosen one.';
COMMENT ON COLUMN annotations.coordinates IS 'Pixels of the upright picture, x right and y down from its upper left corner; what they mean depends on type.';
COMMENT ON COLUMN annotations.confidence IS 'How sure its source was; null where a person drew it.';
COMMENT ON COLUMN annotations.source IS 'Who or what made it, such as "manual" or "import:coco".';

CREATE TABLE ingests (
    id uuid PRIMARY KEY,
    expire_time timestamptz NOT NULL
);
COMMENT ON TABLE ingests IS 'Uploads and imports under way. One whose process died is deleted by the sweep after expire_time.';

CREATE TABLE ingest_blobs (
    ingest_id uuid NOT NULL REFERENCES ingests ON DELETE CASCADE,
    sha256 bytea NOT NULL CONSTRAINT ingest_blobs_blob REFERENCES blobs,
    PRIMARY KEY (ingest_id, sha256)
);
CREATE INDEX ingest_blobs_sha256 ON ingest_blobs (sha256);
COMMENT ON TABLE ingest_blobs IS 'Claims: blobs that an ingest under way has written and not yet committed images for.';

CREATE TABLE loose_blobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256 bytea NOT NULL
);
COMMENT ON TABLE loose_blobs IS 'Digests that lost a reference and may have none left. Without a unique key on purpose: a digest noted again while the sweep looks at it must stay noted.';

-- For every table with a column sha256 that refers to blobs:
-- CREATE TRIGGER … AFTER DELETE ON … REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_loose_blobs();
CREATE FUNCTION note_loose_blobs() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO loose_blobs (sha256) SELECT DISTINCT sha256 FROM gone;
    RETURN NULL;
END
$$;
CREATE TRIGGER images_note_loose_blobs AFTER DELETE ON images
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_loose_blobs();
CREATE TRIGGER ingest_blobs_note_loose_blobs AFTER DELETE ON ingest_blobs
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_loose_blobs();

CREATE FUNCTION count_added_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE projects SET
        image_count = projects.image_count + change.images,
        annotation_count = projects.annotation_count + change.annotations,
        update_time = now()
    FROM (SELECT project_id, count(*) AS images, sum(annotation_count) AS annotations FROM added GROUP BY project_id) AS change
    WHERE projects.id = change.project_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER images_count_added AFTER INSERT ON images
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_added_images();

CREATE FUNCTION count_removed_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE projects SET
        image_count = projects.image_count - change.images,
        annotation_count = projects.annotation_count - change.annotations,
        update_time = now()
    FROM (SELECT project_id, count(*) AS images, sum(annotation_count) AS annotations FROM gone GROUP BY project_id) AS change
    WHERE projects.id = change.project_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER images_count_removed AFTER DELETE ON images
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_removed_images();

CREATE FUNCTION count_changed_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE projects SET
        annotation_count = projects.annotation_count + change.annotations,
        update_time = now()
    FROM (
        SELECT project_id, sum(delta) AS annotations
        FROM (
            SELECT project_id, annotation_count AS delta FROM after
            UNION ALL
            SELECT project_id, -annotation_count FROM before
        ) AS deltas
        GROUP BY project_id
    ) AS change
    WHERE projects.id = change.project_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER images_count_changed AFTER UPDATE ON images
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_changed_images();
