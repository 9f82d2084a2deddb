"""Near duplicates, backgrounds and test images through the service, as callers see them."""

import io
import zipfile
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.dataset.app import running
from annotateforge.dataset.backfill import Backfill
from annotateforge.dataset.settings import Settings
from annotateforge.dataset.store.imports import Landed, Staging
from annotateforge.runtime.errors import InvalidArgument
from tests.integration.dataset.calls import (
    Sent,
    all_images,
    editing,
    import_archive,
    new_project,
    refusal,
    upload,
)
from tests.integration.dataset.specs import CLASSIFY, annotate, archive, box, prepare, spec_of
from tests.unit.dataset.archives import zipped
from tests.unit.dataset.copies import COPIES, copy_of, encoded, picture

Eventually = Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]
GROUPED = dataset_pb2.SPLIT_STRATEGY_GROUPED


async def pictured_project(client: DatasetServiceStub, count: int = 12) -> str:
    """Pictures with a box each, and a copy of each of the first three kinds of copies."""
    project_id = await new_project(client)
    originals = [encoded(picture(seed), quality=92) for seed in range(count)]
    sent = [Sent(f"{number:02}.jpg", data) for number, data in enumerate(originals)]
    sent += [Sent(f"{how}.jpg", copy_of(originals[number], how)) for number, how in enumerate(COPIES)]
    for image in (await upload(client, project_id, sent)).images:
        await annotate(client, image, [box("red", 10, 10, 90, 90)])
    return project_id


async def checked(client: DatasetServiceStub, spec: dataset_pb2.DatasetSpec) -> problem_pb2.HealthReport:
    return (await client.CheckDataset(api.CheckDatasetRequest(spec=spec))).report


def found(report: Any) -> dict[str, problem_pb2.Finding]:
    return {finding.reason: finding for finding in report.findings}


async def test_copies_are_found_and_kept_with_the_data_set(editor: DatasetServiceStub) -> None:
    project_id = await pictured_project(editor)
    names = {image.id: image.filename for image in await all_images(editor, project_id)}
    spec = spec_of(project_id, classes=["red"])
    report = await checked(editor, spec)
    finding = found(report)["NEAR_DUPLICATES"]
    assert finding.count == 6
    shown = [names[image_id] for image_id in finding.example_image_ids]
    pairs = [sorted(shown[at : at + 2]) for at in range(0, 6, 2)]
    assert sorted(pairs) == [
        ["00.jpg", "resized.jpg"],
        ["01.jpg", "recompressed.jpg"],
        ["02.jpg", "mirrored.jpg"],
    ]
    dataset = await prepare(editor, spec)
    assert list(dataset.findings) == list(report.findings)


async def test_grouped_keeps_copies_on_one_side(editor: DatasetServiceStub) -> None:
    project_id = await pictured_project(editor)
    across = set()
    for seed in range(6):
        for strategy in (GROUPED, dataset_pb2.SPLIT_STRATEGY_STRATIFIED):
            split = dataset_pb2.Split(seed=seed, strategy=strategy)
            report = await checked(editor, spec_of(project_id, classes=["red"], split=split))
            if "NEAR_DUPLICATES_ACROSS_SPLIT" in found(report):
                across.add(strategy)
    assert across == {dataset_pb2.SPLIT_STRATEGY_STRATIFIED}


async def test_older_images_get_their_fingerprints_in_the_background(
    settings: Settings, secret: str, eventually: Eventually
) -> None:
    async with running(settings) as app, editing(app, secret) as client:
        project_id = await pictured_project(client)
        spec = spec_of(project_id, classes=["red"])
        grouped = spec_of(project_id, classes=["red"], split=dataset_pb2.Split(strategy=GROUPED))
        digest = (await prepare(client, grouped)).digest
        connection = await asyncpg.connect(
            str(settings.database_url), server_settings={"search_path": "dataset"}, timeout=10
        )
        try:
            await connection.execute("DELETE FROM fingerprints", timeout=10)
            # Neither a split that depends on them nor findings that do go without.
            assert (await prepare(client, grouped)).digest == digest
            await connection.execute("DELETE FROM fingerprints", timeout=10)
            assert found(await checked(client, spec))["NEAR_DUPLICATES"].count == 6
            assert await connection.fetchval("SELECT count(*) FROM fingerprints", timeout=10) == 15
            await connection.execute("DELETE FROM fingerprints", timeout=10)
        finally:
            await connection.close(timeout=5)
    async with running(settings) as app, editing(app, secret) as client:

        async def complete() -> bool:
            return "FINGERPRINTS_PENDING" not in found(await checked(client, spec))

        await eventually(complete)
        assert found(await checked(client, spec))["NEAR_DUPLICATES"].count == 6


