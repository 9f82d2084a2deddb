"""Imports over gRPC: what lands, what does not, and that it lands whole or not at all."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.dataset.v1.project_pb2 import ProjectStats
from annotateforge.dataset.app import running
from annotateforge.dataset.settings import Settings
from annotateforge.runtime.errors import Code
from tests.integration.dataset.calls import (
    Sent,
    all_images,
    editing,
    import_archive,
    new_project,
    reasons,
    refusal,
    upload,
)
from tests.unit.dataset.archives import Files, encoded, files_below, png, tarred, zipped

YOLO: Files = {
    "set/data.yaml": "names: [cell, dust]\n",
    "set/train/images/a.png": png(100, 50),
    "set/train/labels/a.txt": "0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.9 0.1 0.9 0.9\n",
    "set/valid/images/b.png": png(10, 20),
    "set/valid/labels/b.txt": "1 0.5 0.5 1 1\n",
}


async def stats_of(client: DatasetServiceStub, project_id: str) -> ProjectStats:
    return (await client.GetProjectStats(api.GetProjectStatsRequest(project_id=project_id))).stats


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, pack=True)])
async def test_an_archive_lands_with_pixels_for_coordinates(
    editor: DatasetServiceStub, pack: Callable[..., bytes]
) -> None:
    project_id = await new_project(editor)
    report = await import_archive(editor, project_id, pack(YOLO))
    assert (report.format, list(report.classes)) == ("yolo", ["cell", "dust"])
    assert (report.images_added, report.images_skipped, report.annotations_added) == (2, 0, 3)
    assert not report.problems
    images = await all_images(editor, project_id)
    assert [(image.filename, image.annotation_count) for image in images] == [
        ("set/train/images/a.png", 2),
        ("set/valid/images/b.png", 1),
    ]
    request = api.ListAnnotationsRequest(image_id=images[0].id)
    box, polygon = (await editor.ListAnnotations(request)).annotations
    assert (box.class_label, box.source, box.HasField("confidence")) == ("cell", "import:yolo", False)
    corners = (box.box.x_min, box.box.y_min, box.box.x_max, box.box.y_max)
    assert corners == pytest.approx((40, 15, 60, 35))
    points = [value for point in polygon.polygon.points for value in (point.x, point.y)]
    assert points == pytest.approx([10, 5, 90, 5, 90, 45])
    assert box.id != polygon.id


async def test_the_report_counts_what_was_added_by_class_and_shape(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    shapes = [
        {"label": "cell", "shape_type": "circle", "points": [[20, 20], [25, 20]]},
        {"label": "cell", "shape_type": "polygon", "points": [[1, 1], [9, 1], [9, 9]]},
        {"label": "", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]},
        {"label": "cell", "shape_type": "rectangle", "points": [[1, 1]]},
    ]
    labelme = {"imagePath": "c.png", "imageWidth": 40, "imageHeight": 40, "flags": {}, "shapes": shapes}
    flagged = {"imagePath": "d.png", "flags": {"good": True}, "shapes": []}
    files: Files = {
        **{f"{name}.png": png(40, 40) for name in "cd"},
        "c.json": json.dumps(labelme),
        "d.json": json.dumps(flagged),
    }
    report = await import_archive(editor, project_id, zipped(files))
    counts = [
        (each.class_label, each.classified_image_count, each.circle_count, each.box_count, each.polygon_count)
        for each in report.class_counts
    ]
    assert counts == [("good", 1, 0, 0, 0), ("cell", 0, 1, 0, 1), ("", 0, 0, 1, 0)]
    assert [(each.reason, each.count) for each in report.problem_counts] == [
        ("LABEL_MALFORMED", 1),
        ("LABEL_WITHOUT_CLASS", 1),
    ]
    assert {problem.reason: problem.path for problem in report.problems} == {
        "LABEL_MALFORMED": "shapes[3]",
        "LABEL_WITHOUT_CLASS": "shapes[2]",
    }


async def test_importing_the_same_archive_again_adds_nothing(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    await import_archive(editor, project_id, zipped(YOLO))
    before = await stats_of(editor, project_id)
    report = await import_archive(editor, project_id, tarred(YOLO))
    assert (report.images_added, report.images_skipped, report.annotations_added) == (0, 2, 0)
    assert reasons(report.problems) == ["IMAGE_EXISTS"]
    assert await stats_of(editor, project_id) == before


async def test_all_annotations_of_all_imports_have_ids_of_their_own(editor: DatasetServiceStub) -> None:
    ids: list[str] = []
    for name in ("first", "second"):
        project_id = await new_project(editor, name)
        await import_archive(editor, project_id, zipped(YOLO))
        for image in await all_images(editor, project_id):
            request = api.ListAnnotationsRequest(image_id=image.id)
            ids += [each.id for each in (await editor.ListAnnotations(request)).annotations]
    assert (len(ids), len(set(ids))) == (6, 6)


async def test_two_imports_of_one_archive_at_once_add_it_once(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    files = {f"{name}/{n}.png": png() for name in ("good", "bad") for n in range(40)}
    reports = await asyncio.gather(*(import_archive(editor, project_id, zipped(files)) for _ in range(2)))
    assert sum(report.images_added for report in reports) == 80
    assert sum(report.images_skipped for report in reports) == 80
    stats = await stats_of(editor, project_id)
    assert (stats.image_count, stats.classified_image_count) == (80, 80)


async def test_images_under_a_taken_name_are_left_out_with_their_labels(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    await upload(editor, project_id, [Sent("set/train/images/a.png", png())])
    report = await import_archive(editor, project_id, zipped(YOLO))
    assert (report.images_added, report.images_skipped, report.annotations_added) == (1, 1, 1)
    assert [(problem.reason, problem.file) for problem in report.problems] == [
        ("IMAGE_NAME_TAKEN", "set/train/images/a.png")
    ]


async def test_trouble_with_single_files_is_reported_by_file_and_line_and_the_rest_goes_in(
    editor: DatasetServiceStub,
) -> None:
    project_id = await new_project(editor)
    files: Files = {
        **YOLO,
        "set/train/images/cut.png": png(60, 60)[:-30],
        "set/train/labels/cut.txt": "0 0.5 0.5 0.2 0.4\n",
        "set/train/images/modern.avif": b"\0\0\0\x1cftypavif" + bytes(50),
        "set/train/images/c.png": png(),
        "set/train/labels/c.txt": (
            "0 0.5 0.5 0.1 0.1\n\nseven\n9 0.5 0.5 0.1 0.1\n0 0.5 0.5 0 0.1\n0 30 40 5 5\n"
        ),
        "set/train/labels/nobody.txt": "0 0.5 0.5 0.1 0.1\n",
    }
    report = await import_archive(editor, project_id, zipped(files))
    assert (report.images_added, report.images_skipped, report.annotations_added) == (3, 2, 4)
    found = {
        (problem.file.removeprefix("set/train/"), problem.line, problem.reason) for problem in report.problems
    }
    assert found == {
        ("images/cut.png", 0, "IMAGE_UNREADABLE"),
        ("images/modern.avif", 0, "IMAGE_FORMAT_UNSUPPORTED"),
        ("labels/c.txt", 3, "LABEL_MALFORMED"),
        ("labels/c.txt", 4, "CLASS_OUT_OF_RANGE"),
        ("labels/c.txt", 5, "ANNOTATION_INVALID"),
        ("labels/c.txt", 6, "COORDINATES_NOT_NORMALIZED"),
        ("labels/nobody.txt", 0, "LABEL_WITHOUT_IMAGE"),
    }
    assert all(problem.message and problem.hint for problem in report.problems)


async def test_problems_beyond_a_thousand_are_counted(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    files: Files = {"a.png": png(), "a.txt": "0 0.5 0.5 0.1 0.1\n" + "0 what\n" * 1500}
    report = await import_archive(editor, project_id, zipped(files))
    assert report.annotations_added == 1
    assert (len(report.problems), report.problems_omitted) == (1000, 501), "1500 lines and the missing names"


async def test_an_archive_that_turns_out_damaged_leaves_nothing(
    editor: DatasetServiceStub,
    stored: Callable[[], set[str]],
    settings: Settings,
    eventually: Callable[[Callable[[], bool]], Awaitable[None]],
) -> None:
    project_id = await new_project(editor)
    files = {f"{n:03}.bmp": encoded("BMP", 40, 40) for n in range(200)}
    content = bytearray(zipped(files, compression=0))
    content[-40_000 + 1000] ^= 0xFF
    error = await refusal(import_archive(editor, project_id, bytes(content)))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "ARCHIVE_DAMAGED")
    assert error.metadata["file"].endswith(".bmp")
    stats = await stats_of(editor, project_id)
    assert stats.image_count == 0
    # Another reference goes, and the sweep with it.
    (image,) = (await upload(editor, project_id, [Sent("x.png", png())])).images
    await editor.DeleteImage(api.DeleteImageRequest(image_id=image.id))
    await eventually(lambda: not stored())
    assert list(settings.dataset_spool_folder.iterdir()) == []


async def test_a_client_that_goes_away_leaves_nothing(
    editor: DatasetServiceStub, stored: Callable[[], set[str]]
) -> None:
    project_id = await new_project(editor)
    content = zipped(YOLO)
    sent = asyncio.Event()

    async def parts() -> AsyncIterator[api.ImportArchiveRequest]:
        yield api.ImportArchiveRequest(header=api.ImportArchiveHeader(project_id=project_id))
        yield api.ImportArchiveRequest(chunk=content[:-100])
        sent.set()
        await asyncio.Event().wait()

    call = editor.ImportArchive(parts())
    await sent.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await stats_of(editor, project_id)).image_count == 0
    assert stored() == set()


async def test_a_client_that_goes_away_while_images_are_taken_in_leaves_nothing(
    editor: DatasetServiceStub,
    settings: Settings,
    stored: Callable[[], set[str]],
    eventually: Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]],
) -> None:
    project_id = await new_project(editor)
    files = {f"{n:04}.bmp": encoded("BMP", 30, 30) for n in range(3000)}
    call = asyncio.create_task(import_archive(editor, project_id, zipped(files, compression=0)))
    await eventually(lambda: bool(stored()))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    connection = await asyncpg.connect(settings.database_url, timeout=5)

    async def no_ingest() -> bool:
        return not await connection.fetchval("SELECT count(*) FROM dataset.ingests")

    await eventually(no_ingest)
    await connection.close(timeout=5)
    assert (await stats_of(editor, project_id)).image_count == 0
    # Another reference goes, and the sweep with it.
    (image,) = (await upload(editor, project_id, [Sent("x.png", png())])).images
    await editor.DeleteImage(api.DeleteImageRequest(image_id=image.id))
    await eventually(lambda: not stored())


async def test_an_image_takes_ten_thousand_annotations_and_no_more(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    files: Files = {"a.png": png(), "a.txt": "0 0.5 0.5 0.1 0.1\n" * 10_002, "data.yaml": "names: [x]"}
    report = await import_archive(editor, project_id, zipped(files))
    assert report.annotations_added == 10_000
    assert [(problem.reason, problem.line) for problem in report.problems] == [
        ("TOO_MANY_ANNOTATIONS", 10_001)
    ]


@pytest.mark.parametrize(
    ("wanted", "files", "code", "reason"),
    [
        ("", {"readme.txt": "nothing here"}, Code.INVALID_ARGUMENT, "ARCHIVE_WITHOUT_IMAGES"),
        ("excel", YOLO, Code.INVALID_ARGUMENT, "INVALID_IMPORT_FORMAT"),
        ("coco", YOLO, Code.INVALID_ARGUMENT, "LABELS_NOT_FOUND"),
    ],
)
async def test_imports_that_make_no_sense_say_why(
    editor: DatasetServiceStub, wanted: str, files: Files, code: Code, reason: str
) -> None:
    project_id = await new_project(editor)
    error = await refusal(import_archive(editor, project_id, zipped(files), wanted))
    assert (error.code, error.reason) == (code, reason)
    assert error.message


async def test_a_wanted_format_overrules_what_is_found(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    report = await import_archive(editor, project_id, zipped(YOLO), "images")
    assert (report.format, report.images_added, report.annotations_added) == ("images", 2, 0)


async def test_chunks_with_fields_of_a_later_version_are_taken(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    archive = zipped(YOLO)

    async def parts() -> AsyncIterator[api.ImportArchiveRequest]:
        yield api.ImportArchiveRequest(header=api.ImportArchiveHeader(project_id=project_id))
        for chunk, more in ((archive[:100], b""), (archive[100:300], b"\x98\x06\x01"), (archive[300:], b"")):
            part = api.ImportArchiveRequest(chunk=chunk).SerializeToString() + more
            yield api.ImportArchiveRequest.FromString(part)

    report = (await editor.ImportArchive(parts())).report
    assert (report.images_added, report.annotations_added) == (2, 3)


@pytest.mark.parametrize(
    "kinds", [[], ["chunk"], ["nothing"], ["header", "header"], ["header", "chunk", "nothing"]]
)
async def test_parts_out_of_order_are_refused(editor: DatasetServiceStub, kinds: list[str]) -> None:
    project_id = await new_project(editor)
    known = {
        "header": api.ImportArchiveRequest(header=api.ImportArchiveHeader(project_id=project_id)),
        "chunk": api.ImportArchiveRequest(chunk=b"PK"),
        "nothing": api.ImportArchiveRequest(),
    }

    async def parts() -> AsyncIterator[api.ImportArchiveRequest]:
        for kind in kinds:
            yield known[kind]

    error = await refusal(editor.ImportArchive(parts()))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "UNEXPECTED_PART")


async def test_an_archive_that_is_too_large_is_refused_while_it_comes(
    settings: Settings, secret: str
) -> None:
    small = settings.model_copy(update={"dataset_most_archive_bytes": 1000, "dataset_stall_seconds": 0.3})
    async with running(small) as app, editing(app, secret) as editor:
        project_id = await new_project(editor)
        error = await refusal(import_archive(editor, project_id, bytes(1001)))
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "ARCHIVE_TOO_LARGE")

        async def stalling() -> AsyncIterator[api.ImportArchiveRequest]:
            yield api.ImportArchiveRequest(header=api.ImportArchiveHeader(project_id=project_id))
            await asyncio.Event().wait()

        error = await refusal(editor.ImportArchive(stalling()))
        assert (error.code, error.reason) == (Code.DEADLINE_EXCEEDED, "UPLOAD_STALLED")


async def test_a_full_disk_is_said_and_not_filled(settings: Settings, secret: str) -> None:
    full = settings.model_copy(update={"dataset_keep_free_bytes": 1 << 60})
    async with running(full) as app, editing(app, secret) as editor:
        project_id = await new_project(editor)
        for _ in range(2):
            error = await refusal(import_archive(editor, project_id, zipped(YOLO)))
            assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "SPOOL_FULL")


@pytest.mark.data
async def test_blood_cells_in_voc_come_in_with_their_two_empty_boxes_reported(
    editor: DatasetServiceStub, shared_data: Path
) -> None:
    project_id = await new_project(editor)
    files = files_below(shared_data / "detect_bccd_voc")
    report = await import_archive(editor, project_id, zipped(files, compression=0))
    assert (report.format, report.images_added, report.annotations_added) == ("voc", 364, 4886)
    # The README counts 4,888 boxes, of which two have neither width nor height.
    # Its CSV says the same of the same images.
    other, *wrong = report.problems
    assert (other.reason, other.file) == ("LABELS_OF_OTHER_FORMAT", "")
    assert [(problem.reason, Path(problem.file).stem) for problem in wrong] == [
        ("ANNOTATION_INVALID", "BloodImage_00338"),
        ("ANNOTATION_INVALID", "BloodImage_00343"),
    ]
    assert "504, 337, 504, 337" in wrong[0].message
    assert all(problem.line > 0 for problem in wrong)
    stats = await stats_of(editor, project_id)
    assert {each.class_label: each.box_count for each in stats.classes} == {
        "RBC": 4153,
        "WBC": 372,
        "Platelets": 361,
    }


@pytest.mark.data
async def test_nuclei_in_coco_come_in_as_one_polygon_each(
    editor: DatasetServiceStub, shared_data: Path
) -> None:
    project_id = await new_project(editor)
    files = files_below(shared_data / "segment_nuclei_coco")
    report = await import_archive(editor, project_id, tarred(files, pack=True))
    assert (report.format, report.images_added, report.annotations_added) == ("coco", 56, 3001)
    assert not report.problems
    (nucleus,) = (await stats_of(editor, project_id)).classes
    assert (nucleus.class_label, nucleus.polygon_count, nucleus.image_count) == ("nucleus", 3001, 56)


@pytest.mark.data
async def test_sign_digits_in_folders_come_in_with_their_classes(
    editor: DatasetServiceStub, shared_data: Path
) -> None:
    project_id = await new_project(editor)
    files = files_below(shared_data / "classify_sign_digits")
    report = await import_archive(editor, project_id, tarred(files))
    assert (report.format, list(report.classes)) == ("folders", [str(digit) for digit in range(10)])
    assert (report.images_added, report.annotations_added) == (600, 0)
    images = await all_images(editor, project_id)
    assert Counter(image.image_class for image in images) == {str(digit): 60 for digit in range(10)}
    (turned,) = [image for image in images if image.width != 100]
    assert (turned.width, turned.height, turned.image_class) == (3024, 3024, "7")


async def test_after_an_import_of_many_images_postgres_knows_what_is_in_the_tables(
    settings: Settings, secret: str, eventually: Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
) -> None:
    connection = await asyncpg.connect(
        str(settings.database_url), server_settings={"search_path": "dataset"}, timeout=10
    )

    async def known() -> bool:
        query = "SELECT reltuples::integer FROM pg_class WHERE oid = ANY($1::regclass[])"
        rows = await connection.fetch(query, ["images", "image_labels", "annotation_runs"], timeout=10)
        return [row["reltuples"] for row in rows] == [1000] * 3

    images: Files = {f"images/{number}.png": png() for number in range(1000)}
    labels: Files = {f"labels/{number}.txt": "0 0.5 0.5 0.2 0.2\n" for number in range(1000)}
    files: Files = {"data.yaml": "names: [cell]\n", **images, **labels}
    try:
        async with running(settings) as app, editing(app, secret) as editor:
            report = await import_archive(editor, await new_project(editor), zipped(files))
            assert report.images_added == 1000
            await eventually(known)
    finally:
        await connection.close(timeout=5)
