"""An ONNX model held in memory: its tensors, and asking it rows.

Knows ONNX Runtime and the protocol's names of types; no training framework and no files. Invariant: `feeds` gives each
input exactly the type that the model declares, so that an answer is what an endpoint would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError, ConversionError
from .schema import is_frame

_DATATYPES = {
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(float16)": "FP16",
    "tensor(int64)": "INT64",
    "tensor(int32)": "INT32",
    "tensor(int16)": "INT16",
    "tensor(int8)": "INT8",
    "tensor(uint64)": "UINT64",
    "tensor(uint32)": "UINT32",
    "tensor(uint16)": "UINT16",
    "tensor(uint8)": "UINT8",
    "tensor(bool)": "BOOL",
    "tensor(string)": "BYTES",
}
_NUMPY = {
    "FP32": "float32",
    "FP64": "float64",
    "FP16": "float16",
    "BOOL": "bool",
    "BYTES": "object",
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
}


@dataclass(frozen=True)
class Tensor:
    """What a model takes or gives; `-1` in the shape is any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class OnnxModel:
    """A model ready to be asked, on one thread, so that the same rows give the same bytes."""

    def __init__(self, content: bytes) -> None:
        runtime = _runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own errors share no class but this.
            raise ConversionError(
                f"ONNX Runtime does not take the model: {_first_line(error)}",
                hint="check the file with `onnx.checker.check_model`; it may be cut short or use unknown operators",
            ) from error
        self.inputs = tuple(map(_tensor, self._session.get_inputs()))
        self.outputs = tuple(map(_tensor, self._session.get_outputs()))

    def run(self, rows: Any) -> dict[str, Any]:
        """Every output by name, as numpy arrays."""
        names = [output.name for output in self.outputs]
        try:
            answers = self._session.run(names, self.feeds(rows))
        except ArgumentError:
            raise
        except Exception as error:  # As above.
            raise ConversionError(
                f"the ONNX model failed on the rows: {_first_line(error)}",
                hint="check that the rows have the columns and types that the model takes",
            ) from error
        return dict(zip(names, answers, strict=True))

    def feeds(self, rows: Any) -> dict[str, Any]:
        """The rows as the model's inputs: one tensor for all columns, or one of `[rows, 1]` for each."""
        import numpy as np

        if len(self.inputs) == 1:
            tensor = self.inputs[0]
            values = np.asarray(rows).astype(_NUMPY[tensor.datatype])
            fixed = [length for length in tensor.shape[1:] if length >= 0]
            if len(fixed) == len(tensor.shape) - 1 and len(tensor.shape) > 1:
                width = int(np.prod(fixed))
                if values.size != len(values) * width:
                    raise ArgumentError(
                        f"a row has {values.size // max(1, len(values))} values and the model takes {width}",
                        hint="give the columns that the model was trained on",
                    )
                values = values.reshape(len(values), *fixed)
            return {tensor.name: values}
        return {tensor.name: _column(rows, index, tensor) for index, tensor in enumerate(self.inputs)}


def content_of(model: Any) -> bytes:
    """The bytes of an ONNX object."""
    content: bytes = model.SerializeToString()
    return content


def is_onnx_object(model: Any) -> bool:
    """Whether this is an `onnx.ModelProto`, told without importing onnx."""
    return type(model).__name__ == "ModelProto" and hasattr(model, "SerializeToString")


def _column(rows: Any, index: int, tensor: Tensor) -> Any:
    import numpy as np

    if is_frame(rows):
        values = rows[tensor.name] if tensor.name in rows.columns else rows.iloc[:, index]
    else:
        values = np.asarray(rows, dtype=object)[:, index]
    array = np.asarray(values)
    array = np.array([str(v) for v in array], dtype=object) if tensor.datatype == "BYTES" else array
    return array.astype(_NUMPY[tensor.datatype]).reshape(-1, 1)


def _tensor(described: Any) -> Tensor:
    shape: Sequence[Any] = described.shape or ()
    lengths = tuple(length if isinstance(length, int) else -1 for length in shape)
    return Tensor(described.name, _DATATYPES.get(described.type, described.type), lengths)


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConversionError(
            "ONNX Runtime is not installed", hint="`pip install reenact[convert]` brings what conversion needs"
        ) from error
    return onnxruntime


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:400] if str(error).strip() else type(error).__name__
