"""Runs the demo: sample project in, a watched training, an active model and a picture of its predictions."""

import io
import os
import signal
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from anyio.from_thread import start_blocking_portal
from rich.text import Text

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2, project_pb2
from annotateforge.api.registry.v1 import model_pb2
from annotateforge.api.trainer.v1 import job_pb2, trainer_service_pb2
from annotateforge.client.client import Client
from annotateforge.client.command.live import ended_well, outcome, show_job
from annotateforge.client.command.output import Output
from annotateforge.client.command.session import Session
from annotateforge.client.command.texts import metrics_text
from annotateforge.client.errors import ClientError
from annotateforge.client.profile import LocalServer, sign_in_address
from annotateforge.local.demo.picture import contact_sheet
from annotateforge.local.demo.sample import CLASSES, sample_images
from annotateforge.local.engine import EngineError
from annotateforge.local.up import EXIT_FAILED, EXIT_INTERRUPTED, Terminal, running

PROJECT = "Demo: particles and defects"
IMAGES = 96
_SHOWN = 12


def demo(data_dir: Path, port: int, epochs: int) -> int:
    """Run the demo on the installation of `data_dir`, started for the while unless it runs; the exit code."""
    terminal = Terminal()
    try:
        with _interruptible(terminal), ExitStack() as stack:
            local = LocalServer.find(data_dir)
            started = local is None or not _answers(local)
            if local is None or started:
                terminal.say("Starting AnnotateForge:")
                local = stack.enter_context(_started(data_dir, port, terminal))
            else:
                terminal.say(f"Using the server at {local.url}.")
            terminal.say(f"In the browser: {sign_in_address(local.url, local.token)}", whole=True)
            _show(local, data_dir, epochs, terminal)
    except (EngineError, ClientError) as error:
        terminal.say(Text.assemble(("The demo failed.", "red"), f" {error}"))
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    up = f"`annotateforge up --data-dir {data_dir}`"
    where = f"run {up} and open what it prints" if started else f"open what {up} has printed"
    terminal.say(f"\nThe project, the job and the model are kept. To look around in the browser, {where}.")
    return 0


def _answers(local: LocalServer) -> bool:
    with suppress(ClientError), Client(local.url, local.token, timeout=3) as client:
        next(client.projects(), None)
        return True
    return False


@contextmanager
def _started(data_dir: Path, port: int, terminal: Terminal) -> Iterator[LocalServer]:
    """Run the installation in a thread of its own, so that what it serves can be used from this one."""
    interrupt: KeyboardInterrupt | None = None
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(data_dir, port, terminal)) as stack,
    ):
        try:
            yield LocalServer(stack.url, stack.kept_token)
        except KeyboardInterrupt as error:
            # Raised in the other thread it would end the event loop before that has stopped anything.
            interrupt = error
        terminal.say("\nStopping:")
    if interrupt is not None:
        raise interrupt


@contextmanager
def _interruptible(terminal: Terminal) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the demo in good order, and a second one at once."""

    def at_once(_number: int, _frame: FrameType | None) -> NoReturn:
        # The children are told by the kernel when we are gone.
        os._exit(EXIT_INTERRUPTED)

    def in_order(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in numbers:
            signal.signal(number, at_once)
        terminal.say(Text("\nInterrupted. Once more stops at once.", "dim"))
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, in_order) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _show(local: LocalServer, data_dir: Path, epochs: int, terminal: Terminal) -> None:
    with Client(local.url, local.token) as client:
        project = _sample_project(client, terminal)
        model = _train(client, project, epochs, terminal)
        picture = _picture_of_predictions(client, model, data_dir)
        terminal.say(f"\nMetrics of the best weights: {metrics_text(model.metrics)}")
        terminal.say(f"Predictions over validation images: {picture.resolve()}", whole=True)


def _sample_project(client: Client, terminal: Terminal) -> project_pb2.Project:
    """The sample project, made or, where an earlier run ended half-way, completed."""
    found = client.find_or_create_project(PROJECT)
    samples = {sample.filename: sample for sample in sample_images(IMAGES)}
    if found.image_count < IMAGES:
        client.upload_images(found.id, [(name, sample.content) for name, sample in samples.items()])
    for image in client.images(found.id, annotated=False):
        if image.filename in samples:
            client.set_annotations(image.id, samples[image.filename].annotations)
    project = client.project(found.id)
    terminal.say(
        f"\nThe project {PROJECT!r} has {project.image_count} images with {project.annotation_count} "
        "annotations: circles, boxes, rotated rectangles and polygons."
    )
    return project


def _train(client: Client, project: project_pb2.Project, epochs: int, terminal: Terminal) -> model_pb2.Model:
    job = client.create_job(
        trainer_service_pb2.CreateJobRequest(
            name=PROJECT,
            task_type=dataset_pb2.TASK_TYPE_DETECT,
            config=job_pb2.JobConfig(
                project_ids=[project.id],
                classes=CLASSES,
                annotation_types=[
                    annotation_pb2.ANNOTATION_TYPE_CIRCLE,
                    annotation_pb2.ANNOTATION_TYPE_BOX,
                    annotation_pb2.ANNOTATION_TYPE_RECTANGLE,
                    annotation_pb2.ANNOTATION_TYPE_POLYGON,
                ],
                model="yolov8n",
                pretrained=job_pb2.PRETRAINED_NEVER,
                epochs=epochs,
                image_size=160,
                batch_size=8,
                optimizer="AdamW",
                learning_rate=0.002,
            ),
        )
    )
    terminal.say(f"\nTraining yolov8n from scratch, {epochs} epochs (job {job.id}):")
    status = show_job(Session(client, Output(False, terminal, terminal)), job.id)
    if not ended_well(status):
        raise ClientError(outcome(status))
    model = client.activate_model(client.job(job.id).model_id)
    terminal.say(f"Activated the model {model.id}.")
    return model


def _picture_of_predictions(client: Client, model: model_pb2.Model, data_dir: Path) -> Path:
    archive = io.BytesIO()
    client.download_archive(model.dataset_id, archive)
    with zipfile.ZipFile(archive) as files:
        names = [name for name in files.namelist() if name.startswith("images/val/")][:_SHOWN]
        images = [files.read(name) for name in names]
    predictions = [client.predict(image, model_id=model.id, iou=0.5) for image in images]
    path = data_dir / "demo-predictions.jpg"
    contact_sheet(images, predictions).save(path, quality=90)
    return path
