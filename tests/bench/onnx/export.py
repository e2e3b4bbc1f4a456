#!/usr/bin/env python3
"""export.py MODEL.pt OUT.onnx: the digit network of one of our files, for ONNX Runtime. Needs python3-torch."""
import sys

import torch
from torch import nn


class DigitCnn(nn.Module):
    """As the tutorial writes it: the whole picture, relu before pooling. What can be saved there is the runtime's."""

    def __init__(self, tensors):
        super().__init__()
        self.conv1 = nn.Conv2d(1, tensors["conv1.weight"].shape[0], 3)
        self.conv2 = nn.Conv2d(self.conv1.out_channels, tensors["conv2.weight"].shape[0], 3)
        self.fc1 = nn.Linear(self.conv2.out_channels * 25, tensors["fc1.weight"].shape[0])
        self.fc2 = nn.Linear(self.fc1.out_features, tensors["fc2.weight"].shape[0])
        self.load_state_dict(tensors)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = torch.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(x)


def main():
    source, target = sys.argv[1:]
    tensors = {name: tensor.detach() for name, tensor in torch.jit.load(source).named_parameters()}
    torch.onnx.export(DigitCnn(tensors).eval(), torch.zeros(1, 1, 28, 28), target, opset_version=13,
                      input_names=["pixels"], output_names=["logits"],
                      dynamic_axes={"pixels": {0: "images"}, "logits": {0: "images"}})


if __name__ == "__main__":
    main()
