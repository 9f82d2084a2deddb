"""What the OpenAPI document says of the protos."""

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from annotateforge.gateway import websocket
from annotateforge.gateway.comments import proto_comments, sentence
from annotateforge.gateway.docs_page import docs_body
from annotateforge.gateway.html_page import prose
from annotateforge.gateway.openapi import openapi_document
from annotateforge.gateway.services import SERVICES
from annotateforge.runtime.rest.rules import bindings_of

METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document([binding for service in SERVICES.values() for binding in bindings_of(service)])


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        assert set(item) <= METHODS
        for method, operation in item.items():
            yield path, method, operation


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def test_every_route_of_the_protos_is_described(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, method, _ in operations(document)}
    for service in SERVICES.values():
        for binding in bindings_of(service):
            path = binding.template.text.replace("{header.", "{")
            assert (binding.http_method, path) in described


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for node in nodes(document):
        reference = node.get("$ref")
        if reference is None:
            continue
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert isinstance(target, dict)


def test_every_schema_is_used(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        used = f'"#/components/schemas/{name}"' in text
        # The WebSocket's answer is described in words; OpenAPI has no place for its messages.
        assert used or name == "WatchMessage", name


def test_operations_are_complete(document: dict[str, Any]) -> None:
    seen = set()
    for path, _, operation in operations(document):
        assert operation["operationId"] not in seen
        seen.add(operation["operationId"])
        assert operation["summary"]
        assert operation["tags"]
        assert operation["responses"]
        variables = re.findall(r"\{([^}]+)\}", path)
        declared = [p for p in operation.get("parameters", ()) if p["in"] == "path"]
        assert [p["name"] for p in declared] == variables
        assert all(p["required"] for p in declared)
        assert all(p.get("description") for p in operation.get("parameters", ()))


def test_every_field_says_what_it_is(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, shown in schema.get("properties", {}).items():
            assert shown.get("description") or "const" in shown or name == "ErrorResponse", f"{name}.{field}"


def test_settings_say_their_range_and_default(document: dict[str, Any]) -> None:
    settings = document["components"]["schemas"]["TrainingSettings"]["properties"]
    limits = {"exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.937}
    assert settings["momentum"].items() >= limits.items()
    assert settings["nbs"].items() >= {"minimum": 1, "maximum": 65536, "default": 64}.items()
    assert (settings["amp"]["default"], settings["cache"]["default"]) == (True, "off")
    assert (settings["mosaic"]["x-tasks"], settings["mosaic"]["title"]) == (["detect", "segment"], "Mosaic")
    assert not {"minimum", "maximum"} & settings["amp"].keys()


def test_types_are_those_of_the_json(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    job = schemas["Job"]["properties"]
    assert schemas["JobStatus"]["enum"] == [
        "unspecified",
        "pending",
        "preparing",
        "training",
        "completed",
        "failed",
        "cancelled",
    ]
    assert job["create_time"]["format"] == "date-time"
    assert job["last_sequence"] == {
        "type": "integer",
        "format": "int64",
        "description": "Sequence of its newest event.",
        "readOnly": True,
    }
    assert job["latest_metrics"]["additionalProperties"]["type"] == "number"
    assert job["config"]["$ref"] == "#/components/schemas/JobConfig"
    assert "name" in schemas["CreateJobRequest"]["required"]
    assert "job_id" not in schemas["UpdateJobRequest"]["properties"]
    assert {"images", "next_page_token"} <= set(schemas["ListImagesResponse"]["required"])
    assert "At most one of `circle`, `box`" in schemas["Annotation"]["description"]


def test_bodies_are_described_in_their_forms(document: dict[str, Any]) -> None:
    paths = document["paths"]
    upload = paths["/api/v1/projects/{project_id}/images"]["post"]
    assert set(upload["requestBody"]["content"]) == {"application/octet-stream", "multipart/form-data"}
    assert {p["name"] for p in upload["parameters"]} == {"project_id", "filename", "image_class", "group"}
    download = paths["/api/v1/datasets/{dataset_id}/archive"]["get"]
    assert {"200", "206", "304", "416", "default"} == set(download["responses"])
    assert "offset" not in {p["name"] for p in download["parameters"]}
    thumbnail = paths["/api/v1/images/{image_id}/thumbnail"]["get"]
    assert {"200", "304", "default"} == set(thumbnail["responses"])
    assert {p["name"] for p in thumbnail["parameters"]} == {"image_id", "size", "If-None-Match"}
    assert paths["/api/v1/projects/{project_id}"]["delete"]["responses"].keys() == {"204", "default"}
    assert "201" in paths["/api/v1/training/jobs"]["post"]["responses"]
    assert paths["/api/v1/training/jobs"]["post"]["description"].endswith("Needs the role `editor`.")


def test_the_websocket_is_described_with_its_close_codes(document: dict[str, Any]) -> None:
    operation = document["paths"][websocket.PATH]["get"]
    for code in websocket.CLOSE_CODES.values():
        assert f"`{code}`" in operation["description"]
    kinds = document["components"]["schemas"]["WatchMessage"]["discriminator"]["mapping"]
    assert "epoch_complete" in kinds
    assert "sequence" not in document["components"]["schemas"]["ProgressMessage"]["properties"]


def test_without_a_service_its_routes_are_not_described() -> None:
    document = openapi_document(bindings_of(SERVICES["dataset"]))
    assert "/api/v1/predict" not in document["paths"]
    assert "/api/v1/projects" in document["paths"]


def test_the_page_shows_every_operation_and_loads_nothing(document: dict[str, Any]) -> None:
    body = docs_body(document)
    for path, _, operation in operations(document):
        assert path in body
        assert f'id="{operation["operationId"]}"' in body
    assert not re.search(r"<(script|link|img|iframe)|src=|url\(|https?://", body)
    for target in re.findall(r'href="#([^"]+)"', body):
        assert f'id="{target}"' in body


def test_the_page_is_well_formed(document: dict[str, Any]) -> None:
    ElementTree.fromstring(f"<body>{docs_body(document).replace('<br>', '<br/>')}</body>")


def test_comments_are_found_for_every_kind_of_name() -> None:
    comments = proto_comments()
    prefix = "annotateforge.api.trainer.v1"
    assert comments[f"{prefix}.TrainerService"].startswith("TrainerService makes")
    assert comments[f"{prefix}.TrainerService.GetJob"] == "GetJob answers one job."
    assert comments[f"{prefix}.Job.status"] == "Where it stands."
    assert comments[f"{prefix}.JobStatus.JOB_STATUS_FAILED"].endswith("Final.")
    assert "\n" not in comments["annotateforge.api.dataset.v1.Annotation"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.", "One."),
        ("Lists e.g. this one. Two.", "Lists e.g. this one."),
        ("No end", "No end"),
        ("One.\n\nTwo.", "One."),
    ],
)
def test_the_first_sentence_is_found(text: str, first: str) -> None:
    assert sentence(text) == first


def test_prose_becomes_html_and_nothing_else_does() -> None:
    text = "One `code`\nline.\n\n- a <b>\n- c & d"
    assert prose(text) == "<p>One <code>code</code> line.</p><ul><li>a &lt;b&gt;</li><li>c &amp; d</li></ul>"
