"""`python -m annotateforge.trainer` runs the trainer API with the settings of the environment."""

from annotateforge.runtime.process import run
from annotateforge.trainer.app import Settings, running

run("trainer", Settings, running)
