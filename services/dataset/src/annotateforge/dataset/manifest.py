"""Manifests: the immutable description of a frozen data set, from which its archive follows byte for byte.

A manifest is one blob, `MAGIC`, the length of a header, the header as JSON, and one record of fixed width
per image in the order of content; docs/archive-format.md has the layout. The label files of all images are
another blob, the label pack, in the order of the records; the header names its digest. So the manifest's
own SHA-256 stands for every byte.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from annotateforge.dataset.columns import Longs
from annotateforge.dataset.spec import Task

MAGIC = b"AFMANIF1"
VERSION = 1
"""Changes whenever the same records would give another archive."""
TEST_VERSION = 2
"""The version of manifests with test images, which programs that know version 1 alone must not read."""
RECORD = np.dtype(
    [
        ("sha256", "u1", (32,)),
        ("size", "<u8"),
        ("label_offset", "<u8"),
        ("crc32", "<u4"),
        ("label_size", "<u4"),
        ("label_crc32", "<u4"),
        ("copy", "<u4"),
        ("class_id", "<u2"),
        ("format", "u1"),
        ("side", "u1"),
    ]
)
"""One image. `copy` counts the images before it whose names would be the same; `class_id` is that of the
image, for classify alone; `format` as ImageFormat in image.proto; `side` is TRAIN, VAL or TEST."""
TRAIN, VAL, TEST = 0, 1, 2
NO_CLASS = 0xFFFF
NAME_BYTES = 8
"""Bytes of the digest that make up a file's name."""

Records = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was written or read."""

    task: Task
    classes: tuple[str, ...]
    label_pack: bytes
    """SHA-256 of the label pack."""
    label_pack_size: int
    records: Records
    """See RECORD; ascending by sha256."""
    data: bytes
    """The manifest as it is stored."""
    digest: bytes
    """SHA-256 of `data`."""

    def __len__(self) -> int:
        return len(self.records)

    @property
    def train_images(self) -> int:
        """Images for training."""
        return int(np.count_nonzero(self.records["side"] == TRAIN))

    @property
    def test_images(self) -> int:
        """Images for a test; those that neither train nor test validate."""
        return int(np.count_nonzero(self.records["side"] == TEST))

    def find(self, digests: Sequence[bytes]) -> Longs:
        """The record of each digest of 32 bytes; -1 where no image has that content."""
        if not len(self):
            return np.full(len(digests), -1)
        there = np.ascontiguousarray(self.records["sha256"]).view("S32").ravel()
        wanted = np.array(digests, "S32")
        at = np.minimum(np.searchsorted(there, wanted), len(there) - 1)
        return np.where(there[at] == wanted, at, -1)


def write_manifest(
    task: Task, classes: tuple[str, ...], records: Records, label_pack: bytes, label_pack_size: int
) -> Manifest:
    """Make a manifest of records that are in order."""
    test_images = int(np.count_nonzero(records["side"] == TEST))
    header = orjson.dumps(
        {
            **({"test_images": test_images} if test_images else {}),
            "version": TEST_VERSION if test_images else VERSION,
            "task": task.name.lower(),
            "classes": classes,
            "images": len(records),
            "train_images": int(np.count_nonzero(records["side"] == TRAIN)),
            "label_pack": {"sha256": label_pack.hex(), "size": label_pack_size},
        },
        option=orjson.OPT_SORT_KEYS,
    )
    start = b"".join((MAGIC, len(header).to_bytes(4, "little"), header))
    data = start + np.ascontiguousarray(records, RECORD).view(np.uint8).data
    # The records are kept once, as those of a manifest that is read.
    kept = np.frombuffer(data, RECORD, offset=len(start))
    return Manifest(task, classes, label_pack, label_pack_size, kept, data, hashlib.sha256(data).digest())


def read_manifest(data: bytes) -> Manifest:
    """Read a stored manifest. ValueError when it is none, or of a version that this program does not know."""
    length = int.from_bytes(data[8:12], "little")
    if data[:8] != MAGIC or len(data) < 12 + length:
        raise ValueError("These bytes are no manifest.")
    header: dict[str, Any] = orjson.loads(data[12 : 12 + length])
    if header["version"] not in (VERSION, TEST_VERSION):
        raise ValueError(
            f"The manifest has version {header['version']}; this program knows versions up to {TEST_VERSION}."
        )
    records = np.frombuffer(data, RECORD, count=header["images"], offset=12 + length)
    return Manifest(
        task=Task[header["task"].upper()],
        classes=tuple(header["classes"]),
        label_pack=bytes.fromhex(header["label_pack"]["sha256"]),
        label_pack_size=header["label_pack"]["size"],
        records=records,
        data=data,
        digest=hashlib.sha256(data).digest(),
    )


def count_copies(sha256: npt.NDArray[np.uint8]) -> Longs:
    """For digests in ascending order, how many before each begin with the same NAME_BYTES bytes."""
    names = np.ascontiguousarray(sha256[:, :NAME_BYTES]).view(">u8").ravel()
    index = np.arange(len(names))
    first = np.flatnonzero(np.append(True, names[1:] != names[:-1])) if len(names) else index
    return index - np.repeat(first, np.diff(np.append(first, len(names))))
