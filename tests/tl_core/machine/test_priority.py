from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from tl_core.machine.priority import NICENESS, call_with_low_priority

# Prints the niceness of TensorFlow's compute threads and of the thread that started them.
POOLS = """
import os, pathlib
from tl_core.machine.device import find_device
find_device("auto")
for task in pathlib.Path("/proc/self/task").iterdir():
    text = (task / "stat").read_text()
    if "tf_Compute" in text:
        print("pool", text.rpartition(")")[2].split()[16])
print("caller", os.getpriority(os.PRIO_PROCESS, 0))
"""


def test_the_function_runs_in_a_thread_of_its_own_and_the_caller_stays_as_it_was():
    seen = []
    before = os.getpriority(os.PRIO_PROCESS, 0)
    call_with_low_priority(lambda: seen.append((threading.get_ident(), os.getpriority(os.PRIO_PROCESS, 0))))
    ((thread, niceness),) = seen
    assert thread != threading.get_ident()
    assert niceness == (max(before, NICENESS) if sys.platform == "linux" else before)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_an_error_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        call_with_low_priority(lambda: 1 // 0)


@pytest.mark.slow
def test_compute_threads_give_way_and_the_training_thread_does_not():
    found = subprocess.run([sys.executable, "-c", POOLS], capture_output=True, text=True, check=True).stdout.split()
    before = os.getpriority(os.PRIO_PROCESS, 0)
    values = dict(zip(found[::2], map(int, found[1::2]), strict=True))
    assert values["caller"] == before
    if sys.platform == "linux":
        assert values["pool"] == max(before, NICENESS)


def test_a_process_gives_way_with_all_its_later_threads():
    program = """import psutil, threading
from tl_core.machine.priority import lower_process_priority
lower_process_priority()
print(psutil.Process().nice())"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(found) == NICENESS
