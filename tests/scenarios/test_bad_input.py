"""Whatever is wrong with a request: the right code, a reason, the field, what to do, and nothing changed."""

import io
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from annotateforge.local.demo.sample import sample_images
from tests.scenarios.installation import Running
from tests.scenarios.samples import job, make_project, spec

JOBS = "/api/v1/training/jobs"


@pytest.fixture(scope="module")
def rest(installation: Running) -> Iterator[httpx.Client]:
    """REST with an admin's token."""
    with installation.rest() as client:
        yield client


@pytest.fixture(scope="module")
def project(rest: httpx.Client) -> str:
    """A labelled project."""
    return make_project(rest, f"bad input {uuid4()}", images=6)


def refused(answer: httpx.Response, code: int, reason: str, field: str | None = None) -> dict[str, Any]:
    """The error of an answer, which must be this one and say what to do in a sentence."""
    assert answer.status_code == code, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code
    assert error["reason"] == reason, error
    assert len(error["message"]) > 15
    assert "Traceback" not in answer.text
    assert "asyncpg" not in answer.text
    if field is not None:
        assert field in [detail.get("field") for detail in error["details"]], error
    return error


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"epochs": 0}, "config.epochs"),
        ({"epochs": -3}, "config.epochs"),
        ({"epochs": 10_000_000}, "config.epochs"),
        ({"batch_size": 0}, "config.batch_size"),
        ({"batch_size": -1}, "config.batch_size"),
        ({"image_size": -32}, "config.image_size"),
        ({"image_size": 100}, "config.image_size"),
        ({"learning_rate": 0}, "config.learning_rate"),
        ({"learning_rate": 7}, "config.learning_rate"),
        ({"model": "yolov99z"}, "config.model"),
        ({"model": "x" * 100_000}, "config.model"),
        ({"optimizer": "magic"}, "config.optimizer"),
        ({"device": "tpu"}, "config.device"),
        ({"priority": 1000}, "config.priority"),
        ({"patience": -1}, "config.patience"),
        ({"loader_workers": 1000}, "config.loader_workers"),
        ({"base_model_id": "not an id"}, "config.base_model_id"),
        ({"project_ids": ["not an id"]}, "config.project_ids[0]"),
        ({"project_ids": []}, "config.project_ids"),
        ({"classes": []}, "config.classes"),
        ({"classes": ["particle", "particle"]}, "config.classes[1]"),
        ({"annotation_types": ["blob"]}, "config.annotation_types[0]"),
        ({"split": {"train_ratio": 1.5}}, "config.split.train_ratio"),
        ({"epoch": 3}, "config.epoch"),
        ({"epochs": "3"}, "config.epochs"),
        ({"epochs": True}, "config.epochs"),
    ],
    ids=str,
)
def test_a_job_with_a_wrong_config_names_the_field(
    rest: httpx.Client, project: str, config: dict[str, Any], field: str
) -> None:
    before = rest.get(JOBS).json()
    answer = rest.post(JOBS, json=job(project, **config))
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert field in [detail.get("field") for detail in error["details"]], error
    assert len(answer.content) < 5_000
    assert rest.get(JOBS).json() == before


def test_numbers_that_json_does_not_have_are_refused(rest: httpx.Client) -> None:
    body = b'{"name": "a", "task_type": "detect", "config": {"learning_rate": NaN}}'
    refused(rest.post(JOBS, content=body, headers={"content-type": "application/json"}), 400, "INVALID_JSON")


def test_a_job_over_an_unknown_project_is_refused(rest: httpx.Client) -> None:
    refused(rest.post(JOBS, json=job(str(uuid4()))), 404, "PROJECT_NOT_FOUND")


def test_a_job_from_an_unknown_base_model_is_refused(rest: httpx.Client, project: str) -> None:
    refused(
        rest.post(JOBS, json=job(project, base_model_id=str(uuid4()), pretrained="auto")),
        404,
        "MODEL_NOT_FOUND",
    )


