"""The option --set NAME=VALUE: any setting of a training, typed as the proto has it."""

from collections.abc import Iterable
from typing import Annotated

import typer

from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.client.errors import WrongArgument
from annotateforge.runtime.rest.parameters import Parameter, parameters_of
from annotateforge.runtime.rest.values import Refused

_SETTINGS = "settings."

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting, such as mosaic=0.5, often as you like; docs/training-settings.md lists all.",
    ),
]


def change_config(config: job_pb2.JobConfig, texts: Iterable[str]) -> list[str]:
    """Set what texts such as "mosaic=0.5" or "epochs=50" say, and answer the paths of the fields.

    WrongArgument for a name that is none, one that is given twice, and a value that the field does not take.
    """
    paths: list[str] = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise WrongArgument(f"{text!r} sets nothing; write NAME=VALUE, such as mosaic=0.5.")
        parameter = setting_parameter(name)
        if parameter.name in paths:
            raise WrongArgument(f"{name} is set twice.")
        try:
            # A repeated field is written with commas.
            parameter.set(config, value.split(",") if parameter.field.is_repeated else [value])
        except Refused as refused:
            raise WrongArgument(f"{name}={value}: {refused.description}.") from None
        paths.append(parameter.name)
    return paths


def setting_parameter(name: str) -> Parameter:
    """A field of JobConfig by its path; those of its settings also without "settings." before them.

    WrongArgument for a name that is none.
    """
    known = parameters_of(job_pb2.JobConfig.DESCRIPTOR)
    found = known.get(name) or known.get(_SETTINGS + name)
    if found is None:
        names = ", ".join(sorted(one.removeprefix(_SETTINGS) for one in known))
        raise WrongArgument(f"There is no setting {name!r}; there are {names}.")
    return found
