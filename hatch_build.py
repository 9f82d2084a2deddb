"""Build hook: generates the code and the descriptor set of the protos before hatchling collects files, and
sees that the web app is among them.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB_APP = "gateway/src/annotateforge/gateway/static/index.html"


class GeneratedCodeHook(BuildHookInterface[Any]):
    """Runs protos/generate.py, which does nothing where protos/gen is up to date."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate protos/gen; raises CalledProcessError with protoc's own output when a proto is wrong.

        FileNotFoundError when a package would be made without the web app, whose build needs a gateway.
        """
        subprocess.run([sys.executable, str(Path(self.root, "protos", "generate.py"))], check=True)
        if version != "editable" and not Path(self.root, WEB_APP).is_file():
            raise FileNotFoundError("The web app is not built; `make web` builds it.")
