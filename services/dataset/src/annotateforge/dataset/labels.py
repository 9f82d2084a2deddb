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
_NUMBER = np.dtype([("first", "V6"), ("last", "V4")])
_FIRST = np.frombuffer(b"".join(b" %d.%03d" % divmod(number, 1000) for number in range(1001)), "V6")
"""Texts of what is before a number's last four digits."""
_LAST = np.frombuffer(b"".join(b"%04d" % number for number in range(10**4)), "V4")
_NUMBER_BITS = 24
"""Bits of a number of 0 to GRID."""


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
    image = np.repeat(np.arange(len(rows)), rows)
    order, tied = _order(image, class_id, count, numbers)
    by_bytes = count[order]
    if len(count) and (count == count[0]).all():
        # As those of boxes are.
        in_order = numbers.reshape(len(count), -1)[order].ravel()
    else:
        in_order = numbers[spread(starts(count)[order], by_bytes)]
    text, length = write_rows(class_id[order], by_bytes, in_order)
    ends = np.append(0, np.cumsum(length))[np.cumsum(rows)]
    size = np.diff(ends, prepend=0)
    view = memoryview(text)
    files: list[bytes | memoryview] = []
    repeated: list[tuple[int, int]] = []
    written = 0
    for number in tied.tolist():
        begin, end = int(ends[number] - size[number]), int(ends[number])
        found = text[begin:end].splitlines(keepends=True)
        distinct = sorted(set(found))
        if len(distinct) < len(found):
            extra = (Counter(found) - Counter(distinct)).elements()
            repeated.extend((number, int(line.split(b" ", 1)[0])) for line in extra)
        file = b"".join(distinct)
        files += (view[written:begin], file)
        written = end
        size[number] = len(file)
    if files:
        text = b"".join((*files, view[written:]))
        view = memoryview(text)
    cuts = [0, *np.cumsum(size).tolist()]
    crc32 = [zlib.crc32(view[begin:end]) for begin, end in pairwise(cuts)]
    return LabelFiles(text, size, np.array(crc32, np.uint32), tuple(repeated))


def _order(image: Longs, class_id: Longs, count: Longs, numbers: Longs) -> tuple[Longs, Longs]:
    """Rows by image and, within it, by their bytes as far as class and first number tell; and the images in
    which these do not tell all rows apart, ascending.
    """
    if not len(image):
        return image, image
    # In digits 10 comes before 2.
    texts = sorted(range(int(class_id.max()) + 1), key=str)
    rank = np.empty(len(texts), np.int64)
    rank[texts] = np.arange(len(texts))
    key = (image * len(texts) + rank[class_id]) << _NUMBER_BITS | numbers[starts(count)]
    order = np.argsort(key, kind="stable")
    key = key[order]
    return order, np.unique(image[order[1:][key[1:] == key[:-1]]])


def write_rows(class_id: Longs, count: Longs, numbers: Longs) -> tuple[bytes, Longs]:
    """Write rows `class n n n …` with seven decimals each; answers the text and the bytes of every row."""
    digits = 1 + (class_id >= 10).astype(np.int64) + (class_id >= 100)
    length = digits + _WIDTH * count + 1
    if not len(count):
        return b"", length
    if (count == count[0]).all():
        # As boxes are: rows of equal length, but for what lies left of the class.
        text = np.empty((len(count), 3 + _WIDTH * int(count[0]) + 1), np.uint8)
        for place in range(3):
            text[:, 2 - place] = ord("0") + class_id // 10**place % 10
        text[:, 3:-1] = _write_numbers(numbers).reshape(len(count), -1)
        text[:, -1] = ord("\n")
        if (digits == digits[0]).all():
            return text[:, 3 - int(digits[0]) :].tobytes(), length
        return text[np.arange(-3, text.shape[1] - 3) >= -digits[:, None]].tobytes(), length
    start = starts(length)
    line = np.empty(int(length.sum()), np.uint8)
    line[spread(start + digits, _WIDTH * count)] = _write_numbers(numbers).ravel()
    for place in range(3):
        has = digits > place
        line[(start + digits - 1 - place)[has]] = ord("0") + class_id[has] // 10**place % 10
    line[start + length - 1] = ord("\n")
    return line.tobytes(), length


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
    text = np.empty(len(numbers), _NUMBER)
    # Half the width takes half the time.
    narrow = numbers.astype(np.int32)
    first = narrow // np.int32(10**4)
    text["first"] = _FIRST[first]
    text["last"] = _LAST[narrow - first * np.int32(10**4)]
    return text.view(np.uint8).reshape(-1, _WIDTH)


def _quote(text: str) -> str:
    """A double-quoted YAML scalar of one line; what a reader refuses or takes for a line end is escaped."""
    return '"' + _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04X}", text.translate(_ESCAPES)) + '"'


_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
# Written out and not asked of Python, whose tables grow from version to version.
_UNSAFE = re.compile("[\\x00-\\x1f\\x7f-\\xa0\\u2028\\u2029\\ufeff\\ufffe\\uffff]")

assert 10**DECIMALS == GRID < 1 << _NUMBER_BITS