async def test_images_that_come_while_others_are_looked_at_are_looked_at_before_they_are_split(
    settings: Settings, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Backfill.complete
    looks = []

    async def forget() -> None:
        # Leaves the tables as an import does that ends now.
        connection = await asyncpg.connect(
            str(settings.database_url), server_settings={"search_path": "dataset"}, timeout=10
        )
        try:
            await connection.execute("DELETE FROM fingerprints", timeout=10)
        finally:
            await connection.close(timeout=5)

    async def complete(self: Backfill, *args: Any) -> None:
        await real(self, *args)
        looks.append(args)
        if len(looks) % 2:
            await forget()

    async with running(settings) as app, editing(app, secret) as client:
        project_id = await pictured_project(client)
        monkeypatch.setattr(Backfill, "complete", complete)
        split = dataset_pb2.Split(strategy=GROUPED)
        spec = spec_of(project_id, classes=["red"], split=split)
        for ask in (checked, prepare):
            await forget()
            assert found(await ask(client, spec))["NEAR_DUPLICATES"].count == 6
        assert len(looks) == 4
        # Where nothing is missing nobody looks.
        await checked(client, spec)
        assert len(looks) == 4


async def test_an_import_leaves_fingerprints_to_the_background_and_a_check_waits_for_them(
    settings: Settings, secret: str, eventually: Eventually
) -> None:
    pictures = {f"{number:02}.jpg": encoded(picture(number)) for number in range(12)}
    connection = await asyncpg.connect(
        str(settings.database_url), server_settings={"search_path": "dataset"}, timeout=10
    )

    async def fingerprints() -> list[Any]:
        query = """
            SELECT images.sha256, fingerprint FROM images JOIN fingerprints USING (sha256) ORDER BY sha256
        """
        return [tuple(row) for row in await connection.fetch(query, timeout=10)]

    async def complete() -> bool:
        return len(await fingerprints()) == 12

    try:
        async with running(settings) as app, editing(app, secret) as client:
            project_id = await new_project(client, "imported")
            report = await import_archive(client, project_id, zipped(dict(pictures)))
            assert (report.images_added, len(report.problems)) == (12, 0)
            await eventually(complete)
            imported = await fingerprints()
            await connection.execute("DELETE FROM fingerprints", timeout=10)
            spec = spec_of(project_id, task=CLASSIFY, classes=["red"])
            assert "FINGERPRINTS_PENDING" not in found(await checked(client, spec))
            assert await fingerprints() == imported
            await client.DeleteProject(api.DeleteProjectRequest(project_id=project_id))
            again = await new_project(client, "uploaded")
            await upload(client, again, [Sent(name, data) for name, data in pictures.items()])
            assert await fingerprints() == imported
    finally:
        await connection.close(timeout=5)


async def test_images_are_looked_at_while_their_import_goes_on_and_leave_nothing_when_it_fails(
    settings: Settings, secret: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {f"{number:02}.jpg": encoded(picture(number)) for number in range(12)}
    connection = await asyncpg.connect(
        str(settings.database_url), server_settings={"search_path": "dataset"}, timeout=10
    )
    real = Staging.commit
    fails = True

    async def looked_at() -> int:
        count: int = await connection.fetchval("SELECT count(*) FROM fingerprints", timeout=10)
        return count

    async def commit(self: Staging, *args: Any) -> Landed:
        async def complete() -> bool:
            return await looked_at() == 12

        await eventually(complete)
        if fails:
            raise InvalidArgument("OUT_OF_ORDER", "Not now.")
        return await real(self, *args)

    async def nothing() -> bool:
        return await looked_at() == 0

    monkeypatch.setattr(Staging, "commit", commit)
    try:
        async with running(settings) as app, editing(app, secret) as client:
            project_id = await new_project(client, "imported")
            error = await refusal(import_archive(client, project_id, zipped(dict(pictures))))
            assert error.reason == "OUT_OF_ORDER"
            # Which looks for blobs that nobody needs any more.
            await client.DeleteProject(api.DeleteProjectRequest(project_id=project_id))
            await eventually(nothing)
            fails = False
            project_id = await new_project(client, "imported again")
            report = await import_archive(client, project_id, zipped(dict(pictures)))
            assert report.images_added == 12
    finally:
        await connection.close(timeout=5)


async def test_reviewed_images_without_annotations_are_backgrounds(editor: DatasetServiceStub) -> None:
    project_id = await pictured_project(editor)
    sent = [Sent(f"empty{number}.jpg", encoded(picture(100 + number))) for number in range(3)]
    empty = (await upload(editor, project_id, sent)).images
    for image in empty[:2]:
        request = api.UpdateImageRequest(image_id=image.id, reviewed=True)
        assert (await editor.UpdateImage(request)).image.reviewed
    kept = await editor.UpdateImage(api.UpdateImageRequest(image_id=empty[0].id, group="x"))
    assert kept.image.reviewed
    without = await prepare(editor, spec_of(project_id, classes=["red"]))
    assert (without.total_images, without.background_images) == (15, 0)
    dataset = await prepare(editor, spec_of(project_id, classes=["red"], backgrounds=True))
    assert (dataset.total_images, dataset.background_images) == (17, 2)
    assert dataset.spec.backgrounds
    with zipfile.ZipFile(io.BytesIO(await archive(editor, dataset.id))) as opened:
        assert opened.testzip() is None
        sizes = [entry.file_size for entry in opened.infolist() if entry.filename.startswith("labels/")]
    assert (len(sizes), sizes.count(0)) == (17, 2)


@pytest.mark.parametrize("task", [dataset_pb2.TASK_TYPE_DETECT, CLASSIFY])
async def test_test_images_have_a_folder_that_data_yaml_names(editor: DatasetServiceStub, task: Any) -> None:
    project_id = await pictured_project(editor, 20)
    for image in await all_images(editor, project_id):
        await editor.UpdateImage(api.UpdateImageRequest(image_id=image.id, image_class="red"))
    split = dataset_pb2.Split(train_ratio=0.6, test_ratio=0.2)
    dataset = await prepare(editor, spec_of(project_id, task=task, classes=["red"], split=split))
    assert (dataset.train_images, dataset.val_images, dataset.test_images) == (14, 4, 5)
    assert [(row.train_images, row.val_images, row.test_images) for row in dataset.class_balance] == [
        (14, 4, 5)
    ]
    prefix = "" if task == CLASSIFY else "images/"
    with zipfile.ZipFile(io.BytesIO(await archive(editor, dataset.id))) as opened:
        assert opened.testzip() is None
        assert f"test: {prefix}test" in opened.read("data.yaml").decode()
        names = [name for name in opened.namelist() if name.startswith(f"{prefix}test/") and name[-1] != "/"]
    assert len(names) == 5


async def test_specs_that_leave_nothing_to_validate_or_classify_backgrounds_are_refused(
    editor: DatasetServiceStub,
) -> None:
    project_id = await new_project(editor)
    for train, test in ((None, 0.2), (0.5, 0.5), (None, -0.1)):
        split = dataset_pb2.Split(train_ratio=train, test_ratio=test)
        spec = spec_of(project_id, classes=["red"], split=split)
        error = await refusal(editor.CheckDataset(api.CheckDatasetRequest(spec=spec)))
        assert error.reason == "INVALID_DATASET_SPEC"
        assert [violation.field for violation in error.violations] == ["spec.split.test_ratio"]
    spec = spec_of(project_id, task=CLASSIFY, classes=["red"], backgrounds=True)
    error = await refusal(editor.CheckDataset(api.CheckDatasetRequest(spec=spec)))
    assert [violation.field for violation in error.violations] == ["spec.backgrounds"]
