"""What a data set costs: freezing and streaming its archive against the usual ways to a YOLO data set.

- annotateforge: PrepareDataset over gRPC, then DownloadArchive into a file;
- by hand: ultralytics' convert_coco, copying images and labels to their side, and a stored zip of them;
- labelformat: its conversion from COCO to YOLO, and copying the images beside; neither split nor zip.

All begin with labelled images (in the service's database and blob store, or as files with a COCO JSON) and
end on the same disk. They take turns; each begins when everything is written to the disk, and with memory to
write to. Nothing is deleted before the end, because deleting slows file systems down. What is printed are
medians over the rounds.

    python -m benchmarks.dataset_build [--rounds N] [--copies N [N ...]]
"""

import argparse
import asyncio
import contextlib
import io
import mmap
import os
import random
import shutil
import statistics
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import uvloop

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.telemetry import configure_logging
from benchmarks import _blood_cells as cells

RATIO = 0.8
_MEMORY_BYTES = 1 << 30
"""More than any way writes."""
EDGES = ("xmin", "ymin", "xmax", "ymax")


def write_coco(folder: Path, count: int) -> None:
    """Images and a COCO JSON, as they would come from an annotation tool."""
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, content, label) in enumerate(cells.copies(count)):
        (folder / "images" / f"{name}.jpg").write_bytes(content)
        tree = ElementTree.fromstring(label)
        size = {key: int(tree.findtext(f"size/{key}", "")) for key in ("width", "height")}
        images.append({"id": number, "file_name": f"{name}.jpg", **size})
        for each in tree.iter("object"):
            x0, y0, x1, y1 = (float(each.findtext(f"bndbox/{edge}", "")) for edge in EDGES)
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": cells.CLASSES.index(each.findtext("name", "")) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(cells.CLASSES, start=1)]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations" / "instances_all.json").write_bytes(orjson.dumps(coco))


def build_by_hand(coco: Path, folder: Path) -> Path:
    """Convert, divide, copy, zip."""
    from ultralytics.data.converter import convert_coco

    with silence():
        convert_coco(str(coco / "annotations"), str(folder / "converted"), cls91to80=False)
    names = sorted(path.name for path in (coco / "images").iterdir())
    random.Random(42).shuffle(names)
    most = int(RATIO * len(names))
    root = folder / "dataset"
    for side, chosen in (("train", names[:most]), ("val", names[most:])):
        for kind in ("images", "labels"):
            (root / kind / side).mkdir(parents=True)
        for name in chosen:
            shutil.copy(coco / "images" / name, root / "images" / side / name)
            label = f"{Path(name).stem}.txt"
            source = folder / "converted" / "labels" / "all" / label
            if source.exists():
                shutil.copy(source, root / "labels" / side / label)
    classes = "".join(f"  {number}: {name}\n" for number, name in enumerate(cells.CLASSES))
    (root / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames:\n{classes}")
    target = folder / "dataset.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(root))
    return target


def build_with_labelformat(coco: Path, folder: Path) -> None:
    """Convert and copy."""
    from labelformat.formats import COCOObjectDetectionInput, YOLOv8ObjectDetectionOutput

    labels = COCOObjectDetectionInput(coco / "annotations" / "instances_all.json")
    YOLOv8ObjectDetectionOutput(folder / "data.yaml", output_split="train").save(labels)
    shutil.copytree(coco / "images", folder / "images")


async def build(client: DatasetServiceStub, project_id: str, target: Path, seed: int) -> float:
    """Freeze and download; the seconds that freezing took."""
    started = time.perf_counter()
    dataset = await cells.prepare(client, project_id, seed)
    frozen = time.perf_counter() - started
    with target.open("wb") as file:
        async for message in client.DownloadArchive(api.DownloadArchiveRequest(dataset_id=dataset.id)):
            file.write(message.chunk)
    return frozen


WAYS = ("annotateforge", "by hand", "labelformat")


@dataclass
class Round:
    """What one round took, in seconds."""

    seconds: dict[str, float]
    """By way."""
    freezing: float

    def ratio(self, way: str) -> float:
        """How many times as long as ours another way took."""
        return self.seconds[way] / self.seconds["annotateforge"]


async def take_turns(client: DatasetServiceStub, project_id: str, folder: Path, number: int) -> Round:
    """Build the same data set in every way; who is first changes from round to round."""
    seconds = {}
    frozen = 0.0
    first = number % len(WAYS)
    for way in WAYS[first:] + WAYS[:first]:
        # Or what the way before left for the disk would be written in the time of this one.
        await asyncio.to_thread(os.sync)
        await asyncio.to_thread(have_memory)
        started = time.perf_counter()
        if way == "annotateforge":
            # Another seed, or the data set of the round before would be answered.
            frozen = await build(client, project_id, folder / f"{number}.zip", number)
        elif way == "by hand":
            build_by_hand(folder / "coco", folder / f"by-hand-{number}")
        else:
            build_with_labelformat(folder / "coco", folder / f"labelformat-{number}")
        seconds[way] = time.perf_counter() - started
    return Round(seconds, frozen)


async def measure(rounds: int, copies: int) -> None:
    module = "benchmarks.dataset_build"
    async with cells.scratch() as folder, cells.dataset_service(module, folder) as (client, process, _):
        project_id = await cells.import_cells(client, copies)
        write_coco(folder / "coco", copies)
        # Round 0 only warms up.
        taken = [await take_turns(client, project_id, folder, number) for number in range(rounds + 1)][1:]
        images, boxes = contents(folder / "1.zip")
        their_images, their_boxes = contents(folder / "by-hand-1" / "dataset.zip")
        labels = list((folder / "labelformat-1" / "labels").iterdir())
        memory = process.memory_info().rss / 2**20
    assert images == their_images == len(labels)
    middle = statistics.median
    print(f"{images:,} images, {boxes:,} boxes ({their_boxes:,} by hand)")
    for way in WAYS:
        print(f"{way:13} {middle(each.seconds[way] for each in taken):6.2f} s", end="")
        if way == "annotateforge":
            print(f", of which freezing {middle(each.freezing for each in taken):5.2f} s")
        else:
            print(f", {middle(each.ratio(way) for each in taken):.1f} times the time")
    print(f"the service holds {memory:.0f} MiB of memory at the end")


def contents(path: Path) -> tuple[int, int]:
    """Images and boxes of a YOLO zip."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        boxes = sum(archive.read(name).count(b"\n") for name in names if name.endswith(".txt"))
    return sum(name.endswith(".jpg") for name in names), boxes


def have_memory() -> None:
    """See that a way writes into memory that the machine has: a virtual one asks its host for every page that
    it has not used lately, and writes at a tenth of the speed meanwhile.
    """
    populated = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    mmap.mmap(-1, _MEMORY_BYTES, flags=populated).close()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep progress bars from the terminal; writing them would count against ultralytics."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--copies", type=int, nargs="+", default=[1, 14], help="how often the 364 images are there"
    )
    parser.add_argument("--role", choices=["service"], help=argparse.SUPPRESS)
    parser.add_argument("--service", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    configure_logging("benchmark", "json", "error")
    cells.require_data()
    if arguments.role == "service":
        uvloop.run(cells.serve(arguments.service, arguments.folder))
        return
    print(cells.machine())
    for copies in arguments.copies:
        uvloop.run(measure(arguments.rounds, copies))


if __name__ == "__main__":
    os.environ.update(YOLO_VERBOSE="false", YOLO_OFFLINE="true")
    main()
