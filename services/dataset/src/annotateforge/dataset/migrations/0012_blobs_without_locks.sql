-- Keeping a data set's blobs locks none of them: a foreign key looked up and locked the blob of every row, which took half the time of
-- storing one. In place of single blobs there is one lock: whoever adds rows here shares it until the end of the transaction, and who wants
-- to delete blobs has it alone before looking for the last time whether they are needed (BlobSweep). So each sees what the other has done.

ALTER TABLE dataset_blobs DROP CONSTRAINT dataset_blobs_blob;
COMMENT ON COLUMN dataset_blobs.sha256 IS 'Refers to blobs; kept by triggers in place of a foreign key.';
COMMENT ON TABLE blobs IS 'Digests whose bytes are, or are about to be, in the object store. Every use of a blob has a foreign key to here, or triggers that do its work.';

CREATE FUNCTION check_blobs_of_datasets() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- Each statement here must see what was committed before the lock was had, and not what was there when the transaction began.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'blobs of data sets are kept in transactions of isolation READ COMMITTED';
    END IF;
    PERFORM pg_advisory_xact_lock_shared('dataset_blobs'::regclass::oid::bigint);
    -- Who deletes bytes and fails before its commit leaves the row of a blob without them. So the row alone does not count: somebody must
    -- have the blob who put its bytes, an image or another data set, or, of a data set's own blobs, whoever freezes it.
    IF EXISTS (
        SELECT FROM added
        WHERE NOT (
            EXISTS (SELECT FROM images WHERE images.sha256 = added.sha256)
            OR EXISTS (SELECT FROM dataset_blobs AS others WHERE others.sha256 = added.sha256 AND others.dataset_id <> added.dataset_id)
            OR (added.side IS NULL AND EXISTS (SELECT FROM ingest_blobs WHERE ingest_blobs.sha256 = added.sha256))
        )
    ) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a data set needs a blob that nobody has', CONSTRAINT = 'dataset_blobs_blob';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER dataset_blobs_check_blobs AFTER INSERT ON dataset_blobs
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_blobs_of_datasets();

CREATE FUNCTION keep_blobs_of_datasets() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- As above; for who deletes by hand, too, and BlobSweep has the lock already.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'blobs are deleted in transactions of isolation READ COMMITTED';
    END IF;
    PERFORM pg_advisory_xact_lock('dataset_blobs'::regclass::oid::bigint);
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
CREATE TRIGGER dataset_blobs_keep_digest BEFORE UPDATE OF sha256 ON dataset_blobs
    FOR EACH ROW WHEN (OLD.sha256 <> NEW.sha256) EXECUTE FUNCTION refuse_new_digest();
