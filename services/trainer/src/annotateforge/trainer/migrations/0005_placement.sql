-- What a job needs of the GPU that it is trained on.

ALTER TABLE jobs
    ADD COLUMN gpus integer NOT NULL DEFAULT 0 CONSTRAINT jobs_gpus_range CHECK (gpus BETWEEN 0 AND 64),
    ADD COLUMN min_gpu_memory integer NOT NULL DEFAULT 0
        CONSTRAINT jobs_min_gpu_memory_range CHECK (min_gpu_memory BETWEEN 0 AND 1024);
COMMENT ON COLUMN jobs.gpus IS 'GPUs that a worker must have to be given the job; 0 for any device.';
COMMENT ON COLUMN jobs.min_gpu_memory IS 'Memory in GB (10^9 bytes) that the GPU must have.';
