"""How well and how fast near duplicates are found.

- Planted copies: 2,000 different images (real ones, and tiles of real ones), and of some an exact, a resized
  (50 %), a recompressed (quality 40) and a mirrored copy; counted is which of them are found with what they
  are copies of.
- False alarms: images of the real sets that are taken for near duplicates and are none. The four pairs that
  are have been looked at by eye: see KNOWN.
- Time: a check of 100,000 images whose fingerprints are known, and a million pairs of equal ones.
- Ingest: what a fingerprint adds to hashing and checking an image.

    python -m benchmarks.near_duplicates [--images N]
"""

import argparse
import hashlib
import io
import random
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.columns import Annotations, Images, Look, starts
from annotateforge.dataset.examination import examine
from annotateforge.dataset.fingerprints import BIT_BYTES, SIZE, VERSION
from annotateforge.dataset.freezing import freeze
from annotateforge.dataset.images import ImageLimits, ImageRefused
from annotateforge.dataset.inspection import inspect
from annotateforge.dataset.labelling import label
from annotateforge.dataset.near_duplicates import find_clusters
from annotateforge.dataset.spec import DatasetSpec, Task
from annotateforge.runtime.ids import new_id
from benchmarks._blood_cells import FOLDER, machine, require_data

SETS = (
    *("detect_bccd_voc", "detect_raccoon_voc", "circles_coins_a", "segment_nuclei_coco"),
    *("segment_fruitnuts_labelme", "classify_sign_digits", "classify_trees_tiny"),
)
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
KNOWN = {
    # The same cells under the microscope, in another focus.
    frozenset({"BloodImage_00037.jpg", "BloodImage_00038.jpg"}),
    # One photograph, 290 and 620 pixels wide.
    frozenset({"raccoon-21.jpg", "raccoon-45.jpg"}),
    # One photograph, 275 and 800 pixels wide.
    frozenset({"raccoon-50.jpg", "raccoon-52.jpg"}),
    # One photograph, 800 pixels wide, and 620 with a caption written into it.
    frozenset({"raccoon-51.jpg", "raccoon-85.jpg"}),
}
"""Images of the real sets that do show the same, and in what they differ."""
PLANTED = 100
"""Copies of each kind."""
LIMITS = ImageLimits(size_bytes=1 << 28, pixels=100_000_000)


