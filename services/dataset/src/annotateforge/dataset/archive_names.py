"""Names of the files in an archive: from the content of the images, so that they are the same everywhere."""

import re

import numpy as np

from annotateforge.dataset.byte_rows import ByteRows, beside
from annotateforge.dataset.columns import FORMAT_CODES, Longs
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.manifest import NAME_BYTES, Manifest, Records
from annotateforge.dataset.spec import Task

SIDES = ("train", "val", "test")
"""Names of the sides, in the order of their numbers in a manifest."""
_LONGEST_FOLDER = 60
_EXTENSIONS = {
    ImageFormat.JPEG: b".jpg",
    ImageFormat.PNG: b".png",
    ImageFormat.BMP: b".bmp",
    ImageFormat.TIFF: b".tif",
    ImageFormat.WEBP: b".webp",
}
_BY_CODE = ByteRows.of([b"", *(_EXTENSIONS[kind] for kind in FORMAT_CODES)])
_LABEL_FOLDERS = ByteRows.of([f"labels/{side}/".encode() for side in SIDES])
_IMAGE_FOLDERS = ByteRows.of([f"images/{side}/".encode() for side in SIDES])
_SIDE_FOLDERS = ByteRows.of([f"{side}/".encode() for side in SIDES])
_TEXT = ByteRows.of([b".txt"])


def extension_of(image_format: ImageFormat) -> str:
    """The extension of an encoding, with its dot."""
    return _EXTENSIONS[image_format].decode()


def class_folder(class_id: int, label: str) -> str:
    """Name of a class's folder: its position, by which it is sorted, and what of the label any file system
    takes.
    """
    return f"{class_id:03d}-{re.sub('[^A-Za-z0-9_-]+', '_', label)[:_LONGEST_FOLDER]}"


class FileNames:
    """Names of the files of one data set's archive."""

    def __init__(self, manifest: Manifest) -> None:
        self.class_folders: tuple[str, ...] = ()
        """For classify, the name of each class's folder."""
        if manifest.task is Task.CLASSIFY:
            self.class_folders = tuple(class_folder(*numbered) for numbered in enumerate(manifest.classes))
        self._class_folders = ByteRows.of([f"{folder}/".encode() for folder in self.class_folders])

    def of_labels(self, records: Records) -> ByteRows:
        """Names of label files."""
        everywhere = np.zeros(len(records), np.int64)
        return beside(_LABEL_FOLDERS.take(records["side"]), _stems(records), _TEXT.take(everywhere))

    def of_images(self, records: Records) -> ByteRows:
        """Names of images."""
        if self.class_folders:
            folders = [_SIDE_FOLDERS.take(records["side"]), self._class_folders.take(records["class_id"])]
        else:
            folders = [_IMAGE_FOLDERS.take(records["side"])]
        return beside(*folders, _stems(records), _BY_CODE.take(records["format"]))

    def label_lengths(self, records: Records) -> Longs:
        """Bytes of each name of a label file, without writing them."""
        folders = _LABEL_FOLDERS.lengths[records["side"]]
        lengths: Longs = folders + _stem_lengths(records) + _TEXT.lengths[0]
        return lengths

    def image_lengths(self, records: Records) -> Longs:
        """Bytes of each name of an image, without writing them."""
        if self.class_folders:
            folders = (
                _SIDE_FOLDERS.lengths[records["side"]] + self._class_folders.lengths[records["class_id"]]
            )
        else:
            folders = _IMAGE_FOLDERS.lengths[records["side"]]
        lengths: Longs = folders + _stem_lengths(records) + _BY_CODE.lengths[records["format"]]
        return lengths


def _stem_lengths(records: Records) -> Longs:
    """Bytes of each of `_stems`."""
    lengths = np.full(len(records), 2 * NAME_BYTES, np.int64)
    (copies,) = np.nonzero(records["copy"])
    marks = [len(_copy_mark(copy)) for copy in records["copy"][copies].tolist()]
    lengths[copies] += np.array(marks, np.int64)
    return lengths


def _copy_mark(copy: int) -> bytes:
    return b"_%d" % copy if copy else b""


def _stems(records: Records) -> ByteRows:
    """The first digits of each image's digest, and a number where there are several of the same."""
    digits_text = records["sha256"][:, :NAME_BYTES].tobytes().hex().encode()
    text = np.frombuffer(digits_text, np.uint8).reshape(len(records), 2 * NAME_BYTES)
    digits = ByteRows(text, np.full(len(text), text.shape[1]))
    if not records["copy"].any():
        return digits
    return beside(digits, ByteRows.of([_copy_mark(copy) for copy in records["copy"].tolist()]))
