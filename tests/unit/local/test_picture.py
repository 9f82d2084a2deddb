"""The sheet of predictions."""

import io

from PIL import Image

from annotateforge.api.dataset.v1 import annotation_pb2
from annotateforge.api.inference.v1 import prediction_pb2
from annotateforge.local.demo.picture import COLUMNS, GAP, TILE, contact_sheet


def grey(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(buffer, "PNG")
    return buffer.getvalue()


def found(*box: float, label: str = "particle") -> prediction_pb2.Prediction:
    names = ("x_min", "y_min", "x_max", "y_max")
    one = prediction_pb2.PredictedObject(
        class_label=label, confidence=0.5, box=annotation_pb2.Box(**dict(zip(names, box, strict=True)))
    )
    return prediction_pb2.Prediction(objects=[one])


def test_images_stand_row_by_row() -> None:
    sheet = contact_sheet([grey(160, 160)] * 5, [prediction_pb2.Prediction()] * 5)
    assert sheet.size == (COLUMNS * (TILE + GAP) - GAP, 2 * (TILE + GAP) - GAP)
    assert sheet.getpixel((5, TILE + GAP + 5)) == (128, 128, 128)
    assert sheet.getpixel((TILE + GAP + 5, TILE + GAP + 5)) == (255, 255, 255)


def test_boxes_are_scaled_with_their_image() -> None:
    sheet = contact_sheet([grey(160, 80)], [found(40, 20, 120, 60)])
    scale = TILE / 160
    assert sheet.getpixel((int(40 * scale), int(40 * scale))) == (0xE6, 0x9F, 0x00)
    assert sheet.getpixel((int(80 * scale), int(40 * scale))) == (128, 128, 128)


def test_labels_stay_in_the_picture() -> None:
    corners = [(0, 0, 20, 20), (140, 0, 160, 20), (150, 150, 160, 160), (0, 0, 160, 160)]
    predictions = [found(*corner, label="a label that is rather long") for corner in corners]
    sheet = contact_sheet([grey(160, 160)] * 4, predictions)
    for column in range(1, COLUMNS):
        gap = [sheet.getpixel((column * (TILE + GAP) - 1, y)) for y in range(TILE)]
        assert set(gap) == {(255, 255, 255)}


def test_without_images_there_is_still_a_sheet() -> None:
    assert contact_sheet([], []).width > 0
