"""`annotateforge train` and `watch`."""

from typing import Annotated

import typer

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.trainer.v1 import job_pb2, trainer_service_pb2
from annotateforge.client.client import Client
from annotateforge.client.command import completion
from annotateforge.client.command.health import list_findings
from annotateforge.client.command.jobs import ENDED
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.setting_options import (
    SetOption,
    SweepOption,
    change_config,
    sweep_axes,
)
from annotateforge.client.command.spec_options import (
    BackgroundsOption,
    ClassOption,
    ProjectsOption,
    SplitSeedOption,
    SplitStrategyOption,
    TaskOption,
    TestRatioOption,
    TrainRatioOption,
    TypeOption,
    dataset_spec,
)
from annotateforge.client.command.waiting import preview, watch_job
from annotateforge.client.enums import enum_value
from annotateforge.client.errors import WrongArgument
from annotateforge.client.references import is_id

_LONGEST_NAME = 200
_MODEL = "yolov8n"


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.command("train")(train)
    root.command("watch")(watch)


@with_session
def train(
    session: Session,
    project: ProjectsOption = None,
    task: TaskOption = "detect",
    name: Annotated[
        str, typer.Option(help="Name of the job; by default the projects' and the model's.")
    ] = "",
    description: Annotated[str, typer.Option(help="Free text.")] = "",
    class_label: ClassOption = None,
    annotation_type: TypeOption = None,
    train_ratio: TrainRatioOption = None,
    split_seed: SplitSeedOption = None,
    split_strategy: SplitStrategyOption = "",
    test_ratio: TestRatioOption = None,
    backgrounds: BackgroundsOption = False,
    dataset: Annotated[
        str,
        typer.Option(
            help="Id of a frozen data set, instead of projects.",
            show_default=False,
            autocompletion=completion.datasets,
        ),
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            help="Such as yolo11s; `annotateforge architectures` lists all.",
            show_default="yolov8n, or the base model's",
            autocompletion=completion.architectures,
        ),
    ] = "",
    base_model: Annotated[
        str,
        typer.Option(
            help="A registered model to start from.", show_default=False, autocompletion=completion.models
        ),
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
        str,
        typer.Option(
            help="cpu, the index of a GPU, or several such as 0,1; by default the worker's.",
            show_default=False,
        ),
    ] = "",
    gpus: Annotated[
        int, typer.Option(help="GPUs that the job needs, whichever; several train together.")
    ] = 0,
    min_gpu_memory: Annotated[
        int, typer.Option(help="Memory in GB that each GPU must have.", show_default="any")
    ] = 0,
    priority: Annotated[int, typer.Option(help="Higher is taken first, -100 to 100.")] = 0,
    setting: SetOption = None,
    sweep: SweepOption = None,
    samples: Annotated[
        int | None, typer.Option(help="Draw so many jobs of the sweep.", show_default="every combination")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show every epoch.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be trained, and what may hurt.")
    ] = False,
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
        dataset_id=client.find_dataset(dataset).id if dataset else "",
        model=model,
        base_model_id=client.find_model(base_model).id if base_model else "",
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
    title, spec = task, None
    if project:
        spec, names = dataset_spec(
            client,
            project,
            task,
            classes=class_label,
            annotation_types=annotation_type,
            train_ratio=train_ratio,
            test_ratio=test_ratio,
            split_seed=split_seed,
            split_strategy=split_strategy,
            backgrounds=backgrounds,
            image_size=image_size,
        )
        title = ", ".join(names)
        config.project_ids.extend(spec.project_ids)
        config.annotation_types.extend(spec.annotation_types)
        config.classes.extend(spec.classes)
        config.split.CopyFrom(spec.split)
        config.backgrounds = backgrounds
    if not session.output.as_json or dry_run:
        preview(session, config, spec)
    if dry_run:
        session.output.note("Nothing was made.", style="dim")
        return
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
            f"`annotateforge sweep compare {made.id}`.",
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
    if session.output.as_json:
        # Otherwise they were told before.
        list_findings(session.output.note, job.dataset.findings)
    if watch:
        watch_job(session, job.id)
    else:
        session.output.message(job, f"Job {job.id} is made; watch it with `annotateforge watch {job.id}`.")


@with_session
def watch(
    session: Session,
    job: Annotated[
        str,
        typer.Argument(
            help="Its id, the beginning or end of it, or its name.",
            show_default="the newest that has not ended",
            autocompletion=completion.jobs,
        ),
    ] = "",
    after: Annotated[int, typer.Option(min=0, help="Only events after this sequence.")] = 0,
) -> None:
    """Show a job's events until it has ended. Exits with 0 when it is completed, else with 1."""
    client = session.client
    if not job:
        job = _newest(client)
    # A whole id is not looked for first: the server that watches knows best whether it is there.
    watch_job(session, job if is_id(job) else client.find_job(job).id, after)


def _newest(client: Client) -> str:
    """The id of the newest job that has not ended."""
    for job in client.jobs():
        if job.status not in ENDED:
            return job.id
    raise WrongArgument("Every job has ended; name one. `annotateforge job list` shows them.")
