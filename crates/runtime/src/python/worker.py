"""The process that runs a handler: reads calls from one pipe, answers on another, prints to the log.

Plain Python; numpy is used where the environment has it and the handler takes arrays. It trusts its parent and
nothing else does it any harm to trust: it is confined before it starts. Invariant: every call gets one answer or one
failure, and what the handler prints never mixes with them.
"""

import array
import importlib.util
import json
import os
import struct
import sys
import traceback
import types

INFER, ANSWER, FAILURE, CANCEL, PART, MORE = 2, 3, 4, 5, 6, 7
PREDICT, STREAM, EXPLAIN = 0, 1, 2
BAD_INPUT, INTERNAL = 1, 4
PROTOCOL = 2
MOST_BYTES = 256 * 1024 * 1024
# Of the text that an answer in pieces comes to.
MOST_TEXT = 16 * 1024 * 1024
FRAMES_SHOWN = 12
FILES = ("image", "audio", "video", "file")
LENGTH = struct.Struct("<I")
# Length, kind, protocol, zero, slot, generation; and what an answer begins with.
HEAD = struct.Struct("<IBBHII")
ANSWER_HEAD = struct.Struct("<IHH")
ASKED_HEAD = struct.Struct("<IHH")
TENSOR_HEAD = struct.Struct("<HBBI")
SHAPES = [struct.Struct(f"<{n_dimensions}Q") for n_dimensions in range(256)]

NAMES = (
    "BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 BF16 BYTES".split()
)
CODES = {name: code for code, name in enumerate(NAMES)}
TYPE_CODES = {
    "BOOL": "B", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b", "INT16": "h", "INT32": "i",
    "INT64": "q", "FP32": "f", "FP64": "d",
}  # fmt: skip
NUMPY_NAMES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip


class Misfit(Exception):
    """What the handler gave is not what its schema says."""


class Pipe:
    """Frames from and to the parent."""

    def __init__(self):
        self.questions = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
        self.answers = os.dup(1)
        # From here on what anybody prints goes to the log, and what anybody reads is empty.
        os.dup2(2, 1)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.close(empty)

    def read(self, n_bytes):
        data = self.questions.read(n_bytes)
        if len(data) < n_bytes:
            sys.exit(0)  # The parent has gone.
        return data

    def setup(self):
        (length,) = LENGTH.unpack(self.read(4))
        return json.loads(self.read(length))

    def next_call(self):
        """What is asked next: kind, method, number, and tensors as (datatype, shape, bytes) by index."""
        length, kind, _, _, number, _ = HEAD.unpack(self.read(HEAD.size))
        if kind != INFER:
            return kind, PREDICT, number, {}
        frame = memoryview(self.read(length - HEAD.size))
        _, n_tensors, method = ASKED_HEAD.unpack_from(frame)
        at, tensors = ASKED_HEAD.size, {}
        for _ in range(n_tensors):
            index, code, n_dimensions, n_bytes = TENSOR_HEAD.unpack_from(frame, at)
            at += TENSOR_HEAD.size
            shape = SHAPES[n_dimensions].unpack_from(frame, at)
            at += 8 * n_dimensions
            tensors[index] = (NAMES[code], shape, frame[at : at + n_bytes])
            at += n_bytes
        return kind, method, number, tensors

    def part(self, text):
        self.send(PART, [text.encode("utf-8", "replace")])

    def answer(self, tensors=()):
        parts = [ANSWER_HEAD.pack(0, len(tensors), 0)]
        for index, (name, shape, data) in enumerate(tensors):
            head = TENSOR_HEAD.pack(index, CODES[name], len(shape), len(data))
            parts += (head, SHAPES[len(shape)].pack(*shape), data)
        self.send(ANSWER, parts)

    def fail(self, code, message):
        self.send(FAILURE, [bytes([code]), message.encode("utf-8", "replace")[:16384]])

    def send(self, kind, parts):
        length = HEAD.size + sum(map(len, parts))
        if length > MOST_BYTES:
            raise Misfit(f"the answer has {length} bytes; at most {MOST_BYTES} are sent")
        frame = b"".join([HEAD.pack(length, kind, PROTOCOL, 0, 0, 0), *parts])
        n_written = os.write(self.answers, frame)
        while n_written < length:
            n_written += os.write(self.answers, memoryview(frame)[n_written:])


