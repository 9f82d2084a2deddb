"""Data sets of a few small images in the layout of the dataset service's archives."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("round cell", "Δ-shape")
"""Names that no folder would have."""
SIDE = 64


def draw(number: int, class_id: int) -> tuple[bytes, tuple[int, int, int, int]]:
    """A PNG with one object on noise, and the object's box in pixels."""
    generator = np.random.default_rng([number, class_id])
    pixels = generator.integers(90, 120, (SIDE, SIDE, 3), np.uint8)
    size = int(generator.integers(20, 30))
    x, y = (int(v) for v in generator.integers(2, SIDE - size - 2, 2))
    pixels[y : y + size, x : x + size] = (230, 230, 230) if class_id else (20, 20, 60)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue(), (x, y, x + size, y + size)


def write_dataset(folder: Path, task: str, train: int = 8, val: int = 4) -> Path:
    """Write a data set for a task, classes taking turns."""
    names = "".join(f"  {index}: {name!r}\n" for index, name in enumerate(CLASSES))
    inner = "" if task == "classify" else "images/"
    folder.mkdir(parents=True)
    (folder / "data.yaml").write_text(f"train: {inner}train\nval: {inner}val\nnames:\n{names}")
    for number in range(train + val):
        side, class_id = ("train" if number < train else "val"), number % len(CLASSES)
        image, (x0, y0, x1, y1) = draw(number, class_id)
        if task == "classify":
            path = folder / side / f"{class_id:03d}-class" / f"{number}.png"
        else:
            path = folder / "images" / side / f"{number}.png"
            box = f"{(x0 + x1) / 2 / SIDE} {(y0 + y1) / 2 / SIDE} {(x1 - x0) / SIDE} {(y1 - y0) / SIDE}"
            outline = " ".join(f"{x / SIDE} {y / SIDE}" for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
            label = folder / "labels" / side / f"{number}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(f"{class_id} {box if task == 'detect' else outline}\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
    return folder
