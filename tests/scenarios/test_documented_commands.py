"""Every command of docs/command-line.md, line by line as it stands there, and those of the README, against a
running installation.

Trainings are made small by options that are put behind what the page says; a placeholder such as JOB becomes
the id of a thing for which the command makes sense.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.trainer.v1 import job_pb2, trainer_service_pb2
from annotateforge.client import Client
from annotateforge.client.archives import archive_of
from annotateforge.client.command.jobs import ENDED
from annotateforge.client.command.program import main
from annotateforge.local.demo.sample import sample_images
from tests.conftest import REPOSITORY
from tests.scenarios.installation import Running
from tests.scenarios.test_sdk import yolo_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = (REPOSITORY / "docs" / "command-line.md").read_text("utf-8")
README = (REPOSITORY / "README.md").read_text("utf-8")

SMALL = ["--epochs", "1", "--image-size", "64", "--batch-size", "4"]
ELSEWHERE = {
    "annotateforge up": "test_up.py",
    "annotateforge up --data-dir /srv/af --port 9000": "test_up.py",
    "annotateforge demo": "test_demo.py",
}
"""What starts installations of its own, and where that is tested."""


def lines_of(page: str) -> list[str]:
    """The commands of a page's shell blocks, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix(".venv/bin/") for block in blocks for line in block.splitlines()]
    return [
        shlex.join(shlex.split(line, comments=True)) for line in lines if line.startswith("annotateforge ")
    ]


LINES = lines_of(PAGE)


class Story:
    """What the commands of the page are about, and what has to be there for each of them."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._job = ""
        self._waiting = ""
        self._sweep = ""

    def arguments(self, line: str) -> list[str]:
        """The arguments of a line, with things in the place of placeholders."""
        words = line.split(maxsplit=1)[1] if " " in line else ""
        if words.startswith("project delete"):
            self._client.create_project("spare")
            words = words.replace("cells", "spare")
        if words == "watch" or words.startswith(("job priority", "job cancel")):
            # The first may run, so that the second waits.
            self._waiting = [self._new_job(epochs) for epochs in ((1,) if words == "watch" else (300, 1))][-1]
        found = shlex.split(words)
        ended = words.startswith("job delete")
        things: dict[str, Callable[[], str]] = {
            "JOB": lambda: self._waiting if self._waiting and not ended else self._done_job(ended),
            "MODEL": lambda: self._client.job(self._job).model_id,
            "DATASET": lambda: next(self._client.datasets()).id,
            "SWEEP": lambda: self._sweep,
            "WORKER": lambda: next(one.id for one in self._client.workers() if one.online),
        }
        found = [things[word]() if word in things else word for word in found]
        if found[0] == "train" or (found[:2] == ["sweep", "create"] and "sweep.yaml" not in found):
            found += SMALL
        return found

    def after(self, line: str) -> None:
        """Put things back in order for the lines that follow."""
        words = line.split()[1:]
        if words[:2] == ["project", "rename"]:
            self._client.update_project(self._client.find_project(words[3]).id, name=words[2])
        if "--watch" in words:
            self._job = next(self._client.jobs()).id
        elif words[0] in ("train", "sweep", "job", "watch") and "JOB" not in (words[1:] and words[1]):
            self._end_all()
        if words[:2] == ["job", "priority"] or words == ["watch"]:
            self._waiting = ""

    def note_sweep(self, printed: str) -> None:
        """Take the id of a sweep that was made."""
        if made := re.search(r"Sweep (\S+) is made", printed):
            self._sweep = made[1]

    def _end_all(self) -> None:
        """Nothing of what the page orders has to run to its end, but for what is watched."""
        for job in self._client.jobs():
            if job.status not in ENDED:
                self._client.cancel_job(job.id)

    def _done_job(self, ended: bool) -> str:
        if not ended:
            return self._job
        return next(job.id for job in self._client.jobs() if job.status == job_pb2.JOB_STATUS_CANCELLED)

    def _new_job(self, epochs: int) -> str:
        dataset_id = self._client.job(self._job).dataset.id
        config = job_pb2.JobConfig(
            dataset_id=dataset_id, model="yolov8n", epochs=epochs, image_size=64, batch_size=4
        )
        request = trainer_service_pb2.CreateJobRequest(
            name="another", task_type=dataset_pb2.TASK_TYPE_DETECT, config=config
        )
        return self._client.create_job(request).id


@pytest.fixture
def client(installation: Running) -> Iterator[Client]:
    with Client(installation.url, installation.token) as client:
        yield client
        for job in client.jobs():
            if job.status not in ENDED:
                client.cancel_job(job.id)
        for model in client.models("detect", is_active=True):
            client.deactivate_model(model.id)
        for project in client.projects():
            if project.name in ("cells", "blood-cells", "spare"):
                client.delete_project(project.id)


@pytest.fixture
def folder(tmp_path: Path, installation: Running, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the page names, in the working directory."""
    yolo_folder(tmp_path / "cells", images=16)
    with archive_of(tmp_path / "cells") as archive:
        (tmp_path / "cells.zip").write_bytes(b"".join(archive.chunks))
    (tmp_path / "image.jpg").write_bytes(next(sample_images(1, seed=5)).content)
    (tmp_path / "labels.json").write_text(
        '[{"class_label": "x", "box": {"x_min": 1, "y_min": 2, "x_max": 30, "y_max": 40}}]'
    )
    (shown,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    small = "  epochs: 1\n  image_size: 64\n  batch_size: 4\n"
    assert "  epochs: 30\n" in shown
    (tmp_path / "sweep.yaml").write_text(shown.replace("  epochs: 30\n", small))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANNOTATEFORGE_DATA_DIR", str(installation.data_dir))
    for name in ("SERVER", "TOKEN", "SECRET"):
        monkeypatch.delenv(f"ANNOTATEFORGE_{name}", raising=False)
    return tmp_path


def test_every_command_of_the_page_works(
    client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    story = Story(client, folder)
    assert ELSEWHERE.keys() <= set(LINES)
    for line in LINES:
        if line in ELSEWHERE:
            continue
        arguments = story.arguments(line)
        monkeypatch.setattr(sys, "argv", ["annotateforge", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        wanted = (0, 1) if line == "annotateforge doctor" else (0, None)
        assert ended.value.code in wanted, f"{line} ({shlex.join(arguments)}): {printed.err}"
        story.note_sweep(printed.out)
        story.after(line)
    assert (folder / "best.pt").stat().st_size > 1_000_000
    assert (folder / "small.jpg").is_file()


def test_the_commands_of_the_readme_are_those_of_the_page() -> None:
    readme = [line.replace("MODEL_ID", "MODEL") for line in lines_of(README)]
    assert readme
    assert [line for line in readme if not any(shown.startswith(line) for shown in LINES)] == []


def test_the_readmes_way_over_rest_works(installation: Running, folder: Path) -> None:
    (block,) = [block for block in re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S) if "curl" in block]
    program = str(Path(sys.executable).with_name("annotateforge"))
    script = block.replace(".venv/bin/annotateforge", shlex.quote(program))
    assert "http://127.0.0.1:8000" in script
    done = subprocess.run(
        [
            "sh",
            "-eu",
            "-c",
            script.replace("http://127.0.0.1:8000", installation.url).replace("curl ", "curl -fsS "),
        ],
        env={**os.environ, "ANNOTATEFORGE_DATA_DIR": str(installation.data_dir)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"jobs":' in done.stdout
