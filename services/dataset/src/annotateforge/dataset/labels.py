"""The texts of YOLO label files, and data.yaml."""

import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.columns import Longs, spread, starts
from annotateforge.dataset.shapes import GRID

DECIMALS = 7
_WIDTH = 3 + DECIMALS
"""Characters of a number with the blank before it: " 0.1234567"."""


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """The label files of some images one after another."""

    data: bytes
    size: Longs
    """Bytes of each image's file."""
    crc32: npt.NDArray[np.uint32]
    """CRC-32 of each image's file."""
    repeated: tuple[tuple[int, int], ...]
    """Image and class id of every row that was left out because the same image had it already."""


def write_files(rows: Longs, class_id: Longs, count: Longs, numbers: Longs) -> LabelFiles:
    """Write the label files of images, of which `rows[i]` rows belong to image i.

    `class_id` and `count` (numbers per row) have an element per row, `numbers` are 0 to GRID. Rows of an
    image are put into the order of their bytes, so that a file does not depend on the order in which they
    were drawn. Equal rows are written once: ultralytics would drop the others while it reads
    (verify_image_label).
    """
    text, length = write_rows(class_id, count, numbers)
    size = np.zeros(len(rows), np.int64)
    crc32 = np.zeros(len(rows), np.uint32)
    files: list[bytes] = []
    repeated: list[tuple[int, int]] = []
    cuts = np.append(0, np.cumsum(length))[np.append(0, np.cumsum(rows))].tolist()
    for image, (begin, end) in enumerate(pairwise(cuts)):
        found = text[begin:end].splitlines(keepends=True)
        distinct = sorted(set(found))
        if len(distinct) < len(found):
            extra = (Counter(found) - Counter(distinct)).elements()
            repeated.extend((image, int(line.split(b" ", 1)[0])) for line in extra)
        file = b"".join(distinct)
        files.append(file)
        size[image] = len(file)
        crc32[image] = zlib.crc32(file)
    return LabelFiles(b"".join(files), size, crc32, tuple(repeated))


def write_rows(class_id: Longs, count: Longs, numbers: Longs) -> tuple[bytes, Longs]:
    """Write rows `class n n n …` with seven decimals each; answers the text and the bytes of every row."""
    digits = 1 + (class_id >= 10).astype(np.int64) + (class_id >= 100)
    length = digits + _WIDTH * count + 1
    start = starts(length)
    text = np.empty(int(length.sum()), np.uint8)
    text[spread(start + digits, _WIDTH * count)] = _write_numbers(numbers).ravel()
    for place in range(3):
        has = digits > place
        text[(start + digits - 1 - place)[has]] = ord("0") + class_id[has] // 10**place % 10
    text[start + length - 1] = ord("\n")
    return text.tobytes(), length


def data_yaml(folders: Mapping[str, str], classes: tuple[str, ...]) -> bytes:
    """The file that tells ultralytics where the images of each side are and what the classes are
    called.

    It names no root: ultralytics takes the folder of the file, so that the archive can be unpacked anywhere.
    """
    lines = [*(f"{side}: {folder}" for side, folder in folders.items()), f"nc: {len(classes)}", "names:"]
    lines += [f"  {class_id}: {_quote(label)}" for class_id, label in enumerate(classes)]
    return ("\n".join(lines) + "\n").encode()


def _write_numbers(numbers: Longs) -> npt.NDArray[np.uint8]:
    """Text of numbers of 0 to GRID as 0 to 1, each with a blank before it: an array of _WIDTH bytes each."""
    text = np.empty((len(numbers), _WIDTH), np.uint8)
    text[:, 0] = ord(" ")
    text[:, 2] = ord(".")
    rest = numbers.astype(np.int32)
    for column in range(_WIDTH - 1, 2, -1):
        rest, digit = np.divmod(rest, 10)
        text[:, column] = digit
        text[:, column] += ord("0")
    text[:, 1] = rest + ord("0")
    return text


def _quote(text: str) -> str:
    """A double-quoted YAML scalar of one line; what a reader refuses or takes for a line end is escaped."""
    return '"' + _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04X}", text.translate(_ESCAPES)) + '"'


_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
# Written out and not asked of Python, whose tables grow from version to version.
_UNSAFE = re.compile("[\\x00-\\x1f\\x7f-\\xa0\\u2028\\u2029\\ufeff\\ufffe\\uffff]")

assert 10**DECIMALS == GRID
