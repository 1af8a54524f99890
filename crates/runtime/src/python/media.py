"""How a worker opens what comes as files, tables and objects, and closes what goes out so.

A part of the worker, loaded for handlers that have such inputs or outputs. Pillow, numpy and pandas are used only where
the handler's own type hints or values call for them. Invariant: an input that cannot be read is a `ValueError`, which
the caller is told; an output that cannot be written is a `TypeError`, which is the handler's fault.
"""

import base64
import inspect
import io
import json
import math
import re
import struct
import typing
import wave
import zlib

FILES = ("image", "audio", "video", "file")


class Media:
    """Readers of the inputs and writers of the outputs, in their order."""

    def __init__(self, call, setup):
        hints = hints_of(call)
        names = list(hints) + [None] * len(setup["inputs"])
        self.readers = [
            reader(spec["kind"], spec["name"], hints.get(name)) for spec, name in zip(setup["inputs"], names)
        ]
        self.writers = [WRITERS.get(spec["kind"]) for spec in setup["outputs"]]

    def read(self, index, column):
        """A column of an input, each element as the handler takes it."""
        open_one = self.readers[index]
        return column if open_one is None else [open_one(value) for value in column]

    def write(self, index, column):
        """A column of an output, each element as it is sent."""
        close_one = self.writers[index]
        return column if close_one is None else [close_one(value) for value in column]


def hints_of(call):
    """The type of each parameter by name, as far as it is known; without what annotates it."""
    function = inspect.unwrap(call)
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        method = "predict" if hasattr(function, "predict") else "__call__"
        function = getattr(function, method, function)
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}
    try:
        hints = typing.get_type_hints(function)
    except Exception:
        # A hint that is kept as text may name what is not there; then the text itself has to say it.
        hints = getattr(function, "__annotations__", {})
    return {name: required(hints.get(name)) for name in names}


def required(hint):
    others = [argument for argument in typing.get_args(hint) if argument is not type(None)]
    return others[0] if type(None) in typing.get_args(hint) and len(others) == 1 else hint


def is_class(hint, module, name):
    if isinstance(hint, str):
        return re.search(rf"\b{'Image.Image' if name == 'Image' else name}\b", hint) is not None
    return getattr(hint, "__module__", "").split(".")[0] == module and getattr(hint, "__name__", "") == name


def reader(kind, name, hint):
    """What opens an element of this kind for a parameter of this type; none where it is taken as it came."""
    if kind == "json":
        return lambda text: parsed(name, text)
    if kind == "image" and (is_class(hint, "PIL", "Image") or is_class(hint, "numpy", "ndarray")):
        from PIL import Image

        wants_array = is_class(hint, "numpy", "ndarray")
        return lambda data: picture(Image, name, data, wants_array)
    if kind == "table" and is_class(hint, "pandas", "DataFrame"):
        import pandas

        return lambda text: pandas.read_csv(io.StringIO(text))
    if kind == "series" and is_class(hint, "numpy", "ndarray"):
        import numpy

        return numpy.asarray
    return None


def parsed(name, text):
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"`{name}` is no JSON: {error}") from error


def picture(pillow, name, data, wants_array):
    try:
        image = pillow.open(io.BytesIO(data))
        image.load()
    except Exception as error:
        raise ValueError(f"`{name}` cannot be read as a picture: {error}") from error
    if not wants_array:
        return image
    import numpy

    return numpy.asarray(image.convert("RGB"))


def image_bytes(value):
    """The file of a picture: bytes as they are, Pillow's pictures and arrays as PNG."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if hasattr(value, "save") and hasattr(value, "getbands"):
        file = io.BytesIO()
        value.save(file, "PNG")
        return file.getvalue()
    if hasattr(value, "__array__"):
        return png(value)
    raise TypeError(f"the handler gave a {type(value).__name__} for a picture; bytes, an image of Pillow or an array are one")


def png(value):
    """A PNG of `[height, width]`, `[height, width, 3]` or `[height, width, 4]`: whole numbers to 255, or floats to 1."""
    import numpy

    pixels = numpy.asarray(value)
    if pixels.dtype.kind == "b":
        pixels = pixels * numpy.uint8(255)
    elif pixels.dtype.kind == "f":
        pixels = numpy.clip(pixels * 255 + 0.5, 0, 255)
    pixels = numpy.ascontiguousarray(pixels, "uint8")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    color = {2: 0, 3: 2, 4: 6}.get(2 if pixels.ndim == 2 else pixels.shape[-1])
    if color is None or pixels.ndim not in (2, 3):
        raise TypeError(f"an array of the shape {pixels.shape} is no picture")
    height, width = pixels.shape[:2]
    lines = numpy.zeros((height, 1 + pixels.size // max(height, 1)), "uint8")
    lines[:, 1:] = pixels.reshape(height, -1)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def audio_bytes(value):
    """The file of a sound: bytes as they are, samples with their rate as WAV."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError("a sound is bytes, or its rate and its samples: `(16000, samples)`")
    import numpy

    one, other = value
    rate, samples = (one, other) if numpy.ndim(one) == 0 else (other, one)
    samples = numpy.asarray(samples)
    if samples.dtype.kind == "f":
        samples = numpy.clip(samples, -1, 1) * 32767
    samples = samples.astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(samples.shape[1] if samples.ndim == 2 else 1)
        sound.setsampwidth(2)
        sound.setframerate(int(rate))
        sound.writeframes(samples.tobytes())
    return file.getvalue()


def file_bytes(value):
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    raise TypeError(f"the handler gave a {type(value).__name__} for a file; bytes are wanted")


def table(value):
    """A table as JSON: a frame, a list of objects, an object of columns, or a list of rows."""
    if hasattr(value, "columns") and hasattr(value, "itertuples"):
        columns, rows = list(value.columns), [list(row) for row in value.itertuples(index=False, name=None)]
    elif isinstance(value, dict) and set(value) == {"columns", "data"}:
        columns, rows = value["columns"], value["data"]
    elif isinstance(value, dict):
        columns, rows = list(value), [list(row) for row in zip(*value.values())]
    else:
        rows = list(value)
        columns = list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row))
        if columns:
            rows = [[row.get(name) for name in columns] for row in rows]
        elif rows:
            columns = [str(place) for place in range(len(rows[0]))]
    return text_of({"columns": [str(name) for name in columns], "data": rows})


def boxes(value):
    def box(given):
        if isinstance(given, dict):
            return given
        return dict(zip(("xmin", "ymin", "xmax", "ymax"), plain(given), strict=True))

    return text_of([{**item, "box": box(item["box"])} for item in value])


def masks(value):
    return text_of([{**item, "mask": mask(item["mask"])} for item in value])


def mask(value):
    return value if isinstance(value, str) else base64.b64encode(image_bytes(value)).decode()


def label(value):
    return text_of(value) if isinstance(value, dict) else str(plain(value))


def text_of(value):
    """JSON text, in which what is no number is null."""
    return value if isinstance(value, str) else json.dumps(plain(value), allow_nan=False)


def plain(value):
    """What JSON can say of it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


WRITERS = {
    "image": image_bytes,
    "audio": audio_bytes,
    "video": file_bytes,
    "file": file_bytes,
    "table": table,
    "boxes": boxes,
    "masks": masks,
    "label": label,
    "json": lambda value: json.dumps(plain(value), allow_nan=False),
}
