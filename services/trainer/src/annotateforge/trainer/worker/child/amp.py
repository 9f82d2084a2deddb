"""Whether mixed precision can be trusted on a GPU, found out with the model that is to be trained."""

import re
from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import nn

_TEST_SIDE = 256

# Half precision gives NaN or zero mAP on these. Source: ultralytics.utils.checks.check_amp, 8.4.190.
_UNSOUND = re.compile(
    r"(nvidia|geforce|quadro|tesla).*?(1660|1650|1630|t400|t550|t600|t1000|t1200|t2000|k40m)", re.IGNORECASE
)


def amp_works(model: nn.Module) -> bool:
    """Stands in for ultralytics' check_amp, which downloads a model and compares its boxes.

    True when a forward pass of a copy of `model` in half precision gives numbers wherever one in full
    precision does. False on CPUs, where ultralytics trains in full precision. Draws no random numbers.
    """
    device = next(model.parameters()).device
    if device.type in {"cpu", "mps"}:
        return False
    if device.type == "cuda" and _UNSOUND.search(torch.cuda.get_device_name(device)):
        return False
    probe = deepcopy(model).eval()
    image = torch.linspace(0, 1, 3 * _TEST_SIDE * _TEST_SIDE, device=device)
    image = image.reshape(1, 3, _TEST_SIDE, _TEST_SIDE)
    with torch.no_grad():
        full = _all_finite(probe(image))
        with torch.autocast(device.type):
            half = _all_finite(probe(image))
    return half or not full


def _all_finite(output: object) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in _tensors(output))


def _tensors(output: object) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, dict):
        for part in output.values():
            yield from _tensors(part)
    elif isinstance(output, list | tuple):
        for part in output:
            yield from _tensors(part)
