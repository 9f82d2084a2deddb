import pytest

from annotateforge.trainer.worker.child.accumulation import NOMINAL_BATCH, WEIGHT_DECAY, accumulating


def steps(batch: int, nbs: int, decay: float) -> tuple[int, float]:
    """Images of a step and the decay that applies, as ultralytics computes them."""
    accumulate = max(round(nbs / batch), 1)
    return batch * accumulate, decay * batch * accumulate / nbs


@pytest.mark.parametrize("full", [2, 4, 8, 16, 32, 64, 128, 256])
def test_halved_batches_make_the_steps_of_the_full_ones(full: int) -> None:
    images, decay = steps(full, NOMINAL_BATCH, WEIGHT_DECAY)
    batch = full // 2
    while batch:
        given = accumulating({"batch": batch}, full)
        images_now, decay_now = steps(batch, given["nbs"], given["weight_decay"])
        assert images_now == images
        assert decay_now == pytest.approx(decay)
        batch //= 2


def test_given_arguments_are_kept_and_scaled() -> None:
    given = accumulating({"batch": 5, "nbs": 32, "weight_decay": 0.01, "seed": 3}, 10)
    assert given == {"batch": 5, "nbs": 30, "weight_decay": pytest.approx(0.01 * 30 / 32), "seed": 3}
