"""Draws predictions over their images, several to a sheet."""

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from annotateforge.api.inference.v1 import prediction_pb2

COLUMNS = 4
TILE = 320
"""Side in pixels of the square in which each image is shown."""

# Okabe and Ito's palette, which colour-blind people can tell apart.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")


def contact_sheet(images: Sequence[bytes], predictions: Sequence[prediction_pb2.Prediction]) -> Image.Image:
    """Draw encoded images with the objects predicted on them, row by row."""
    rows = max(1, math.ceil(len(images) / COLUMNS))
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * TILE), "white")
    for position, (image, prediction) in enumerate(zip(images, predictions, strict=True)):
        row, column = divmod(position, COLUMNS)
        sheet.paste(_tile(image, prediction), (column * TILE, row * TILE))
    return sheet


def _tile(image: bytes, prediction: prediction_pb2.Prediction) -> Image.Image:
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    scale = TILE / max(picture.size)
    tile = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    canvas = ImageDraw.Draw(tile)
    for found in prediction.objects:
        colour = _COLOURS[found.class_id % len(_COLOURS)]
        box = [edge * scale for edge in (found.box.x_min, found.box.y_min, found.box.x_max, found.box.y_max)]
        canvas.rectangle(box, outline=colour, width=2)
        canvas.text((box[0] + 3, box[1] + 1), f"{found.class_label} {found.confidence:.2f}", fill=colour)
    return tile
