"""The SDK's examples in the documentation do what they say, from a folder of images to predictions."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from annotateforge.client import Client
from annotateforge.local.demo.sample import CLASSES, SIDE, sample_images
from tests.conftest import REPOSITORY
from tests.scenarios.installation import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def yolo_folder(folder: Path, images: int) -> None:
    """Write drawn images with those of their labels that are boxes, as YOLO wants them."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    names = "\n".join(f"  {number}: {label}" for number, label in enumerate(CLASSES))
    (folder / "data.yaml").write_text(f"train: images\nval: images\nnames:\n{names}\n")
    for sample in sample_images(images):
        (folder / "images" / sample.filename).write_bytes(sample.content)
        lines = []
        for annotation in sample.annotations:
            circle, box = annotation.circle, annotation.box
            if annotation.HasField("circle"):
                values = [circle.x, circle.y, 2 * circle.radius, 2 * circle.radius]
            elif annotation.HasField("box"):
                middle = [(box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2]
                values = [*middle, box.x_max - box.x_min, box.y_max - box.y_min]
            else:
                continue
            numbers = " ".join(f"{value / SIDE:.6f}" for value in values)
            lines.append(f"{CLASSES.index(annotation.class_label)} {numbers}\n")
        (folder / "labels" / sample.filename).with_suffix(".txt").write_text("".join(lines))


def test_the_examples_of_the_documentation_run(installation: Running, tmp_path: Path) -> None:
    yolo_folder(tmp_path / "cells", images=16)
    (tmp_path / "image.jpg").write_bytes(next(sample_images(1, seed=5)).content)
    page = (REPOSITORY / "docs" / "sdk.md").read_text()
    blocking, waiting = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)

    def lines_of(example: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", example],
            cwd=tmp_path,
            env={
                **os.environ,
                "ANNOTATEFORGE_SERVER": installation.url,
                "ANNOTATEFORGE_TOKEN": installation.token,
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    try:
        lines = lines_of(blocking)
        assert lines[0] == "16 images, particle, defect"
        assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["1", "2"]
        lines = lines_of(waiting)
        assert lines[:2] == ["13 for training, 3 for validation"] * 2
        assert {"yolov8n completed", "yolo11n completed", "differ in model"} <= set(lines)
        assert lines[-1] == "404 JOB_NOT_FOUND"
    finally:
        # Others may want the name, and the active model.
        with Client(installation.url, installation.token) as client:
            client.delete_project(client.find_project("cells").id)
            for model in client.models("detect", is_active=True):
                client.deactivate_model(model.id)
