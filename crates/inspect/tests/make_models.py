"""Writes the model files that the tests read, by the libraries that people use.

Needs scikit-learn, skl2onnx, onnx, joblib, safetensors, lightgbm and xgboost, and no network: all data ships
with scikit-learn or is made up. PyTorch's and Keras's archives are written byte by byte, as their formats
demand, so that neither is needed.

    python crates/inspect/tests/make_models.py
"""

import io
import json
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import joblib
import numpy as np
import onnx
import sklearn
from onnx import TensorProto, helper
from safetensors.numpy import save_file
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

OUT = Path(__file__).parent / "fixtures"
EPOCH = (2024, 1, 1, 0, 0, 0)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    scikit_learn()
    boosting()
    onnx_files()
    safetensors_files()
    torch_files()
    keras_files()


def dump(name: str, model: object, protocol: int) -> None:
    (OUT / name).write_bytes(pickle.dumps(model, protocol=protocol))


def scikit_learn() -> None:
    x, y = load_iris(return_X_y=True)
    names = load_iris().target_names[y]
    forest = RandomForestClassifier(n_estimators=3, max_depth=2, random_state=0).fit(x, y)
    for protocol in (2, 4, 5):
        dump(f"forest.p{protocol}.pkl", forest, protocol)
    logistic = LogisticRegression(C=0.5, max_iter=500).fit(x, names)
    for protocol in (0, 1, 3):
        dump(f"logistic.p{protocol}.pkl", logistic, protocol)
    joblib.dump(logistic, OUT / "logistic.joblib")
    joblib.dump(logistic, OUT / "logistic.c3.joblib", compress=3)
    joblib.dump(logistic, OUT / "logistic.gz.joblib", compress=("gzip", 3))
    joblib.dump(logistic, OUT / "logistic.xz.joblib", compress=("xz", 3))
    pipeline = Pipeline([("scale", StandardScaler()), ("svc", SVC(kernel="poly", degree=2))])
    dump("pipeline.pkl", pipeline.fit(x[:60], y[:60]), 5)
    mixed = np.array([[1.0, "red"], [2.0, "blue"], [3.0, "red"], [4.0, "green"]], dtype=object)
    encode = ColumnTransformer([("numbers", StandardScaler(), [0]), ("colours", OneHotEncoder(), [1])])
    columns = make_pipeline(encode, LogisticRegression()).fit(mixed, [0, 1, 0, 1])
    joblib.dump(columns, OUT / "columns.joblib")
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]})
    joblib.dump(search.fit(x, y), OUT / "search.joblib")
    hist = HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4).fit(x, y)
    dump("hist.pkl", hist, 5)
    dump("dict.pkl", {"scaler": StandardScaler().fit(x), "model": logistic, "note": "two models"}, 5)


def boosting() -> None:
    import lightgbm
    import xgboost

    x, y = load_iris(return_X_y=True)
    dump("lightgbm.pkl", lightgbm.LGBMClassifier(n_estimators=2, num_leaves=4, verbose=-1).fit(x, y), 5)
    dump("xgboost.pkl", xgboost.XGBClassifier(n_estimators=2, max_depth=2).fit(x, y), 5)


def onnx_files() -> None:
    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    names = load_iris().target_names[y]
    plain = {"zipmap": False}
    logistic = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    save("logistic.onnx", to_onnx(logistic, x[:1], options={id(logistic): plain}))
    forest = RandomForestClassifier(n_estimators=3, max_depth=2, random_state=0).fit(x, names)
    save("forest.onnx", to_onnx(forest, x[:1], options={id(forest): plain}))
    # With ZipMap, which is the default: the probabilities are a sequence of maps.
    save("forest.zipmap.onnx", to_onnx(forest, x[:1]))
    diabetes, target = load_diabetes(return_X_y=True)
    regressor = GradientBoostingRegressor(n_estimators=2, max_depth=2).fit(diabetes, target)
    save("regressor.onnx", to_onnx(regressor, diabetes[:1].astype(np.float32)))
    save("conv.onnx", conv())
    save("outside.onnx", outside())


