"""Architectures of the workloads: B examples of a batch, C channels, D numbers of an embedding."""

from typing import Callable

import torch
from torch import nn


def build(config: dict, shape: dict, n_classes: int, sparse: bool = False) -> nn.Module:
    """The model that a config of stillhouse describes; `sparse` asks for sparse gradients of embedding bags."""
    match config["kind"]:
        case "mlp":
            return mlp(config, n_values(shape), n_classes)
        case "resnet":
            return ResNet(config, shape["channels"], n_classes)
        case "ngram_bag":
            return NgramBag(config, n_classes, sparse)
        case "transformer":
            return Transformer(config, shape["vocabulary_size"], n_classes)
        case kind:
            raise SystemExit(f"no architecture of kind {kind}")


def n_values(shape: dict) -> int:
    """Numbers of one example."""
    return shape["n_features"] if shape["kind"] == "features" else shape["channels"] * shape["height"] * shape["width"]


def mlp(config: dict, n_inputs: int, n_classes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in config["widths"]:
        layers += [nn.Linear(n_inputs, width), nn.ReLU()]
        if config.get("dropout"):
            layers.append(nn.Dropout(config["dropout"]))
        n_inputs = width
    return nn.Sequential(*layers, nn.Linear(n_inputs, n_classes))


def convolution(n_in: int, n_out: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    """A convolution without bias under batch norm."""
    conv = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out))


def separable(n_in: int, n_out: int, kernel: int, stride: int) -> nn.Sequential:
    """A convolution of each channel alone and one of 1x1 over all of them, a rectifier between them."""
    depthwise = convolution(n_in, n_in, kernel, stride, groups=n_in)
    return nn.Sequential(depthwise, nn.ReLU(inplace=True), convolution(n_in, n_out, 1, 1))


class Block(nn.Module):
    """Two convolutions of 3x3 and the input added; a shortcut of 1x1 where the shape changes."""

    def __init__(self, n_in: int, n_out: int, stride: int, conv: Callable[..., nn.Module]):
        super().__init__()
        self.conv1 = conv(n_in, n_out, 3, stride)
        self.conv2 = conv(n_out, n_out, 3, 1)
        keeps_shape = stride == 1 and n_in == n_out
        self.shortcut = nn.Identity() if keeps_shape else convolution(n_in, n_out, 1, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.conv2(self.relu(self.conv1(images)))
        return self.relu(hidden + self.shortcut(images))


class ResNet(nn.Module):
    """A residual network for small images (He et al. 2015, section 4.2)."""

    def __init__(self, config: dict, n_channels: int, n_classes: int):
        super().__init__()
        widths = config.get("widths") or [config.get("width", 16) << stage for stage in range(3)]
        n_blocks = (config["depth"] - 2) // (2 * len(widths))
        n_in = config.get("stem_width", widths[0])
        self.stem = nn.Sequential(convolution(n_channels, n_in, 3, 1), nn.ReLU(inplace=True))
        conv = {"basic": convolution, "separable": separable}[config.get("block", "basic")]
        blocks = []
        for stage, width in enumerate(widths):
            for index in range(n_blocks):
                blocks.append(Block(n_in, width, 2 if stage > 0 and index == 0 else 1, conv))
                n_in = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(n_in, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(images)).mean((2, 3)))


class NgramBag(nn.Module):
    """The mean of the embeddings of hashed n-grams under hidden layers (Joulin et al. 2017)."""

    def __init__(self, config: dict, n_classes: int, sparse: bool):
        super().__init__()
        self.table = nn.EmbeddingBag(config["n_buckets"], config["width"], mode="mean", sparse=sparse)
        self.layers = mlp({"widths": config["hidden"]}, config["width"], n_classes)

    def forward(self, bags: torch.Tensor) -> torch.Tensor:
        """`[B, n-grams of a text]` to `[B, C]`."""
        return self.layers(self.table(bags))


class Transformer(nn.Module):
    """A small encoder with its norms in front, learned positions, and the mean over all tokens."""

    def __init__(self, config: dict, vocabulary_size: int, n_classes: int):
        super().__init__()
        width, dropout = config["width"], config["dropout"]
        self.tokens = nn.Embedding(vocabulary_size, width)
        self.positions = nn.Parameter(torch.randn(config["max_len"], width) * 0.02)
        self.dropout = nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(
            width, config["n_heads"], 4 * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config["n_layers"], nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, n_classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """`[B, tokens of a text]` to `[B, C]`."""
        hidden = self.dropout(self.tokens(tokens) + self.positions[: tokens.shape[1]])
        return self.head(self.encoder(hidden).mean(1))
