-- The blobs of a data set still come and go with it, but that is seen to once for all rows of a statement. A foreign key looks up the data
-- set of every row anew, which took half the time of storing one. The key to blobs stays: bytes depend on it.

ALTER TABLE dataset_blobs DROP CONSTRAINT dataset_blobs_dataset_id_fkey;
COMMENT ON COLUMN dataset_blobs.dataset_id IS 'Refers to datasets; kept by triggers in place of a foreign key.';

CREATE FUNCTION check_dataset_of_blobs() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- As a foreign key does it: who deletes the data set is waited for, or waits.
    PERFORM FROM datasets WHERE id IN (SELECT dataset_id FROM added) ORDER BY id FOR KEY SHARE;
    IF EXISTS (SELECT FROM (SELECT DISTINCT dataset_id FROM added) AS used WHERE NOT EXISTS (SELECT FROM datasets WHERE id = dataset_id)) THEN
        RAISE foreign_key_violation USING MESSAGE = 'blobs of a data set that is not there', CONSTRAINT = 'dataset_blobs_dataset';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER dataset_blobs_check_added AFTER INSERT ON dataset_blobs
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_dataset_of_blobs();
CREATE TRIGGER dataset_blobs_check_changed AFTER UPDATE ON dataset_blobs
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_dataset_of_blobs();

CREATE FUNCTION delete_blobs_of_datasets() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM dataset_blobs WHERE dataset_id IN (SELECT id FROM gone);
    RETURN NULL;
END
$$;
CREATE TRIGGER datasets_delete_blobs AFTER DELETE ON datasets
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION delete_blobs_of_datasets();

CREATE FUNCTION refuse_new_dataset_id() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE foreign_key_violation USING MESSAGE = 'the id of a data set never changes', CONSTRAINT = 'dataset_blobs_dataset';
END
$$;
CREATE TRIGGER datasets_keep_id BEFORE UPDATE OF id ON datasets
    FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION refuse_new_dataset_id();
