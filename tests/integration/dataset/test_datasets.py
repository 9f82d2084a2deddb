"""Data sets: frozen once, equal everywhere, and kept whatever becomes of their projects."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace

import grpc
import pytest

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2, problem_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.dataset import freezing, label_pack, preparing
from annotateforge.dataset.imports.opening import Spool
from annotateforge.dataset.store import columns
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rpc_status import from_rpc_error
from tests.integration.dataset.calls import Sent, all_images, new_project, refusal, upload
from tests.integration.dataset.specs import (
    CLASSIFY,
    SEGMENT,
    annotate,
    archive,
    box,
    labelled_project,
    prepare,
    spec_of,
)
from tests.unit.dataset.archives import png

Stored = Callable[[], set[str]]
Eventually = Callable[[Callable[[], bool]], Awaitable[None]]


async def refused(client: DatasetServiceStub, spec: dataset_pb2.DatasetSpec) -> DomainError:
    try:
        await prepare(client, spec)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    raise AssertionError("it was frozen")


async def test_a_frozen_spec_shows_its_defaults_and_counts(editor: DatasetServiceStub) -> None:
    project_id = await labelled_project(editor)
    dataset = await prepare(editor, spec_of(project_id))
    assert dataset.spec.split.train_ratio == 0.8
    assert dataset.spec.split.seed == 42
    assert dataset.spec.split.strategy == dataset_pb2.SPLIT_STRATEGY_STRATIFIED
    assert list(dataset.spec.annotation_types) == [
        annotation_pb2.ANNOTATION_TYPE_CIRCLE,
        annotation_pb2.ANNOTATION_TYPE_BOX,
        annotation_pb2.ANNOTATION_TYPE_RECTANGLE,
    ]
    assert (dataset.total_images, dataset.train_images, dataset.val_images) == (10, 8, 2)
    assert [(row.class_label, row.train_images, row.val_images) for row in dataset.class_balance] == [
        ("red", 4, 1),
        ("blue", 4, 1),
    ]
    assert {finding.reason for finding in dataset.findings} == {
        "FEW_IMAGES_PER_CLASS",
        "IMAGES_FAR_SMALLER",
    }
    assert dataset.archive_size_bytes == len(await archive(editor, dataset.id))
    shown = await editor.GetDataset(api.GetDatasetRequest(dataset_id=dataset.id))
    assert shown.dataset == dataset


async def test_freezing_the_same_spec_over_unchanged_data_answers_the_data_set_that_is_there(
    editor: DatasetServiceStub,
) -> None:
    first, second = await labelled_project(editor, "one"), await labelled_project(editor, "two")
    dataset = await prepare(editor, spec_of(first, second))
    assert await prepare(editor, spec_of(first, second)) == dataset
    assert await prepare(editor, spec_of(second, first, second)) == dataset
    several = await asyncio.gather(
        *(prepare(editor, spec_of(first, second, split=dataset_pb2.Split(seed=7))) for _ in range(4))
    )
    assert len({each.id for each in several}) == 1
    assert several[0].id != dataset.id
    listed = await editor.ListDatasets(api.ListDatasetsRequest())
    assert [each.id for each in listed.datasets] == [several[0].id, dataset.id]


async def test_an_image_without_labels_changes_what_was_skipped_and_not_the_digest(
    editor: DatasetServiceStub,
) -> None:
    project_id = await labelled_project(editor)
    before = await prepare(editor, spec_of(project_id))
    assert not before.skipped
    await upload(editor, project_id, [Sent("new.png", png())])
    after = await prepare(editor, spec_of(project_id))
    assert after.digest == before.digest
    assert after.id != before.id
    assert [(each.kind, each.reason, each.count) for each in after.skipped] == [
        ("image", "UNLABELLED_IMAGE", 1)
    ]


async def test_equal_data_give_equal_bytes_whatever_they_are_called_and_in_whatever_order_they_came(
    editor: DatasetServiceStub,
) -> None:
    contents = [png() for _ in range(12)]
    one = await labelled_project(editor, "one", contents, labels=["red"])
    other = await labelled_project(editor, "other", contents[::-1], labels=["red"], prefix="deep/folder/")
    datasets = [await prepare(editor, spec_of(project, classes=["red"])) for project in (one, other)]
    assert datasets[0].id != datasets[1].id
    assert datasets[0].digest == datasets[1].digest
    assert await archive(editor, datasets[0].id) == await archive(editor, datasets[1].id)


async def test_a_data_set_outlives_its_projects_and_takes_its_blobs_with_it(
    editor: DatasetServiceStub, stored: Stored, eventually: Eventually
) -> None:
    contents = [png() for _ in range(4)]
    project_id = await labelled_project(editor, contents=contents)
    await upload(editor, project_id, [Sent("unlabelled.png", png())])
    kept = await prepare(editor, spec_of(project_id))
    other = await prepare(editor, spec_of(project_id, split=dataset_pb2.Split(train_ratio=0.5)))
    before = await archive(editor, kept.id)
    await editor.DeleteProject(api.DeleteProjectRequest(project_id=project_id))
    # Four images, two manifests and, as the images' labels are the same, one label pack.
    await eventually(lambda: len(stored()) == 7)
    assert await archive(editor, kept.id) == before
    await editor.DeleteDataset(api.DeleteDatasetRequest(dataset_id=other.id))
    await eventually(lambda: len(stored()) == 6)
    assert await archive(editor, kept.id) == before
    await editor.DeleteDataset(api.DeleteDatasetRequest(dataset_id=kept.id))
    await eventually(lambda: not stored())
    gone = await refusal(editor.GetDataset(api.GetDatasetRequest(dataset_id=kept.id)))
    assert gone.reason == "DATASET_NOT_FOUND"
    gone = await refusal(editor.DeleteDataset(api.DeleteDatasetRequest(dataset_id=kept.id)))
    assert gone.reason == "DATASET_NOT_FOUND"


async def test_images_that_go_while_they_are_frozen_are_not_in_the_data_set(
    editor: DatasetServiceStub, stored: Stored, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = await labelled_project(editor)
    victim = (await all_images(editor, project_id))[0]
    loop = asyncio.get_running_loop()
    calls = 0

    async def delete() -> None:
        await editor.DeleteImage(api.DeleteImageRequest(image_id=victim.id))
        await eventually(lambda: victim.sha256 not in stored())

    def freeze(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            asyncio.run_coroutine_threadsafe(delete(), loop).result(timeout=20)
        return original(*arguments)

    original: Callable[..., object] = freezing.freeze
    monkeypatch.setattr("annotateforge.dataset.preparing.freeze", freeze)
    dataset = await prepare(editor, spec_of(project_id))
    assert calls == 2
    assert dataset.total_images == 9
    assert await archive(editor, dataset.id)


async def test_a_freeze_without_room_for_its_labels_is_refused_and_leaves_nothing(
    editor: DatasetServiceStub, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = await labelled_project(editor)
    before = stored()
    monkeypatch.setattr(label_pack, "MOST_IN_MEMORY", 100)
    # Every block is labelled alone, so that more come after the one that fails.
    monkeypatch.setattr(columns, "_BLOCK", 1)
    with monkeypatch.context() as full:
        full.setattr(Spool, "_CHECK_EVERY", 1)
        full.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
        for _ in range(3):
            error = await refused(editor, spec_of(project_id))
            assert (error.code.name, error.reason) == ("RESOURCE_EXHAUSTED", "SPOOL_FULL")
    assert stored() == before
    dataset = await prepare(editor, spec_of(project_id))
    assert dataset.total_images == 10
    assert await archive(editor, dataset.id)


async def test_labels_that_went_to_the_disk_are_those_of_memory(
    editor: DatasetServiceStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = [png() for _ in range(10)]
    one = await prepare(editor, spec_of(await labelled_project(editor, "one", same)))
    before = await archive(editor, one.id)
    monkeypatch.setattr(label_pack, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(preparing, "MOST_IN_MEMORY", 100)
    # Without the first one's labels, which would be found.
    await editor.DeleteDataset(api.DeleteDatasetRequest(dataset_id=one.id))
    other = await prepare(editor, spec_of(await labelled_project(editor, "other", same)))
    assert other.digest == one.digest
    assert await archive(editor, other.id) == before


@pytest.mark.parametrize(("many", "at_once"), [(1, 1), (1000, 2)])
async def test_large_specs_are_frozen_one_after_another_and_small_ones_beside_one_another(
    many: int, at_once: int, editor: DatasetServiceStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = await labelled_project(editor)
    under_way, most = 0, 0
    other_came = threading.Event()

    def freeze(*arguments: object) -> object:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 2:
            other_came.set()
        other_came.wait(0.5)
        try:
            return original(*arguments)
        finally:
            under_way -= 1

    original: Callable[..., object] = freezing.freeze
    monkeypatch.setattr("annotateforge.dataset.preparing.freeze", freeze)
    monkeypatch.setattr("annotateforge.dataset.preparing._MANY", many)
    splits = [dataset_pb2.Split(seed=seed) for seed in (1, 2)]
    await asyncio.gather(*(prepare(editor, spec_of(project_id, split=split)) for split in splits))
    assert most == at_once


async def test_a_check_reports_what_freezing_would_give_and_writes_nothing(
    editor: DatasetServiceStub, viewer: DatasetServiceStub, stored: Stored
) -> None:
    project_id = await labelled_project(editor)
    images = await all_images(editor, project_id)
    await annotate(
        editor, images[0], [box("red"), box("", 0, 0, 2, 2), box("blue", -3, -3, 2, 2), box("green")]
    )
    before = stored()
    response = await viewer.CheckDataset(api.CheckDatasetRequest(spec=spec_of(project_id)))
    report = response.report
    assert report.trainable
    assert (report.total_images, report.train_images, report.val_images) == (10, 8, 2)
    assert {(each.reason, each.count) for each in report.skipped} == {
        ("WITHOUT_CLASS", 1),
        ("CLASS_NOT_CHOSEN", 1),
    }
    by_reason = {finding.reason: finding for finding in report.findings}
    assert list(by_reason["ANNOTATIONS_CLIPPED"].example_image_ids) == [images[0].id]
    assert list(by_reason["ANNOTATIONS_WITHOUT_CLASS"].example_image_ids) == [images[0].id]
    assert stored() == before
    assert not (await editor.ListDatasets(api.ListDatasetsRequest())).datasets


async def test_a_spec_that_cannot_be_trained_is_refused_with_the_findings(
    editor: DatasetServiceStub, stored: Stored
) -> None:
    project_id = await labelled_project(editor)
    before = stored()
    error = await refused(editor, spec_of(project_id, classes=["red", "Bleu", "green"]))
    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "DATASET_INVALID")
    assert error.metadata["findings"] == "CLASS_WITHOUT_INSTANCES"
    assert [violation.field for violation in error.violations] == ["spec.classes[1]", "spec.classes[2]"]
    assert 'Did you mean "blue"?' in error.violations[0].description
    error = await refused(editor, spec_of(project_id, task=SEGMENT))
    assert "NOTHING_FITS_TASK" in error.metadata["findings"]
    assert "10 boxes" in error.message
    empty = await new_project(editor, "empty")
    error = await refused(editor, spec_of(empty))
    assert error.metadata["findings"] == "NO_IMAGES"
    assert stored() == before
    assert not (await editor.ListDatasets(api.ListDatasetsRequest())).datasets


async def test_a_thousand_missing_classes_are_told_within_the_limits_of_grpc(
    editor: DatasetServiceStub,
) -> None:
    project_id = await labelled_project(editor)
    classes = [f"{number} {'é' * 190}" for number in range(1000)]
    error = await refused(editor, spec_of(project_id, classes=classes))
    assert error.reason == "DATASET_INVALID"
    response = await editor.CheckDataset(api.CheckDatasetRequest(spec=spec_of(project_id, classes=classes)))
    assert len(response.report.findings) == 1001
    assert response.report.findings[0].severity == problem_pb2.SEVERITY_ERROR


async def test_specs_are_checked_before_anything_is_read(editor: DatasetServiceStub) -> None:
    error = await refused(editor, dataset_pb2.DatasetSpec())
    assert (error.code.name, error.reason) == ("INVALID_ARGUMENT", "INVALID_DATASET_SPEC")
    assert {violation.field for violation in error.violations} == {
        "spec.project_ids",
        "spec.task_type",
        "spec.classes",
    }
    unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
    project_id = await labelled_project(editor)
    for call in (
        refused(editor, spec_of(project_id, unknown)),
        refusal(editor.CheckDataset(api.CheckDatasetRequest(spec=spec_of(project_id, unknown)))),
    ):
        error = await call
        assert (error.code.name, error.reason) == ("NOT_FOUND", "PROJECT_NOT_FOUND")
        assert unknown in error.message


async def test_copies_and_groups_stay_on_one_side(editor: DatasetServiceStub) -> None:
    copies = [png() for _ in range(3)]
    video = [png() for _ in range(6)]
    other = await labelled_project(editor, "other", copies, labels=["red"])
    project_id = await new_project(editor, "mixed")
    sent = [Sent(f"{n}.png", content) for n, content in enumerate(copies + [png() for _ in range(20)])]
    sent += [Sent(f"video/{n}.png", content, group="video") for n, content in enumerate(video)]
    for image in (await upload(editor, project_id, sent)).images:
        await annotate(editor, image, [box("red" if image.group else "blue")])
    dataset = await prepare(editor, spec_of(project_id, other))
    assert (dataset.total_images, dataset.train_images) == (32, 26)
    sides: dict[str, set[str]] = {}
    async for message in editor.GetManifest(api.GetManifestRequest(dataset_id=dataset.id)):
        for entry in message.entries:
            if entry.sha256:
                sides.setdefault(entry.sha256, set()).add(entry.name.split("/")[1])
    assert all(len(side) == 1 for side in sides.values())
    grouped = [image for image in await all_images(editor, project_id) if image.group]
    assert len(set.union(*(sides[image.sha256] for image in grouped))) == 1


async def test_lists_have_pages_and_a_filter(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor, "classified")
    await upload(editor, project_id, [Sent(f"{n}.png", png(), image_class="ab"[n % 2]) for n in range(8)])
    boxes = await labelled_project(editor, "boxes")
    ids = [
        (await prepare(editor, spec_of(project_id, task=CLASSIFY, classes=["a", "b"]))).id,
        *[
            (await prepare(editor, spec_of(boxes, split=dataset_pb2.Split(seed=seed)))).id
            for seed in range(3)
        ],
    ]
    seen: list[str] = []
    token = ""
    while True:
        page = await editor.ListDatasets(api.ListDatasetsRequest(page_size=3, page_token=token))
        seen += [dataset.id for dataset in page.datasets]
        token = page.next_page_token
        if not token:
            break
    assert seen == ids[::-1]
    found = await editor.ListDatasets(api.ListDatasetsRequest(task_type=CLASSIFY))
    assert [dataset.id for dataset in found.datasets] == ids[:1]
    request = api.ListDatasetsRequest()
    request.MergeFromString(b"\x18\x09")
    assert (await refusal(editor.ListDatasets(request))).reason == "INVALID_FILTER"


async def test_viewers_check_and_download_and_change_nothing(
    editor: DatasetServiceStub, viewer: DatasetServiceStub
) -> None:
    project_id = await labelled_project(editor)
    assert (await refused(viewer, spec_of(project_id))).reason == "ROLE_NOT_ALLOWED"
    dataset = await prepare(editor, spec_of(project_id))
    error = await refusal(viewer.DeleteDataset(api.DeleteDatasetRequest(dataset_id=dataset.id)))
    assert error.reason == "ROLE_NOT_ALLOWED"
    assert await archive(viewer, dataset.id)


async def test_a_caller_who_goes_away_stops_the_freezing(editor: DatasetServiceStub) -> None:
    project_id = await labelled_project(editor)
    call = editor.PrepareDataset(api.PrepareDatasetRequest(spec=spec_of(project_id)))
    stream: AsyncIterator[api.PrepareDatasetResponse] = aiter(call)
    await anext(stream)
    call.cancel()
    assert (await prepare(editor, spec_of(project_id))).total_images == 10


async def test_freezing_unchanged_projects_again_reads_nothing_and_any_change_is_seen(
    editor: DatasetServiceStub,
) -> None:
    project_id = await labelled_project(editor)
    spec = spec_of(project_id)

    async def stages() -> tuple[str, set[str]]:
        messages = [message async for message in editor.PrepareDataset(api.PrepareDatasetRequest(spec=spec))]
        seen = {message.progress.stage for message in messages if message.WhichOneof("part") == "progress"}
        return messages[-1].dataset.id, seen

    first, _ = await stages()
    again, seen = await stages()
    assert again == first
    assert seen <= {"waiting for other data sets"}
    image = (await all_images(editor, project_id))[0]
    # As many as before, and other ones.
    await annotate(editor, image, [box("blue", 2, 2, 5, 5)])
    changed, _ = await stages()
    assert changed != first
    await editor.DeleteDataset(api.DeleteDatasetRequest(dataset_id=changed))
    renewed, _ = await stages()
    assert renewed not in (first, changed)
