-- What requests said, so that a request id with another content is told from the same request again.

ALTER TABLE jobs
    ADD COLUMN request_digest bytea CONSTRAINT jobs_request_digest_length CHECK (octet_length(request_digest) = 32),
    ADD CONSTRAINT jobs_request_digest_with_id CHECK (request_id IS NOT NULL OR request_digest IS NULL);
COMMENT ON COLUMN jobs.request_digest IS 'SHA-256 of the request that made it; null without a request id, and in rows from before digests were kept.';

ALTER TABLE sweeps
    ADD COLUMN request_digest bytea CONSTRAINT sweeps_request_digest_length CHECK (octet_length(request_digest) = 32),
    ADD CONSTRAINT sweeps_request_digest_with_id CHECK (request_id IS NOT NULL OR request_digest IS NULL);
COMMENT ON COLUMN sweeps.request_digest IS 'SHA-256 of the request that made it; null without a request id, and in rows from before digests were kept.';
