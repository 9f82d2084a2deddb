"""The options that say what a data set is made of, for `train` and for `dataset check` and `prepare`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import typer

from annotateforge.api.dataset.v1 import annotation_pb2, dataset_pb2, project_pb2
from annotateforge.client.client import Client
from annotateforge.client.command import completion
from annotateforge.client.enums import enum_value
from annotateforge.client.errors import ClientError

Shape: TypeAlias = annotation_pb2.AnnotationType.ValueType

ProjectsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--project",
        help="Name or id of a project; may be given several times.",
        autocompletion=completion.projects,
    ),
]
TaskOption = Annotated[
    str, typer.Option("--task", help="classify, detect or segment.", autocompletion=completion.tasks)
]
ClassOption = Annotated[
    list[str] | None,
    typer.Option(
        "--class", help="A class label; the order gives the class ids. By default all labels, sorted."
    ),
]
TypeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--annotation-type",
        help="circle, box, rectangle or polygon; may be given several times.",
        autocompletion=completion.shapes,
    ),
]
TrainRatioOption = Annotated[
    float | None, typer.Option(help="Share of images to learn from.", show_default="0.8")
]
TestRatioOption = Annotated[
    float | None, typer.Option(help="Share of images kept for a test.", show_default="0")
]
SplitSeedOption = Annotated[int | None, typer.Option(help="Another seed, another split.", show_default="42")]
SplitStrategyOption = Annotated[
    str, typer.Option(help="stratified, grouped or random.", show_default="stratified")
]
BackgroundsOption = Annotated[
    bool, typer.Option("--backgrounds", help="Take in reviewed images that show nothing.")
]


@dataclass(frozen=True, kw_only=True)
class SpecOptions:
    """What a data set is made of."""

    project: ProjectsOption = None
    task: TaskOption = "detect"
    class_label: ClassOption = None
    annotation_type: TypeOption = None
    train_ratio: TrainRatioOption = None
    test_ratio: TestRatioOption = None
    split_seed: SplitSeedOption = None
    split_strategy: SplitStrategyOption = ""
    backgrounds: BackgroundsOption = False

    def spec(
        self, client: Client, *, image_size: int | None = None
    ) -> tuple[dataset_pb2.DatasetSpec, list[str]]:
        """The spec that the options say, without classes all that the task can use; and the projects' names.

        WrongArgument for a choice that is none, ClientError when nothing is labelled for the task,
        ServerRefused for a project that is not there.
        """
        task_type = enum_value(dataset_pb2.TaskType, self.task, "task")
        shapes: list[Shape] = [
            enum_value(annotation_pb2.AnnotationType, one, "annotation type")
            for one in self.annotation_type or ()
        ]
        split = dataset_pb2.Split(
            train_ratio=self.train_ratio,
            test_ratio=self.test_ratio,
            seed=self.split_seed,
            strategy=enum_value(dataset_pb2.SplitStrategy, self.split_strategy, "split strategy"),
        )
        found = [client.find_project(one) for one in self.project or ()]
        project_ids = [one.id for one in found]
        spec = dataset_pb2.DatasetSpec(
            project_ids=project_ids,
            task_type=task_type,
            classes=self.class_label or all_classes(client, project_ids, task_type, shapes),
            annotation_types=shapes,
            split=split,
            backgrounds=self.backgrounds,
            image_size=image_size or 0,
        )
        return spec, [one.name for one in found]


def all_classes(
    client: Client,
    project_ids: Iterable[str],
    task: dataset_pb2.TaskType.ValueType,
    shapes: list[Shape],
) -> list[str]:
    """Every label that the projects carry in a form that the task can use, sorted."""
    labels = {
        entry.class_label
        for project_id in project_ids
        for entry in client.project_stats(project_id).classes
        if entry.class_label and _uses(task, shapes, entry)
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
