-- What is odd about annotations, noted while they are written, so that the images that have it are listed from an index.

ALTER TABLE image_labels ADD COLUMN oddities smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN image_labels.oddities IS 'What any of the annotations is, as bits: 1 tiny, 2 huge, 4 clipped, 8 outside of the image, 16 without area, 32 the same as another one. The limits are those of the health report for a training of 640 pixels.';
CREATE INDEX image_labels_tiny ON image_labels (project_id, filename) WHERE oddities & 1 <> 0;
CREATE INDEX image_labels_huge ON image_labels (project_id, filename) WHERE oddities & 2 <> 0;
CREATE INDEX image_labels_clipped ON image_labels (project_id, filename) WHERE oddities & 4 <> 0;
CREATE INDEX image_labels_outside ON image_labels (project_id, filename) WHERE oddities & 8 <> 0;
CREATE INDEX image_labels_without_area ON image_labels (project_id, filename) WHERE oddities & 16 <> 0;
CREATE INDEX image_labels_duplicate ON image_labels (project_id, filename) WHERE oddities & 32 <> 0;

CREATE OR REPLACE FUNCTION summarize_labels(ids uuid[]) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM image_labels WHERE image_id = ANY(ids);
    INSERT INTO image_labels (
        project_id, image_id, class_label, filename, circles, boxes, rectangles, polygons, widths, heights, shortest, longest,
        sizes, oddities
    )
    SELECT
        project_id,
        image_id,
        class_label,
        filename,
        count(*) FILTER (WHERE type = 'circle'),
        count(*) FILTER (WHERE type = 'box'),
        count(*) FILTER (WHERE type = 'rectangle'),
        count(*) FILTER (WHERE type = 'polygon'),
        sum(width),
        sum(height),
        min(least(width, height)),
        max(greatest(width, height)),
        array_agg((side_step(width) * 64 + side_step(height)) * 64 + area_step(width * height / (image_width * image_height))),
        bit_or(
            CASE
                WHEN across > 0 AND down > 0 THEN
                    CASE WHEN least(across, down) * 640 < 3 * greatest(image_width, image_height) THEN 1 ELSE 0 END
                    + CASE WHEN across * down > 0.95::double precision * image_width * image_height THEN 2 ELSE 0 END
                    + CASE WHEN leaves THEN 4 ELSE 0 END
                WHEN leaves THEN 8
                ELSE 16
            END
        ) | CASE WHEN count(DISTINCT drawn) < count(*) THEN 32 ELSE 0 END
    FROM (
        SELECT
            project_id, image_id, filename, class_label, type, image_width, image_height, drawn,
            -- Twice the radius, from which the edges of a circle have been rounded away.
            coalesce(diameter, edges[3] - edges[1]) AS width,
            coalesce(diameter, edges[4] - edges[2]) AS height,
            least(edges[3], image_width) - greatest(edges[1], 0) AS across,
            least(edges[4], image_height) - greatest(edges[2], 0) AS down,
            -- By more than labels can tell.
            edges[1] < -image_width * 1e-7::double precision OR edges[3] > image_width * (1 + 1e-7::double precision)
                OR edges[2] < -image_height * 1e-7::double precision OR edges[4] > image_height * (1 + 1e-7::double precision)
                AS leaves
        FROM (
            SELECT
                project_id,
                image_id,
                filename,
                class_label,
                type,
                images.width::double precision AS image_width,
                images.height::double precision AS image_height,
                -- Shapes are the same if this is: sorting them themselves would take most of the time.
                hash_record_extended((type, coordinates), 0) AS drawn,
                CASE WHEN type = 'circle' THEN 2 * coordinates[3] END AS diameter,
                -- Corners are only unpacked where there are some.
                CASE type
                    WHEN 'box' THEN coordinates
                    WHEN 'circle' THEN ARRAY[
                        coordinates[1] - coordinates[3], coordinates[2] - coordinates[3],
                        coordinates[1] + coordinates[3], coordinates[2] + coordinates[3]
                    ]
                    ELSE (
                        SELECT ARRAY[
                            min(value) FILTER (WHERE place % 2 = 1), min(value) FILTER (WHERE place % 2 = 0),
                            max(value) FILTER (WHERE place % 2 = 1), max(value) FILTER (WHERE place % 2 = 0)
                        ]
                        FROM unnest(coordinates) WITH ORDINALITY AS corner (value, place)
                    )
                END AS edges
            FROM annotations JOIN images ON images.id = annotations.image_id
            WHERE image_id = ANY(ids)
            -- Keeps the edges from being worked out again wherever they are used.
            OFFSET 0
        ) AS edged
    ) AS seen
    GROUP BY project_id, image_id, filename, class_label;
$$;

-- What is there already.
SELECT summarize_labels(array_agg(image_id)) FROM (SELECT DISTINCT image_id FROM image_labels) AS labelled;
