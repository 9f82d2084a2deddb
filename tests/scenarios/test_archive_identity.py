"""A data set's archive is the same bytes, whichever way and wherever it is asked for."""

import io
import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import grpc
import pytest

from annotateforge.api.dataset.v1 import dataset_service_pb2, dataset_service_pb2_grpc
from tests.scenarios.installation import Running, running
from tests.scenarios.samples import make_project, spec

_DEADLINE = 60


def _archive(installation: Running, name: str) -> tuple[str, str, bytes]:
    """Id, digest and archive of a data set over a project made for the purpose."""
    with installation.rest() as rest:
        answer = rest.post("/api/v1/datasets", json=spec(make_project(rest, name)))
        assert answer.status_code == 201, answer.text
        dataset = answer.json()
        whole = rest.get(f"/api/v1/datasets/{dataset['id']}/archive")
        assert whole.status_code == 200
        assert int(whole.headers["content-length"]) == len(whole.content) == dataset["archive_size_bytes"]
        assert whole.headers["etag"] == f'"{dataset["digest"]}"'
        return dataset["id"], dataset["digest"], whole.content


def test_archive_ranges_over_rest_and_grpc_are_byte_identical(installation: Running, tmp_path: Path) -> None:
    dataset_id, digest, whole = _archive(installation, f"archive {tmp_path.name}")
    choose = random.Random(3)
    path = f"/api/v1/datasets/{dataset_id}/archive"
    with installation.rest() as rest, grpc.insecure_channel(installation.addresses["dataset"]) as channel:
        # The generated stub is typed for grpc.aio; with a plain channel it makes plain calls.
        stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)  # type: ignore[arg-type]  # as said above
        for _ in range(40):
            first = choose.randrange(len(whole))
            last = choose.randrange(first, len(whole))
            part = rest.get(path, headers={"range": f"bytes={first}-{last}"})
            assert part.status_code == 206
            assert part.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
            assert part.content == whole[first : last + 1]
            request = dataset_service_pb2.DownloadArchiveRequest(
                dataset_id=dataset_id, offset=first, length=last - first + 1
            )
            metadata = (("authorization", f"Bearer {installation.token}"),)
            messages = stub.DownloadArchive(request, metadata=metadata, timeout=_DEADLINE)
            assert b"".join(message.chunk for message in messages) == part.content  # type: ignore[attr-defined]  # plain, too
        assert rest.get(path, headers={"if-none-match": f'"{digest}"'}).status_code == 304
        beyond = rest.get(path, headers={"range": f"bytes={len(whole)}-"})
        assert beyond.status_code == 416
        assert beyond.headers["content-range"] == f"bytes */{len(whole)}"


def test_archive_is_accepted_by_zipfile_and_unzip(installation: Running, tmp_path: Path) -> None:
    _, _, whole = _archive(installation, f"unzip {tmp_path.name}")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert "data.yaml" in names
    assert sum(name.startswith("images/train/") and name.endswith(".jpg") for name in names) == 9
    assert sum(name.startswith("labels/val/") and name.endswith(".txt") for name in names) == 3
    if shutil.which("unzip") is None:
        pytest.skip("unzip is not installed; zipfile has accepted the archive")
    path = tmp_path / "archive.zip"
    path.write_bytes(whole)
    subprocess.run(["unzip", "-tq", str(path)], check=True, timeout=_DEADLINE)


def test_a_second_installation_gives_the_same_bytes(installation: Running, tmp_path: Path) -> None:
    _, digest, whole = _archive(installation, f"here {tmp_path.name}")
    with running(tmp_path / "elsewhere") as elsewhere:
        _, other_digest, other = _archive(elsewhere, "there")
    assert other_digest == digest
    assert other == whole
