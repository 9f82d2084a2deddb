"""`annotateforge workers`: what trains."""

import typer
from rich.text import Text

from annotateforge.api.trainer.v1 import worker_pb2
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session
from annotateforge.client.command.texts import ago


def register(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command("workers")(list_workers)


@with_session
def list_workers(session: Session) -> None:
    """List the workers, what they train on, and what they do."""

    def row(worker: worker_pb2.Worker) -> list[Cell]:
        return [
            worker.name,
            Text("online", "green") if worker.online else Text("away", "red"),
            ", ".join(map(_device, worker.devices)),
            f"{worker.load.cpu_percent:.0f} %",
            worker.current_job_id or "-",
            ago(worker.heartbeat_time),
        ]

    session.output.table(
        session.client.workers(),
        ["name", "", "devices", "cpu", "job", "heard of"],
        row,
        "No worker was heard of. `annotateforge up` starts one; its log is in the data directory's logs.",
    )


def _device(device: worker_pb2.Device) -> str:
    return f"{device.name} ({device.model}{', others use it' if device.busy else ''})"
