"""Real labelled images through the whole stack, over REST and WebSocket alone, for every task."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from ultralytics import YOLO

from tests.scenarios.installation import Running
from tests.scenarios.watching import of_type, sequences, watch

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Case:
    """A data set and what is to be trained on it."""

    folder: str
    format: str
    images: int
    annotations: int
    task: str
    classes: tuple[str, ...]
    config: dict[str, Any]
    metrics: frozenset[str]


CASES = [
    Case(
        "detect_bccd_voc",
        "voc",
        364,
        4886,
        "detect",
        ("RBC", "WBC", "Platelets"),
        {"annotation_types": ["box"], "image_size": 160, "epochs": 3},
        frozenset({"precision", "recall", "map50", "map50_95"}),
    ),
    Case(
        "classify_sign_digits",
        "folders",
        600,
        0,
        "classify",
        tuple("9876543210"),
        {"image_size": 64, "epochs": 3, "batch_size": 32},
        frozenset({"top1_accuracy", "top5_accuracy"}),
    ),
    Case(
        "segment_nuclei_coco",
        "coco",
        56,
        3001,
        "segment",
        ("nucleus",),
        {"image_size": 160, "epochs": 3},
        frozenset(
            f"{what}_{metric}"
            for what in ("box", "mask")
            for metric in ("precision", "recall", "map50", "map50_95")
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.task)
def test_real_images_become_a_model_that_predicts(
    installation: Running, shared_data: Path, tmp_path: Path, case: Case
) -> None:
    with installation.rest() as rest:
        project = _json(rest.post("/api/v1/projects", json={"name": f"{case.folder} {tmp_path.name}"}), 201)
        _import(rest, project["id"], shared_data / case.folder, case)
        job = _json(
            rest.post(
                "/api/v1/training/jobs",
                json={
                    "name": case.folder,
                    "task_type": case.task,
                    "config": {
                        "project_ids": [project["id"]],
                        "classes": case.classes,
                        "model": "yolov8n",
                        "pretrained": "never",
                        "batch_size": 8,
                        "optimizer": "AdamW",
                        "learning_rate": 0.002,
                        **case.config,
                    },
                },
            ),
            201,
        )
        # A worker that waits may have it before it is answered.
        assert job["status"] in ("pending", "preparing")
        assert job["dataset"]["train_images"] == pytest.approx(0.8 * job["dataset"]["total_images"], abs=1)

        events = list(watch(installation, job["id"], reconnect_every=5))

        assert sequences(events) == list(range(1, len(sequences(events)) + 1))
        statuses = [event["status"] for event in of_type(events, "status_change")]
        assert statuses == ["pending", "preparing", "training", "completed"]
        epochs = of_type(events, "epoch_complete")
        assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3]
        assert set(epochs[-1]["metrics"]) == case.metrics
        assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]

        (complete,) = of_type(events, "training_complete")
        ended = _json(rest.get(f"/api/v1/training/jobs/{job['id']}"), 200)
        assert ended["status"] == "completed"
        assert ended["progress_percent"] == 100
        assert ended["model_id"] == complete["model_id"]
        listed = _json(rest.get(f"/api/v1/training/jobs/{job['id']}/epochs"), 200)["epochs"]
        assert [epoch["epoch"] for epoch in listed] == [1, 2, 3]
        stored = _json(rest.get(f"/api/v1/training/jobs/{job['id']}/events"), 200)["events"]
        assert [event["sequence"] for event in stored] == sequences(events)

        _check_model(rest, complete["model_id"], job["dataset"]["id"], case, tmp_path)


def _check_model(rest: httpx.Client, model_id: str, dataset_id: str, case: Case, folder: Path) -> None:
    model = _json(rest.get(f"/api/v1/training/models/{model_id}"), 200)
    assert model["classes"] == list(case.classes)
    assert set(model["metrics"]) == case.metrics
    artifacts = _json(rest.get(f"/api/v1/training/models/{model_id}/artifacts"), 200)["artifacts"]
    assert {"best.pt", "last.pt", "results.csv", "args.yaml"} <= {artifact["name"] for artifact in artifacts}

    weights = folder / "best.pt"
    weights.write_bytes(rest.get(f"/api/v1/training/models/{model_id}/weights").raise_for_status().content)
    loaded = YOLO(weights)
    assert loaded.names == dict(enumerate(case.classes))

    image = _validation_image(rest, dataset_id)
    activated = _json(rest.patch(f"/api/v1/training/models/{model_id}/activate"), 200)
    assert activated["is_active"]
    prediction = _json(
        rest.post(
            "/api/v1/predict",
            params={"task_type": case.task, "confidence": 0.001},
            content=image,
            headers={"content-type": "application/octet-stream"},
        ),
        200,
    )
    assert prediction["model_id"] == model_id
    assert prediction["width"] > 0
    found = prediction["classes"] if case.task == "classify" else prediction["objects"]
    assert found
    assert {entry["class_label"] for entry in found} <= set(case.classes)


def _import(rest: httpx.Client, project_id: str, folder: Path, case: Case) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target.write(path, Path(folder.name, path.relative_to(folder)))
    report = _json(
        rest.post(
            f"/api/v1/projects/{project_id}/import",
            content=archive.getvalue(),
            headers={"content-type": "application/zip"},
        ),
        200,
    )
    assert report["format"] == case.format
    assert report["images_added"] == case.images
    assert report["annotations_added"] == case.annotations


def _validation_image(rest: httpx.Client, dataset_id: str) -> bytes:
    archive = rest.get(f"/api/v1/datasets/{dataset_id}/archive").raise_for_status().content
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        name = next(
            name
            for name in files.namelist()
            if "val/" in name and name.endswith((".jpg", ".png")) and not name.endswith("/")
        )
        return files.read(name)


def _json(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()
