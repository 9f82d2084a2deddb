"""The demo as people run it: it learns, shows what it has learnt, and can be stopped."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.scenarios.processes import all_gone, descendants

PROGRAM = str(Path(sys.executable).with_name("annotateforge"))
LEAST_MAP50 = 0.6
STOP_LIMIT = 10.0


def environment() -> dict[str, str]:
    """Ours without settings, and with a worker on the processor."""
    kept = {name: value for name, value in os.environ.items() if "ANNOTATEFORGE_" not in name}
    return kept | {"ANNOTATEFORGE_WORKER_DEVICES": "cpu"}


def demo(data_dir: Path, *options: str) -> str:
    """Run it; what it printed."""
    done = subprocess.run(
        [PROGRAM, "demo", "--data-dir", str(data_dir), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_it_learns_to_see_particles_and_defects_and_can_be_run_again(tmp_path: Path) -> None:
    output = demo(tmp_path / "data")
    assert re.search(r"In the browser: http://127\.0\.0\.1:\d+/#token=[\w.-]+\n", output)
    assert "has 96 images with 505 annotations" in output
    assert len(re.findall(r"^epoch", output, re.MULTILINE)) == 20
    measured = re.search(r"Metrics of the best weights: map50 (\d\.\d+)", output)
    assert measured is not None, output
    assert float(measured[1]) > LEAST_MAP50
    picture = tmp_path / "data" / "demo-predictions.jpg"
    assert f"Predictions over validation images: {picture}" in output
    with Image.open(picture) as opened:
        colours = opened.convert("RGB").getcolors(maxcolors=2**24)
    # The images are grey; what is coloured is predictions.
    assert any(max(colour) - min(colour) > 100 for _, colour in colours or ())  # type: ignore[arg-type]  # three bands
    first = picture.stat().st_mtime_ns

    again = demo(tmp_path / "data", "--epochs", "1")
    assert "has 96 images with 505 annotations" in again
    assert len(re.findall(r"^epoch", again, re.MULTILINE)) == 1
    assert picture.stat().st_mtime_ns > first


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ctrl_c_in_the_middle_of_the_training_stops_all_of_it(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as file:
        running = subprocess.Popen(
            [PROGRAM, "demo", "--data-dir", str(tmp_path / "data")],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment(),
            start_new_session=True,
        )
    while "epoch" not in (tmp_path / "output").read_text():
        assert running.poll() is None, (tmp_path / "output").read_text()
        time.sleep(0.05)
    processes = descendants(running.pid)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert time.monotonic() - began < STOP_LIMIT
    all_gone(processes)
    assert "Traceback" not in (tmp_path / "output").read_text()