class Plain:
    """What reads and writes columns as they are."""

    def read(self, index, column):
        return column

    def write(self, index, column):
        return column


def media_for(call, setup):
    """What reads and writes files, tables and objects, where the schema has such."""
    if not any(spec["kind"] for spec in [*setup["inputs"], *setup["outputs"]]):
        return Plain()
    module = types.ModuleType("media")
    exec(compile(setup["media"], "<media>", "exec"), module.__dict__)
    return module.Media(call, setup)


class Rows:
    """A handler that is given all rows at once, as arrays."""

    def __init__(self, call, setup):
        self.call, self.setup, self.media = call, setup, media_for(call, setup)
        # Importing is a part of loading, which may take longer than a call.
        if importlib.util.find_spec("numpy"):
            importlib.import_module("numpy")

    def answer(self, tensors):
        columns = columns_of(whole(self.call(*self.inputs(tensors))), self.setup["outputs"])
        return [self.media.write(index, column) for index, column in enumerate(columns)]

    def explain(self, explain, tensors):
        return list(explain(*self.inputs(tensors)))

    def begin(self, tensors):
        given = self.call(*self.inputs(tensors))
        return given if is_stream(given) else iter([plain_text(given)])

    def inputs(self, tensors):
        specs = self.setup["inputs"]
        return [self.media.read(i, as_array(*tensors[i], spec["kind"])) for i, spec in enumerate(specs)]


class Row:
    """A handler that is given one row at a time, as plain values."""

    def __init__(self, call, setup):
        self.call, self.setup, self.media = call, setup, media_for(call, setup)

    def answer(self, tensors):
        specs = self.setup["outputs"]
        columns = [[] for _ in specs]
        for row in zip(*self.inputs(tensors)):
            for column, value in zip(columns, columns_of(whole(self.call(*row)), specs)):
                column.append(value)
        return [self.media.write(index, column) for index, column in enumerate(columns)]

    def explain(self, explain, tensors):
        return [explain(*row) for row in zip(*self.inputs(tensors))]

    def begin(self, tensors):
        """The pieces of the answer to the only row."""
        given = self.call(*(column[0] for column in self.inputs(tensors)))
        return given if is_stream(given) else iter([plain_text(given)])

    def inputs(self, tensors):
        specs = self.setup["inputs"]
        return [self.media.read(i, as_list(*tensors[i], spec["kind"])) for i, spec in enumerate(specs)]


class Streams:
    """Answers that are given piece by piece; between two pieces a generator waits where it is."""

    def __init__(self):
        self.open = {}

    def begin(self, number, pieces):
        self.open[number] = [pieces, 0]

    def next(self, number):
        """The next piece that says something, or none at the end."""
        if number not in self.open:
            raise Misfit("the answer was begun by a process that fell")
        pieces, n_bytes = self.open[number]
        try:
            piece = next((text for text in map(text_of, pieces) if text), None)
        except BaseException:
            self.close(number)
            raise
        if piece is None:
            self.close(number)
            return None
        self.open[number][1] = n_bytes = n_bytes + len(piece.encode("utf-8", "replace"))
        if n_bytes > MOST_TEXT:
            self.close(number)
            raise Misfit(f"the answer has more than {MOST_TEXT} bytes")
        return piece

    def close(self, number):
        pieces, _ = self.open.pop(number, (None, 0))
        if hasattr(pieces, "close"):
            pieces.close()


def is_stream(given):
    return hasattr(given, "__next__")


def text_of(piece):
    if not isinstance(piece, str):
        raise Misfit(f"a piece of the answer is a {type(piece).__name__}; text is wanted")
    return piece


def plain_text(given):
    return given if isinstance(given, str) else json.dumps(given, default=plain)


def whole(given):
    """What a handler gave, with the pieces of a text put together."""
    if not is_stream(given):
        return given
    texts, n_bytes = [], 0
    for piece in given:
        texts.append(text_of(piece))
        n_bytes += len(piece)
        if n_bytes > MOST_TEXT:
            raise Misfit(f"the answer has more than {MOST_TEXT} bytes")
    return "".join(texts)


