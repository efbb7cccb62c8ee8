"""What people paste leads to the handle that the client takes."""

import pytest

from tl_core.errors import ModelFileError
from tl_core.imported_models.networks.addresses import handle_of, is_address, size_in, title_of


@pytest.mark.parametrize(
    ("pasted", "handle"),
    [
        (
            "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5",
            "google/mobilenet-v2/tensorFlow2/100-224-feature-vector",
        ),
        (
            "https://tfhub.dev/google/imagenet/mobilenet_v2_035_96/feature_vector/5?tf-hub-format=compressed",
            "google/mobilenet-v2/tensorFlow2/035-96-feature-vector",
        ),
        (
            "google/mobilenet-v2/tensorFlow2/100-224-feature-vector",
            "google/mobilenet-v2/tensorFlow2/100-224-feature-vector",
        ),
        (
            "google/mobilenet-v2/tensorflow2/100-224-feature-vector/2",
            "google/mobilenet-v2/tensorFlow2/100-224-feature-vector/2",
        ),
        (
            "https://www.kaggle.com/models/google/mobilenet-v2/frameworks/TensorFlow2/variations/100-224-feature-vector"
            "/versions/2",
            "google/mobilenet-v2/tensorFlow2/100-224-feature-vector/2",
        ),
        (
            " https://www.kaggle.com/models/google/mobilenet-v2/tensorFlow2/100-224-feature-vector ",
            "google/mobilenet-v2/tensorFlow2/100-224-feature-vector",
        ),
        ("kaggle://keras/resnetv1/keras/resnet_50_imagenet", "keras/resnetv1/keras/resnet_50_imagenet"),
        ("keras/resnetv1/Keras/resnet_50_imagenet/3", "keras/resnetv1/keras/resnet_50_imagenet/3"),
        (
            "https://www.kaggle.com/models/keras/vit/keras/vit_base_patch16_224_imagenet",
            "keras/vit/keras/vit_base_patch16_224_imagenet",
        ),
        ("hf://keras/resnet_50_imagenet", "hf://keras/resnet_50_imagenet"),
        ("https://huggingface.co/keras/resnet_50_imagenet", "hf://keras/resnet_50_imagenet"),
        ("https://huggingface.co/keras/resnet_50_imagenet/tree/main", "hf://keras/resnet_50_imagenet@main"),
    ],
)
def test_an_address_becomes_a_handle(pasted: str, handle: str):
    assert is_address(pasted)
    assert handle_of(pasted) == handle


@pytest.mark.parametrize(
    "pasted",
    [
        "https://example.org/google/mobilenet-v2/tensorFlow2/100-224-feature-vector",
        "https://tfhub.dev/google/imagenet",
        "https://tfhub.dev/",
        "google/mobilenet-v2/tensorFlow1/100-224-feature-vector",
        "google/mobilenet-v2/tensorFlow2/../../etc",
        "https://www.kaggle.com/datasets/a/b",
        "hf://keras/../../etc",
        "hf://keras",
        "kaggle://keras/resnetv1",
    ],
)
def test_another_address_is_refused_with_an_example(pasted: str):
    with pytest.raises(ModelFileError, match=r"such as|as in"):
        handle_of(pasted)


def test_names_and_files_are_no_addresses():
    assert not any(map(is_address, ("efficientnet_lite0", "pictures/network", "network.tar.gz", "C:/a/b")))


def test_a_handle_tells_title_and_size():
    handle = "google/mobilenet-v2/tensorFlow2/100-224-feature-vector"
    assert title_of(handle) == "mobilenet-v2 100-224"
    assert size_in(handle) == 224
    assert size_in("google/mobilenet-v2/tensorFlow2/035-96-feature-vector") == 96
    assert size_in("google/inception-v3/tensorFlow2/feature-vector") is None
    for preset in ("keras/resnetv1/keras/resnet_101_imagenet", "hf://keras/resnet_101_imagenet@main"):
        assert title_of(preset) == "resnet_101_imagenet"
        assert size_in(preset) is None
