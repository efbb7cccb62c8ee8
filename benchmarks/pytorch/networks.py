"""The same three architectures in PyTorch, without their heads; speed does not depend on the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from torch import nn

# Expansion, channels, repeats, stride, kernel: table 1 of https://arxiv.org/abs/1905.11946; Lite leaves out
# squeeze-and-excite, and scales neither stem nor head.
_LITE0_STAGES: Final = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
# Channels and repeats: table 1 of https://arxiv.org/abs/1512.03385; configuration D of https://arxiv.org/abs/1409.1556.
_RESNET50_STAGES: Final = ((64, 3), (128, 4), (256, 6), (512, 3))
_VGG16_BLOCKS: Final = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class Residual(nn.Module):  # type: ignore[misc]  # PyTorch is not installed where types are checked
    """``activation(body(x) + shortcut(x))``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.activation = body, shortcut, activation

    def forward(self, x: Any) -> Any:
        """Feature maps to feature maps."""
        return self.activation(self.body(x) + self.shortcut(x))


def efficientnet_lite0() -> nn.Module:
    """EfficientNet-Lite0."""
    layers, channels = [_convolution(3, 32, 3, 2, nn.ReLU6())], 32
    for expansion, filters, repeats, stride, kernel in _LITE0_STAGES:
        for index in range(repeats):
            layers.append(_inverted(channels, filters, expansion, stride if index == 0 else 1, kernel))
            channels = filters
    return nn.Sequential(*layers, _convolution(channels, 1280, 1, 1, nn.ReLU6()), *_pooling())


def resnet50() -> nn.Module:
    """ResNet50."""
    layers: list[nn.Module] = [_convolution(3, 64, 7, 2, nn.ReLU()), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, (filters, repeats) in enumerate(_RESNET50_STAGES):
        for index in range(repeats):
            layers.append(_bottleneck(channels, filters, 2 if stage and index == 0 else 1))
            channels = 4 * filters
    return nn.Sequential(*layers, *_pooling())


def vgg16() -> nn.Module:
    """VGG16."""
    layers: list[nn.Module] = []
    channels = 3
    for filters, repeats in _VGG16_BLOCKS:
        for _ in range(repeats):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True)]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, *_pooling())


NETWORKS: Final[Mapping[str, Callable[[], nn.Module]]] = MappingProxyType(
    {"efficientnet_lite0": efficientnet_lite0, "resnet50": resnet50, "vgg16": vgg16}
)


def _pooling() -> tuple[nn.Module, nn.Module]:
    return nn.AdaptiveAvgPool2d(1), nn.Flatten()


def _convolution(
    channels: int, filters: int, kernel: int, stride: int, activation: nn.Module, groups: int = 1
) -> nn.Module:
    convolution = nn.Conv2d(channels, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(filters), activation)


def _inverted(channels: int, filters: int, expansion: int, stride: int, kernel: int) -> nn.Module:
    wide = channels * expansion
    widen = [_convolution(channels, wide, 1, 1, nn.ReLU6())] if expansion > 1 else []
    depthwise = _convolution(wide, wide, kernel, stride, nn.ReLU6(), groups=wide)
    body = nn.Sequential(*widen, depthwise, _convolution(wide, filters, 1, 1, nn.Identity()))
    if stride == 1 and channels == filters:
        return Residual(body, nn.Identity(), nn.Identity())
    return body


def _bottleneck(channels: int, filters: int, stride: int) -> nn.Module:
    body = nn.Sequential(
        _convolution(channels, filters, 1, 1, nn.ReLU()),
        _convolution(filters, filters, 3, stride, nn.ReLU()),
        _convolution(filters, 4 * filters, 1, 1, nn.Identity()),
    )
    changes = stride > 1 or channels != 4 * filters
    shortcut = _convolution(channels, 4 * filters, 1, stride, nn.Identity()) if changes else nn.Identity()
    return Residual(body, shortcut, nn.ReLU())