def explanation(value):
    """An explanation as JSON."""
    try:
        text = json.dumps(value, default=plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Misfit(f"the explanation cannot be written as JSON: {error}") from error
    return struct.pack("<I", len(text.encode())) + text.encode()


def columns_of(given, specs):
    """What a handler gave, as one value for each output: by name, in order, or the only one."""
    if isinstance(given, dict) and (len(specs) > 1 or set(given) == {specs[0]["name"]}):
        missing = [spec["name"] for spec in specs if spec["name"] not in given]
        if missing:
            raise Misfit(f"the handler gave no `{missing[0]}`; it gave {', '.join(map(repr, list(given)[:8]))}")
        return [given[spec["name"]] for spec in specs]
    if len(specs) == 1:
        return [given]
    if not isinstance(given, (tuple, list)) or len(given) != len(specs):
        raise Misfit(f"the handler gave a {type(given).__name__}; {len(specs)} outputs are wanted")
    return list(given)


def as_array(name, shape, data, kind=None):
    try:
        import numpy
    except ImportError:
        return as_list(name, shape, data, kind)
    if name == "BYTES":
        return numpy.array(elements_of(data, kind), dtype=object).reshape(shape)
    if name == "BF16":
        wide = numpy.frombuffer(data, "<u2").astype("<u4") << 16
        return wide.view("<f4").reshape(shape)
    return numpy.frombuffer(data, numpy.dtype(NUMPY_NAMES[name])).reshape(shape).copy()


def as_list(name, shape, data, kind=None):
    """Nested lists of plain values, or arrays where a row has many numbers and numpy is there to hold them."""
    if name == "BYTES":
        return nested(elements_of(data, kind), shape)
    if name == "BOOL":
        return nested([byte != 0 for byte in data], shape)
    if name in TYPE_CODES:
        return nested(data.cast(TYPE_CODES[name]).tolist(), shape)
    if name == "FP16":
        return nested(list(struct.unpack(f"<{len(data) // 2}e", data)), shape)
    halves = array.array("H", bytes(data))
    return nested([struct.unpack("<f", struct.pack("<I", half << 16))[0] for half in halves], shape)


def nested(flat, shape):
    for length in reversed(shape[1:]):
        flat = [flat[at : at + length] for at in range(0, len(flat), length)] if length else []
    return flat


def elements_of(data, kind):
    """Texts, or the bytes of files."""
    elements, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        element = data[at + 4 : at + 4 + length]
        elements.append(bytes(element) if kind in FILES else str(element, "utf-8"))
        at += 4 + length
    return elements


def encode(spec, value):
    """A value of one output as (datatype, shape, bytes)."""
    name = spec["datatype"]
    if not isinstance(value, list):
        value = value if name == "BYTES" else tensor_of(value)
        if name != "BYTES" and hasattr(value, "__array_interface__"):
            return encoded_array(spec, value)
        value = value.tolist() if hasattr(value, "tolist") else value
    shape = shape_of(value)
    # A column of single values, which most are, is flat as it is.
    flat = value if len(shape) == 1 else list(flattened(value))
    if name == "BYTES":
        return name, shape, b"".join(map(text_bytes, map(item, flat)))
    return name, shape, number_bytes(spec, flat)


def encoded_array(spec, value):
    name = spec["datatype"]
    if value.dtype.kind not in "biuf":
        raise Misfit(f"`{spec['name']}` is {value.dtype}; {name} is wanted")
    value = value.astype(NUMPY_NAMES.get(name, "float32"), copy=False)
    return name, value.shape, value.tobytes()


def tensor_of(value):
    """An array for what is one in another framework's words: a frame, a series, a tensor of PyTorch or JAX."""
    if type(value).__module__.partition(".")[0] == "torch":
        value = value.detach().cpu().numpy()
    if hasattr(value, "__array_interface__"):
        return value
    if hasattr(value, "__array__"):
        import numpy

        return numpy.asarray(value)
    return value


def number_bytes(spec, flat):
    name = spec["datatype"]
    try:
        if name == "BOOL":
            return bytes(bool(value) for value in flat)
        if name == "FP16":
            return struct.pack(f"<{len(flat)}e", *flat)
        if name == "BF16":
            return b"".join(struct.pack("<f", value)[2:] for value in flat)
        convert = float if name in ("FP32", "FP64") else int
        return array.array(TYPE_CODES[name], map(convert, flat)).tobytes()
    except (TypeError, ValueError, OverflowError, struct.error) as error:
        raise Misfit(f"`{spec['name']}` is not {name}: {error}") from error


def text_bytes(value):
    """A text; what is none is written as JSON, so that a handler may answer with lists and objects."""
    if isinstance(value, bytes):
        text = value
    else:
        text = (value if isinstance(value, str) else json.dumps(value, default=plain)).encode()
    return struct.pack("<I", len(text)) + text


def plain(value):
    return value.tolist() if hasattr(value, "tolist") else str(value)


def shape_of(value):
    shape = []
    while isinstance(value, (list, tuple)):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def flattened(value):
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from flattened(item)
    else:
        yield value


def item(value):
    """The plain value of what a framework holds a single one in."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def prepared(spec, column, takes):
    """A column as it can be encoded: what a row gave for an array becomes a list, and JSON stays whole."""
    if takes == "rows":
        return column
    if len(spec["shape"]) == 1 and spec["datatype"] == "BYTES":
        return [value if isinstance(value, (str, bytes)) else text_bytes(value)[4:] for value in column]
    return [value.tolist() if hasattr(value, "tolist") else value for value in column]


def load(setup):
    """What the handler's file names, ready to be called."""
    sys.path[:] = [setup["folder"], *[path for path in sys.path if path]]
    if importlib.util.find_spec("tensorflow"):
        import tempfile

        try:
            tempfile.gettempdir()
        except FileNotFoundError:
            # It asks for a place when it is imported, and does not try whether one can write there.
            tempfile.tempdir = setup["folder"]
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(setup["file"]))[0], setup["file"])
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = getattr(module, setup["object"], None)
    if found is None:
        raise Misfit(f"`{os.path.basename(setup['file'])}` has no `{setup['object']}`")
    if isinstance(found, type):
        found = found()
    call = getattr(found, "predict", None) or found
    if not callable(call):
        raise Misfit(f"`{setup['object']}` is neither a function nor does it have `predict`")
    # A function is explained by the function `explain` beside it, an object by its own.
    explain = getattr(module if call is found else found, "explain", None)
    return call, explain if callable(explain) else None