def save(name: str, model: onnx.ModelProto) -> None:
    (OUT / name).write_bytes(model.SerializeToString())


def conv() -> onnx.ModelProto:
    """A small network for pictures, as exporters of neural networks write it: a named batch dimension."""
    kernel = helper.make_tensor("kernel", TensorProto.FLOAT, [2, 1, 3, 3], np.ones(18, np.float32).tobytes(), raw=True)
    bias = helper.make_tensor("bias", TensorProto.FLOAT, [2], [0.0, 0.5])
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel", "bias"], ["hidden"], pads=[1, 1, 1, 1]),
            helper.make_node("GlobalAveragePool", ["hidden"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["logits"]),
        ],
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [kernel, bias],
    )
    model = helper.make_model(graph, producer_name="pytorch", producer_version="2.9.0")
    helper.set_model_props(model, {"author": "a test"})
    return model


def outside() -> onnx.ModelProto:
    """A tensor whose data is said to lie in a file elsewhere."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="../../etc/passwd")
    near = TensorProto(name="b", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    near.external_data.add(key="location", value="weights.bin")
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
        "outside",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])],
        [weight, near],
    )
    return helper.make_model(graph)


def safetensors_files() -> None:
    tensors = {"layer.weight": np.ones((3, 4), np.float32), "layer.bias": np.zeros(3, np.float16)}
    save_file(tensors, OUT / "layer.safetensors", metadata={"format": "pt", "author": "a test"})


class Global:
    """Pickles as a global, without there being such a module."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """Pickles as a call of a global; after it a state is given to the result, if there is one."""

    def __init__(self, function: Global, arguments: tuple, state: object = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state


class Storage:
    """Pickles as a persistent id, as PyTorch names a storage."""

    def __init__(self, kind: str, key: str, n: int) -> None:
        self.id = ("storage", Global("torch", kind), key, "cpu", n)


class TorchPickler(pickle._Pickler):
    """Writes what PyTorch would write, by protocol 2 as it does."""

    def persistent_id(self, value: object) -> object:
        return value.id if isinstance(value, Storage) else None

    def save(self, value: object, save_persistent_id: bool = True) -> None:
        if isinstance(value, Global):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Call):
            self.save(value.function)
            self.save(value.arguments)
            self.write(pickle.REDUCE)
            if value.state is not None:
                self.save(value.state)
                self.write(pickle.BUILD)
        else:
            super().save(value, save_persistent_id)


def torch_pickle(value: object) -> bytes:
    buffer = io.BytesIO()
    TorchPickler(buffer, protocol=2).dump(value)
    return buffer.getvalue()


def tensor(kind: str, key: str, shape: tuple) -> Call:
    n = int(np.prod(shape))
    stride = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    hooks = Call(Global("collections", "OrderedDict"), ())
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), (Storage(kind, key, n), 0, shape, stride, False, hooks))


def torch_files() -> None:
    state = {"fc.weight": tensor("FloatStorage", "0", (3, 4)), "fc.bias": tensor("HalfStorage", "1", (3,))}
    checkpoint = {"epoch": 7, "lr": 0.01, "model": state}
    storages = {"0": bytes(48), "1": bytes(6)}
    torch_zip("state.pt", torch_pickle(checkpoint), storages)
    torch_zip("short.pt", torch_pickle(state), {"0": bytes(40), "1": bytes(6)})
    torch_zip("evil.pt", torch_pickle([state, Call(Global("posix", "system"), ("true",))]), storages)
    ordered = Global("collections", "OrderedDict")
    linear_state = {
        "training": True,
        "_parameters": {"weight": Call(Global("torch._utils", "_rebuild_parameter"), (state["fc.weight"], True, Call(ordered, ())))},
        "_buffers": {},
        "_modules": {},
        "in_features": 4,
        "out_features": 3,
    }
    linear = Call(Global("torch.nn.modules.linear", "Linear"), (), linear_state)
    net = Call(Global("__main__", "Net"), (), {"training": True, "_parameters": {}, "_buffers": {}, "_modules": {"fc": linear}})
    torch_zip("module.pt", torch_pickle(net), storages)
    script = Call(Global("__torch__", "Net"), (), {"training": False, "weight": state["fc.weight"]})
    code = {"code/__torch__.py": b"class Net(Module):\n  weight : Tensor\n", "constants.pkl": torch_pickle(())}
    torch_zip("script.pt", torch_pickle(script), storages, code)
    magic, version = 0x1950A86A20F9469CFC6C, 1001
    machine = {"protocol_version": version, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    stream = b"".join(map(torch_pickle, (magic, version, machine, state, ["0", "1"])))
    (OUT / "legacy.pth").write_bytes(stream + struct.pack("<q", 12) + bytes(48) + struct.pack("<q", 3) + bytes(6))


def torch_zip(name: str, main: bytes, storages: dict, extra: dict | None = None) -> None:
    entries = {"data.pkl": main, "byteorder": b"little"}
    entries |= {f"data/{key}": data for key, data in storages.items()}
    entries |= {"version": b"3\n", ".data/serialization_id": b"0" * 40} | (extra or {})
    write_zip(name, {f"archive/{key}": data for key, data in entries.items()}, zipfile.ZIP_STORED)


def write_zip(name: str, entries: dict, compression: int) -> None:
    with zipfile.ZipFile(OUT / name, "w", compression) as archive:
        for entry, data in entries.items():
            info = zipfile.ZipInfo(entry, EPOCH)
            info.compress_type = compression
            archive.writestr(info, data)


def keras_files() -> None:
    layers = [
        keras_layer("InputLayer", {"batch_shape": [None, 28, 28, 1], "dtype": "float32", "sparse": False, "name": "image"}),
        keras_layer("Flatten", {"name": "flatten", "trainable": True, "dtype": POLICY}),
        keras_layer("Dense", {"name": "scores", "units": 10, "activation": "softmax", "use_bias": True, "dtype": POLICY}),
    ]
    keras_zip("dense.keras", layers)
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAAAAAA=", "defaults": None, "closure": None}}
    function = {"module": "builtins", "class_name": "function", "config": "system", "registered_name": "system"}
    command = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    layers = [*layers, keras_layer("Lambda", {"name": "sly", "function": code})]
    layers.append(keras_layer("Dense", {"name": "last", "units": 2, "activation": command, "kernel_initializer": function}))
    keras_zip("lambda.keras", layers)


POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}


def keras_layer(class_name: str, config: dict) -> dict:
    build = {"input_shape": [None, 28, 28, 1]}
    names = {"module": "keras.layers", "class_name": class_name, "registered_name": None}
    return {**names, "config": config, "build_config": build, "name": config["name"], "inbound_nodes": []}


def keras_zip(name: str, layers: list) -> None:
    first, last = layers[0]["name"], layers[-1]["name"]
    model = {"name": "small", "trainable": True, "layers": layers}
    model |= {"input_layers": [[first, 0, 0]], "output_layers": [last, 0, 0]}
    config = {"module": "keras", "class_name": "Functional", "config": model, "registered_name": "Functional"}
    entries = {
        "metadata.json": json.dumps({"keras_version": "3.12.0", "date_saved": "2026-01-01@00:00:00"}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(64),
    }
    write_zip(name, entries, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
    sizes = {path.name: path.stat().st_size for path in sorted(OUT.iterdir()) if path.suffix != ".md"}
    sys.stdout.write(f"scikit-learn {sklearn.__version__}: {len(sizes)} files, {sum(sizes.values())} bytes\n")
