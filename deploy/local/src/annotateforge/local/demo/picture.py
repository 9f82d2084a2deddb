"""Draws predictions over their images, several to a sheet."""

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from annotateforge.api.inference.v1 import prediction_pb2

COLUMNS = 4
TILE = 320
"""Side in pixels of the square in which each image is shown."""
GAP = 4
"""Pixels between two of them."""

# Okabe and Ito's palette, which colour-blind people can tell apart; the first ones take black letters.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
_FONT = ImageFont.load_default(size=13)
_PADDING = 2

_Box = tuple[float, float, float, float]


def contact_sheet(images: Sequence[bytes], predictions: Sequence[prediction_pb2.Prediction]) -> Image.Image:
    """Draw encoded images with the objects predicted on them, row by row."""
    rows = max(1, math.ceil(len(images) / COLUMNS))
    size = (COLUMNS * (TILE + GAP) - GAP, rows * (TILE + GAP) - GAP)
    sheet = Image.new("RGB", size, "white")
    for position, (image, prediction) in enumerate(zip(images, predictions, strict=True)):
        row, column = divmod(position, COLUMNS)
        sheet.paste(_tile(image, prediction), (column * (TILE + GAP), row * (TILE + GAP)))
    return sheet


def _tile(image: bytes, prediction: prediction_pb2.Prediction) -> Image.Image:
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    scale = TILE / max(picture.size)
    tile = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    canvas = ImageDraw.Draw(tile)
    # The surest are drawn last, over the others.
    for found in reversed(prediction.objects):
        colour = _COLOURS[found.class_id % len(_COLOURS)]
        edges = (found.box.x_min, found.box.y_min, found.box.x_max, found.box.y_max)
        box = (edges[0] * scale, edges[1] * scale, edges[2] * scale, edges[3] * scale)
        canvas.rectangle(box, outline=colour, width=2)
        _label(canvas, tile.size, box, f"{found.class_label} {found.confidence:.2f}", colour)
    return tile


def _label(canvas: ImageDraw.ImageDraw, size: tuple[int, int], box: _Box, text: str, colour: str) -> None:
    """Write above a box, or in it where there is no room above, without leaving the picture."""
    left, top, right, bottom = canvas.textbbox((0, 0), text, font=_FONT)
    width, height = right - left + 2 * _PADDING, bottom - top + 2 * _PADDING
    x = max(0.0, min(box[0], size[0] - width))
    y = box[1] - height if box[1] >= height else box[1]
    canvas.rectangle((x, y, x + width, y + height), fill=colour)
    canvas.text((x + _PADDING - left, y + _PADDING - top), text, fill="black", font=_FONT)
