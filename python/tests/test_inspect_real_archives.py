"""What the server reads in archives that PyTorch and Keras themselves have written, after a push.

The archives are written by the scripts in `real_archives`, each in a process of its own. PyTorch comes from
the machine, as PyPI has it for Linux only with all of CUDA; without it, its tests are skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import START_S, Account, Running

SCRIPTS = Path(__file__).parent / "real_archives"
TRAINING_S = 300.0
DATATYPES = {"torch.float32": "FP32", "torch.int64": "INT64"}


class Archives:
    """A folder of archives, as one repository, and what the server says of each of its files."""

    def __init__(self, folder: Path, read: dict[str, dict]) -> None:
        self.known = json.loads((folder / "known.json").read_text())
        self._read = read

    def __getitem__(self, name: str) -> dict:
        return self._read[name]

    def dangers(self, name: str) -> list[tuple[str, str]]:
        return [(danger["level"], danger["what"]) for danger in self[name]["dangers"]]

    def tensors(self, name: str) -> dict[str, tuple[str | None, list[int]]]:
        return {tensor["name"]: (tensor.get("datatype"), tensor["shape"]) for tensor in self[name]["tensors"]}

    def steps(self, name: str) -> dict[str, str]:
        return {step["name"]: step["class"] for step in self[name]["steps"]}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sklearn.datasets import load_digits

    pictures, wanted = load_digits(return_X_y=True)
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    np.savez(path, pictures=pictures, digits=wanted)
    return path


@pytest.fixture(scope="module")
def torch_archives(digits, server, alice, tmp_path_factory) -> Archives:
    python = os.environ.get("REENACT_TEST_TORCH_PYTHON")
    if not python:
        pytest.skip("REENACT_TEST_TORCH_PYTHON is not set: no Python of this machine has PyTorch")
    folder = tmp_path_factory.mktemp("torch")
    return made(python, "torch_models.py", digits, folder, server, alice)


@pytest.fixture(scope="module")
def keras_archives(digits, server, alice, tmp_path_factory) -> Archives:
    # Importing it here would choose a backend for this process.
    if not importlib.util.find_spec("keras"):
        pytest.skip("Keras is not installed")
    folder = tmp_path_factory.mktemp("keras")
    return made(sys.executable, "keras_models.py", digits, folder, server, alice)


def made(python: str, script: str, digits: Path, folder: Path, server: Running, account: Account) -> Archives:
    """Writes archives by a script, pushes them, and waits until they have been read."""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "KERAS_HOME": str(folder / "home"), "JAX_PLATFORMS": "cpu"}
    environment.pop("PYTHONPATH", None)
    command = [python, str(SCRIPTS / script), str(digits), str(folder)]
    written = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TRAINING_S, check=False
    )
    assert written.returncode == 0, f"`{script}` failed:\n{written.stderr}"
    repository = f"{account.name}/{folder.name.rstrip('0123456789')}-archives"
    reenact(server, account, "push", str(folder), repository, "-q")
    ends = time.monotonic() + START_S
    while (facts := json.loads(reenact(server, account, "info", repository, "--json")).get("facts")) is None:
        assert time.monotonic() < ends, f"`{repository}` was not read within {START_S} s"
        time.sleep(0.05)
    return Archives(folder, {file["path"]: file for file in facts["files"]})


def reenact(server: Running, account: Account, *arguments: str) -> str:
    environment = {**os.environ, "REENACT_URL": server.url, "REENACT_TOKEN": account.token}
    command = [str(server.binary), *arguments]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=START_S, check=False)
    assert ran.returncode == 0, f"`reenact {arguments[0]}` failed: {ran.stderr}"
    return ran.stdout


STATES = ["state.pt", "state.pth"]
NETWORKS = [*STATES, "whole.pt", "whole.pth", "script.pt"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_pytorch_tells_its_tensors_however_it_was_saved(torch_archives, name):
    facts, known = torch_archives[name], torch_archives.known
    assert (facts["format"], facts["framework"], facts.get("error")) == ("pytorch", "pytorch", None)
    wanted = {name: (DATATYPES[dtype], shape) for name, (dtype, shape) in known["tensors"].items()}
    assert len(wanted) == 9 and torch_archives.tensors(name) == wanted
    assert facts["n_parameters"] == known["n_parameters"]


@pytest.mark.parametrize("name", [*STATES, "checkpoint.pt", "half.pt", "tied.pt", "plain.pt"])
def test_tensors_and_pytorchs_own_layers_are_harmless(torch_archives, name):
    assert torch_archives.dangers(name) == []
    assert torch_archives[name].get("error") is None


@pytest.mark.parametrize("name", STATES)
def test_the_age_of_an_archive_of_pytorch_is_told(torch_archives, name):
    age = "before 1.6, not a zip" if name.endswith(".pth") else "3"
    metadata = torch_archives[name]["metadata"]
    assert metadata["archive version"] == age
    # The storages of the older form are no surplus.
    assert "trailing bytes" not in metadata


def test_the_moments_of_an_optimiser_are_listed_and_not_counted(torch_archives):
    facts = torch_archives["checkpoint.pt"]
    assert (facts["hyperparameters"]["epoch"], facts["class"]) == (1, "dict")
    tensors = torch_archives.tensors("checkpoint.pt")
    assert tensors["model.scores.weight"] == tensors["optimizer.state.4.exp_avg"] == ("FP32", [10, 144])
    assert facts["n_parameters"] == torch_archives.known["n_parameters"]


def test_one_tensor_under_two_names_is_counted_once(torch_archives):
    assert torch_archives.tensors("tied.pt") == {"embedding": ("FP32", [10, 144]), "head": ("FP32", [144, 10])}
    assert torch_archives["tied.pt"]["n_parameters"] == 1440


def test_narrow_numbers_of_pytorch_keep_their_type(torch_archives):
    assert torch_archives.tensors("half.pt") == {"half": ("FP16", [10, 144]), "short": ("BF16", [10])}


def test_a_network_of_pytorchs_own_layers_tells_them(torch_archives):
    facts = torch_archives["plain.pt"]
    assert facts["class"] == "torch.nn.modules.container.Sequential"
    assert torch_archives.steps("plain.pt") == {
        "0": "torch.nn.modules.flatten.Flatten",
        "1": "torch.nn.modules.linear.Linear",
        "2": "torch.nn.modules.activation.Softmax",
    }
    assert (facts["steps"][1]["hyperparameters"]["out_features"], facts["n_parameters"]) == (10, 640)


@pytest.mark.parametrize("name", ["whole.pt", "whole.pth"])
def test_a_whole_network_names_the_class_that_loading_it_would_import(torch_archives, name):
    assert torch_archives[name]["class"] == "__main__.Digits"
    steps = torch_archives.steps(name)
    assert steps["features.0"] == "torch.nn.modules.conv.Conv2d"
    assert steps["scores"] == "torch.nn.modules.linear.Linear" and len(steps) == 5
    assert set(torch_archives.dangers(name)) == {("unknown", "__main__.Digits")}


def test_a_script_of_pytorch_is_named_as_a_program(torch_archives):
    assert torch_archives["script.pt"]["class"] == "__torch__.Digits"
    assert torch_archives.dangers("script.pt") == [("unknown", "TorchScript")]


def test_a_trained_network_of_keras_tells_its_layers(keras_archives):
    facts = keras_archives["sequential.keras"]
    assert (facts["format"], facts["framework"], facts["class"]) == ("keras", "keras", "keras.Sequential")
    assert facts["versions"] == {"keras": keras_archives.known["version"]}
    layers = ["InputLayer", "Conv2D", "BatchNormalization", "Flatten", "Dropout", "Dense"]
    names = ["picture", "conv", "norm", "flat", "drop", "scores"]
    wanted = {name: f"keras.layers.{layer}" for name, layer in zip(names, layers, strict=True)}
    assert keras_archives.steps("sequential.keras") == wanted
    dense = facts["steps"][5]["hyperparameters"]
    assert (dense["units"], dense["activation"], dense["kernel_initializer"]) == (10, "softmax", "GlorotUniform")
    assert facts["metadata"]["name"] == "digits" and "not read" in facts["metadata"]["weights"]


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("sequential", {"picture": [-1, 8, 8, 1]}),
        # Its archive has the length of the first batch, which Keras does not hold it to.
        ("unnamed", {"input_layer": [-1, 8, 8, 1]}),
        ("functional", {"picture": [-1, 8, 8, 1], "row": [-1, 8]}),
    ],
)
def test_a_network_of_keras_tells_its_inputs_and_outputs_and_is_harmless(keras_archives, name, inputs):
    facts = keras_archives[f"{name}.keras"]
    assert {tensor["name"]: tensor["shape"] for tensor in facts["inputs"]} == inputs
    assert {tensor["datatype"] for tensor in facts["inputs"]} == {"FP32"}
    assert facts["outputs"] == [{"name": "scores", "datatype": "FP32", "shape": [-1, 10]}]
    assert (facts["dangers"], facts.get("error")) == ([], None)


@pytest.mark.parametrize(("name", "layer"), [("own", "laboratory>Scaled"), ("unregistered", "Shifted")])
def test_a_layer_that_is_not_keras_own_is_named(keras_archives, name, layer):
    assert keras_archives.dangers(f"{name}.keras") == [("unknown", layer)]


def test_code_in_a_network_of_keras_is_dangerous(keras_archives):
    found = keras_archives.dangers("lambda.keras")
    assert found == [("dangerous", "keras.layers.Lambda"), ("dangerous", "__lambda__")]


def test_the_older_format_of_keras_is_named_as_not_read(keras_archives):
    assert keras_archives["old.h5"]["error"] == "its content is HDF5, which is not read"
