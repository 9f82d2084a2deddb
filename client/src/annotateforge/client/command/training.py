"""`annotateforge train` and `watch`."""

from collections.abc import Iterable
from typing import Annotated, TypeAlias

import typer

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2, problem_pb2, project_pb2
from annotateforge.api.trainer.v1 import job_pb2, trainer_service_pb2
from annotateforge.client.client import Client
from annotateforge.client.command.live import ended_well, outcome, show_job
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.setting_options import (
    SetOption,
    SweepOption,
    change_config,
    sweep_axes,
)
from annotateforge.client.enums import enum_value
from annotateforge.client.errors import ClientError

_INTERRUPTED = 130
_LONGEST_NAME = 200
_MODEL = "yolov8n"

Shape: TypeAlias = annotation_pb2.AnnotationType.ValueType

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
    train_ratio: Annotated[
        float | None, typer.Option(help="Share of images to learn from.", show_default="0.8")
    ] = None,
    split_seed: Annotated[
        int | None, typer.Option(help="Another seed, another split.", show_default="42")
    ] = None,
    split_strategy: Annotated[
        str, typer.Option(help="stratified, grouped or random.", show_default="stratified")
    ] = "",
    test_ratio: Annotated[
        float | None, typer.Option(help="Share of images set aside for a test.", show_default="none")
    ] = None,
    backgrounds: Annotated[
        bool, typer.Option("--backgrounds", help="Take reviewed images that show nothing as backgrounds.")
    ] = False,
    dataset: Annotated[
        str, typer.Option(help="Id of a frozen data set, instead of projects.", show_default=False)
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            help="Such as yolo11s; `annotateforge architectures` lists all.",
            show_default="yolov8n, or the base model's",
        ),
    ] = "",
    base_model: Annotated[
        str, typer.Option(help="Id of a registered model to start from.", show_default=False)
    ] = "",
    pretrained: Annotated[str, typer.Option(help="auto, required or never.")] = "auto",
    epochs: Annotated[int | None, typer.Option(show_default="100")] = None,
    batch_size: Annotated[int | None, typer.Option(show_default="16")] = None,
    image_size: Annotated[
        int | None, typer.Option(help="A multiple of 32.", show_default="640, for classify 224")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(show_default="by the optimizer")] = None,
    optimizer: Annotated[
        str, typer.Option(help="auto, SGD, MuSGD, Adam, Adamax, AdamW, NAdam, RAdam or RMSProp.")
    ] = "auto",
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without gain.", show_default="100")
    ] = None,
    max_hours: Annotated[
        float | None, typer.Option(help="End after so many hours of training.", show_default="no limit")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the training's random choices.", show_default="0")
    ] = None,
    loader_workers: Annotated[
        int | None, typer.Option(help="Processes that load images.", show_default="the worker's choice")
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu or the index of a GPU; by default the worker's.", show_default=False)
    ] = "",
    gpus: Annotated[int, typer.Option(help="1 for a job that needs a GPU, whichever.")] = 0,
    min_gpu_memory: Annotated[
        int, typer.Option(help="Memory in GB that the GPU must have.", show_default="any")
    ] = 0,
    priority: Annotated[int, typer.Option(help="Higher is taken first, -100 to 100.")] = 0,
    setting: SetOption = None,
    sweep: SweepOption = None,
    samples: Annotated[
        int | None, typer.Option(help="Draw so many jobs of the sweep.", show_default="every combination")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show every epoch.")] = False,
) -> None:
    """Train a model on the images of projects or of a frozen data set; with --sweep several that differ."""
    client = session.client
    axes = sweep_axes(sweep or ())
    if axes and watch:
        raise typer.BadParameter("--watch shows one job, and --sweep makes several.")
    if samples is not None and not axes:
        raise typer.BadParameter("--samples says how many jobs of a --sweep to draw.")
    if bool(project) == bool(dataset):
        raise typer.BadParameter("Give either --project or --dataset.")
    of_projects = (
        *(class_label, annotation_type, train_ratio, split_seed, split_strategy or None, test_ratio),
        backgrounds or None,
    )
    if dataset and any(option is not None for option in of_projects):
        raise typer.BadParameter("A frozen data set has its classes, annotation types and split already.")
    task_type = enum_value(dataset_pb2.TaskType, task, "task")
    # A base model has its architecture already, and another one would be refused.
    model = model or ("" if base_model else _MODEL)
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
        loader_workers=loader_workers,
        device=device,
        gpus=gpus,
        min_gpu_memory=min_gpu_memory,
        priority=priority,
        max_hours=max_hours,
    )
    change_config(config, setting or ())
    title = task
    if project:
        projects = [client.find_project(one) for one in project]
        title = ", ".join(one.name for one in projects)
        shapes = [
            enum_value(annotation_pb2.AnnotationType, one, "annotation type") for one in annotation_type or ()
        ]
        config.project_ids.extend(one.id for one in projects)
        config.annotation_types.extend(shapes)
        config.classes.extend(class_label or _all_classes(client, config.project_ids, task_type, shapes))
        config.split.CopyFrom(
            dataset_pb2.Split(
                train_ratio=train_ratio,
                seed=split_seed,
                strategy=enum_value(dataset_pb2.SplitStrategy, split_strategy, "split strategy"),
                test_ratio=test_ratio,
            )
        )
        config.backgrounds = backgrounds
    name = name or f"{title}: {model or 'further training'}"[-_LONGEST_NAME:]
    if axes:
        made = client.create_sweep(
            trainer_service_pb2.CreateSweepRequest(
                name=name,
                description=description,
                task_type=task_type,
                config=config,
                axes=axes,
                samples=samples or 0,
                seed=seed or 0,
            )
        )
        session.output.message(
            made,
            f"Sweep {made.id} is made, with {len(made.job_ids)} jobs; compare them with "
            f"`annotateforge jobs compare --sweep {made.id}`.",
        )
        return
    job = client.create_job(
        trainer_service_pb2.CreateJobRequest(
            name=name,
            description=description,
            task_type=task_type,
            config=config,
        )
    )
    for finding in job.dataset.findings:
        if finding.severity == problem_pb2.SEVERITY_WARNING:
            session.output.note(f"{finding.message} {finding.hint}", style="yellow")
    if watch:
        _show(session, job.id, 0)
    else:
        session.output.message(job, f"Job {job.id} is made; watch it with `annotateforge watch {job.id}`.")


