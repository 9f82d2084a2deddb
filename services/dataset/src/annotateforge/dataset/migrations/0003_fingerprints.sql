-- What images look like, by content: one row for all images of the same bytes.

CREATE TABLE fingerprints (
    sha256 bytea PRIMARY KEY CONSTRAINT fingerprints_blob REFERENCES blobs ON DELETE CASCADE,
    fingerprint bytea NOT NULL CONSTRAINT fingerprints_length CHECK (octet_length(fingerprint) <= 64)
);
COMMENT ON TABLE fingerprints IS 'Follows from the bytes alone and goes with them. Written when an image is taken in; for older images, and after a change of the version, in the background.';
COMMENT ON COLUMN fingerprints.fingerprint IS 'Version byte and fingerprint; the version alone where the image is too large to be decoded, nothing where it cannot be decoded.';
