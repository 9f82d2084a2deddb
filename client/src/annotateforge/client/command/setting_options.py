"""The option --set NAME=VALUE: any setting of a training, typed as the proto has it."""

from collections.abc import Iterable
from typing import Annotated

import typer

from annotateforge.api.trainer.v1 import job_pb2, sweep_pb2
from annotateforge.client.errors import WrongArgument
from annotateforge.runtime.rest.parameters import Parameter, parameters_of
from annotateforge.runtime.rest.values import Refused

_SETTINGS = "settings."
_LOGARITHMIC = ":log"

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting, such as mosaic=0.5, often as you like; docs/training-settings.md lists all.",
    ),
]

SweepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="NAME=VALUES",
        help="Make a job for each value (mosaic=0,0.5,1); several times for all combinations. With --samples "
        "also a range: lrf=0.01..0.5, or lrf=0.01..0.5:log.",
    ),
]


SamplesOption = Annotated[
    int | None, typer.Option(help="Draw so many jobs of the sweep.", show_default="every combination")
]


def sweep_axes(texts: Iterable[str]) -> list[sweep_pb2.SweepAxis]:
    """The axes that texts such as "mosaic=0,0.5,1" or "learning_rate=0.001..0.1:log" say.

    WrongArgument for a name that is none, and a range that is none.
    """
    axes = []
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals:
            raise WrongArgument(f"{text!r} names no values; write NAME=VALUE,VALUE, such as mosaic=0,0.5,1.")
        axis = sweep_pb2.SweepAxis(setting=setting_parameter(name).name)
        low, dots, high = values.removesuffix(_LOGARITHMIC).partition("..")
        if dots:
            try:
                axis.range.low, axis.range.high = float(low), float(high)
            except ValueError:
                raise WrongArgument(
                    f"{text!r} is no range; write LOW..HIGH, such as lrf=0.01..0.5."
                ) from None
            axis.range.logarithmic = values.endswith(_LOGARITHMIC)
        else:
            axis.values.extend(values.split(","))
        axes.append(axis)
    return axes


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
