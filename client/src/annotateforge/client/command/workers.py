"""`annotateforge worker`: what trains."""

from typing import Annotated

import typer
from rich.text import Text

from annotateforge.api.trainer.v1 import worker_pb2
from annotateforge.client.command.nouns import ListsByDefault
from annotateforge.client.command.output import Cell
from annotateforge.client.command.session import Session, with_session, with_table
from annotateforge.client.command.texts import ago, size
from annotateforge.client.errors import ServerRefused

app = typer.Typer(cls=ListsByDefault, help="Workers, which train; without a further word, list them.")


def register(root: typer.Typer) -> None:
    """Add the commands to the program."""
    root.add_typer(app, name="worker")


@app.command("list")
@with_table
def list_workers(session: Session) -> None:
    """List the workers, what they train on, and what they do."""

    def row(worker: worker_pb2.Worker) -> list[Cell]:
        return [
            worker.name,
            _online(worker),
            ", ".join(map(_device, worker.devices)),
            f"{worker.load.cpu_percent:.0f} %",
            worker.current_job_id or "-",
            ago(worker.heartbeat_time),
        ]

    session.output.table(
        session.client.workers(),
        ["name", "status", "devices", "cpu", "job", "heard of"],
        row,
        "No worker was heard of. `annotateforge up` starts one; its log is in the data directory's logs.",
    )


@app.command("show")
@with_session
def show(
    session: Session,
    worker: Annotated[str, typer.Argument(metavar="WORKER", help="Its name or id.", show_default=False)],
) -> None:
    """Show a worker: its devices, its load, what it runs."""
    found = next((one for one in session.client.workers() if worker in (one.name, one.id)), None)
    if found is None:
        raise ServerRefused(
            404,
            "NOT_FOUND",
            "WORKER_NOT_FOUND",
            f"No worker {worker!r} was heard of lately. `annotateforge worker list` shows those that were.",
        )
    if session.output.as_json:
        session.output.message(found, "")
        return
    load = found.load
    facts: dict[str, Cell] = {
        "id": found.id,
        "name": found.name,
        "status": _online(found),
        "devices": "\n".join(f"{_device(one)}, {size(one.memory_bytes)}" for one in found.devices),
        "processors": f"{load.cpu_percent:.0f} % in use",
        "memory": f"{size(load.memory_used_bytes)} of {size(load.memory_total_bytes)} in use",
        "job": found.current_job_id or "-",
        "heard of": ago(found.heartbeat_time),
        "versions": ", ".join(f"{name} {number}" for name, number in sorted(found.versions.items())),
    }
    for gpu in load.gpus:
        used = f"{gpu.utilization_percent:.0f} % in use, {size(gpu.memory_used_bytes)} of its memory"
        facts[f"GPU {gpu.name}"] = used
    session.output.facts(facts)


def _online(worker: worker_pb2.Worker) -> Text:
    return Text("online", "green") if worker.online else Text("away", "red")


def _device(device: worker_pb2.Device) -> str:
    return f"{device.name} ({device.model}{', others use it' if device.busy else ''})"
