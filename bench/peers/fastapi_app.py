"""The usual way to serve an ONNX model: FastAPI around onnxruntime.

As fast as it gets without changing what it is: an `async` handler, no model of the body, one thread for each
computation, uvloop and httptools where uvicorn finds them. `MODEL` names the file.
"""

from __future__ import annotations

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
input_name = session.get_inputs()[0].name
output_names = [output.name for output in session.get_outputs()]

app = FastAPI()


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
async def predict(request: Request) -> JSONResponse:
    """Takes the same body as the inference protocol, and answers with the same numbers."""
    tensor = (await request.json())["inputs"][0]
    rows = np.asarray(tensor["data"], dtype=np.float32).reshape(tensor["shape"])
    outputs = session.run(output_names, {input_name: rows})
    named = zip(output_names, outputs, strict=True)
    return JSONResponse({"outputs": [{"name": name, "data": output.ravel().tolist()} for name, output in named]})
