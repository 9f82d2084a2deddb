"""Runs the demo: sample project in, a live-watched training, an active model and a picture of its predictions."""

import asyncio
import io
import zipfile
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2, project_pb2
from annotateforge.api.registry.v1 import model_pb2
from annotateforge.api.trainer.v1 import job_pb2, trainer_service_pb2
from annotateforge.client.client import Client
from annotateforge.client.command.live import ended_well, outcome, show_job
from annotateforge.client.command.session import Output, Session
from annotateforge.client.command.texts import metrics_text
from annotateforge.client.errors import ClientError
from annotateforge.client.profile import LocalServer
from annotateforge.local.demo.picture import contact_sheet
from annotateforge.local.demo.sample import CLASSES, sample_images
from annotateforge.local.engine import EngineError
from annotateforge.local.up import EXIT_FAILED, EXIT_INTERRUPTED, running

PROJECT = "Demo: particles and defects"
IMAGES = 96
_SHOWN = 12


def demo(data_dir: Path, port: int, epochs: int, console: Console) -> int:
    """Run the demo on the installation of `data_dir`, starting it for the while unless it runs; the exit code."""
    try:
        local = LocalServer.find(data_dir)
        if local is not None and _answers(local):
            console.print(f"Using the server at {local.url}.")
            _show(local, data_dir, epochs, console)
            console.print(f"\nLook around at {local.url}/?token={local.token}", soft_wrap=True)
        else:
            asyncio.run(_with_stack(data_dir, port, epochs, console))
            console.print(
                "\nThe project, the job and the model are kept. To look around in the browser run "
                f"`annotateforge up --data-dir {data_dir}` and open the address that it prints.",
                soft_wrap=True,
            )
    except (EngineError, ClientError) as error:
        console.print(f"[red]The demo failed.[/red] {error}", soft_wrap=True)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _answers(local: LocalServer) -> bool:
    with suppress(ClientError), Client(local.url, local.token, timeout=3) as client:
        next(client.projects(), None)
        return True
    return False


async def _with_stack(data_dir: Path, port: int, epochs: int, console: Console) -> None:
    console.print("Starting AnnotateForge:")
    async with running(data_dir, port, console) as stack:
        await asyncio.to_thread(_show, LocalServer(stack.url, stack.token), data_dir, epochs, console)


def _show(local: LocalServer, data_dir: Path, epochs: int, console: Console) -> None:
    with Client(local.url, local.token) as client:
        project = _sample_project(client, console)
        model = _train(client, project, epochs, console)
        picture = _picture_of_predictions(client, model, data_dir)
        console.print(f"\nMetrics of the best weights: {metrics_text(model.metrics)}")
        console.print(f"Predictions over validation images: {picture.resolve()}", soft_wrap=True)


def _sample_project(client: Client, console: Console) -> project_pb2.Project:
    found = next(client.projects(name=PROJECT), None)
    if found is not None and found.image_count >= IMAGES:
        console.print(f"The project {PROJECT} is there already, with {found.image_count} images.")
        return found
    project = found or client.create_project(PROJECT, "Drawn by `annotateforge demo`.")
    samples = {sample.filename: sample for sample in sample_images(IMAGES)}
    client.upload_images(project.id, ((sample.filename, sample.content) for sample in samples.values()))
    # All images of the project, not only those just sent: an earlier run may have ended between the two steps.
    for image in client.images(project.id):
        if image.annotation_count == 0 and image.filename in samples:
            client.set_annotations(image.id, samples[image.filename].annotations)
    project = client.project(project.id)
    console.print(
        f"Made the project {PROJECT}: {project.image_count} images with {project.annotation_count} annotations "
        "(circles, boxes, rotated rectangles, polygons)."
    )
    return project


def _train(client: Client, project: project_pb2.Project, epochs: int, console: Console) -> model_pb2.Model:
    job = client.create_job(
        trainer_service_pb2.CreateJobRequest(
            name="Demo: particles and defects",
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
    console.print(f"\nTraining yolov8n from scratch, {epochs} epochs (job {job.id}):")
    status = show_job(Session(client, Output(False, console, console)), job.id)
    if not ended_well(status):
        raise ClientError(outcome(status))
    model = client.activate_model(client.job(job.id).model_id)
    console.print(f"Activated the model {model.name} ({model.id}).")
    return model


def _picture_of_predictions(client: Client, model: model_pb2.Model, data_dir: Path) -> Path:
    archive = io.BytesIO()
    client.download_archive(model.dataset_id, archive)
    with zipfile.ZipFile(archive) as files:
        names = [name for name in files.namelist() if name.startswith("images/val/")][:_SHOWN]
        images = [files.read(name) for name in names]
    predictions = [client.predict(image, task_type="detect") for image in images]
    path = data_dir / "demo-predictions.jpg"
    contact_sheet(images, predictions).save(path, quality=90)
    return path
