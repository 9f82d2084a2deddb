-- On which side of a data set's split its images are, for lists of images.

ALTER TABLE dataset_blobs ADD COLUMN side smallint CONSTRAINT dataset_blobs_side CHECK (side BETWEEN 1 AND 3);
COMMENT ON COLUMN dataset_blobs.side IS 'SplitSide of an image; null for the manifest and the label pack, and in data sets that are older than the column.';
