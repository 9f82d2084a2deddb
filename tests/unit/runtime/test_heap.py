import subprocess
import sys

import pytest

BUFFERS = """
import resource, sys
from annotateforge.runtime.heap import keep_heap, trim_heap

if sys.argv[1] == "keep":
    keep_heap()


def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def stream():
    for _ in range(50):
        waiting = [bytes(2**20) for _ in range(4)]


stream()
before = faults()
stream()
print(faults() - before)
trim_heap()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's heap")
def test_a_heap_that_is_kept_fetches_no_pages_anew_for_buffers_of_streams() -> None:
    def new_pages(how: str) -> int:
        run = subprocess.run(
            [sys.executable, "-c", BUFFERS, how], capture_output=True, text=True, check=True, timeout=60
        )
        return int(run.stdout)

    assert new_pages("keep") < new_pages("leave") / 4
