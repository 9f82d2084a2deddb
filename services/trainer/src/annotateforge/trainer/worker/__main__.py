"""The training worker: `python -m annotateforge.trainer.worker`."""

import os

# Before gRPC is loaded: a worker forks only to start other programs, and what gRPC does around a fork while
# calls are running now and then crashed the new process (SIGSEGV) before it had become the other program.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

from annotateforge.runtime.process import run
from annotateforge.trainer.worker.app import running
from annotateforge.trainer.worker.settings import Settings

if __name__ == "__main__":
    run("worker", Settings, running)
