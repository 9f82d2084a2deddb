"""Arguments and options that several commands take."""

from typing import Annotated

import typer

from annotateforge.client.command import completion

ProjectArgument = Annotated[
    str,
    typer.Argument(
        metavar="PROJECT", help="Its name or id.", show_default=False, autocompletion=completion.projects
    ),
]
DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="Its id, or the beginning or end of it.",
        show_default=False,
        autocompletion=completion.datasets,
    ),
]
ImageArgument = Annotated[
    str, typer.Argument(metavar="IMAGE", help="Its id, or PROJECT:FILE NAME.", show_default=False)
]
_ID_OR_NAME = "Its id, the beginning or end of it, or its name where that is the only one."
JobArgument = Annotated[
    str,
    typer.Argument(metavar="JOB", help=_ID_OR_NAME, show_default=False, autocompletion=completion.jobs),
]
SweepArgument = Annotated[
    str,
    typer.Argument(metavar="SWEEP", help=_ID_OR_NAME, show_default=False, autocompletion=completion.sweeps),
]
ModelArgument = Annotated[
    str,
    typer.Argument(metavar="MODEL", help=_ID_OR_NAME, show_default=False, autocompletion=completion.models),
]
TaskFilter = Annotated[
    str,
    typer.Option(
        "--task", help="Only those for classify, detect or segment.", autocompletion=completion.tasks
    ),
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=0, help="At most so many; 0 for all.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NewNameArgument = Annotated[str, typer.Argument(help="The new name.", show_default=False)]
DescriptionArgument = Annotated[
    str, typer.Argument(help="The new description; empty for none.", show_default=False)
]
