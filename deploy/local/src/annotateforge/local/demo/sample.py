"""Draws the sample project: microscope-like images of particles and defects, annotated with all four shapes.

Round particles are annotated with circles, irregular ones with polygons; pits, which are defects, with boxes,
and scratches, which are defects too, with rotated rectangles. Equal seeds give equal pixels with equal
versions of NumPy and Pillow.
"""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from annotateforge.api.dataset.v1 import annotation_pb2

CLASSES = ("particle", "defect")

SIDE = 240
"""Width and height of every image in pixels."""

_OVERSAMPLING = 2
_MARGIN = 3.0
_PLACEMENT_TRIES = 40

Canvas = ImageDraw.ImageDraw
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class SampleImage:
    """One image of the sample project."""

    filename: str
    content: bytes
    """The encoded JPEG."""
    annotations: tuple[annotation_pb2.Annotation, ...]
    """In pixels of the image."""


def sample_images(count: int, seed: int = 7) -> Iterator[SampleImage]:
    """Draw `count` images, each with three to seven objects that do not overlap."""
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        yield _draw(f"field_{number:03d}.jpg", generator)


def _draw(filename: str, generator: np.random.Generator) -> SampleImage:
    layer = Image.new("L", (SIDE * _OVERSAMPLING,) * 2, 128)
    canvas = ImageDraw.Draw(layer)
    annotations: list[annotation_pb2.Annotation] = []
    taken: list[tuple[float, float, float]] = []
    for _ in range(int(generator.integers(3, 8))):
        radius = float(generator.uniform(13, 30))
        place = _free_place(generator, radius, taken)
        if place is None:
            continue
        taken.append((*place, radius))
        shape = _SHAPES[int(generator.integers(len(_SHAPES)))]
        annotation = shape(canvas, generator, *place, radius)
        annotation.source = "sample"
        annotations.append(annotation)
    return SampleImage(filename, _photograph(layer, generator), tuple(annotations))


def _free_place(
    generator: np.random.Generator, radius: float, taken: list[tuple[float, float, float]]
) -> tuple[float, float] | None:
    for _ in range(_PLACEMENT_TRIES):
        x, y = generator.uniform(radius + _MARGIN, SIDE - radius - _MARGIN, size=2)
        if all(math.hypot(x - ox, y - oy) > radius + other + _MARGIN for ox, oy, other in taken):
            return float(x), float(y)
    return None


def _circle(
    canvas: Canvas, generator: np.random.Generator, x: float, y: float, radius: float
) -> annotation_pb2.Annotation:
    _fill_polygon(canvas, _outline(x, y, np.full(48, radius)), int(generator.integers(185, 235)))
    _fill_polygon(canvas, _outline(x - radius / 4, y - radius / 4, np.full(24, radius / 4)), 250)
    return annotation_pb2.Annotation(
        class_label="particle", circle=annotation_pb2.Circle(x=x, y=y, radius=radius)
    )


def _polygon(
    canvas: Canvas, generator: np.random.Generator, x: float, y: float, radius: float
) -> annotation_pb2.Annotation:
    corners = int(generator.integers(6, 10))
    points = _outline(x, y, radius * generator.uniform(0.65, 1.0, size=corners))
    _fill_polygon(canvas, points, int(generator.integers(175, 225)))
    polygon = annotation_pb2.Polygon(points=[annotation_pb2.Point(x=px, y=py) for px, py in points])
    return annotation_pb2.Annotation(class_label="particle", polygon=polygon)


def _box(
    canvas: Canvas, generator: np.random.Generator, x: float, y: float, radius: float
) -> annotation_pb2.Annotation:
    half_width, half_height = radius * generator.uniform(0.55, 0.7, size=2)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    rim = [(float(x + half_width * np.cos(a)), float(y + half_height * np.sin(a))) for a in angles]
    _fill_polygon(canvas, rim, int(generator.integers(25, 60)))
    box = annotation_pb2.Box(
        x_min=x - half_width, y_min=y - half_height, x_max=x + half_width, y_max=y + half_height
    )
    return annotation_pb2.Annotation(class_label="defect", box=box)


def _rectangle(
    canvas: Canvas, generator: np.random.Generator, x: float, y: float, radius: float
) -> annotation_pb2.Annotation:
    angle = float(generator.uniform(0, np.pi))
    along = np.array([np.cos(angle), np.sin(angle)]) * radius
    across = np.array([-np.sin(angle), np.cos(angle)]) * radius * float(generator.uniform(0.18, 0.3))
    centre = np.array([x, y])
    corners = [
        centre + along + across,
        centre + along - across,
        centre - along - across,
        centre - along + across,
    ]
    points = [(float(px), float(py)) for px, py in corners]
    _fill_polygon(canvas, points, int(generator.integers(20, 55)))
    rectangle = annotation_pb2.Rectangle(corners=[annotation_pb2.Point(x=px, y=py) for px, py in points])
    return annotation_pb2.Annotation(class_label="defect", rectangle=rectangle)


_SHAPES: tuple[
    Callable[[Canvas, np.random.Generator, float, float, float], annotation_pb2.Annotation], ...
] = (
    _circle,
    _polygon,
    _box,
    _rectangle,
)


def _outline(x: float, y: float, radii: npt.NDArray[np.float64]) -> Points:
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return [(float(x + r * np.cos(a)), float(y + r * np.sin(a))) for a, r in zip(angles, radii, strict=True)]


def _fill_polygon(canvas: Canvas, points: Points, brightness: int) -> None:
    canvas.polygon([(px * _OVERSAMPLING, py * _OVERSAMPLING) for px, py in points], fill=brightness)


def _photograph(layer: Image.Image, generator: np.random.Generator) -> bytes:
    """Make the drawing look taken through a microscope: soft edges, uneven light, grain."""
    small = layer.resize((SIDE, SIDE), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.8))
    pixels = np.asarray(small, dtype=np.float64)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    light = (
        1 + generator.uniform(-0.15, 0.15) * (rows - 0.5) + generator.uniform(-0.15, 0.15) * (columns - 0.5)
    )
    vignette = 1 - 0.25 * ((rows - 0.5) ** 2 + (columns - 0.5) ** 2)
    grain = generator.normal(0, 5, size=pixels.shape)
    tint = np.array([1.0, 0.98, 0.93])
    colour = (pixels * light * vignette + grain)[..., np.newaxis] * tint
    buffer = io.BytesIO()
    Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
