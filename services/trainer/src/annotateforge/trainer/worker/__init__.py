"""One GPU or CPU slot: takes jobs from the trainer and runs each attempt in a child process."""