def test_a_class_without_instances_is_named(rest: httpx.Client, project: str) -> None:
    answer = rest.post(JOBS, json=job(project, classes=["particle", "unicorn"]))
    refused(answer, 400, "DATASET_INVALID")
    assert "unicorn" in answer.text
    report = answer.json()["error"]["report"]
    assert not report["trainable"]
    finding = report["findings"][0]
    assert (finding["severity"], finding["class_label"], finding["count"]) == ("error", "unicorn", 1)
    assert finding["hint"]


def test_an_empty_project_cannot_be_frozen(rest: httpx.Client) -> None:
    empty = rest.post("/api/v1/projects", json={"name": f"empty {uuid4()}"}).json()["id"]
    refused(rest.post("/api/v1/datasets", json=spec(empty)), 400, "DATASET_INVALID")
    report = rest.post("/api/v1/datasets:check", json=spec(empty))
    assert report.status_code == 200
    assert not report.json()["trainable"]


@pytest.mark.parametrize("path", ["projects", "images", "datasets", "training/jobs", "training/models"])
def test_ids_that_are_none_and_ids_of_nothing_are_told_apart(rest: httpx.Client, path: str) -> None:
    refused(rest.get(f"/api/v1/{path}/nonsense"), 400, "INVALID_ID")
    error = refused(
        rest.get(f"/api/v1/{path}/{uuid4()}"),
        404,
        f"{path.rsplit('/', maxsplit=1)[-1][:-1].upper()}_NOT_FOUND",
    )
    assert error["status"] == "NOT_FOUND"


@pytest.mark.parametrize("name", ["", "   ", "n" * 201, "n" * 1_000_000])
def test_a_project_needs_a_sensible_name(rest: httpx.Client, name: str) -> None:
    before = rest.get("/api/v1/projects").json()
    answer = rest.post("/api/v1/projects", json={"name": name})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "name"
    assert rest.get("/api/v1/projects").json() == before


def test_a_name_that_is_taken_is_refused(rest: httpx.Client, project: str) -> None:
    name = rest.get(f"/api/v1/projects/{project}").json()["name"]
    refused(rest.post("/api/v1/projects", json={"name": name}), 409, "PROJECT_EXISTS")


def _zip(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _zip_of_entry(name: str) -> bytes:
    return _zip(**{name: next(iter(sample_images(1))).content})


def _encrypted() -> bytes:
    data = bytearray(_zip_of_entry("a.jpg"))
    # The flag of encryption in the local header and in the central directory.
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at : at + 2] = struct.pack("<H", struct.unpack("<H", data[at : at + 2])[0] | 1)
    return bytes(data)


def _tar_with_link() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("images/a.jpg")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


def _gigabyte_of_zeros() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.jpg", "w") as file:
        for _ in range(1024):
            file.write(bytes(1024 * 1024))
    return buffer.getvalue()


def _many_entries() -> bytes:
    """A zip whose directory counts a million files, which nobody should begin to read."""
    record = bytearray(_zip_of_entry("a.jpg"))
    at = record.rindex(b"PK\x05\x06")
    entries = 1_000_000
    entry = record[record.index(b"PK\x01\x02") : at]
    directory = bytes(entry) * entries
    zip64 = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, len(directory), at - len(entry)
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, at - len(entry) + len(directory), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytes(record[: at - len(entry)]) + directory + zip64 + locator + end


