"""The command line against a running installation: what people type, from images to predictions."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson
import pytest

from annotateforge.client.command.program import main
from annotateforge.local.demo.sample import sample_images
from tests.scenarios.installation import Running
from tests.scenarios.samples import make_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NO_JOB = "01890a5d-ac96-774b-bcce-b302099a8057"


class Done(NamedTuple):
    """How a command ended."""

    code: object
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, as JSON."""
        return orjson.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(installation: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that finds the installation by its data directory."""
    monkeypatch.setenv("ANNOTATEFORGE_DATA_DIR", str(installation.data_dir))
    for name in ("ANNOTATEFORGE_SERVER", "ANNOTATEFORGE_TOKEN", "ANNOTATEFORGE_SECRET"):
        monkeypatch.delenv(name, raising=False)
    # Set where tests run in several processes; tables are as wide as it says.
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: str, code: int = 0) -> Done:
        monkeypatch.setattr(sys, "argv", ["annotateforge", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        done = Done(ended.value.code, *capsys.readouterr())
        assert done.code == code, done
        return done

    return run


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A name that no other test uses, with what looks like markup in it."""
    return f"[red]cells[/red] {tmp_path.name}"


def class_folders(folder: Path, images: int = 6) -> None:
    """Write drawn images into a folder per class."""
    for number, sample in enumerate(sample_images(images, seed=11)):
        path = folder / ("round", "long")[number % 2] / sample.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.content)


def test_projects_are_made_listed_shown_and_deleted(run: Run, name: str) -> None:
    assert name in run("project", "create", name, "--description", "d").out
    assert "PROJECT_EXISTS" in run("project", "create", name, code=3).err
    assert name in run("projects").out
    (project,) = [one for one in run("project", "list", "--json").json if one["name"] == name]
    shown = run("project", "show", project["id"]).out
    assert name in shown
    assert run("project", "show", name, "--json").json["image_count"] == 0
    assert run("project", "stats", name, "--json").json["annotation_count"] == 0
    # A piece of an id will do, as tables show it.
    assert run("project", "describe", project["id"][-8:], "some cells", "--json").json["name"] == name
    run("project", "rename", name, f"{name} 2")
    assert "some cells" in run("project", "show", f"{name} 2").out
    run("project", "rename", f"{name} 2", name)
    assert name in run("project", "delete", name, "--yes").out
    assert "PROJECT_NOT_FOUND" in run("project", "show", name, code=3).err


