"""Build hook: generates the code and the descriptor set of the protos before hatchling collects files."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProtoBuildHook(BuildHookInterface[Any]):
    """Runs protos/generate.py, which does nothing where protos/gen is up to date."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate protos/gen; raises CalledProcessError with protoc's own output when a proto is wrong."""
        subprocess.run([sys.executable, str(Path(self.root, "protos", "generate.py"))], check=True)
