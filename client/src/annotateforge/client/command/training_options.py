"""The options that say what is trained on what, for `train` and for `sweep create`."""

from dataclasses import dataclass
from typing import Annotated

import typer

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.client.client import Client
from annotateforge.client.command import completion
from annotateforge.client.command.setting_options import SetOption, change_config
from annotateforge.client.command.spec_options import SpecOptions
from annotateforge.client.enums import enum_value

LONGEST_NAME = 200

_MODEL = "yolov8n"


@dataclass(frozen=True)
class Training:
    """What is to be ordered."""

    name: str
    task_type: dataset_pb2.TaskType.ValueType
    config: job_pb2.JobConfig
    spec: dataset_pb2.DatasetSpec | None
    """Of a data set that is not frozen yet."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(SpecOptions):
    """A training on the images of projects or of a frozen data set."""

    name: Annotated[str, typer.Option(help="Name of the job; by default the projects' and the model's.")] = ""
    description: Annotated[str, typer.Option(help="Free text.")] = ""
    dataset: Annotated[
        str,
        typer.Option(
            help="Id of a frozen data set, instead of projects.",
            show_default=False,
            autocompletion=completion.datasets,
        ),
    ] = ""
    model: Annotated[
        str,
        typer.Option(
            help="Such as yolo11s; `annotateforge architectures` lists all.",
            show_default="yolov8n, or the base model's",
            autocompletion=completion.architectures,
        ),
    ] = ""
    base_model: Annotated[
        str,
        typer.Option(
            help="A registered model to start from.", show_default=False, autocompletion=completion.models
        ),
    ] = ""
    pretrained: Annotated[str, typer.Option(help="auto, required or never.")] = "auto"
    epochs: Annotated[int | None, typer.Option(show_default="100")] = None
    batch_size: Annotated[int | None, typer.Option(show_default="16")] = None
    image_size: Annotated[
        int | None, typer.Option(help="A multiple of 32.", show_default="640, for classify 224")
    ] = None
    learning_rate: Annotated[float | None, typer.Option(show_default="by the optimizer")] = None
    optimizer: Annotated[
        str, typer.Option(help="auto, SGD, MuSGD, Adam, Adamax, AdamW, NAdam, RAdam or RMSProp.")
    ] = "auto"
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without gain.", show_default="100")
    ] = None
    max_hours: Annotated[
        float | None, typer.Option(help="End after so many hours of training.", show_default="no limit")
    ] = None
    seed: Annotated[int | None, typer.Option(help="Of the training's random choices.", show_default="0")] = (
        None
    )
    loader_workers: Annotated[
        int | None, typer.Option(help="Processes that load images.", show_default="the worker's choice")
    ] = None
    device: Annotated[
        str,
        typer.Option(
            help="cpu, the index of a GPU, or several such as 0,1; by default the worker's.",
            show_default=False,
        ),
    ] = ""
    gpus: Annotated[int, typer.Option(help="GPUs that the job needs, whichever; several train together.")] = 0
    min_gpu_memory: Annotated[
        int, typer.Option(help="Memory in GB that each GPU must have.", show_default="any")
    ] = 0
    priority: Annotated[int, typer.Option(help="Higher is taken first, -100 to 100.")] = 0
    setting: SetOption = None

    def check(self) -> None:
        """BadParameter for options that contradict each other; asks no server."""
        if bool(self.project) == bool(self.dataset):
            raise typer.BadParameter("Give either --project or --dataset.")
        of_projects = (
            *(self.class_label, self.annotation_type, self.train_ratio, self.split_seed, self.test_ratio),
            self.split_strategy or None,
            self.backgrounds or None,
        )
        if self.dataset and any(option is not None for option in of_projects):
            raise typer.BadParameter("A frozen data set has its classes, annotation types and split already.")

    def training(self, client: Client) -> Training:
        """What the options say. WrongArgument and ServerRefused as `SpecOptions.spec` has them."""
        task_type = enum_value(dataset_pb2.TaskType, self.task, "task")
        # A base model has its architecture already, and another one would be refused.
        model = self.model or ("" if self.base_model else _MODEL)
        config = job_pb2.JobConfig(
            dataset_id=client.find_dataset(self.dataset).id if self.dataset else "",
            model=model,
            base_model_id=client.find_model(self.base_model).id if self.base_model else "",
            pretrained=enum_value(job_pb2.Pretrained, self.pretrained, "pretrained"),
            epochs=self.epochs,
            batch_size=self.batch_size,
            image_size=self.image_size,
            learning_rate=self.learning_rate,
            optimizer=self.optimizer,
            patience=self.patience,
            seed=self.seed,
            loader_workers=self.loader_workers,
            device=self.device,
            gpus=self.gpus,
            min_gpu_memory=self.min_gpu_memory,
            priority=self.priority,
            max_hours=self.max_hours,
        )
        change_config(config, self.setting or ())
        title, spec = self.task, None
        if self.project:
            spec, names = self.spec(client, image_size=self.image_size)
            title = ", ".join(names)
            config.project_ids.extend(spec.project_ids)
            config.annotation_types.extend(spec.annotation_types)
            config.classes.extend(spec.classes)
            config.split.CopyFrom(spec.split)
            config.backgrounds = spec.backgrounds
        name = self.name or f"{title}: {model or 'further training'}"[-LONGEST_NAME:]
        return Training(name, task_type, config, spec)
