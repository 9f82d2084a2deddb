-- What lists and statistics need, kept while images and annotations are written, so that no page reads a whole project.

ALTER TABLE projects
    ADD COLUMN revision bigint NOT NULL DEFAULT 0,
    ADD COLUMN annotated_image_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN classified_image_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN reviewed_image_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN size_bytes bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN projects.revision IS 'Another one after every change of what a data set is made of; kept by triggers on images, which every change of annotations also updates.';
COMMENT ON COLUMN projects.size_bytes IS 'Of its images; like the counts kept by triggers on images.';

ALTER TABLE images
    ADD COLUMN copied boolean NOT NULL DEFAULT false,
    ADD COLUMN annotated boolean NOT NULL GENERATED ALWAYS AS (annotation_count > 0) STORED,
    ADD COLUMN unlabelled boolean NOT NULL GENERATED ALWAYS AS (annotation_count = 0 AND image_class = '') STORED,
    ADD COLUMN folded text COLLATE "C" GENERATED ALWAYS AS (
        CASE WHEN octet_length(filename) <= 1000 THEN nullif(lower(filename COLLATE "default") COLLATE "C", filename) END
    ) STORED;
COMMENT ON COLUMN images.copied IS 'Whether another image of the project has the same bytes; kept by triggers.';
COMMENT ON COLUMN images.folded IS 'The file name in lower case, for lists by a part of it; null where it is no other, and where the name is too long for an index of both.';
-- Lists by a part of the name are read from the index alone.
ALTER TABLE images DROP CONSTRAINT images_filename_unique;
CREATE UNIQUE INDEX images_filename_unique ON images (project_id, filename) INCLUDE (folded);
CREATE INDEX images_annotated ON images (project_id, filename) WHERE annotated;
CREATE INDEX images_not_annotated ON images (project_id, filename) WHERE NOT annotated;
CREATE INDEX images_unlabelled ON images (project_id, filename) WHERE unlabelled;
CREATE INDEX images_labelled ON images (project_id, filename) WHERE NOT unlabelled;
CREATE INDEX images_reviewed ON images (project_id, filename) WHERE reviewed;
CREATE INDEX images_not_reviewed ON images (project_id, filename) WHERE NOT reviewed;
CREATE INDEX images_class ON images (project_id, image_class, filename) WHERE image_class <> '';
CREATE INDEX images_copied ON images (project_id, filename) WHERE copied;
CREATE INDEX fingerprints_unreadable ON fingerprints (sha256) WHERE octet_length(fingerprint) = 0;

CREATE TABLE image_labels (
    project_id uuid NOT NULL,
    image_id uuid NOT NULL,
    class_label text COLLATE "C" NOT NULL,
    filename text COLLATE "C" NOT NULL,
    circles integer NOT NULL,
    boxes integer NOT NULL,
    rectangles integer NOT NULL,
    polygons integer NOT NULL,
    widths double precision NOT NULL,
    heights double precision NOT NULL,
    shortest double precision NOT NULL,
    longest double precision NOT NULL,
    PRIMARY KEY (image_id, class_label)
);
CREATE INDEX image_labels_class ON image_labels (project_id, class_label, filename);
CREATE INDEX image_labels_circles ON image_labels (project_id, filename) WHERE circles > 0;
CREATE INDEX image_labels_boxes ON image_labels (project_id, filename) WHERE boxes > 0;
CREATE INDEX image_labels_rectangles ON image_labels (project_id, filename) WHERE rectangles > 0;
CREATE INDEX image_labels_polygons ON image_labels (project_id, filename) WHERE polygons > 0;
COMMENT ON TABLE image_labels IS 'How often an image''s annotations carry a label, which is empty for those without one. Follows from annotations by summarize_labels; goes with the image by a trigger.';
COMMENT ON COLUMN image_labels.filename IS 'That of the image, so that lists are read in their order.';
COMMENT ON COLUMN image_labels.widths IS 'Sum over the boxes around the annotations, in pixels; heights likewise.';
COMMENT ON COLUMN image_labels.shortest IS 'Shortest side of any of these boxes, in pixels; longest likewise.';

