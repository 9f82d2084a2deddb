"""Runs the dataset service as a process: `python -m annotateforge.dataset`."""

from annotateforge.dataset.app import running
from annotateforge.dataset.settings import Settings
from annotateforge.runtime.process import run

if __name__ == "__main__":
    run("dataset", Settings, running)
