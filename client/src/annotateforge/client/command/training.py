"""`annotateforge train` and `watch`."""

from typing import Annotated

import typer

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2
from annotateforge.api.trainer.v1 import job_pb2, trainer_service_pb2
from annotateforge.client.client import Client, enum_value
from annotateforge.client.command.live import ended_well, outcome, show_job
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.errors import ClientError

ProjectOption = Annotated[
    list[str] | None,
    typer.Option("--project", help="Name or id of a project; may be given several times."),
]
ClassOption = Annotated[
    list[str] | None,
    typer.Option(
        "--class", help="A class label; the order gives the class ids. By default all labels, sorted."
    ),
]
TypeOption = Annotated[
    list[str] | None,
    typer.Option("--annotation-type", help="circle, box, rectangle or polygon; may be given several times."),
]
WatchOption = Annotated[bool, typer.Option("--watch", help="Stay and show every epoch.")]


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.command("train")(train)
    root.command("watch")(watch)


@with_session
def train(
    session: Session,
    project: ProjectOption = None,
    task: Annotated[str, typer.Option(help="classify, detect or segment.")] = "detect",
    name: Annotated[
        str, typer.Option(help="Name of the job; by default the projects' and the model's.")
    ] = "",
    description: Annotated[str, typer.Option(help="Free text.")] = "",
    class_label: ClassOption = None,
    annotation_type: TypeOption = None,
    dataset: Annotated[str, typer.Option(help="Id of a frozen data set, instead of projects.")] = "",
    model: Annotated[str, typer.Option(help="yolov8n, yolov8s, …, yolo11x.")] = "yolov8n",
    base_model: Annotated[str, typer.Option(help="Id of a registered model to start from.")] = "",
    pretrained: Annotated[str, typer.Option(help="auto, required or never.")] = "auto",
    epochs: Annotated[int | None, typer.Option(help="[default: 100]", show_default=False)] = None,
    batch_size: Annotated[int | None, typer.Option(help="[default: 16]", show_default=False)] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Multiple of 32 [default: 640, classify 224].", show_default=False)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="[default: by the optimizer]", show_default=False)
    ] = None,
    optimizer: Annotated[str, typer.Option(help="auto, SGD, Adam, AdamW, NAdam, RAdam or RMSProp.")] = "auto",
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without gain.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the training's random choices.")] = None,
    device: Annotated[str, typer.Option(help="cpu or the index of a GPU; by default the worker's.")] = "",
    priority: Annotated[int, typer.Option(help="Higher is taken first, -100 to 100.")] = 0,
    train_ratio: Annotated[float | None, typer.Option(help="[default: 0.8]", show_default=False)] = None,
    split_seed: Annotated[int | None, typer.Option(help="[default: 42]", show_default=False)] = None,
    split_strategy: Annotated[str, typer.Option(help="stratified or random.")] = "stratified",
    watch: WatchOption = False,
) -> None:
    """Train a model on the images of projects, or of a frozen data set."""
    client = session.client
    if bool(project) == bool(dataset):
        raise typer.BadParameter("Give either --project or --dataset.")
    task_type = enum_value(dataset_pb2.TaskType, task, "task")
    config = job_pb2.JobConfig(
        dataset_id=dataset,
        model=model,
        base_model_id=base_model,
        pretrained=enum_value(job_pb2.Pretrained, pretrained, "pretrained"),
        epochs=epochs,
        batch_size=batch_size,
        image_size=image_size,
        learning_rate=learning_rate,
        optimizer=optimizer,
        patience=patience,
        seed=seed,
        device=device,
        priority=priority,
    )
    if project:
        projects = [client.find_project(one) for one in project]
        config.project_ids.extend(one.id for one in projects)
        config.classes.extend(class_label or _all_classes(client, config.project_ids, task_type))
        config.annotation_types.extend(
            enum_value(annotation_pb2.AnnotationType, one, "annotation type") for one in annotation_type or ()
        )
        config.split.CopyFrom(
            dataset_pb2.Split(
                train_ratio=train_ratio,
                seed=split_seed,
                strategy=enum_value(dataset_pb2.SplitStrategy, split_strategy, "split strategy"),
            )
        )
        name = name or f"{', '.join(one.name for one in projects)}: {model}"[:200]
    job = client.create_job(
        trainer_service_pb2.CreateJobRequest(
            name=name or f"{task}: {model}", description=description, task_type=task_type, config=config
        )
    )
    if not watch:
        session.output.message(job, f"Job {job.id} is made; watch it with `annotateforge watch {job.id}`.")
        return
    _show(session, job.id, 0)


@with_session
def watch(
    session: Session,
    job: Annotated[str, typer.Argument(help="Its id.", show_default=False)],
    after: Annotated[int, typer.Option(min=0, help="Only events after this sequence.")] = 0,
) -> None:
    """Show a job's events until it has ended. Exits 0 when it is completed, 1 otherwise."""
    _show(session, job, after)


def _show(session: Session, job_id: str, after: int) -> None:
    session.output.notes.print(f"Watching job {job_id}. Ctrl-C leaves it running.", style="dim")
    status = show_job(session, job_id, after)
    if not ended_well(status):
        raise ClientError(outcome(status))


def _all_classes(client: Client, project_ids: list[str], task: dataset_pb2.TaskType.ValueType) -> list[str]:
    """Every label that the projects' images carry and the task can use, sorted."""
    classify = task == dataset_pb2.TASK_TYPE_CLASSIFY
    labels = {
        entry.class_label
        for project_id in project_ids
        for entry in client.project_stats(project_id).classes
        if entry.class_label and (entry.classified_image_count if classify else entry.image_count)
    }
    if not labels:
        raise ClientError(
            "No image of the projects is labelled for this task, so there is nothing to learn. Import labels, "
            "or choose another --task."
        )
    return sorted(labels)