def test_nothing_is_deleted_that_nobody_was_asked_about(
    run: Run, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("project", "create", name)
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        done = run("project", "delete", name, "--json", code=2)
    assert done.out == ""
    assert f"Delete {name} with 0 images? There is nobody to ask; say --yes." in done.err
    run("project", "show", name)


def test_folders_and_archives_are_imported_and_what_is_wrong_is_listed(
    run: Run, name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    class_folders(folder)
    (folder / "round" / "broken.jpg").write_bytes(b"no image")
    (folder / "round" / "lost.jpg").symlink_to(tmp_path / "nowhere")
    assert "There is no project" in run("import", name, str(folder), code=3).err
    done = run("import", name, str(folder), "--create")
    assert f"{name}: 6 images and 0 annotations added (folders), 1 images skipped." in done.out
    assert "Classes: long, round" in done.out
    assert done.out.splitlines()[-3:] == ["class  images", "long        3", "round       3"]
    assert "Left out, because they are no files: round/lost.jpg" in done.err
    assert "round/broken.jpg" in done.err
    archive = shutil.make_archive(str(tmp_path / "more"), "zip", folder)
    again = run("import", name, archive, "--json")
    assert again.json["images_added"] == 0
    assert again.json["images_skipped"] == 7
    assert run("project", "show", name, "--json").json["classified_image_count"] == 6
    (tmp_path / "text.zip").write_bytes(b"no archive")
    refused = run("import", name, str(tmp_path / "text.zip"), code=3)
    assert "Refused" in refused.err
    assert run("import", name, archive, "--format", "excel", code=3).err


def test_images_are_uploaded_listed_annotated_exported_and_deleted(
    run: Run, name: str, tmp_path: Path
) -> None:
    run("project", "create", name)
    files = []
    for sample in sample_images(3, seed=4):
        files.append(tmp_path / sample.filename)
        files[-1].write_bytes(sample.content)
    assert "3 images added" in run("image", "upload", name, *map(str, files), "--class", "a").out
    (tmp_path / "none.jpg").write_text("no image")
    refused = run("image", "upload", name, str(tmp_path / "none.jpg"), code=3)
    assert "none.jpg" in refused.err
    first = f"{name}:{files[0].name}"
    assert [one["filename"] for one in run("images", name, "--json").json] == sorted(f.name for f in files)
    assert run("image", "list", name, "--class", "b").out == ""
    assert len(run("images", name, "--limit", "2", "--json").json) == 2
    run("image", "set", first, "--class", "b", "--group", "g", "--reviewed")
    (shown,) = run("images", name, "--class", "b", "--reviewed", "--json").json
    assert shown["group"] == "g"
    labels = tmp_path / "labels.json"
    labels.write_text('[{"class_label": "x", "box": {"x_min": 1, "y_min": 2, "x_max": 30, "y_max": 40}}]')
    assert "has 1 annotations now" in run("image", "annotate", first, str(labels)).out
    assert "1.0, 2.0 to 30.0, 40.0" in run("image", "annotations", first).out
    assert run("image", "show", shown["id"], "--json").json["annotations"][0]["class_label"] == "x"
    # What is listed can be set again as it is.
    labels.write_text(run("image", "annotations", first, "--json").out)
    run("image", "annotate", first, str(labels))
    labels.write_text('[{"class_label": "x", "box": 7}]')
    assert "box" in run("image", "annotate", first, str(labels), code=2).err
    copy = tmp_path / "copy.jpg"
    run("image", "download", first, "--to", str(copy))
    assert copy.read_bytes() == files[0].read_bytes()
    assert "--force" in run("image", "download", first, "--to", str(copy), code=1).err
    run("image", "download", first, "--to", str(copy), "--thumbnail", "32", "--force")
    assert 0 < copy.stat().st_size < files[0].stat().st_size
    archive = tmp_path / "out.zip"
    run("export", name, str(archive), "--format", "coco")
    run("project", "create", f"{name} again")
    assert "1 annotations added" in run("import", f"{name} again", str(archive)).out.replace(",", "")
    assert "INVALID_EXPORT_FORMAT" in run("export", name, str(tmp_path), "--format", "x", code=3).err
    assert "1 deleted" in run("image", "delete", first, "--yes").out
    assert "IMAGE_NOT_FOUND" in run("image", "show", first, code=3).err


def test_data_sets_are_checked_frozen_shown_downloaded_and_deleted(
    run: Run, name: str, installation: Running, tmp_path: Path
) -> None:
    with installation.rest() as rest:
        make_project(rest, name)
    chosen = ["--project", name, "--task", "detect", "--class", "particle", "--class", "defect"]
    checked = run("dataset", "check", *chosen)
    assert "12 images: 10 images for training, 2 for validation" in checked.out
    assert "It can be trained." in checked.err
    none = run("dataset", "check", "--project", name, "--class", "zebra", code=1)
    assert "error" in none.out
    assert "cannot be trained" in none.err
    dataset = run("dataset", "prepare", *chosen, "--train-ratio", "0.75", "--json").json
    assert (dataset["train_images"], dataset["val_images"]) == (9, 3)
    short = dataset["id"][-8:]
    assert dataset["id"] in run("datasets", "--task", "detect").out
    assert "9 images for training" in run("dataset", "show", short).out
    dry = run("train", "--dataset", short, "--epochs", "3", "--dry-run")
    assert "9 images for training" in dry.err
    assert "3 epochs" in dry.err
    run("dataset", "download", short, "--to", str(tmp_path / "data.zip"))
    assert (tmp_path / "data.zip").stat().st_size == int(dataset["archive_size_bytes"])
    run("dataset", "delete", short, "--yes")
    assert "DATASET_NOT_FOUND" in run("dataset", "show", dataset["id"], code=3).err


def test_a_job_goes_from_its_start_to_predictions(
    run: Run, installation: Running, name: str, tmp_path: Path
) -> None:
    with installation.rest() as rest:
        make_project(rest, name)
    small = ["--epochs", "2", "--image-size", "64", "--batch-size", "4", "--pretrained", "never"]
    done = run("train", "--project", name, "--annotation-type", "circle", *small, "--watch")
    lines = done.out.splitlines()
    assert lines[0] == "pending"
    assert lines[-1] == "completed"
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert "classes: particle" in done.out
    assert "Data set  10 images for training, 2 for validation" in done.err
    assert "annotateforge activate" in done.err
    job_id = done.err.split("Watching job ")[1].split(".")[0]

    assert job_id in run("jobs").out
    assert job_id in run("jobs", "--status", "completed", "--task", "detect").out
    assert job_id not in run("jobs", "list", "--status", "failed").out
    shown = run("jobs", "show", job_id).out
    assert "2 of 2" in shown
    assert f"{name}: yolov8n" in shown
    events = [orjson.loads(line) for line in run("watch", job_id, "--json").out.splitlines()]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    # A job that has ended is told of also when nothing is left to be told.
    assert run("watch", job_id, "--after", str(len(events))).out == ""
    printed = run("jobs", "logs", job_id).out
    assert "2 epochs completed" in printed
    assert run("jobs", "logs", job_id, "--follow").out == printed
    lines = run("jobs", "logs", job_id, "--json").json
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    last = run("jobs", "logs", job_id, "--follow", "--json", "--after", str(len(lines) - 1)).out
    assert orjson.loads(last) == lines[-1]

    assert "train" in run("job", "epochs", job_id).out
    assert [epoch["epoch"] for epoch in run("job", "epochs", job_id, "--json").json] == [1, 2]
    listed = run("job", "events", job_id[-8:], "--json").json
    assert [event["sequence"] for event in listed] == [event["sequence"] for event in events]
    assert "particle" in run("job", "evaluation", job_id).out
    assert "background" in run("job", "evaluation", job_id, "--confusion").out
    assert "JOB_NOT_PENDING" in run("job", "priority", job_id, "-5", code=3).err
    run("job", "rename", job_id, f"{name} first")
    run("job", "describe", f"{name} first", "a try")
    assert "a try" in run("job", "show", f"{name} first").out
    model_id = run("jobs", "show", job_id, "--json").json["model_id"]
    assert model_id in run("models", "--task", "detect").out
    assert run("models", "rename", model_id, "better").out
    run("model", "describe", model_id, "the first")
    assert "best.pt" in run("model", "artifacts", model_id).out
    assert "ARTIFACT_NOT_FOUND" in run("model", "download", model_id, "none.pt", code=3).err
    assert "yolov8n" in run("model", "compare", model_id, model_id[-8:]).out
    assert "better is the active model for detect now." in run("activate", model_id).out
    assert model_id in run("models", "--active").out
    assert run("model", "activations", "--limit", "1", "--json").json[0]["model_id"] == model_id
    model = run("models", "show", model_id, "--json").json
    assert {"best.pt", "last.pt", "results.csv"} <= {file["name"] for file in model["artifacts"]}
    run("models", "download", model_id, "--to", str(tmp_path))
    assert (tmp_path / "best.pt").stat().st_size == model["weights_size_bytes"]
    assert "MODEL_ACTIVE" in run("models", "delete", model_id, "--yes", code=3).err

    image = tmp_path / "image.jpg"
    image.write_bytes(next(sample_images(1, seed=3)).content)
    assert run("predict", str(image), "--json", "--confidence", "0.01").json["model_id"] == model_id
    run("predict", str(image), "--model", model_id)
    several = run("predict", str(image), str(image), "--json").out.splitlines()
    assert [orjson.loads(line)["file"] for line in several] == [str(image)] * 2
    (tmp_path / "text.jpg").write_text("no image")
    assert "Refused" in run("predict", str(tmp_path / "text.jpg"), code=3).err

    assert "not active any more" in run("deactivate", model_id).out
    assert run("models", "delete", model_id, "--yes").out
    assert "is deleted." in run("jobs", "delete", job_id).out
    assert "JOB_NOT_FOUND" in run("jobs", "show", job_id, code=3).err


def test_a_job_is_cancelled_restarted_and_told_of_when_it_did_not_end_well(
    run: Run, installation: Running, name: str
) -> None:
    with installation.rest() as rest:
        make_project(rest, name)
    job = run("train", "--project", name, "--epochs", "500", "--image-size", "64", "--json").json
    assert "cancelled" in run("jobs", "cancel", job["id"]).out
    assert "The job is cancelled." in run("watch", job["id"], code=1).err
    again = run("jobs", "restart", job["id"], "--json").json
    assert again["restarted_from_job_id"] == job["id"]
    assert "had not ended" in run("jobs", "delete", again["id"]).out
    run("watch", again["id"], code=1)
    run("jobs", "delete", again["id"])


def test_sweeps_are_made_compared_and_cancelled(run: Run, installation: Running, name: str) -> None:
    with installation.rest() as rest:
        make_project(rest, name)
    small = ["--epochs", "300", "--image-size", "64", "--pretrained", "never"]
    made = run("train", "--project", name, *small, "--sweep", "mosaic=0,1", "--json").json
    shown = run("sweep", "show", made["id"]).out
    assert "mosaic: 0, 1" in shown
    assert made["id"] in run("sweeps").out
    assert made["id"] in [one["id"] for one in run("sweep", "list", "--json").json]
    for reference in (made["id"][-8:], made["name"]):
        assert run("sweep", "show", reference, "--json").json == made
    for comparison in (
        run("sweep", "compare", made["id"], "--json"),
        run("compare", *made["job_ids"], "--json"),
        run("jobs", "compare", "--sweep", made["id"], "--json"),
    ):
        assert comparison.json["settings"] == ["settings.mosaic"]
    assert "mosaic" in run("sweep", "compare", made["id"]).out
    assert "jobs are cancelled" in run("sweep", "cancel", made["id"]).out
    for job_id in made["job_ids"]:
        run("watch", job_id, code=1)


def test_shells_complete_names_that_the_server_tells(run: Run, name: str, installation: Running) -> None:
    run("project", "create", name)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("annotateforge"))],
        env={
            **os.environ,
            "_ANNOTATEFORGE_COMPLETE": "complete_bash",
            "COMP_WORDS": f"annotateforge project show '{name[:8]}",
            "COMP_CWORD": "3",
            "ANNOTATEFORGE_DATA_DIR": str(installation.data_dir),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert name in done.stdout, done
    run("project", "delete", name, "--yes")


def test_what_cannot_be_trained_is_told_with_the_field(run: Run, name: str, installation: Running) -> None:
    run("project", "create", name)
    assert "nothing to learn" in run("train", "--project", name, code=1).err
    with installation.rest() as rest:
        make_project(rest, f"{name} 2")
    done = run("train", "--project", f"{name} 2", "--epochs", "0", "--image-size", "50", code=3)
    assert "epochs" in done.err
    assert "image_size" in done.err
    assert "Refused" in run("train", "--project", f"{name} 2", "--class", "zebra", code=3).err


def test_roles_are_held_to_and_refusals_name_the_reason(run: Run, name: str) -> None:
    viewer = run("token", "create", "--role", "viewer").out.strip()
    assert run("project", "list", "--token", viewer).code == 0
    assert "ROLE_NOT_ALLOWED" in run("project", "create", name, "--token", viewer, code=3).err
    assert "TOKEN_INVALID" in run("project", "list", "--token", "x.y.z", code=3).err
    assert "JOB_NOT_FOUND" in run("watch", NO_JOB, code=3).err
    assert "There is no job '7'" in run("watch", "7", code=3).err
    assert "MODEL_NOT_FOUND" in run("activate", "7", code=3).err


def test_workers_and_the_installation_are_in_good_order(run: Run) -> None:
    (worker,) = [one for one in run("workers", "--json").json if one["online"]]
    assert worker["devices"]
    assert "online" in run("workers").out
    assert "torch" in run("worker", "show", worker["name"]).out
    assert "WORKER_NOT_FOUND" in run("worker", "show", "nobody", code=3).err
    findings = {one["check"]: one["verdict"] for one in run("doctor", "--json").json}
    assert findings["services"] == "good"
    assert findings["clock"] == "good"


def test_the_server_may_be_named(run: Run, installation: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTATEFORGE_SERVER", installation.url + "/")
    assert "TOKEN_MISSING" in run("jobs", code=3).err
    monkeypatch.setenv("ANNOTATEFORGE_TOKEN", installation.token)
    run("jobs")
    assert httpx.get(f"{installation.url}/healthz").is_success
