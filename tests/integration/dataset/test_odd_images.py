"""Odd images on their whole way: import, thumbnail, archive, what ultralytics reads, and export."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from tests.integration.dataset.calls import all_images, downloaded, import_archive, new_project
from tests.integration.dataset.specs import archive, prepare, spec_of
from tests.unit.dataset.archives import HEIC, Files, read_archive, zipped

WIDTH, HEIGHT = 64, 48
UPRIGHT = 6
"""EXIF orientation of an image that lies on its side."""


def saved(mode: str, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    noise = Image.effect_noise((WIDTH, HEIGHT), 60)
    picture = noise.convert("I").point(lambda value: value * 200).convert("I;16") if mode == "I;16" else None
    (picture or noise.convert("RGB" if mode not in ("L", "F") else "L").convert(mode)).save(
        target, kind, **options
    )
    return target.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x112] = UPRIGHT
    return saved("RGB", "JPEG", exif=exif.tobytes())


IMAGES: Mapping[str, bytes] = {
    "gray.PNG": saved("L", "PNG"),
    "with blanks and v1.2.dots.PNG": saved("RGBA", "PNG"),
    "细胞/图像 1.JPG": turned(),
    "deep/16 bits.tif": saved("I;16", "TIFF"),
    "floats.TIF": saved("F", "TIFF"),
    "deep/16 bits.png": saved("I;16", "PNG"),
    "web.WebP": saved("RGB", "WEBP"),
    "print.jpeg": saved("CMYK", "JPEG"),
    "palette.png": saved("P", "PNG"),
    "black and white.tiff": saved("1", "TIFF"),
    "gray and alpha.png": saved("LA", "PNG"),
    "moving.GIF": saved("RGB", "GIF"),
    "phone.HEIC": HEIC,
    "windows.bmp": saved("RGB", "BMP"),
}
DEEP = {name for name in IMAGES if name.startswith("deep/")}
CONVERTED = {"moving.GIF", "phone.HEIC", "floats.TIF"}


@pytest.fixture(autouse=True)
def settings_of_ultralytics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ultralytics keeps its settings to itself and asks the network for nothing."""
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("YOLO_VERBOSE", "false")


async def test_odd_images_go_all_the_way(editor: DatasetServiceStub, tmp_path: Path) -> None:
    project_id = await new_project(editor)
    labels = {f"{name.rpartition('.')[0]}.txt": "0 0.25 0.5 0.5 0.5\n" for name in IMAGES if name not in DEEP}
    # Two of the deep ones share a stem, and so they share a label file.
    labels["deep/16 bits.txt"] = "0 0.25 0.5 0.5 0.5\n"
    files: Files = {**IMAGES, **labels, "data.yaml": "names: [red]\n"}
    report = await import_archive(editor, project_id, zipped(files))
    assert (report.images_added, report.annotations_added) == (len(IMAGES), len(IMAGES))
    found = {(problem.file, problem.reason) for problem in report.problems}
    assert found == {(name, "IMAGE_DEPTH_REDUCED") for name in DEEP} | {
        (name, "IMAGE_CONVERTED") for name in CONVERTED
    }
    sides = {}
    for image in await all_images(editor, project_id):
        lies = "图像" in image.filename
        assert (image.width, image.height) == ((HEIGHT, WIDTH) if lies else (WIDTH, HEIGHT))
        request = api.ListAnnotationsRequest(image_id=image.id)
        (box,) = (await editor.ListAnnotations(request)).annotations
        assert box.box.x_max == pytest.approx(image.width / 2)
        sides[image.sha256[:16]] = (image.height, image.width)
        await see_thumbnail(editor, image.id, (image.width, image.height))
    dataset = await prepare(editor, spec_of(project_id, classes=["red"]))
    content = await archive(editor, dataset.id)
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        opened.extractall(tmp_path / "unpacked")
    assert read_by_ultralytics(tmp_path / "unpacked") == sides
    await see_export(editor, project_id, tmp_path)


async def see_thumbnail(editor: DatasetServiceStub, image_id: str, size: tuple[int, int]) -> None:
    _, thumbnail = await downloaded(editor.GetThumbnail(api.GetThumbnailRequest(image_id=image_id, size=32)))
    with Image.open(io.BytesIO(thumbnail)) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (tuple(round(side / 2) for side in size))
        # Something is to be seen: no decoder has made black of it.
        darkest, brightest = picture.convert("L").getextrema()
        assert isinstance(brightest, (int, float))
        assert isinstance(darkest, (int, float))
        assert brightest - darkest > 20


def read_by_ultralytics(folder: Path) -> dict[str, tuple[int, int]]:
    """Height and width of each image as a training has it, whose single label it also has."""
    from ultralytics.cfg import get_cfg
    from ultralytics.data.build import build_yolo_dataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(folder / "data.yaml"), autodownload=False)
    sides = {}
    for side in ("train", "val"):
        cfg = get_cfg(overrides={"task": "detect", "imgsz": 64, "data": str(folder / "data.yaml")})
        dataset = build_yolo_dataset(cfg, data[side], batch=1, data=data, mode="val")
        for number, label in enumerate(dataset.labels):
            assert label["bboxes"].tolist() == [pytest.approx([0.25, 0.5, 0.5, 0.5], abs=1e-6)]
            pixels, size, _ = dataset.load_image(number)
            assert pixels.shape[2] == 3
            sides[Path(label["im_file"]).stem] = (int(size[0]), int(size[1]))
    return sides


async def see_export(editor: DatasetServiceStub, project_id: str, folder: Path) -> None:
    request = api.ExportProjectRequest(project_id=project_id, format="coco")
    _, content = await downloaded(editor.ExportProject(request))
    read = read_archive(content, folder)
    assert (read.format, len(read.images), read.count) == ("coco", len(IMAGES), len(IMAGES))
    assert "images/细胞/图像 1.JPG" in read.images
    assert "images/phone.HEIC.jpg" in read.images