@with_session
def watch(
    session: Session,
    job: Annotated[str, typer.Argument(help="Its id.", show_default=False)],
    after: Annotated[int, typer.Option(min=0, help="Only events after this sequence.")] = 0,
) -> None:
    """Show a job's events until it has ended. Exits with 0 when it is completed, else with 1."""
    _show(session, job, after)


def _show(session: Session, job_id: str, after: int) -> None:
    session.output.note(f"Watching job {job_id}. Ctrl-C leaves it running.", style="dim")
    try:
        status = show_job(session, job_id, after)
    except KeyboardInterrupt:
        session.output.note(
            f"It goes on. See it again with `annotateforge watch {job_id}`, or end it with "
            f"`annotateforge jobs cancel {job_id}`."
        )
        raise typer.Exit(_INTERRUPTED) from None
    if not ended_well(status):
        raise ClientError(outcome(status))


def _all_classes(
    client: Client,
    project_ids: Iterable[str],
    task: dataset_pb2.TaskType.ValueType,
    shapes: Iterable[Shape],
) -> list[str]:
    """Every label that the projects carry in a form that the task can use, sorted."""
    labels = {
        entry.class_label
        for project_id in project_ids
        for entry in client.project_stats(project_id).classes
        if entry.class_label and _uses(task, list(shapes), entry)
    }
    if not labels:
        raise ClientError(
            "No image of the projects is labelled for this task, so there is nothing to learn. "
            "Import labels, or choose another --task or --annotation-type."
        )
    return sorted(labels)


def _uses(task: dataset_pb2.TaskType.ValueType, shapes: list[Shape], entry: project_pb2.ClassStats) -> bool:
    """Whether a task can learn a class: from the shapes that are chosen, else from those of the task."""
    if task == dataset_pb2.TASK_TYPE_CLASSIFY:
        return entry.classified_image_count > 0
    counts = {
        annotation_pb2.ANNOTATION_TYPE_CIRCLE: entry.circle_count,
        annotation_pb2.ANNOTATION_TYPE_BOX: entry.box_count,
        annotation_pb2.ANNOTATION_TYPE_RECTANGLE: entry.rectangle_count,
        annotation_pb2.ANNOTATION_TYPE_POLYGON: entry.polygon_count,
    }
    polygon = annotation_pb2.ANNOTATION_TYPE_POLYGON
    by_task = (
        [polygon] if task == dataset_pb2.TASK_TYPE_SEGMENT else [one for one in counts if one != polygon]
    )
    return any(counts[shape] for shape in shapes or by_task)
