"""What the list of architectures says is what ultralytics builds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from annotateforge.trainer.architectures import ARCHITECTURES, TASK_SUFFIXES

# On the meta device: the largest models would take gigabytes otherwise.
BUILD = """
import json, sys, torch
from ultralytics.nn.tasks import parse_model, yaml_model_load
found = {}
for name in sys.argv[1:]:
    config = yaml_model_load(f"{name}.yaml")
    with torch.device("meta"):
        model, _ = parse_model(config, ch=3, verbose=False)
    found[name] = [sum(one.numel() for one in model.parameters()), len(model)]
print(json.dumps(found))
"""


def test_parameters_and_layers_are_those_of_ultralytics(tmp_path: Path) -> None:
    names = [name + suffix for name in ARCHITECTURES for suffix in TASK_SUFFIXES.values()]
    done = subprocess.run(
        [sys.executable, "-c", BUILD, *names],
        cwd=tmp_path,
        env={"YOLO_CONFIG_DIR": str(tmp_path), "YOLO_OFFLINE": "true", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert built == {
        architecture.name + suffix: [architecture.parameters[task], architecture.layers[task]]
        for architecture in ARCHITECTURES.values()
        for task, suffix in TASK_SUFFIXES.items()
    }


def test_there_are_five_sizes_of_three_families() -> None:
    assert len(ARCHITECTURES) == 15
    assert len({(one.family, one.size) for one in ARCHITECTURES.values()}) == 15
    assert all(one.notes for one in ARCHITECTURES.values())
