"""Which devices of this machine get a worker."""

import pynvml


def training_devices() -> list[str]:
    """The index of every NVIDIA GPU, such as ["0", "1"]; ["cpu"] on a machine without one."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ["cpu"]
    try:
        count = pynvml.nvmlDeviceGetCount()
    finally:
        pynvml.nvmlShutdown()
    return [str(index) for index in range(count)] or ["cpu"]
