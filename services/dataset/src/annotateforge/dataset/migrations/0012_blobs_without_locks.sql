-- Keeping a data set's blobs locks none of them: a foreign key looked up and locked the blob of every row, which took half the time of
-- storing one. In place of single blobs the table is locked: whoever inserts here holds ROW EXCLUSIVE until the end of the transaction, and
-- who wants to delete blobs takes SHARE and looks after that (BlobSweep). So each sees what the other has done, or waits for it.

ALTER TABLE dataset_blobs DROP CONSTRAINT dataset_blobs_blob;
COMMENT ON COLUMN dataset_blobs.sha256 IS 'Refers to blobs; kept by triggers in place of a foreign key. Who deletes blobs locks this table in SHARE mode first.';

CREATE FUNCTION check_blobs_of_datasets() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- A statement of its own, which sees what was committed before the table was had; an older snapshot would not.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'blobs of data sets are kept in transactions of isolation READ COMMITTED';
    END IF;
    IF EXISTS (SELECT FROM added WHERE NOT EXISTS (SELECT FROM blobs WHERE blobs.sha256 = added.sha256)) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a data set needs a blob that is not there', CONSTRAINT = 'dataset_blobs_blob';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER dataset_blobs_check_blobs_added AFTER INSERT ON dataset_blobs
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_blobs_of_datasets();
CREATE TRIGGER dataset_blobs_check_blobs_changed AFTER UPDATE ON dataset_blobs
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_blobs_of_datasets();

CREATE FUNCTION keep_blobs_of_datasets() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- Here, too, for who deletes by hand; who has the lock already does not wait.
    LOCK TABLE dataset_blobs IN SHARE MODE;
    IF EXISTS (SELECT FROM gone WHERE EXISTS (SELECT FROM dataset_blobs WHERE dataset_blobs.sha256 = gone.sha256)) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a data set needs the blob', CONSTRAINT = 'dataset_blobs_blob';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER blobs_keep_those_of_datasets AFTER DELETE ON blobs
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION keep_blobs_of_datasets();

CREATE FUNCTION refuse_new_digest() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE foreign_key_violation USING MESSAGE = 'the digest of a blob never changes', CONSTRAINT = 'dataset_blobs_blob';
END
$$;
CREATE TRIGGER blobs_keep_digest BEFORE UPDATE OF sha256 ON blobs
    FOR EACH ROW WHEN (OLD.sha256 <> NEW.sha256) EXECUTE FUNCTION refuse_new_digest();