CREATE TABLE project_classes (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    class_label text COLLATE "C" NOT NULL,
    classified_image_count bigint NOT NULL DEFAULT 0,
    image_count bigint NOT NULL DEFAULT 0,
    circle_count bigint NOT NULL DEFAULT 0,
    box_count bigint NOT NULL DEFAULT 0,
    rectangle_count bigint NOT NULL DEFAULT 0,
    polygon_count bigint NOT NULL DEFAULT 0,
    widths double precision NOT NULL DEFAULT 0,
    heights double precision NOT NULL DEFAULT 0,
    shortest_side double precision,
    longest_side double precision,
    PRIMARY KEY (project_id, class_label)
);
COMMENT ON TABLE project_classes IS 'Sums of image_labels and of images by image class, kept by triggers on both. A label that is no longer used keeps a row of zeros.';
COMMENT ON COLUMN project_classes.shortest_side IS 'Of any annotation with the label, in pixels; null where there is none, as longest_side.';

-- Everybody who writes annotations calls this in the same transaction.
CREATE FUNCTION summarize_labels(ids uuid[]) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM image_labels WHERE image_id = ANY(ids);
    INSERT INTO image_labels (
        project_id, image_id, class_label, filename, circles, boxes, rectangles, polygons, widths, heights, shortest, longest
    )
    SELECT
        images.project_id,
        images.id,
        sized.class_label,
        images.filename,
        count(*) FILTER (WHERE type = 'circle'),
        count(*) FILTER (WHERE type = 'box'),
        count(*) FILTER (WHERE type = 'rectangle'),
        count(*) FILTER (WHERE type = 'polygon'),
        sum(sized.width),
        sum(sized.height),
        min(least(sized.width, sized.height)),
        max(greatest(sized.width, sized.height))
    FROM (
        SELECT
            image_id,
            class_label,
            type,
            -- Corners are only unpacked where there are some.
            CASE type
                WHEN 'circle' THEN 2 * coordinates[3]
                WHEN 'box' THEN coordinates[3] - coordinates[1]
                ELSE (
                    SELECT max(value) - min(value)
                    FROM unnest(coordinates) WITH ORDINALITY AS corner (value, place) WHERE place % 2 = 1
                )
            END AS width,
            CASE type
                WHEN 'circle' THEN 2 * coordinates[3]
                WHEN 'box' THEN coordinates[4] - coordinates[2]
                ELSE (
                    SELECT max(value) - min(value)
                    FROM unnest(coordinates) WITH ORDINALITY AS corner (value, place) WHERE place % 2 = 0
                )
            END AS height
        FROM annotations
        WHERE image_id = ANY(ids)
    ) AS sized
    JOIN images ON images.id = sized.image_id
    GROUP BY images.id, sized.class_label;
$$;

CREATE FUNCTION count_added_labels() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO project_classes AS known (
        project_id, class_label, image_count, circle_count, box_count, rectangle_count, polygon_count, widths, heights,
        shortest_side, longest_side
    )
    SELECT
        project_id, class_label, count(*), sum(circles), sum(boxes), sum(rectangles), sum(polygons), sum(widths), sum(heights),
        min(shortest), max(longest)
    FROM added
    GROUP BY project_id, class_label
    ON CONFLICT (project_id, class_label) DO UPDATE SET
        image_count = known.image_count + excluded.image_count,
        circle_count = known.circle_count + excluded.circle_count,
        box_count = known.box_count + excluded.box_count,
        rectangle_count = known.rectangle_count + excluded.rectangle_count,
        polygon_count = known.polygon_count + excluded.polygon_count,
        widths = known.widths + excluded.widths,
        heights = known.heights + excluded.heights,
        shortest_side = least(known.shortest_side, excluded.shortest_side),
        longest_side = greatest(known.longest_side, excluded.longest_side);
    RETURN NULL;
END
$$;
CREATE TRIGGER image_labels_count_added AFTER INSERT ON image_labels
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_added_labels();

