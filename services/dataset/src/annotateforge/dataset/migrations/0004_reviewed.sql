-- Images whose labels somebody has called complete.

ALTER TABLE images ADD COLUMN reviewed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN images.reviewed IS 'Whether somebody has said that its labels are complete; then no annotation means that it shows nothing.';