@pytest.mark.parametrize(
    ("content", "code", "reason"),
    [
        (lambda: b"", 400, "ARCHIVE_EMPTY"),
        (lambda: b"this is no archive at all, however one looks at it", 400, "NOT_AN_ARCHIVE"),
        (lambda: _zip_of_entry("a.jpg")[:-40], 400, "ARCHIVE_DAMAGED"),
        (_zip, 400, "ARCHIVE_WITHOUT_IMAGES"),
        (lambda: _zip_of_entry("../outside.jpg"), 400, "ARCHIVE_PATH_UNSAFE"),
        (lambda: _zip_of_entry("/etc/absolute.jpg"), 400, "ARCHIVE_PATH_UNSAFE"),
        (_encrypted, 400, "ARCHIVE_ENCRYPTED"),
        (_tar_with_link, 400, "ARCHIVE_ENTRY_FORBIDDEN"),
        (_gigabyte_of_zeros, 429, "ARCHIVE_BOMB"),
        (_many_entries, 429, "ARCHIVE_TOO_MANY_FILES"),
    ],
    ids=["empty", "text", "truncated", "no files", "dots", "absolute", "encrypted", "link", "zeros", "many"],
)
def test_a_hostile_archive_is_refused_and_changes_nothing(
    rest: httpx.Client, project: str, content: Callable[[], bytes], code: int, reason: str
) -> None:
    before = rest.get(f"/api/v1/projects/{project}").json()
    answer = rest.post(
        f"/api/v1/projects/{project}/import",
        content=content(),
        headers={"content-type": "application/octet-stream"},
    )
    refused(answer, code, reason)
    assert rest.get(f"/api/v1/projects/{project}").json() == before


def test_an_unreadable_image_is_reported_and_the_rest_goes_in(rest: httpx.Client) -> None:
    project = rest.post("/api/v1/projects", json={"name": f"partly {uuid4()}"}).json()["id"]
    good, cut = (sample.content for sample in sample_images(2))
    answer = rest.post(
        f"/api/v1/projects/{project}/import",
        content=_zip(**{"images/good.jpg": good, "images/cut.jpg": cut[:300]}),
        headers={"content-type": "application/zip"},
    )
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["images_added"] == 1
    problem = next(problem for problem in report["problems"] if problem["file"].endswith("cut.jpg"))
    assert problem["reason"] == "IMAGE_UNREADABLE"


@pytest.mark.parametrize(
    ("shape", "field"),
    [
        ({"circle": {"x": 5, "y": 5, "radius": 0}}, "annotations[0].circle.radius"),
        ({"box": {"x_min": 9, "y_min": 1, "x_max": 2, "y_max": 4}}, "annotations[0].box"),
        ({"rectangle": {"corners": [{"x": 1, "y": 1}] * 3}}, "annotations[0].rectangle.corners"),
        ({"polygon": {"points": [{"x": 1, "y": 1}]}}, "annotations[0].polygon.points"),
        ({"circle": {"x": "5", "y": 5, "radius": 1}}, "annotations[0].circle.x"),
        ({}, "annotations[0]"),
    ],
    ids=str,
)
def test_a_wrong_shape_names_the_field(
    rest: httpx.Client, project: str, shape: dict[str, Any], field: str
) -> None:
    image = rest.get(f"/api/v1/projects/{project}/images").json()["images"][0]["id"]
    before = rest.get(f"/api/v1/images/{image}/annotations").json()
    answer = rest.put(
        f"/api/v1/images/{image}/annotations", json={"annotations": [{"class_label": "particle", **shape}]}
    )
    assert answer.status_code == 400, answer.text
    fields = [detail["field"] for detail in answer.json()["error"]["details"]]
    assert any(found.startswith(field) for found in fields), fields
    assert rest.get(f"/api/v1/images/{image}/annotations").json() == before


def test_predicting_without_an_active_model_says_so(rest: httpx.Client) -> None:
    for model in rest.get("/api/v1/training/models?task_type=segment&is_active=true").json()["models"]:
        rest.patch(f"/api/v1/training/models/{model['id']}/deactivate")
    image = next(iter(sample_images(1))).content
    deadline = time.monotonic() + 30
    # What predicts is told by an event, which may come after the answer to whoever deactivated the model.
    while (answer := _predict_segments(rest, image)).is_success and time.monotonic() < deadline:
        time.sleep(0.01)
    refused(answer, 400, "NO_ACTIVE_MODEL")


def _predict_segments(rest: httpx.Client, image: bytes) -> httpx.Response:
    return rest.post(
        "/api/v1/predict?task_type=segment", content=image, headers={"content-type": "image/jpeg"}
    )
