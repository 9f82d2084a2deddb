"""JSON exports of Label Studio."""

import json
from pathlib import Path
from typing import Any

import pytest

from annotateforge.dataset.annotations import AnnotationType
from tests.unit.dataset.archives import Files, png, read_archive, zipped

BOX = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}


def result(kind: str = "rectanglelabels", value: Any = BOX, labels: Any = ("cell",), **more: Any) -> Any:
    written = {**value, kind: list(labels)} if isinstance(value, dict) and kind.endswith("labels") else value
    return {
        "id": "r1",
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "image_rotation": 0,
        "original_width": 100,
        "original_height": 50,
        "value": written,
        **more,
    }


def task(*results: Any, image: Any = "/data/upload/1/0123abcd-a.png", **more: Any) -> Any:
    annotation = {"id": 1, "was_cancelled": False, "ground_truth": False, "result": list(results)}
    return {"id": 1, "annotations": [annotation], "predictions": [], "data": {"image": image}, **more}


def export(*tasks: Any) -> str:
    return json.dumps(tasks, indent=1, ensure_ascii=False)


def test_every_shape_with_an_area_comes_in_pixels(tmp_path: Path) -> None:
    document = export(
        task(
            result(),
            result(value={**BOX, "rotation": 90}),
            result("polygonlabels", {"points": [[10, 20], [50, 20], [50, 100]], "closed": True}),
            result("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "rotation": 0}),
            result("ellipselabels", {"x": 50, "y": 50, "radiusX": 20, "radiusY": 20, "rotation": 90}),
        )
    )
    read = read_archive(zipped({"a.png": png(100, 50), "export.json": document}), tmp_path)
    assert (read.format, read.classes, read.problems) == ("label_studio", ["cell"], [])
    box, turned, polygon, circle, ellipse = read.annotations["a.png"]
    assert (box.type, box.coordinates) == (AnnotationType.BOX, (10, 10, 40, 30))
    assert turned.type is AnnotationType.RECTANGLE
    assert turned.coordinates == pytest.approx((10, 10, 10, 40, -10, 40, -10, 10))
    assert (polygon.type, polygon.coordinates) == (AnnotationType.POLYGON, (10, 10, 50, 10, 50, 50))
    assert (circle.type, circle.coordinates) == (AnnotationType.CIRCLE, (50, 25, 10))
    xs, ys = ellipse.coordinates[::2], ellipse.coordinates[1::2]
    assert (min(xs), min(ys), max(xs), max(ys)) == pytest.approx((40, 5, 60, 45))


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("a.png", "a.png"),
        ("images/a.png", "/data/local-files/?d=images/a.png"),
        ("images/中文 名.png", "/data/local-files/?d=images/%E4%B8%AD%E6%96%87%20%E5%90%8D.png"),
        ("images/a b.png", "https://host/bucket/a%20b.png?X-Sig=1/2.jpg#x"),
        ("deep/a.png", "s3://bucket/deep/a.png"),
        ("a.png", "/data/upload/17/89abcdef-a.png"),
        ("89abcdef-a.png", "/data/upload/17/89abcdef-a.png"),
        ("a.png", "C:\\data\\a.png"),
    ],
)
def test_images_are_found_behind_urls(image: str, reference: str, tmp_path: Path) -> None:
    files: Files = {image: png(100, 50), "x/export.json": export(task(result(), image=reference))}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count, read.problems) == ("label_studio", 1, [])


@pytest.mark.parametrize(
    "document",
    [
        export(task(result())),
        json.dumps(task(result())),
        json.dumps([{"data": {"photo": "a.png"}, "completions": [{"result": [result()]}]}]),
        export({"data": {}, "file_upload": "0123abcd-a.png", "annotations": [{"result": [result()]}]}),
        json.dumps(
            [
                {
                    "image": "a.png",
                    "id": 1,
                    "label": [{**BOX, "rectanglelabels": ["cell"], "original_width": 100}],
                    "annotator": 1,
                    "annotation_id": 1,
                    "created_at": "2022-12-27T12:06:58.502299Z",
                }
            ]
        ),
        export(
            task(
                result("rectangle", BOX),
                result("labels", {**BOX, "labels": ["cell"]}),
                result("textarea", {**BOX, "text": ["x"]}),
            )
        ),
        export(task(result("labels", {**BOX, "labels": ["cell"]}, id="r2"))),
    ],
)
def test_every_form_of_an_export_gives_the_same_box(document: str, tmp_path: Path) -> None:
    read = read_archive(zipped({"a.png": png(100, 50), "e.json": document}), tmp_path)
    assert read.format == "label_studio"
    assert [(each.class_label, each.coordinates) for each in read.annotations["a.png"]] == [
        ("cell", (10, 10, 40, 30))
    ]
    assert set(read.reasons) <= {"LABELS_LEFT_OUT"}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (result(value={**BOX, "width": 0}), "ANNOTATION_INVALID"),
        (result(value={**BOX, "width": float("inf")}), "ANNOTATION_INVALID"),
        (result(value={**BOX, "width": "wide"}), "LABEL_MALFORMED"),
        (result(value={**BOX, "rotation": float("nan")}), "LABEL_MALFORMED"),
        (result(value={**BOX, "rotation": [1]}), "LABEL_MALFORMED"),
        (result(value=None), "LABEL_MALFORMED"),
        (result("polygonlabels", {"points": [[1, 2], [3, 4]]}), "LABEL_MALFORMED"),
        (result("ellipselabels", {"x": 50, "y": 50, "radiusX": 0, "radiusY": 20}), "LABEL_MALFORMED"),
        ("text", "LABEL_MALFORMED"),
        (result("brushlabels", {"format": "rle", "rle": [0, 1, 2]}), "SHAPE_UNSUPPORTED"),
        (result("keypointlabels", {"x": 1, "y": 2, "width": 0.1}), "SHAPE_UNSUPPORTED"),
        (result("videorectangle", {"sequence": []}, id=[1]), "SHAPE_UNSUPPORTED"),
        (result(image_rotation=90), "SHAPE_UNSUPPORTED"),
        ({"type": "relation", "from_id": "a", "to_id": "b"}, "SHAPE_UNSUPPORTED"),
    ],
)
def test_a_wrong_result_is_reported_with_its_place_and_left_out(
    wrong: Any, reason: str, tmp_path: Path
) -> None:
    document = export(task(image="gone.png"), task(result(), wrong, result(id="r3")))
    read = read_archive(zipped({"a.png": png(100, 50), "e.json": document}), tmp_path)
    assert read.count == 2
    missing, problem = read.problems
    assert (missing.reason, missing.line) == ("IMAGE_MISSING", 2)
    assert (problem.reason, problem.file) == (reason, "e.json")
    assert document.splitlines()[problem.line - 1].strip() == "{"
    if reason != "ANNOTATION_INVALID":
        assert problem.path == "[1].annotations[0].result[1]"


