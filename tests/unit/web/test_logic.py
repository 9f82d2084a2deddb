"""The web app's own tests, of its logic, by Vitest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

WEB = REPOSITORY / "web"


def test_the_logic_of_the_web_app_passes_its_tests() -> None:
    if not (WEB / "node_modules/vitest").is_dir():
        pytest.skip("needs the packages of the web app (make web)")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["npm", "test", "--silent"],
        cwd=WEB,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
