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

THREADS = """
import sys, threading
import psutil
from annotateforge.runtime.heap import keep_heap

if sys.argv[1] == "keep":
    keep_heap()

before = psutil.Process().memory_info().rss


def work():
    # Too small to be given back at once; something that lies above it stays.
    waiting = [bytes(2**16) for _ in range(256)]
    kept.append(bytes(2**10))


kept = []
there = threading.Barrier(8)


def wait_and_work():
    for _ in range(8):
        if there.wait() == 0:
            work()


threads = [threading.Thread(target=wait_and_work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print((psutil.Process().memory_info().rss - before) // 2**20)
"""


def printed(script: str, how: str) -> int:
    """The number that a script prints, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", script, how], capture_output=True, text=True, check=True, timeout=60
    )
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's heap")
def test_a_heap_that_is_kept_fetches_no_pages_anew_for_buffers_of_streams() -> None:
    assert printed(BUFFERS, "keep") < printed(BUFFERS, "leave") / 4


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's heap")
def test_threads_of_a_heap_that_is_kept_use_what_others_have_freed() -> None:
    assert printed(THREADS, "keep") < printed(THREADS, "leave") / 4
