-- How large annotations and images are, counted while they are written, as 0007 does with classes.

-- Steps of half an octave: 0 from 1 pixel on (and below), 1 from √2, 2 from 2, … 31. Rounding must not push a power of two below its step.
CREATE FUNCTION side_step(pixels double precision) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(31, floor(2 * ln(greatest(pixels, 1)) / ln(2::double precision) + 1e-9))::integer
$$;
-- The same downwards: 39 from a share of 2^(-1/2) on, 38 from 1/2, … 0, with what is smaller.
CREATE FUNCTION area_step(share double precision) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT greatest(0, least(39, floor(40 + 2 * ln(greatest(share, 1e-9)) / ln(2::double precision) + 1e-9)))::integer
$$;

ALTER TABLE image_labels ADD COLUMN sizes integer[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN image_labels.sizes IS 'For each annotation the steps of the width, the height and the area share of the box around it, in one number: (width * 64 + height) * 64 + area.';

CREATE TABLE project_box_sizes (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    width_step integer NOT NULL,
    height_step integer NOT NULL,
    annotation_count bigint NOT NULL,
    PRIMARY KEY (project_id, width_step, height_step)
);
COMMENT ON TABLE project_box_sizes IS 'Annotations by the size in pixels of the boxes around them, by side_step; kept by triggers on image_labels. Steps that nothing falls into any more keep a row of zero.';

CREATE TABLE project_box_areas (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    area_step integer NOT NULL,
    annotation_count bigint NOT NULL,
    PRIMARY KEY (project_id, area_step)
);
COMMENT ON TABLE project_box_areas IS 'Annotations by the share of their image that the boxes around them cover, by area_step; kept as project_box_sizes.';

CREATE TABLE project_image_sizes (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    width integer NOT NULL,
    height integer NOT NULL,
    image_count bigint NOT NULL,
    PRIMARY KEY (project_id, width, height)
);
CREATE INDEX project_image_sizes_frequent ON project_image_sizes (project_id, image_count DESC, width, height);
COMMENT ON TABLE project_image_sizes IS 'Images by their exact size; kept by triggers on images. A size that no image has any more keeps a row of zero.';

CREATE OR REPLACE FUNCTION summarize_labels(ids uuid[]) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM image_labels WHERE image_id = ANY(ids);
    INSERT INTO image_labels (
        project_id, image_id, class_label, filename, circles, boxes, rectangles, polygons, widths, heights, shortest, longest,
        sizes
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
        max(greatest(sized.width, sized.height)),
        array_agg(
            (side_step(sized.width) * 64 + side_step(sized.height)) * 64
            + area_step(sized.width * sized.height / (images.width::double precision * images.height))
        )
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

CREATE FUNCTION count_added_sizes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO project_box_sizes AS known (project_id, width_step, height_step, annotation_count)
    SELECT project_id, size >> 12, (size >> 6) & 63, count(*)
    FROM added, unnest(sizes) AS size
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (project_id, width_step, height_step) DO UPDATE SET
        annotation_count = known.annotation_count + excluded.annotation_count;
    INSERT INTO project_box_areas AS known (project_id, area_step, annotation_count)
    SELECT project_id, size & 63, count(*)
    FROM added, unnest(sizes) AS size
    GROUP BY 1, 2
    ORDER BY 1, 2
    ON CONFLICT (project_id, area_step) DO UPDATE SET
        annotation_count = known.annotation_count + excluded.annotation_count;
    RETURN NULL;
END
$$;
CREATE TRIGGER image_labels_sizes_added AFTER INSERT ON image_labels
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_added_sizes();

CREATE FUNCTION count_removed_sizes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE project_box_sizes AS known SET annotation_count = known.annotation_count - change.annotations
    FROM (
        SELECT project_id, size >> 12 AS width_step, (size >> 6) & 63 AS height_step, count(*) AS annotations
        FROM gone, unnest(sizes) AS size
        GROUP BY 1, 2, 3
    ) AS change
    WHERE (known.project_id, known.width_step, known.height_step) = (change.project_id, change.width_step, change.height_step);
    UPDATE project_box_areas AS known SET annotation_count = known.annotation_count - change.annotations
    FROM (
        SELECT project_id, size & 63 AS area_step, count(*) AS annotations FROM gone, unnest(sizes) AS size GROUP BY 1, 2
    ) AS change
    WHERE (known.project_id, known.area_step) = (change.project_id, change.area_step);
    RETURN NULL;
END
$$;
CREATE TRIGGER image_labels_sizes_removed AFTER DELETE ON image_labels
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_removed_sizes();

CREATE FUNCTION count_added_image_sizes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO project_image_sizes AS known (project_id, width, height, image_count)
    SELECT project_id, width, height, count(*)
    FROM added
    GROUP BY project_id, width, height
    ORDER BY project_id, width, height
    ON CONFLICT (project_id, width, height) DO UPDATE SET image_count = known.image_count + excluded.image_count;
    RETURN NULL;
END
$$;
CREATE TRIGGER images_sizes_added AFTER INSERT ON images
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_added_image_sizes();

CREATE FUNCTION count_removed_image_sizes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE project_image_sizes AS known SET image_count = known.image_count - change.images
    FROM (SELECT project_id, width, height, count(*) AS images FROM gone GROUP BY project_id, width, height) AS change
    WHERE (known.project_id, known.width, known.height) = (change.project_id, change.width, change.height);
    RETURN NULL;
END
$$;
CREATE TRIGGER images_sizes_removed AFTER DELETE ON images
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_removed_image_sizes();

-- What is there already.
INSERT INTO project_image_sizes (project_id, width, height, image_count)
SELECT project_id, width, height, count(*) FROM images GROUP BY project_id, width, height;
SELECT summarize_labels(array_agg(image_id)) FROM (SELECT DISTINCT image_id FROM image_labels) AS labelled;
