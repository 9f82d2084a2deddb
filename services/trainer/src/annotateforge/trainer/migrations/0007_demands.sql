-- The waiting jobs by what they ask of a device, so that those that fit no worker are passed over all at once.

CREATE INDEX jobs_demands ON jobs (device, gpus, min_gpu_memory, priority DESC, id) WHERE status = 'pending';
