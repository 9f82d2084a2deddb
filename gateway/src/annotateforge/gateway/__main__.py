"""`python -m annotateforge.gateway` runs the gateway."""

from annotateforge.gateway.app import running
from annotateforge.gateway.settings import Settings
from annotateforge.runtime.process import run

if __name__ == "__main__":
    run("gateway", Settings, running)