CREATE FUNCTION count_removed_labels() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE project_classes AS known SET
        image_count = known.image_count - change.images,
        circle_count = known.circle_count - change.circles,
        box_count = known.box_count - change.boxes,
        rectangle_count = known.rectangle_count - change.rectangles,
        polygon_count = known.polygon_count - change.polygons,
        -- What rounding has left over goes with the last one.
        widths = CASE WHEN known.image_count > change.images THEN known.widths - change.widths ELSE 0 END,
        heights = CASE WHEN known.image_count > change.images THEN known.heights - change.heights ELSE 0 END,
        -- The others are only looked at when an extreme one has gone.
        shortest_side = CASE WHEN change.shortest > known.shortest_side THEN known.shortest_side ELSE (
            SELECT min(shortest) FROM image_labels AS rest
            WHERE rest.project_id = known.project_id AND rest.class_label = known.class_label
        ) END,
        longest_side = CASE WHEN change.longest < known.longest_side THEN known.longest_side ELSE (
            SELECT max(longest) FROM image_labels AS rest
            WHERE rest.project_id = known.project_id AND rest.class_label = known.class_label
        ) END
    FROM (
        SELECT
            project_id, class_label, count(*) AS images, sum(circles) AS circles, sum(boxes) AS boxes,
            sum(rectangles) AS rectangles, sum(polygons) AS polygons, sum(widths) AS widths, sum(heights) AS heights,
            min(shortest) AS shortest, max(longest) AS longest
        FROM gone
        GROUP BY project_id, class_label
    ) AS change
    WHERE known.project_id = change.project_id AND known.class_label = change.class_label;
    RETURN NULL;
END
$$;
CREATE TRIGGER image_labels_count_removed AFTER DELETE ON image_labels
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_removed_labels();

-- The functions behind the triggers that keep the counts of projects since 0001.
CREATE OR REPLACE FUNCTION count_added_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE projects SET
        revision = projects.revision + 1,
        image_count = projects.image_count + change.images,
        annotation_count = projects.annotation_count + change.annotations,
        annotated_image_count = projects.annotated_image_count + change.annotated,
        classified_image_count = projects.classified_image_count + change.classified,
        reviewed_image_count = projects.reviewed_image_count + change.reviewed,
        size_bytes = projects.size_bytes + change.bytes,
        update_time = now()
    FROM (
        SELECT
            project_id, count(*) AS images, sum(annotation_count) AS annotations, count(*) FILTER (WHERE annotated) AS annotated,
            count(*) FILTER (WHERE image_class <> '') AS classified, count(*) FILTER (WHERE reviewed) AS reviewed,
            sum(size_bytes) AS bytes
        FROM added
        GROUP BY project_id
    ) AS change
    WHERE projects.id = change.project_id;
    INSERT INTO project_classes AS known (project_id, class_label, classified_image_count)
    SELECT project_id, image_class, count(*) FROM added WHERE image_class <> '' GROUP BY project_id, image_class
    ON CONFLICT (project_id, class_label) DO UPDATE SET
        classified_image_count = known.classified_image_count + excluded.classified_image_count;
    UPDATE images SET copied = true
    FROM (
        SELECT unnest(ARRAY[added.id, other.id]) AS id
        FROM added
        JOIN images AS other
            ON other.sha256 = added.sha256 AND other.project_id = added.project_id AND other.id <> added.id
    ) AS same
    WHERE images.id = same.id AND NOT images.copied;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION count_removed_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM image_labels USING gone WHERE image_labels.image_id = gone.id;
    UPDATE projects SET
        revision = projects.revision + 1,
        image_count = projects.image_count - change.images,
        annotation_count = projects.annotation_count - change.annotations,
        annotated_image_count = projects.annotated_image_count - change.annotated,
        classified_image_count = projects.classified_image_count - change.classified,
        reviewed_image_count = projects.reviewed_image_count - change.reviewed,
        size_bytes = projects.size_bytes - change.bytes,
        update_time = now()
    FROM (
        SELECT
            project_id, count(*) AS images, sum(annotation_count) AS annotations, count(*) FILTER (WHERE annotated) AS annotated,
            count(*) FILTER (WHERE image_class <> '') AS classified, count(*) FILTER (WHERE reviewed) AS reviewed,
            sum(size_bytes) AS bytes
        FROM gone
        GROUP BY project_id
    ) AS change
    WHERE projects.id = change.project_id;
    UPDATE project_classes AS known SET classified_image_count = known.classified_image_count - change.images
    FROM (
        SELECT project_id, image_class, count(*) AS images FROM gone WHERE image_class <> '' GROUP BY project_id, image_class
    ) AS change
    WHERE known.project_id = change.project_id AND known.class_label = change.image_class;
    -- Of the copies that are left, those that are the last of their kind.
    UPDATE images SET copied = false
    FROM (SELECT DISTINCT project_id, sha256 FROM gone WHERE copied) AS change
    WHERE images.project_id = change.project_id AND images.sha256 = change.sha256 AND NOT EXISTS (
        SELECT FROM images AS other
        WHERE other.sha256 = images.sha256 AND other.project_id = images.project_id AND other.id <> images.id
    );
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION count_changed_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE projects SET
        revision = projects.revision + 1,
        annotation_count = projects.annotation_count + change.annotations,
        annotated_image_count = projects.annotated_image_count + change.annotated,
        classified_image_count = projects.classified_image_count + change.classified,
        reviewed_image_count = projects.reviewed_image_count + change.reviewed,
        update_time = now()
    FROM (
        SELECT
            project_id, sum(sign * annotation_count) AS annotations, sum(sign * annotated::integer) AS annotated,
            sum(sign * (image_class <> '')::integer) AS classified, sum(sign * reviewed::integer) AS reviewed
        FROM (
            SELECT 1 AS sign, project_id, annotation_count, annotated, image_class, reviewed FROM after
            UNION ALL
            SELECT -1, project_id, annotation_count, annotated, image_class, reviewed FROM before
        ) AS signed
        GROUP BY project_id
    ) AS change
    WHERE projects.id = change.project_id;
    INSERT INTO project_classes AS known (project_id, class_label, classified_image_count)
    SELECT project_id, image_class, sum(sign)
    FROM (
        SELECT 1 AS sign, project_id, image_class FROM after
        UNION ALL
        SELECT -1, project_id, image_class FROM before
    ) AS signed
    WHERE image_class <> ''
    GROUP BY project_id, image_class
    HAVING sum(sign) <> 0
    ON CONFLICT (project_id, class_label) DO UPDATE SET
        classified_image_count = known.classified_image_count + excluded.classified_image_count;
    RETURN NULL;
