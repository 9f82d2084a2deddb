"""Keeping ultralytics, torch and OpenCV to themselves: no telemetry, no downloads, no installations, no code
from weights.
"""

import os
from pathlib import Path


def keep_to_itself(folder: Path, most_pixels: int) -> None:
    """Set what these libraries read from the environment while they are imported; to be called before.

    `folder` takes their settings files. YOLO_OFFLINE also turns ultralytics' usage analytics off.
    ULTRALYTICS_SAFE_LOAD makes it load checkpoints with torch's restricted unpickler, which builds the known
    layers and runs nothing else.
    """
    os.environ.update(
        {
            "YOLO_OFFLINE": "true",
            "YOLO_AUTOINSTALL": "false",
            "YOLO_VERBOSE": "false",
            "YOLO_CONFIG_DIR": str(folder),
            "ULTRALYTICS_SAFE_LOAD": "true",
            "MPLBACKEND": "Agg",
            "MPLCONFIGDIR": str(folder / "matplotlib"),
            "OPENCV_IO_MAX_IMAGE_PIXELS": str(most_pixels),
            "OPENCV_LOG_LEVEL": "SILENT",
        }
    )
