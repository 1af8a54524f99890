"""Trains a small network on pictures of digits and saves it in each way that PyTorch has.

Run as a script, by a Python that has PyTorch, and not imported: the tests' own environment has none. The pictures
come in an `.npz` with the arrays `pictures` and `digits`.

    python torch_models.py <digits.npz> <folder>
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Digits(nn.Module):
    """A class of its own, as people's networks are: loading one whole needs this file."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.scores = nn.Linear(144, 10)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.scores(torch.flatten(self.features(pictures), 1))


def main(data: Path, folder: Path) -> None:
    torch.manual_seed(0)
    arrays = np.load(data)
    pictures = torch.from_numpy(arrays["pictures"]).float().reshape(-1, 1, 8, 8)
    digits = torch.from_numpy(arrays["digits"])
    network = Digits()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    loss = torch.zeros(())
    for batch, wanted in zip(pictures.split(64), digits.split(64)):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(batch), wanted)
        loss.backward()
        optimiser.step()
    save(network, optimiser, float(loss), folder)


def save(network: Digits, optimiser: torch.optim.Optimizer, loss: float, folder: Path) -> None:
    state = network.state_dict()
    checkpoint = {"epoch": 1, "loss": loss, "model": state, "optimizer": optimiser.state_dict()}
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False), nn.Softmax(dim=1))
    torch.save(state, folder / "state.pt")
    torch.save(checkpoint, folder / "checkpoint.pt")
    torch.save({"half": state["scores.weight"].half(), "short": state["scores.bias"].bfloat16()}, folder / "half.pt")
    # Two names for one tensor, as networks have that share their embedding with their last layer.
    torch.save({"embedding": state["scores.weight"], "head": state["scores.weight"].t()}, folder / "tied.pt")
    torch.save(plain, folder / "plain.pt")
    torch.save(network, folder / "whole.pt")
    torch.save(state, folder / "state.pth", _use_new_zipfile_serialization=False)
    torch.save(network, folder / "whole.pth", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(network.eval()), folder / "script.pt")
    # What the tests compare with.
    known = {
        "version": torch.__version__,
        "n_parameters": sum(tensor.numel() for tensor in state.values()),
        "tensors": {name: [str(tensor.dtype), list(tensor.shape)] for name, tensor in state.items()},
    }
    (folder / "known.json").write_text(json.dumps(known))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
