"""`python -m annotateforge.registry` runs the registry with the settings of the environment."""

from annotateforge.registry.app import Settings, running
from annotateforge.runtime.process import run

run("registry", Settings, running)
