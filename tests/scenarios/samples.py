"""Small labelled projects, made over REST."""

from typing import Any

import httpx

from annotateforge.local.demo.sample import CLASSES, sample_images
from annotateforge.runtime.rest.codec import to_object

SHAPES = ["circle", "box", "rectangle", "polygon"]


def make_project(rest: httpx.Client, name: str, images: int = 12) -> str:
    """Make a project with drawn images, all of them annotated with every shape; its id."""
    made = rest.post("/api/v1/projects", json={"name": name})
    assert made.status_code == 201, made.text
    project_id = str(made.json()["id"])
    samples = {sample.filename: sample for sample in sample_images(images)}
    files = [("file", (sample.filename, sample.content)) for sample in samples.values()]
    sent = rest.post(f"/api/v1/projects/{project_id}/images", files=files)
    assert sent.status_code == 201, sent.text
    for image in sent.json()["images"]:
        annotations = [to_object(annotation) for annotation in samples[image["filename"]].annotations]
        for annotation in annotations:
            # Given by the server.
            del annotation["id"]
        answer = rest.put(f"/api/v1/images/{image['id']}/annotations", json={"annotations": annotations})
        assert answer.status_code == 200, answer.text
    return project_id


def spec(project_id: str, **changes: Any) -> dict[str, Any]:
    """A data set spec over such a project."""
    return {
        "project_ids": [project_id],
        "task_type": "detect",
        "classes": list(CLASSES),
        "annotation_types": SHAPES,
        "split": {"train_ratio": 0.75, "seed": 1, "strategy": "stratified"},
        **changes,
    }


def job(project_id: str, **config: Any) -> dict[str, Any]:
    """A request for a small training on such a project."""
    return {
        "name": "a small training",
        "task_type": "detect",
        "config": {
            "project_ids": [project_id],
            "classes": list(CLASSES),
            "annotation_types": SHAPES,
            "model": "yolov8n",
            "pretrained": "never",
            "epochs": 1,
            "batch_size": 4,
            "image_size": 64,
            **config,
        },
    }
