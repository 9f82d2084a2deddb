-- Who needs which data set.

CREATE TABLE dataset_holds (
    dataset_id uuid NOT NULL CONSTRAINT dataset_holds_dataset REFERENCES datasets ON DELETE CASCADE,
    holder text COLLATE "C" NOT NULL CONSTRAINT dataset_holds_holder_length CHECK (char_length(holder) BETWEEN 1 AND 200),
    expire_time timestamptz,
    PRIMARY KEY (dataset_id, holder)
);
COMMENT ON TABLE dataset_holds IS 'While a data set is held it is not deleted. Other services say so; their jobs are not known here.';
COMMENT ON COLUMN dataset_holds.holder IS 'Such as job:<id>.';
COMMENT ON COLUMN dataset_holds.expire_time IS 'When the hold ends by itself; null for one that must be released.';
