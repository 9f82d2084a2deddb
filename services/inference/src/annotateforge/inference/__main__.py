"""`python -m annotateforge.inference` runs the inference service with the settings of the environment."""

from annotateforge.inference.app import running
from annotateforge.inference.settings import Settings
from annotateforge.runtime.process import run

run("inference", Settings, running)
