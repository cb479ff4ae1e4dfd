"""Writes weights of ResNet50's shape, drawn at random, as torchvision would name them."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from training import vision

if __name__ == "__main__":
    where = Path(sys.argv[1])
    torch.manual_seed(0)
    network = vision.module("models").resnet50(weights=None)
    save_file(network.state_dict(), where)
    sys.stdout.write(f"{sum(p.numel() for p in network.parameters()):,} parameters in {where}\n")
