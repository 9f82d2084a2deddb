"""What is installed from a source archive serves the web app, whose build needs more than pip brings."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from annotateforge.gateway.web_app import BUILT
from tests.conftest import REPOSITORY


def build(target: str, source: Path, into: Path) -> Path:
    """Build the package's sdist or wheel out of a folder with the hatchling that is installed."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = into.iterdir()
    return built


def test_a_wheel_that_is_built_from_the_source_archive_holds_the_web_app(tmp_path: Path) -> None:
    if not (BUILT / "index.html").is_file():
        pytest.skip("needs the built web app (make web)")
    sources = build("sdist", REPOSITORY, tmp_path / "sdist")
    with tarfile.open(sources) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    wheel = build("wheel", unpacked, tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    built = [path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*") if path.is_file()]
    assert {f"annotateforge/gateway/static/{name}" for name in built} <= names
    assert "annotateforge/api/descriptors.binpb" in names