def real_images(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of the images of a set, each content once."""
    seen = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            data = path.read_bytes()
            if data not in seen:
                seen.add(data)
                yield path.name, data


def look_of(data: bytes) -> bytes:
    look = inspect(data, LIMITS).fingerprint
    assert look is not None
    return look


def saved(image: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=quality)
    return target.getvalue()


def tiles(data: bytes) -> Iterator[bytes]:
    """The four quarters of an image."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = image.width // 2, image.height // 2
    for x, y in ((0, 0), (width, 0), (0, height), (width, height)):
        yield saved(image.crop((x, y, x + width, y + height)), 92)


def clusters_of(looks: Sequence[bytes]) -> npt.NDArray[np.int64]:
    known = [look if len(look) == SIZE else bytes(SIZE) for look in looks]
    return find_clusters(np.frombuffer(b"".join(known), np.uint8).reshape(-1, SIZE))


def plant(originals: Sequence[bytes]) -> None:
    dice = random.Random(1)
    chosen = dice.sample(range(len(originals)), 4 * PLANTED)
    sources: list[tuple[str, int]] = []
    looks = [look_of(data) for data in originals]
    for number, source in enumerate(chosen):
        data = originals[source]
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        half = (max(1, image.width // 2), max(1, image.height // 2))
        kind = ("exact", "resized to 50 %", "recompressed at 40", "mirrored")[number % 4]
        match kind:
            case "exact":
                copy = data
            case "resized to 50 %":
                copy = saved(image.resize(half, Image.Resampling.LANCZOS), 90)
            case "recompressed at 40":
                copy = saved(image, 40)
            case _:
                copy = saved(ImageOps.mirror(image), 90)
        sources.append((kind, source))
        looks.append(look_of(copy))
    cluster = clusters_of(looks)
    found: dict[str, int] = {}
    for at, (kind, source) in enumerate(sources, start=len(originals)):
        found[kind] = found.get(kind, 0) + int(0 < cluster[at] == cluster[source])
    print(
        f"planted among {len(originals):,} images: "
        + ", ".join(f"{k} {n}/{PLANTED}" for k, n in found.items())
    )


def alarm(folder: Path) -> list[bytes]:
    """Count false alarms set by set; answers all images."""
    everything: list[bytes] = []
    alarms = images = 0
    for name in SETS:
        names, looks, taken = [], [], []
        for file, data in real_images(folder / name):
            try:
                looks.append(look_of(data))
            except ImageRefused:
                continue
            names.append(file)
            taken.append(data)
        cluster = clusters_of(looks)
        members: dict[int, list[str]] = {}
        for file, number in zip(names, cluster.tolist(), strict=True):
            if number:
                members.setdefault(number, []).append(file)
        wrong = [files for files in members.values() if frozenset(files) not in KNOWN]
        right = sum(map(len, members.values())) - sum(map(len, wrong))
        false = sum(map(len, wrong))
        print(f"{name}: {len(names)} images, near duplicates {right}, false alarms {false} {wrong[:3]}")
        alarms += false
        images += len(names)
        everything += taken
    print(f"false alarms: {alarms / images:.2%} of {images:,} real images")
    return everything


def columns(count: int, per_image: int = 10) -> tuple[Images, Annotations]:
    """Images with boxes whose fingerprints are as uneven as those of a few fixed cameras."""
    dice = np.random.default_rng(7)
    bits = dice.integers(0, 2, (count, 8 * BIT_BYTES), dtype=np.uint8)
    cameras = dice.integers(0, 2, (20, 8 * BIT_BYTES), dtype=np.uint8)
    fixed = np.arange(count) % 5 < 3
    same = (dice.random(bits.shape) < 0.5) & fixed[:, None]
    bits = np.where(same, cameras[np.arange(count) % 20], bits)
    looks = np.full((count, SIZE), 100, np.uint8)
    looks[:, 0] = VERSION
    looks[:, 1 : 1 + BIT_BYTES] = np.packbits(bits, axis=1)
    digests = np.sort(dice.integers(0, 256, (count, 32), dtype=np.uint8).view("S32").ravel())
    images = Images(
        id=dice.integers(0, 256, (count, 16), dtype=np.uint8),
        sha256=np.frombuffer(digests.tobytes(), np.uint8).reshape(-1, 32),
        crc32=np.zeros(count, np.uint32),
        size=np.full(count, 1000, np.int64),
        format=np.ones(count, np.uint8),
        width=np.full(count, 640, np.int32),
        height=np.full(count, 640, np.int32),
        class_id=np.full(count, -1, np.int16),
        group=np.zeros(count, np.int32),
        annotations=np.full(count, per_image, np.int32),
        reviewed=np.zeros(count, np.bool_),
        look=np.full(count, Look.KNOWN, np.uint8),
        fingerprint=looks,
    )
    boxes = count * per_image
    corner = dice.integers(0, 500, (boxes, 2)).astype(float)
    coordinates = np.full(boxes, 4, np.int32)
    return images, Annotations(
        image=np.repeat(np.arange(count, dtype=np.int32), per_image),
        class_id=dice.integers(0, 4, boxes).astype(np.int16),
        type=np.full(boxes, 2, np.uint8),
        count=coordinates,
        start=starts(coordinates),
        numbers=np.column_stack((corner, corner + dice.integers(20, 100, (boxes, 2)))).ravel(),
    )


def time_checks() -> None:
    images, annotations = columns(100_000)
    started = time.perf_counter()
    find_clusters(images.fingerprint)
    print(f"near duplicates among 100,000 images: {time.perf_counter() - started:.1f} s")
    spec = DatasetSpec((new_id(),), Task.DETECT, ("a", "b", "c", "d"), (AnnotationType.BOX,))
    started = time.perf_counter()
    examine(spec, images, freeze(spec, images, label(spec, images, annotations)))
    taken = time.perf_counter() - started
    print(f"check of 100,000 images with 1,000,000 boxes, without reading them: {taken:.1f} s")
    equal = np.repeat(images.fingerprint[:1], 1_000_000, axis=0)
    started = time.perf_counter()
    find_clusters(equal)
    print(f"a million equal fingerprints: {time.perf_counter() - started:.1f} s")


def time_ingest(originals: Sequence[bytes]) -> None:
    cells = originals[:300]
    taken = {"hashes": 0.0, "hashes, decoding, fingerprint": 0.0, "hashes and decoding at 1/8 gray": 0.0}
    for _ in range(3):
        started = time.perf_counter()
        for data in cells:
            hashlib.sha256(data).digest(), zlib.crc32(data)
        taken["hashes"] += time.perf_counter() - started
        started = time.perf_counter()
        for data in cells:
            inspect(data, LIMITS)
        taken["hashes, decoding, fingerprint"] += time.perf_counter() - started
        started = time.perf_counter()
        for data in cells:
            hashlib.sha256(data).digest(), zlib.crc32(data)
            image = Image.open(io.BytesIO(data))
            image.draft("L", (1, 1))
            image.load()
        taken["hashes and decoding at 1/8 gray"] += time.perf_counter() - started
    print(
        "ingest, ms an image: " + ", ".join(f"{k} {v / len(cells) / 3 * 1e3:.2f}" for k, v in taken.items())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000, help="images among which copies are planted")
    images = parser.parse_args().images
    require_data()
    print(machine())
    originals = alarm(FOLDER.parent)
    time_ingest(originals)
    more = (tile for data in originals[:364] for tile in tiles(data))
    plant(
        (originals + [tile for tile, _ in zip(more, range(max(0, images - len(originals))), strict=False)])[
            :images
        ]
    )
    time_checks()


if __name__ == "__main__":
    main()
