"""Finding images, deleting many at once, and what a project tells of its annotations."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from typing import Any

import asyncpg
import pytest

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2, image_pb2, project_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.dataset.labelling import HUGE_SHARE, TINY_PIXELS
from annotateforge.dataset.spec import TRAINING_SIZE, Task
from annotateforge.runtime.ids import new_id
from tests.integration.dataset.calls import Sent, all_images, new_project, refusal, upload
from tests.integration.dataset.specs import (
    annotate,
    box,
    circle,
    labelled_project,
    polygon,
    prepare,
    spec_of,
)
from tests.unit.dataset.archives import encoded, png

Eventually = Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]


async def names(client: DatasetServiceStub, project_id: str, **filters: Any) -> list[str]:
    return [image.filename for image in await all_images(client, project_id, **filters)]


async def test_images_are_found_by_shape_label_problem_and_review(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    same = png()
    contents = {
        "box": png(),
        "circle": png(),
        "unclassed": png(),
        "classed": png(),
        "copy1": same,
        "copy2": same,
    }
    images = (await upload(editor, project_id, [Sent(*each) for each in contents.items()])).images
    by_name = {image.filename: image for image in images}
    await annotate(editor, by_name["box"], [box("red"), polygon("blue")])
    await annotate(editor, by_name["circle"], [circle("red", 3, 3, 2)])
    await annotate(editor, by_name["unclassed"], [box("")])
    for name, change in (("classed", {"image_class": "good"}), ("copy1", {"reviewed": True})):
        await editor.UpdateImage(api.UpdateImageRequest(image_id=by_name[name].id, **change))

    async def found(**filters: Any) -> list[str]:
        return await names(editor, project_id, **filters)

    assert await found(annotation_type=annotation_pb2.ANNOTATION_TYPE_BOX) == ["box", "unclassed"]
    assert await found(annotation_type=annotation_pb2.ANNOTATION_TYPE_POLYGON) == ["box"]
    assert await found(unlabelled=True) == ["copy1", "copy2"]
    assert await found(unlabelled=False) == ["box", "circle", "classed", "unclassed"]
    assert await found(reviewed=True) == ["copy1"]
    assert await found(reviewed=False, unlabelled=True) == ["copy2"]
    assert await found(problem=image_pb2.IMAGE_PROBLEM_COPY) == ["copy1", "copy2"]
    assert await found(problem=image_pb2.IMAGE_PROBLEM_WITHOUT_CLASS) == ["unclassed"]
    assert await found(problem=image_pb2.IMAGE_PROBLEM_CORRUPT) == []
    stats = (await editor.GetProjectStats(api.GetProjectStatsRequest(project_id=project_id))).stats
    assert stats.reviewed_image_count == 1


async def test_images_are_found_by_what_is_odd_about_their_annotations(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    # In an image of 640 × 480 pixels.
    drawn = {
        "fine": [box("red", 0, 0, 320, 240), circle("red", 100, 100, 50), box("red", 0, 0, 640, 400)],
        "tiny": [box("red", 10, 10, 12, 200)],
        "tiny circle": [circle("", 100, 100, 1.4)],
        "tiny rest": [box("red", 638, 10, 900, 200)],
        "huge": [box("red", 0, 0, 640, 470)],
        "clipped": [polygon("red", (600, 10), (650, 10), (600, 60))],
        "outside": [box("red", 700, 10, 800, 60)],
        "outside circle": [circle("red", -60, 100, 50)],
        "flat": [polygon("red", (10, 10), (20, 10), (30, 10))],
        "twice": [box("red", 1, 1, 40, 40), box("red", 1, 1, 40, 40)],
        "twice with other classes": [box("red", 1, 1, 40, 40), box("blue", 1, 1, 40, 40)],
    }
    sent = [Sent(name, encoded("JPEG", 640, 480)) for name in drawn]
    by_name = {image.filename: image for image in (await upload(editor, project_id, sent)).images}
    for name, annotations in drawn.items():
        await annotate(editor, by_name[name], annotations)
    expected = {
        "TINY_ANNOTATION": ["tiny", "tiny circle", "tiny rest"],
        "HUGE_ANNOTATION": ["huge"],
        "CLIPPED_ANNOTATION": ["clipped", "tiny rest"],
        "ANNOTATION_OUTSIDE": ["outside", "outside circle"],
        "ANNOTATION_WITHOUT_AREA": ["flat"],
        "DUPLICATE_ANNOTATION": ["twice"],
        "WITHOUT_CLASS": ["tiny circle"],
    }
    for problem, images in expected.items():
        number = image_pb2.ImageProblem.Value(f"IMAGE_PROBLEM_{problem}")
        assert await names(editor, project_id, problem=number) == images

    # The check says the same of them.
    kinds = [
        annotation_pb2.AnnotationType.Value(f"ANNOTATION_TYPE_{kind}")
        for kind in ("CIRCLE", "BOX", "POLYGON")
    ]
    spec = spec_of(project_id, annotation_types=kinds)
    report = (await editor.CheckDataset(api.CheckDatasetRequest(spec=spec))).report
    counts = {finding.reason: finding.count for finding in report.findings}
    assert counts["TINY_ANNOTATIONS"] == 2
    assert counts["HUGE_ANNOTATIONS"] == 1
    assert counts["ANNOTATIONS_CLIPPED"] == 2
    assert counts["ANNOTATIONS_OUTSIDE_IMAGE"] == 2
    assert counts["ANNOTATIONS_WITHOUT_AREA"] == 1
    assert counts["DUPLICATE_ANNOTATIONS"] == 1


async def test_corrupt_images_are_found(editor: DatasetServiceStub, database_url: str) -> None:
    project_id = await new_project(editor)
    await upload(editor, project_id, [Sent("good", png()), Sent("bad", png())])
    bad = (await all_images(editor, project_id, filename_contains="bad"))[0]
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "dataset"}, timeout=10)
    try:
        # As the ingest writes it for pixels that no decoder takes.
        query = "UPDATE fingerprints SET fingerprint = '' WHERE sha256 = $1"
        await connection.execute(query, bytes.fromhex(bad.sha256), timeout=10)
    finally:
        await connection.close(timeout=5)
    assert await names(editor, project_id, problem=image_pb2.IMAGE_PROBLEM_CORRUPT) == ["bad"]


async def test_images_of_a_data_set_are_found_by_side(editor: DatasetServiceStub) -> None:
    project_id = await labelled_project(editor)
    split = dataset_pb2.Split(train_ratio=0.6, test_ratio=0.2)
    dataset = await prepare(editor, spec_of(project_id, split=split))
    await upload(editor, project_id, [Sent("later.png", png())])
    sides = [
        set(await names(editor, project_id, dataset_id=dataset.id, side=side))
        for side in (image_pb2.SPLIT_SIDE_TRAIN, image_pb2.SPLIT_SIDE_VAL, image_pb2.SPLIT_SIDE_TEST)
    ]
    assert [len(side) for side in sides] == [6, 2, 2]
    assert set(await names(editor, project_id, dataset_id=dataset.id)) == set.union(*sides)
    assert len(set.union(*sides)) == 10


@pytest.mark.parametrize(
    ("filters", "reason", "field"),
    [
        ({"annotation_type": 9}, "INVALID_FILTER", "annotation_type"),
        ({"side": 9}, "INVALID_FILTER", "side"),
        ({"side": 1}, "INVALID_FILTER", "dataset_id"),
        ({"problem": 99}, "INVALID_FILTER", "problem"),
        ({"dataset_id": "x"}, "INVALID_ID", "dataset_id"),
        ({"dataset_id": str(new_id())}, "DATASET_NOT_FOUND", ""),
    ],
)
async def test_wrong_filters_are_refused(
    editor: DatasetServiceStub, filters: dict[str, Any], reason: str, field: str
) -> None:
    project_id = await new_project(editor)
    error = await refusal(editor.ListImages(api.ListImagesRequest(project_id=project_id, **filters)))
    assert error.reason == reason
    assert [violation.field for violation in error.violations] == ([field] if field else [])


async def test_many_images_are_deleted_at_once_and_their_blobs_go(
    editor: DatasetServiceStub, stored: Callable[[], set[str]], eventually: Eventually
) -> None:
    project_id = await labelled_project(editor)
    other = await labelled_project(editor, "other")
    images = await all_images(editor, project_id)
    foreign = (await all_images(editor, other))[0]
    ids = [*(image.id for image in images[:7]), str(new_id()), foreign.id]
    request = api.DeleteImagesRequest(project_id=project_id, image_ids=ids)
    assert (await editor.DeleteImages(request)).deleted_count == 7
    assert (await editor.DeleteImages(request)).deleted_count == 0
    assert await names(editor, project_id) == [image.filename for image in images[7:]]
    assert len(await names(editor, other)) == 10
    project = (await editor.GetProject(api.GetProjectRequest(project_id=project_id))).project
    assert (project.image_count, project.annotation_count) == (3, 3)
    gone = {image.sha256 for image in images[:7]}
    await eventually(lambda: not gone & stored())


async def test_a_bulk_delete_names_a_project_and_images(editor: DatasetServiceStub) -> None:
    request = api.DeleteImagesRequest(project_id=str(new_id()), image_ids=[str(new_id())])
    assert (await refusal(editor.DeleteImages(request))).reason == "PROJECT_NOT_FOUND"
    for ids in ([], ["x"], [str(new_id())] * 10_001):
        request = api.DeleteImagesRequest(project_id=request.project_id, image_ids=ids)
        assert (await refusal(editor.DeleteImages(request))).reason == "INVALID_ID"


async def test_stats_tell_the_sizes_of_annotations(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    images = (await upload(editor, project_id, [Sent("a", png()), Sent("b", png())])).images
    await annotate(editor, images[0], [box("red", 0, 0, 4, 2), circle("red", 3, 3, 2)])
    await annotate(editor, images[1], [polygon("red", (0, 0), (7, 1), (2, 6))])
    await editor.UpdateImage(api.UpdateImageRequest(image_id=images[0].id, image_class="good"))
    stats = (await editor.GetProjectStats(api.GetProjectStatsRequest(project_id=project_id))).stats
    red, good = stats.classes
    assert (red.image_count, red.mean_width, red.mean_height) == (2, 5, 4)
    assert (red.shortest_side, red.longest_side) == (2, 7)
    assert (good.mean_width, good.mean_height, good.shortest_side, good.longest_side) == (0, 0, 0, 0)
    # 4 × 2, 4 × 4, and 7 × 6.
    found = [(each.min_width, each.min_height, each.annotation_count) for each in stats.box_sizes]
    assert found == [(4, 2, 1), (4, 4, 1), (pytest.approx(4 * 2**0.5), pytest.approx(4 * 2**0.5), 1)]
    (size,) = stats.image_sizes
    assert (size.width, size.height, size.image_count) == (images[0].width, images[0].height, 2)
    shares = [area / (size.width * size.height) for area in (8, 16, 42)]
    for each, share in zip(stats.box_areas, shares, strict=True):
        assert each.annotation_count == 1
        assert each.min_share <= share < each.min_share * 2**0.5


async def test_confidence_and_source_are_kept(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    image = (await upload(editor, project_id, [Sent("a", png())])).images[0]
    drawn = [box("red"), box("blue", 2, 2, 3, 3)]
    drawn[1].confidence, drawn[1].source = 0.25, "model:7"
    await annotate(editor, image, drawn)
    kept = (await editor.ListAnnotations(api.ListAnnotationsRequest(image_id=image.id))).annotations
    assert [(each.HasField("confidence"), each.confidence, each.source) for each in kept] == [
        (False, 0, ""),
        (True, 0.25, "model:7"),
    ]


async def test_statistics_stay_those_of_the_annotations_whatever_is_done(
    editor: DatasetServiceStub, database_url: str
) -> None:
    random = Random(7)
    project_id, other_id = await new_project(editor), await new_project(editor, "others")
    contents = [png() for _ in range(6)]
    labels = ("red", "blue", "")

    def shapes() -> list[annotation_pb2.Annotation]:
        side = random.randint(1, 5)
        made = [
            box(random.choice(labels), 0, 0, side, random.randint(1, 5)),
            circle(random.choice(labels), 3, 3, random.choice((1, 2))),
            polygon(random.choice(labels), (0, 0), (side, 0), (side, 4)),
        ]
        return random.sample(made, random.randint(0, 3))

    count = 0
    for _ in range(12):
        for wanted in (project_id, other_id):
            count += 1
            sent = [Sent(f"{count}/{n}", random.choice(contents), random.choice(labels)) for n in range(3)]
            await upload(editor, wanted, sent)
            for image in await all_images(editor, wanted):
                match random.randint(0, 5):
                    case 0:
                        await editor.DeleteImage(api.DeleteImageRequest(image_id=image.id))
                    case 1:
                        await editor.UpdateImage(
                            api.UpdateImageRequest(
                                image_id=image.id, image_class=random.choice(labels), reviewed=count % 2 > 0
                            )
                        )
                    case _:
                        await annotate(editor, image, shapes())
            await _check_counts(editor, wanted, database_url)
    await editor.DeleteProject(api.DeleteProjectRequest(project_id=other_id))
    await _check_counts(editor, project_id, database_url)
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "dataset"})
    try:
        assert not await connection.fetchval(
            "SELECT count(*) FROM image_labels WHERE image_id NOT IN (SELECT id FROM images)"
        )
    finally:
        await connection.close()


def _check_sizes(
    stats: project_pb2.ProjectStats, images: Sequence[image_pb2.Image], boxes: Sequence[tuple[float, float]]
) -> None:
    """Hold the counts of sizes against the images and boxes themselves; all sides are 1 to 5 pixels."""

    def least(side: float) -> float:
        return max(step for step in (1, 2**0.5, 2, 2 * 2**0.5, 4) if step <= side + 1e-6)

    counted = {(each.width, each.height): each.image_count for each in stats.image_sizes}
    assert counted == Counter((image.width, image.height) for image in images)
    shown = {
        (round(each.min_width, 6), round(each.min_height, 6)): each.annotation_count
        for each in stats.box_sizes
    }
    assert shown == Counter((round(least(width), 6), round(least(height), 6)) for width, height in boxes)
    assert sum(each.annotation_count for each in stats.box_areas) == len(boxes)
    assert all(each.annotation_count > 0 for each in stats.box_areas)


async def _check_counts(client: DatasetServiceStub, project_id: str, database_url: str) -> None:
    """Hold what is kept against what can be counted."""
    stats = (await client.GetProjectStats(api.GetProjectStatsRequest(project_id=project_id))).stats
    images = await all_images(client, project_id)
    assert stats.image_count == len(images)
    assert stats.annotated_image_count == sum(image.annotation_count > 0 for image in images)
    assert stats.classified_image_count == sum(image.image_class != "" for image in images)
    assert stats.reviewed_image_count == sum(image.reviewed for image in images)
    assert stats.size_bytes == sum(image.size_bytes for image in images)
    assert stats.annotation_count == sum(image.annotation_count for image in images)
    digests = Counter(image.sha256 for image in images)
    copied = await names(client, project_id, problem=image_pb2.IMAGE_PROBLEM_COPY)
    assert copied == sorted(image.filename for image in images if digests[image.sha256] > 1)
    sizes: dict[str, list[tuple[float, float]]] = defaultdict(list)
    shown: dict[str, set[str]] = defaultdict(set)
    kinds: Counter[tuple[str, str | None]] = Counter()
    for image in images:
        answer = await client.ListAnnotations(api.ListAnnotationsRequest(image_id=image.id))
        for each in answer.annotations:
            shown[each.class_label].add(image.filename)
            kinds[each.class_label, each.WhichOneof("shape")] += 1
            match each.WhichOneof("shape"):
                case "box":
                    size = each.box.x_max - each.box.x_min, each.box.y_max - each.box.y_min
                case "circle":
                    size = 2 * each.circle.radius, 2 * each.circle.radius
                case _:
                    points = each.polygon.points
                    size = (
                        max(p.x for p in points) - min(p.x for p in points),
                        max(p.y for p in points) - min(p.y for p in points),
                    )
            sizes[each.class_label].append(size)
    _check_sizes(stats, images, [size for found in sizes.values() for size in found])
    used = {image.image_class for image in images} | set(sizes)
    assert {row.class_label for row in stats.classes} == used - {""}
    for row in stats.classes:
        label, found = row.class_label, sizes[row.class_label]
        assert row.image_count == len(shown[label])
        assert row.classified_image_count == sum(image.image_class == label for image in images)
        assert (row.box_count, row.circle_count, row.polygon_count) == tuple(
            kinds[label, kind] for kind in ("box", "circle", "polygon")
        )
        assert row.shortest_side == min((min(size) for size in found), default=0)
        assert row.longest_side == max((max(size) for size in found), default=0)
        widths = [width for width, _ in found] or [0.0]
        assert row.mean_width == pytest.approx(sum(widths) / len(widths))
        listed = await names(client, project_id, class_label=label)
        classed = {image.filename for image in images if image.image_class == label}
        assert listed == sorted(shown[label] | classed)
    unclassed = await names(client, project_id, problem=image_pb2.IMAGE_PROBLEM_WITHOUT_CLASS)
    assert unclassed == sorted(shown[""])


async def test_what_is_odd_is_noted_by_the_limits_of_the_health_report(editor: DatasetServiceStub) -> None:
    random = Random(11)
    project_id = await new_project(editor)
    sent = [Sent(f"{number:02}", png(64, 48)) for number in range(40)]
    images = (await upload(editor, project_id, sent)).images

    def edge(most: int) -> float:
        return random.choice((0, most, most / 2, random.uniform(-most / 4, most * 5 / 4)))

    def drawn() -> annotation_pb2.Annotation:
        (x, y), side = (edge(64), edge(48)), random.choice((0.1, 1, 30))
        match random.randint(0, 3):
            case 0:
                return box("red", x, y, x + side, y + random.choice((0.1, side)))
            case 1:
                return circle("red", x, y, side)
            case 2:
                return polygon("red", (x, y), (x + side, y), (x, y + random.choice((0, side))))
            case _:
                return box("red", -0.5, -0.5, 65, 48.5)

    found: dict[str, set[str]] = defaultdict(set)
    for image in images:
        shapes = [drawn() for _ in range(random.randint(0, 2))]
        await annotate(editor, image, shapes)
        for problem in {problem for shape in shapes for problem in _oddities(shape, 64, 48)}:
            found[problem].add(image.filename)
    for problem in (
        "TINY_ANNOTATION",
        "HUGE_ANNOTATION",
        "CLIPPED_ANNOTATION",
        "ANNOTATION_OUTSIDE",
        "ANNOTATION_WITHOUT_AREA",
    ):
        number = image_pb2.ImageProblem.Value(f"IMAGE_PROBLEM_{problem}")
        assert found[problem]
        assert await names(editor, project_id, problem=number) == sorted(found[problem])


def _oddities(annotation: annotation_pb2.Annotation, width: int, height: int) -> Iterator[str]:
    match annotation.WhichOneof("shape"):
        case "box":
            edges = annotation.box
            x_min, y_min, x_max, y_max = edges.x_min, edges.y_min, edges.x_max, edges.y_max
        case "circle":
            disc = annotation.circle
            x_min, y_min = disc.x - disc.radius, disc.y - disc.radius
            x_max, y_max = disc.x + disc.radius, disc.y + disc.radius
        case _:
            xs, ys = zip(*((point.x, point.y) for point in annotation.polygon.points), strict=True)
            x_min, y_min, x_max, y_max = min(xs), min(ys), max(xs), max(ys)
    across, down = min(x_max, width) - max(x_min, 0), min(y_max, height) - max(y_min, 0)
    leaves = x_min < 0 or y_min < 0 or x_max > width or y_max > height
    if across <= 0 or down <= 0:
        yield "ANNOTATION_OUTSIDE" if leaves else "ANNOTATION_WITHOUT_AREA"
        return
    if min(across, down) * TRAINING_SIZE[Task.DETECT] / max(width, height) < TINY_PIXELS:
        yield "TINY_ANNOTATION"
    if across * down / (width * height) > HUGE_SHARE:
        yield "HUGE_ANNOTATION"
    if leaves:
        yield "CLIPPED_ANNOTATION"


async def test_long_and_odd_names_are_found_by_a_part_of_them_in_any_case(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    # None of them fits an index twice.
    long = ["Ж" * 600 + "Ü_1", "x" * 990 + "Y%z"]
    await upload(editor, project_id, [Sent(name, png()) for name in (*long, "Short.PNG", "short.png")])
    assert await names(editor, project_id, filename_contains="жü_") == [long[0]]
    assert await names(editor, project_id, filename_contains="y%Z") == [long[1]]
    assert await names(editor, project_id, filename_contains="T.p") == ["Short.PNG", "short.png"]
    assert await names(editor, project_id, filename_contains="t_p") == []
