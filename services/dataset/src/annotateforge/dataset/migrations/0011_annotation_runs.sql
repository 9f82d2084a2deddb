-- Annotations lie in runs: a row holds annotations of one image that follow one another. They are written, read and deleted image by
-- image and never singly, and a row for each took most of the time in which Postgres stored them and read them for a data set.

DO $$
DECLARE
    others text;
BEGIN
    SELECT string_agg(DISTINCT pg_rewrite.ev_class::regclass::text, ', ') INTO others
    FROM pg_depend
    JOIN pg_rewrite ON pg_rewrite.oid = pg_depend.objid
    WHERE pg_depend.classid = 'pg_rewrite'::regclass AND pg_depend.refobjid = 'annotations'::regclass;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'The table annotations becomes a view with the same columns, and views that are not ours read it: %', others
            USING HINT = 'Drop them, start the service, and make them again.';
    END IF;
END
$$;
ALTER TABLE annotations RENAME TO single_annotations;

CREATE TABLE annotation_runs (
    image_id uuid NOT NULL REFERENCES images ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 0),
    version uuid NOT NULL,
    source text NOT NULL CONSTRAINT annotation_runs_source_length CHECK (char_length(source) <= 200),
    class_labels text[] NOT NULL,
    class_numbers smallint[] NOT NULL,
    types smallint[] NOT NULL,
    ends integer[] NOT NULL,
    coordinates double precision[] NOT NULL,
    confidences double precision[],
    PRIMARY KEY (image_id, position),
    CONSTRAINT annotation_runs_elements CHECK (
        cardinality(ends) > 0
        AND cardinality(class_numbers) = cardinality(ends)
        AND cardinality(types) = cardinality(ends)
        AND cardinality(coordinates) = ends[cardinality(ends)]
        AND (confidences IS NULL OR cardinality(confidences) = cardinality(ends))
    ),
    CONSTRAINT annotation_runs_known CHECK (
        array_position(class_labels, NULL) IS NULL
        AND array_position(class_numbers, NULL) IS NULL
        AND array_position(types, NULL) IS NULL
        AND array_position(ends, NULL) IS NULL
        AND array_position(coordinates, NULL) IS NULL
    ),
    CONSTRAINT annotation_runs_classes CHECK (1 <= ALL (class_numbers) AND cardinality(class_labels) >= ALL (class_numbers)),
    CONSTRAINT annotation_runs_types CHECK (1 <= ALL (types) AND 4 >= ALL (types)),
    CONSTRAINT annotation_runs_confidence_range CHECK (0 <= ALL (confidences) AND 1 >= ALL (confidences)),
    CONSTRAINT annotation_runs_coordinates_finite CHECK (
        NOT coordinates && ARRAY['NaN', 'Infinity', '-Infinity']::double precision[]
    )
);
COMMENT ON TABLE annotation_runs IS 'Labelled shapes on images: annotations of an image that follow one another and have one source. The view annotations shows each.';
COMMENT ON COLUMN annotation_runs.position IS 'That of the first annotation: their order is the one in which those of the image were set, from 0.';
COMMENT ON COLUMN annotation_runs.version IS 'Another one whenever they are set; the ids of annotations follow from it and from their position.';
COMMENT ON COLUMN annotation_runs.source IS 'Who or what made them, such as "manual" or "import:coco".';
COMMENT ON COLUMN annotation_runs.class_labels IS 'The class labels that they carry, each once; empty for those for which nobody has chosen one.';
COMMENT ON COLUMN annotation_runs.class_numbers IS 'Of each annotation the place of its label in class_labels, from 1.';
COMMENT ON COLUMN annotation_runs.types IS 'Of each annotation the shape, as AnnotationType in annotation.proto numbers them: 1 circle, 2 box, 3 rectangle, 4 polygon.';
COMMENT ON COLUMN annotation_runs.ends IS 'Of each annotation how many coordinates it has together with those before it in the row.';
COMMENT ON COLUMN annotation_runs.coordinates IS 'Of all one after another, pixels of the upright picture, x right and y down from its upper left corner; what they mean depends on the type.';
COMMENT ON COLUMN annotation_runs.confidences IS 'How sure the source was of each, null for one that a person drew; null where a person drew all.';

CREATE VIEW annotations AS
SELECT
    encode(substring(sha256(uuid_send(version) || int4send((position + place - 1)::integer)) FOR 16), 'hex')::uuid AS id,
    image_id,
    (position + place - 1)::integer AS position,
    class_labels[class_number] AS class_label,
    CASE type WHEN 1 THEN 'circle' WHEN 2 THEN 'box' WHEN 3 THEN 'rectangle' ELSE 'polygon' END::annotation_type AS type,
    coordinates[coalesce(ends[place - 1], 0) + 1:ends[place]] AS coordinates,
    confidences[place] AS confidence,
    source
FROM annotation_runs, unnest(class_numbers, types) WITH ORDINALITY AS shape (class_number, type, place);
COMMENT ON VIEW annotations IS 'Labelled shapes on images, a row for each.';

-- What is there already. Runs are about as long as those that are written now.
CREATE AGGREGATE joined_coordinates (double precision[]) (SFUNC = array_cat, STYPE = double precision[], INITCOND = '{}');
INSERT INTO annotation_runs (
    image_id, position, version, source, class_labels, class_numbers, types, ends, coordinates, confidences
)
SELECT
    image_id,
    min(position),
    -- As imports have made their ids from the first.
    image_id,
    source,
    array_agg(DISTINCT class_label),
    array_agg(class_number ORDER BY position),
    array_agg(CASE type WHEN 'circle' THEN 1 WHEN 'box' THEN 2 WHEN 'rectangle' THEN 3 ELSE 4 END::smallint ORDER BY position),
    array_agg("end" ORDER BY position),
    -- Sliced, so that each begins at 1 wherever its numbers began.
    joined_coordinates(coordinates[:] ORDER BY position),
    CASE WHEN count(confidence) > 0 THEN array_agg(confidence ORDER BY position) END
FROM (
    SELECT
        *,
        dense_rank() OVER (PARTITION BY image_id, run ORDER BY class_label)::smallint AS class_number,
        sum(cardinality(coordinates)) OVER (PARTITION BY image_id, run ORDER BY position)::integer AS "end"
    FROM (
        SELECT *, count(*) FILTER (WHERE begins) OVER (PARTITION BY image_id ORDER BY position) AS run
        FROM (
            SELECT
                *,
                source IS DISTINCT FROM lag(source) OVER earlier
                OR position <> lag(position) OVER earlier + 1
                OR size / 1000 <> lag(size) OVER earlier / 1000 AS begins
            FROM (
                SELECT *, sum(cardinality(coordinates)) OVER (PARTITION BY image_id ORDER BY position) AS size
                FROM single_annotations
            ) AS sized
            WINDOW earlier AS (PARTITION BY image_id ORDER BY position)
        ) AS begun
    ) AS numbered
) AS ranked
GROUP BY image_id, run, source;
DROP AGGREGATE joined_coordinates (double precision[]);
DROP TABLE single_annotations;
