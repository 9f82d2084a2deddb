"""The training worker: `python -m annotateforge.trainer.worker`."""

from annotateforge.runtime.process import run
from annotateforge.trainer.worker.app import running
from annotateforge.trainer.worker.settings import Settings

if __name__ == "__main__":
    run("worker", Settings, running)
