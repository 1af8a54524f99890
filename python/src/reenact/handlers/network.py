"""Writes the folder of a network of Keras or PyTorch.

Knows how each is saved and opened again. Invariant: the weights lie in a format that holds no code, and what has to be
a pickle is the network's own classes without them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..bundle import Bundle, Request
from ..errors import ArgumentError
from . import carry, code
from .write import Open, Wanted, write_rows

WEIGHTS = "model.safetensors"
NETWORK = "network.pkl"
"""The pickle of a network of PyTorch, which names its tensors in `WEIGHTS` instead of holding them."""


def write(model: Any, request: Request, wanted: Wanted, folder: Path) -> Bundle:
    """Writes a network that gives one answer for each of the example's rows."""
    if request.example is None:
        raise ArgumentError("a network needs example rows", hint="give a few, such as `example=X_test[:5]`")
    if is_keras(model):
        return _write_keras(model, request, wanted, folder)
    import torch

    with _asked_for_answers(model):
        if isinstance(model, torch.jit.ScriptModule):
            torch.jit.save(model, str(folder / "model.pt"))
            ask, modules, original = code.TORCHSCRIPT, {"torch", "numpy"}, "model.pt"
        else:
            modules = _pack(model, folder) | {"torch", "numpy", "safetensors"}
            ask, original = code.TORCH, NETWORK

        def asked(rows: Any) -> Any:
            with torch.inference_mode():
                return _plain(model(torch.as_tensor(rows)))

        return write_rows(Open(None, asked, ask, modules=modules, original=original), request, wanted, folder)


def is_keras(model: Any) -> bool:
    return any(kind.__module__.split(".")[0] == "keras" and kind.__name__ == "Model" for kind in type(model).__mro__)


def is_torch(model: Any) -> bool:
    return any(f"{kind.__module__}.{kind.__name__}" == "torch.nn.modules.module.Module" for kind in type(model).__mro__)


def script_in(path: Path) -> Path | None:
    """The TorchScript archive that a path means: a file, or the only one in a folder that says nothing else."""
    if path.is_dir():
        archives = sorted(path.glob("*.pt"))
        told = any((path / name).exists() for name in ("reenact.toml", "predict.py"))
        return archives[0] if len(archives) == 1 and not told else None
    return path if path.suffix == ".pt" else None


def open_script(path: Path) -> Any:
    """The network in a TorchScript archive; nothing where PyTorch is not installed or it is another kind of file."""
    try:
        import torch
    except ImportError:
        return None
    try:
        return torch.jit.load(str(path), map_location="cpu")
    except RuntimeError:
        return None


def load(folder: Path) -> Any:
    """The network whose parts lie in this folder. Opening its pickle runs what its author put into it."""
    names: dict[str, Any] = {}
    exec(compile(code.TORCH_OPENER, "<network>", "exec"), names)
    return names["_open_network"](folder)


def _write_keras(model: Any, request: Request, wanted: Wanted, folder: Path) -> Bundle:
    import keras

    model.save(folder / "model.keras")
    backend = keras.backend.backend()
    opened = Open(
        None,
        lambda rows: model.predict(rows, verbose=0),
        code.KERAS.format(backend=backend),
        modules={"keras", backend, "numpy"},
        original="model.keras",
    )
    return write_rows(opened, request, wanted, folder)


@contextmanager
def _asked_for_answers(model: Any) -> Iterator[None]:
    """The network as it answers, and afterwards as it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _plain(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: _plain(value) for name, value in answer.items()}
    if isinstance(answer, (tuple, list)):
        return {f"output{index}": _plain(value) for index, value in enumerate(answer)}
    return answer.detach().cpu().numpy()


def _pack(model: Any, folder: Path) -> set[str]:
    """Writes weights and code apart; gives the modules that the code needs."""
    import torch

    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise ArgumentError(
            "the weights of a network are written by `safetensors`, which is not installed",
            hint="`pip install safetensors`",
        ) from error
    names: dict[int, tuple[str, str, bool]] = {}
    tensors: dict[str, Any] = {}
    # Under two names there may be one tensor, which is then kept once.
    for name, tensor in model.state_dict(keep_vars=True).items():
        if isinstance(tensor, torch.Tensor) and id(tensor) not in names:
            kind = "parameter" if isinstance(tensor, torch.nn.Parameter) else "buffer"
            names[id(tensor)] = (kind, name, bool(tensor.requires_grad))
            tensors[name] = tensor.detach().cpu().contiguous().clone()
    save_file(tensors, str(folder / WEIGHTS))

    def packer(cloudpickle: Any, file: io.BytesIO) -> Any:
        class Packer(cloudpickle.Pickler):  # type: ignore[misc, name-defined]
            def persistent_id(self, one: Any) -> Any:
                return names.get(id(one))

        return Packer(file)

    return set(carry.dump(model, folder / NETWORK, type(model).__name__, packer=packer).modules)
