"""Tells ultralytics to stay at home. What is left is refused by `network`.

The variables that ultralytics reads while it is imported are set by the worker, see `environment`.
"""

import importlib.util
import shutil
from pathlib import Path

import ultralytics.engine.trainer
from ultralytics import SETTINGS
from ultralytics.utils import USER_CONFIG_DIR

from annotateforge.trainer.worker.child.amp import amp_works

_INTEGRATIONS = ("sync", "clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
_FONTS = ("Arial.ttf", "Arial.Unicode.ttf")


def stay_offline() -> None:
    """Switch off what ultralytics 8.4 would send, and give it what it would fetch.

    Usage events and loggers are settings. Fonts are looked for in its folder before they are downloaded: it
    gets one of matplotlib's under their names. Before it trains on a GPU in mixed precision it downloads a
    model to test that on: it gets a test that needs none.
    """
    SETTINGS.update({name: False for name in _INTEGRATIONS if name in SETTINGS})
    font = _font()
    for name in _FONTS:
        if not (USER_CONFIG_DIR / name).exists():
            shutil.copyfile(font, USER_CONFIG_DIR / name)
    ultralytics.engine.trainer.check_amp = amp_works


def _font() -> Path:
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