def told(error):
    """An error in one line, for whoever asked; the log gets where it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    # Our own frames say nothing of the handler.
    own = [frame for frame in frames if frame.filename not in ("<string>", "<media>", __file__ if "__file__" in globals() else "")]
    lines = traceback.format_list(own[-FRAMES_SHOWN:])
    lines += traceback.format_exception_only(type(error), error)
    sys.stderr.write("Traceback (most recent call last):\n" + "".join(lines))
    sys.stderr.flush()
    message = str(error).strip().partition("\n")[0][:1000]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def main():
    pipe = Pipe()
    setup = pipe.setup()
    try:
        call, explain = load(setup)
        answering = (Rows if setup["takes"] == "rows" else Row)(call, setup)
    except BaseException as error:
        pipe.fail(INTERNAL, told(error))
        sys.exit(1)
    pipe.answer()
    streams = Streams()

    def do(kind, method, number, tensors):
        if kind == CANCEL:
            # Nobody waits for an answer, not even for why there is none.
            try:
                streams.close(number)
            except Exception as error:
                told(error)
        elif kind == MORE or method == STREAM:
            if kind != MORE:
                streams.begin(number, answering.begin(tensors))
            piece = streams.next(number)
            pipe.answer() if piece is None else pipe.part(piece)
        elif method == EXPLAIN:
            if explain is None:
                raise Misfit("the handler has no `explain`")
            texts = [explanation(value) for value in answering.explain(explain, tensors)]
            pipe.answer([("BYTES", [len(texts)], b"".join(texts))])
        else:
            columns = answering.answer(tensors)
            specs = setup["outputs"]
            pipe.answer([encode(s, prepared(s, c, setup["takes"])) for s, c in zip(specs, columns)])

    while True:
        asked = pipe.next_call()
        try:
            do(*asked)
        except Misfit as error:
            pipe.fail(INTERNAL, str(error))
        except ValueError as error:
            # How a handler says that it cannot be asked this.
            pipe.fail(BAD_INPUT, told(error))
        except Exception as error:
            pipe.fail(INTERNAL, told(error))
        sys.stdout.flush()


main()
