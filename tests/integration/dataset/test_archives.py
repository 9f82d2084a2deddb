"""Archives: computed while they are sent, the same whatever part is asked for, and complete or refused."""

import asyncio
import contextlib
import hashlib
import io
import random
import shutil
import zipfile
import zlib
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.dataset.app import running
from annotateforge.dataset.settings import Settings
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.errors import DomainError
from tests.integration.dataset.calls import Sent, all_images, downloaded, new_project, refusal, upload
from tests.integration.dataset.specs import (
    CLASSIFY,
    annotate,
    archive,
    box,
    circle,
    labelled_project,
    prepare,
    spec_of,
)
from tests.integration.dataset.stored_blobs import take_out
from tests.unit.dataset.archives import encoded, png


async def varied(client: DatasetServiceStub) -> dataset_pb2.Dataset:
    """A data set with every encoding, a copy, and images larger than a chunk and than a batch."""
    project_id = await new_project(client, "varied")
    small = [encoded(kind) for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP")]
    large = [encoded("BMP", 600, 400), encoded("BMP", 1300, 1200)]
    contents = [*small, *large, small[0], *(png() for _ in range(40))]
    sent = [Sent(f"{number}", content) for number, content in enumerate(contents)]
    images = (await upload(client, project_id, sent)).images
    for number, image in enumerate(images):
        await annotate(client, image, [box("red"), circle("blue", 3, 3, 1 + number / 100)])
    return await prepare(client, spec_of(project_id))


async def test_every_range_is_byte_identical_to_the_whole(
    viewer: DatasetServiceStub, editor: DatasetServiceStub
) -> None:
    dataset = await varied(editor)
    info, whole = await downloaded(viewer.DownloadArchive(api.DownloadArchiveRequest(dataset_id=dataset.id)))
    assert (info.content_type, info.etag) == ("application/zip", dataset.digest)
    assert (info.total_size, info.offset, info.length) == (len(whole), 0, len(whole))
    assert info.filename == f"detect-{dataset.digest[:12]}.zip"
    dice = random.Random(1)
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        edges = [entry.header_offset for entry in opened.infolist()] + [opened.start_dir, len(whole)]
    for _ in range(60):
        begin = min(
            max(dice.choice([dice.choice(edges), dice.randrange(len(whole))]) + dice.randint(-2, 2), 0),
            len(whole) - 1,
        )
        length = dice.choice([1, 2, 30, dice.randrange(1, 2000), dice.randrange(1, len(whole)), 0])
        request = api.DownloadArchiveRequest(dataset_id=dataset.id, offset=begin, length=length)
        info, part = await downloaded(viewer.DownloadArchive(request))
        assert part == whole[begin : begin + length if length else None], (begin, length)
        assert (info.offset, info.length, info.total_size) == (begin, len(part), len(whole))


async def test_chunks_are_of_half_a_mebibyte(editor: DatasetServiceStub) -> None:
    dataset = await varied(editor)
    request = api.DownloadArchiveRequest(dataset_id=dataset.id, offset=17)
    sizes = [
        len(message.chunk)
        async for message in editor.DownloadArchive(request)
        if message.WhichOneof("part") == "chunk"
    ]
    assert set(sizes[:-1]) == {512 * 1024}
    assert 0 < sizes[-1] <= 512 * 1024


async def test_unzip_and_zipfile_accept_the_archive_and_find_the_bytes_that_were_uploaded(
    editor: DatasetServiceStub, tmp_path: Path
) -> None:
    dataset = await varied(editor)
    path = tmp_path / "archive.zip"
    path.write_bytes(await archive(editor, dataset.id))
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert names[0] == "data.yaml"
        assert len(names) == len(set(names)) == 1 + 2 * 48
        images = [name for name in names if name.startswith("images/")]
        for name in images:
            digest = hashlib.sha256(opened.read(name)).hexdigest()
            assert Path(name).stem.removesuffix("_1") == digest[:16]
            assert name.replace("images/", "labels/").rsplit(".", 1)[0] + ".txt" in names
        assert {Path(name).suffix for name in images} == {".png", ".jpg", ".bmp", ".tif", ".webp"}
        assert sum(name.endswith("_1.png") for name in images) == 1
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    for command in ("unzip -tqq", "zipinfo -1"):
        if shutil.which(command.split()[0]) is None:
            pytest.skip(f"{command.split()[0]} is not installed")
        tested = await asyncio.create_subprocess_exec(*command.split(), path, stdout=PIPE, stderr=PIPE)
        async with asyncio.timeout(60):
            out, err = await tested.communicate()
        assert (tested.returncode, err) == (0, b""), out


async def test_the_manifest_says_where_every_file_is(editor: DatasetServiceStub) -> None:
    dataset = await varied(editor)
    whole = await archive(editor, dataset.id)
    entries = [
        entry
        async for message in editor.GetManifest(api.GetManifestRequest(dataset_id=dataset.id))
        for entry in message.entries
    ]
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert [entry.name for entry in entries] == opened.namelist()
        for entry in entries:
            content = whole[entry.offset : entry.offset + entry.size_bytes]
            assert content == opened.read(entry.name)
            assert entry.crc32 == zlib.crc32(content)
            is_image = entry.name.startswith("images/")
            assert entry.sha256 == (hashlib.sha256(content).hexdigest() if is_image else "")


async def test_labels_are_normalised_and_in_the_order_of_their_bytes(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    images = (await upload(editor, project_id, [Sent(f"{n}.png", png(8, 4)) for n in range(2)])).images
    await annotate(editor, images[0], [circle("b", 4, 2, 1), box("a", 0, 0, 8, 4), box("a", 0, 0, 8, 4)])
    await annotate(editor, images[1], [box("b", -4, 1, 4, 3), box("a", 9, 0, 12, 3), box("a", 0, 0, 2, 2)])
    dataset = await prepare(editor, spec_of(project_id, classes=["a", "b"]))
    with zipfile.ZipFile(io.BytesIO(await archive(editor, dataset.id))) as opened:
        labels = {
            Path(name).stem: opened.read(name).decode()
            for name in opened.namelist()
            if name.startswith("labels/")
        }
        assert yaml.safe_load(opened.read("data.yaml")) == {
            "train": "images/train",
            "val": "images/val",
            "nc": 2,
            "names": {0: "a", 1: "b"},
        }
    assert labels[images[0].sha256[:16]] == (
        "0 0.5000000 0.5000000 1.0000000 1.0000000\n1 0.5000000 0.5000000 0.2500000 0.5000000\n"
    )
    assert labels[images[1].sha256[:16]] == (
        "0 0.1250000 0.2500000 0.2500000 0.5000000\n1 0.2500000 0.5000000 0.5000000 0.5000000\n"
    )
    assert {(each.kind, each.reason, each.count) for each in dataset.skipped} == {
        ("annotation", "DUPLICATE_ANNOTATION", 1),
        ("annotation", "OUTSIDE_IMAGE", 1),
    }


async def test_classify_has_a_folder_per_class_in_the_order_of_the_classes(
    editor: DatasetServiceStub,
) -> None:
    project_id = await new_project(editor)
    classes = ["zebra", "a/b: ünï?", "rare"]
    sent = [Sent(f"{n}.png", png(), image_class=classes[n % 2]) for n in range(20)]
    await upload(
        editor, project_id, [*sent, Sent("rare.png", png(), image_class="rare"), Sent("none.png", png())]
    )
    dataset = await prepare(editor, spec_of(project_id, task=CLASSIFY, classes=classes))
    assert [(each.kind, each.reason) for each in dataset.skipped] == [("image", "NO_IMAGE_CLASS")]
    with zipfile.ZipFile(io.BytesIO(await archive(editor, dataset.id))) as opened:
        folders = [name for name in opened.namelist() if name.endswith("/")]
        assert folders == [
            f"{side}/{folder}/"
            for side in ("train", "val")
            for folder in ("000-zebra", "001-a_b_n_", "002-rare")
        ]
        assert yaml.safe_load(opened.read("data.yaml"))["names"] == dict(enumerate(classes))


async def test_ranges_beyond_the_end_are_refused(editor: DatasetServiceStub) -> None:
    dataset = await prepare(editor, spec_of(await labelled_project(editor)))
    size = dataset.archive_size_bytes
    assert len(await archive(editor, dataset.id, size - 1, 100)) == 1
    for offset, length, reason in (
        (size, 0, "OFFSET_BEYOND_END"),
        (2**62, 0, "OFFSET_BEYOND_END"),
        (-1, 0, "INVALID_RANGE"),
        (0, -1, "INVALID_RANGE"),
    ):
        error = await refusal(archive(editor, dataset.id, offset, length))
        assert error.reason == reason


async def test_blobs_come_in_the_order_asked_for(editor: DatasetServiceStub) -> None:
    dataset = await varied(editor)
    images = await all_images(editor, dataset.spec.project_ids[0])
    wanted = [image.sha256 for image in images]
    random.Random(2).shuffle(wanted)
    blobs: list[tuple[str, bytes]] = []
    parts: list[bytes] = []
    async for message in editor.DownloadBlobs(api.DownloadBlobsRequest(dataset_id=dataset.id, sha256=wanted)):
        parts.append(message.chunk)
        if message.last:
            blobs.append((message.sha256, b"".join(parts)))
            parts = []
    assert [digest for digest, _ in blobs] == wanted
    assert all(hashlib.sha256(content).hexdigest() == digest for digest, content in blobs)
    for digests, reason in (
        ([], "INVALID_DIGEST"),
        (["12"], "INVALID_DIGEST"),
        ([wanted[0], "0" * 64], "BLOB_NOT_IN_DATASET"),
        (["0" * 64] * 10_001, "INVALID_DIGEST"),
    ):
        assert (await _refused_blobs(editor, dataset.id, digests)).reason == reason


async def test_joined_blobs_are_the_same_bytes_in_fewer_messages(editor: DatasetServiceStub) -> None:
    dataset = await varied(editor)
    images = await all_images(editor, dataset.spec.project_ids[0])
    wanted = [image.sha256 for image in images]
    request = api.DownloadBlobsRequest(dataset_id=dataset.id, sha256=wanted)
    alone = [message async for message in editor.DownloadBlobs(request)]
    request.joined = True
    joined = [message async for message in editor.DownloadBlobs(request)]
    assert b"".join(m.chunk for m in joined) == b"".join(m.chunk for m in alone)
    assert [message.last for message in joined] == [False] * (len(joined) - 1) + [True]
    assert len(joined) < len(alone)


async def test_any_texts_of_a_data_set_come_as_they_are_in_the_archive(editor: DatasetServiceStub) -> None:
    dataset = await varied(editor)
    pages = [page async for page in editor.GetManifest(api.GetManifestRequest(dataset_id=dataset.id))]
    entries = [entry for page in pages for entry in page.entries]
    with zipfile.ZipFile(io.BytesIO(await archive(editor, dataset.id))) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    texts = [number for number, each in enumerate(entries) if not each.sha256 and not each.name.endswith("/")]
    labels = b"".join(files[entries[number].name] for number in texts if number)
    assert [page.labels_sha256 for page in pages] == [hashlib.sha256(labels).hexdigest()]
    dice = random.Random(3)
    for wanted in (texts, texts[1:2], *(sorted(dice.sample(texts, 4)) for _ in range(5))):
        request = api.DownloadTextsRequest(dataset_id=dataset.id, positions=wanted)
        came = b"".join([message.chunk async for message in editor.DownloadTexts(request)])
        assert came == b"".join(files[entries[number].name] for number in wanted)
    image = len(entries) - 1
    for positions in ([], [-1], [image], [image + 1], [2, 1], [1, 1], list(range(100_001))):

        async def read(positions: Sequence[int] = positions) -> None:
            request = api.DownloadTextsRequest(dataset_id=dataset.id, positions=positions)
            async for _ in editor.DownloadTexts(request):
                pass

        assert (await refusal(read())).reason == "INVALID_POSITION"


async def _refused_blobs(client: DatasetServiceStub, dataset_id: str, digests: list[str]) -> DomainError:
    async def read() -> None:
        async for _ in client.DownloadBlobs(api.DownloadBlobsRequest(dataset_id=dataset_id, sha256=digests)):
            pass

    return await refusal(read())


@pytest.mark.parametrize("damage", [lambda path: None, lambda path: path.write_bytes(b"short")])
async def test_a_blob_that_is_lost_or_cut_ends_the_download_with_its_name(
    editor: DatasetServiceStub, store_url: str, damage: Callable[[Path], None]
) -> None:
    dataset = await prepare(editor, spec_of(await labelled_project(editor)))
    victim = (await all_images(editor, dataset.spec.project_ids[0]))[0].sha256
    damage(take_out(Path(urlsplit(store_url).path) / "dataset", victim))
    error = await refusal(archive(editor, dataset.id))
    assert (error.code.name, error.reason) == ("INTERNAL", "BLOB_MISSING")
    assert victim in error.message


@contextlib.asynccontextmanager
async def started(settings: Settings, secret: str) -> AsyncIterator[DatasetServiceStub]:
    """An editor's client of a service of its own, for what outlasts a restart."""

    def token() -> str:
        return issue_token(secret, Role.EDITOR, "ann", timedelta(hours=1))

    async with running(settings) as app, open_channel(app.address, token) as channel:
        yield DatasetServiceStub(channel)


async def test_a_manifest_that_is_lost_is_told(settings: Settings, secret: str, store_url: str) -> None:
    async with started(settings, secret) as client:
        dataset = await prepare(client, spec_of(await labelled_project(client)))
    folder = Path(urlsplit(store_url).path) / "dataset"
    manifest = await BlobStore.open(folder.as_uri()).get(dataset.digest)
    path = take_out(folder, dataset.digest)
    path.write_bytes(manifest[:-1] + b"\xff")
    # Whoever froze it has it in memory.
    async with started(settings, secret) as client:
        assert (await refusal(archive(client, dataset.id))).reason == "BLOB_MISSING"
        path.unlink()
        assert (await refusal(archive(client, dataset.id))).reason == "BLOB_MISSING"


async def test_an_archive_is_the_same_after_a_restart(settings: Settings, secret: str) -> None:
    async with started(settings, secret) as client:
        dataset = await varied(client)
        before = await archive(client, dataset.id)
    async with started(settings, secret) as client:
        assert await archive(client, dataset.id) == before
        assert await prepare(client, dataset.spec) == dataset