def test_of_several_annotations_the_ground_truth_or_the_newest_counts(tmp_path: Path) -> None:
    def annotation(name: str, updated: str = "", **more: Any) -> Any:
        return {"result": [result(labels=[name])], "updated_at": updated, **more}

    def of(image: str, *annotations: Any) -> Any:
        return {"data": {"image": image}, "annotations": list(annotations), "predictions": [{"result": []}]}

    document = export(
        of("a.png", annotation("old", "2024-01-01"), annotation("new", "2025-01-01")),
        of("b.png", annotation("truth", "2024", ground_truth=True), annotation("new", "2025")),
        of("c.png", annotation("kept", "2024"), annotation("skipped", "2025", was_cancelled=True), 7),
    )
    files: Files = {"a.png": png(), "b.png": png(), "c.png": png(), "e.json": document}
    read = read_archive(zipped(files), tmp_path)
    assert {path: [each.class_label for each in found] for path, found in read.annotations.items()} == {
        "a.png": ["new"],
        "b.png": ["truth"],
        "c.png": ["kept"],
    }
    # The predictions of three tasks, one skipped annotation and one that is none; sizes of three.
    assert read.reasons == {"SEVERAL_ANNOTATORS": 2, "LABELS_LEFT_OUT": 3, "IMAGE_SIZE_DIFFERS": 3}


def test_percents_are_of_the_image_as_it_is(tmp_path: Path) -> None:
    read = read_archive(zipped({"a.png": png(200, 100), "e.json": export(task(result()))}), tmp_path)
    assert [each.coordinates for each in read.annotations["a.png"]] == [(20, 20, 80, 60)]
    assert read.reasons == {"IMAGE_SIZE_DIFFERS": 1}


def test_choices_are_the_class_of_the_image(tmp_path: Path) -> None:
    def choice(*names: str) -> Any:
        return result("choices", {"choices": list(names)})

    files: Files = {
        "a.png": png(),
        "b.png": png(),
        "c.png": png(),
        "e.json": export(task(choice("cat")), task(choice("cat", "dog"), image="b.png"), task(image="c.png")),
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.images == {"a.png": "cat", "b.png": "cat", "c.png": ""}
    assert read.reasons == {"IMAGE_CLASS_AMBIGUOUS": 1}
    brief = json.dumps([{"image": "a.png", "id": 1, "choice": "cat", "annotator": 1, "annotation_id": 2}])
    assert read_archive(zipped({"a.png": png(), "e.json": brief}), tmp_path).images == {"a.png": "cat"}


def test_a_shape_with_several_labels_or_none_comes_in_for_each(tmp_path: Path) -> None:
    document = export(task(result(labels=["a", "b"]), result(labels=[]), result("rectangle", BOX, id="z")))
    read = read_archive(zipped({"a.png": png(100, 50), "e.json": document}), tmp_path)
    assert [each.class_label for each in read.annotations["a.png"]] == ["a", "b", "", ""]
    assert read.reasons == {"LABEL_WITHOUT_CLASS": 1}


@pytest.mark.parametrize(
    "content",
    [
        export(task(result()), 3, "x", None),
        export(task(result()))[:-4],
        '[{"data": {"image": "a.png"}, "annotations": [' + "[" * 50_000,
        export(task(result()), {"data": {"image": ["a.png"]}, "annotations": [{"result": 3}]}),
        export(task(result()), {"data": 3, "annotations": [None], "predictions": 3}),
        export(task(result()), {"image": "http://[", "annotations": 3}),
    ],
)
def test_damaged_exports_are_reported(content: str, tmp_path: Path) -> None:
    read = read_archive(zipped({"a.png": png(100, 50), "e.json": content}), tmp_path)
    assert read.format == "label_studio"
    assert read.problems
    assert read.count == (1 if content.endswith("]") else 0)
