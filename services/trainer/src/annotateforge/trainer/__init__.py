"""Training jobs, their attempts, events and workers."""
