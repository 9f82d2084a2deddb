"""`annotateforge architectures`: what can be trained."""

import typer

from annotateforge.api.trainer.v1 import architecture_pb2
from annotateforge.client.command.arguments import TaskFilter
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_table
from annotateforge.client.command.texts import task_name


def register(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command("architectures")(list_architectures)


@with_table
def list_architectures(
    session: Session,
    task: TaskFilter = "",
) -> None:
    """List the architectures that --model takes, with their size and what they are good for."""

    def row(architecture: architecture_pb2.Architecture) -> list[Cell]:
        sizes = [f"{task_name(one.task_type)} {one.parameters / 1e6:.1f} M" for one in architecture.tasks]
        return [architecture.name, architecture.size, ", ".join(sizes), architecture.notes]

    session.output.table(
        session.client.architectures(task),
        ["model", "size", "parameters", "notes"],
        row,
        "There is none for this task.",
    )
