-- A place in the queue is counted in the index alone where the pages of the table are known to hold nothing but what everybody sees,
-- which vacuum notes. It looks after so many rows, not after the share of the table that is the default: a queue grows at once.

ALTER TABLE jobs SET (
    autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_threshold = 200,
    autovacuum_vacuum_insert_scale_factor = 0.02
);
