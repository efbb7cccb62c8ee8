"""The choice of device and precision, for machines that the tests do not run on."""

import threading

import keras
import pytest

from tl_core.machine.device import Accelerator, choose_device, use_device

OLD_GPU = Accelerator("GTX 1080", (6, 1))
VOLTA = Accelerator("V100", (7, 0))
AMPERE = Accelerator("A100", (8, 0))
METAL = Accelerator("METAL", None)


@pytest.mark.parametrize(
    ("gpus", "instructions", "wish", "policy", "trunk", "noted"),
    [
        ([], ["AVX2"], "auto", "float32", "float32", False),
        ([], ["AVX2", "AMX bfloat16"], "auto", "float32", "bfloat16", False),
        ([], ["AVX-512 bfloat16"], "mixed_bfloat16", "mixed_bfloat16", "bfloat16", False),
        ([], ["AMX bfloat16"], "float32", "float32", "float32", False),
        ([], ["AVX2"], "mixed_bfloat16", "float32", "float32", True),
        ([], ["AMX bfloat16"], "mixed_float16", "float32", "float32", True),
        ([OLD_GPU], [], "auto", "float32", "float32", False),
        ([OLD_GPU], [], "mixed_float16", "float32", "float32", True),
        ([VOLTA], [], "auto", "mixed_float16", "float32", False),
        ([VOLTA], [], "float32", "float32", "float32", False),
        ([VOLTA], [], "mixed_bfloat16", "float32", "float32", True),
        ([AMPERE], ["AMX bfloat16"], "mixed_bfloat16", "mixed_bfloat16", "float32", False),
        ([METAL], [], "auto", "float32", "float32", False),
    ],
)
def test_precision_follows_what_the_device_is_fast_at(gpus, instructions, wish, policy, trunk, noted):
    device = choose_device(gpus, "Some CPU", instructions, wish)
    assert device.kind == ("gpu" if gpus else "cpu")
    assert (device.dtype_policy, device.trunk_precision) == (policy, trunk)
    assert (device.note is not None) == noted


def test_first_gpu_is_named_in_the_record():
    assert choose_device([AMPERE, VOLTA], "Some CPU", [], "float32").text == "GPU: A100, float32"
    assert choose_device([], "Some CPU", ["AMX bfloat16"], "float32").text == "CPU: Some CPU, float32"
    mixed = "CPU: Some CPU, float32, frozen layers in bfloat16 where that is close enough"
    assert choose_device([], "Some CPU", ["AMX bfloat16"], "auto").text == mixed


def test_dtype_policy_is_set_in_the_thread_that_trains():
    policies = {}

    def work():
        keras.config.set_dtype_policy("mixed_bfloat16")
        policies["device"] = use_device("float32").dtype_policy
        policies["thread"] = keras.config.dtype_policy().name

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert policies == {"device": "float32", "thread": "float32"}