END
$$;

CREATE TABLE freezings (
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    dataset_id uuid NOT NULL REFERENCES datasets ON DELETE CASCADE
);
CREATE INDEX freezings_dataset ON freezings (dataset_id);
COMMENT ON TABLE freezings IS 'Which data set a spec gave over which revisions of its projects, so that it is answered again without reading them.';
COMMENT ON COLUMN freezings.key IS 'SHA-256 over the spec, the revisions and the version of the program.';

-- Others than those that go with their blobs, which no image has any more.
CREATE FUNCTION renew_unseen_images() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE projects SET revision = revision + 1
    WHERE id IN (SELECT project_id FROM images JOIN gone ON gone.sha256 = images.sha256);
    RETURN NULL;
END
$$;
CREATE TRIGGER fingerprints_renew_unseen AFTER DELETE ON fingerprints
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION renew_unseen_images();

CREATE TABLE thumbnails (
    source bytea NOT NULL CONSTRAINT thumbnails_source REFERENCES blobs ON DELETE CASCADE,
    size integer NOT NULL CHECK (size > 0),
    etag text NOT NULL,
    sha256 bytea NOT NULL CONSTRAINT thumbnails_blob REFERENCES blobs,
    PRIMARY KEY (source, size)
);
CREATE INDEX thumbnails_sha256 ON thumbnails (sha256);
COMMENT ON TABLE thumbnails IS 'Thumbnails that were drawn: by the image''s bytes, with which they go, and the longest side in pixels.';
COMMENT ON COLUMN thumbnails.etag IS 'Another one when the program draws otherwise.';
COMMENT ON COLUMN thumbnails.sha256 IS 'The blob that is the thumbnail.';
CREATE TRIGGER thumbnails_note_loose_blobs AFTER DELETE ON thumbnails
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_loose_blobs();

-- What is there already.
UPDATE images SET copied = true
WHERE EXISTS (
    SELECT FROM images AS other
    WHERE other.sha256 = images.sha256 AND other.project_id = images.project_id AND other.id <> images.id
);
UPDATE projects SET
    annotated_image_count = found.annotated,
    classified_image_count = found.classified,
    reviewed_image_count = found.reviewed,
    size_bytes = found.bytes
FROM (
    SELECT
        project_id, count(*) FILTER (WHERE annotated) AS annotated, count(*) FILTER (WHERE image_class <> '') AS classified,
        count(*) FILTER (WHERE reviewed) AS reviewed, sum(size_bytes) AS bytes
    FROM images
    GROUP BY project_id
) AS found
WHERE projects.id = found.project_id;
DELETE FROM project_classes;
INSERT INTO project_classes (project_id, class_label, classified_image_count)
SELECT project_id, image_class, count(*) FROM images WHERE image_class <> '' GROUP BY project_id, image_class;
SELECT summarize_labels(array_agg(image_id)) FROM (SELECT DISTINCT image_id FROM annotations) AS labelled;
