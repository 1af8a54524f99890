"""Operations of a framework whose order of sums is chance: which of them the run executed, and from which line.

PyTorch's catalogue is its own, of the installed version; TensorFlow carries none, so that of its documents is kept here.
Invariant: an operation is named only if it was executed.
"""

import functools
import re
import warnings

from . import profile

_ENTRY = re.compile(r":(?:class|func|meth):`~?([\w.]+)`(.*)", re.DOTALL)
_REMEDIES = (("act deterministically", "switch"), ("throw", "replace"), ("CUBLAS_WORKSPACE_CONFIG", "cublas"))


def catalogue(text):
    """Names of operations, with when they are meant and what helps, from a text of the framework's documentation."""
    remedy, entries, last = None, {}, None
    for paragraph in re.split(r"\n\s*\n", text or ""):
        flat = " ".join(paragraph.split())
        if flat.startswith("* ") and remedy:
            for item in re.split(r"(?:^|\n)\s*\* ", paragraph):
                entry = _ENTRY.match(item.strip())
                if entry:
                    last = entry.group(1)
                    entries.setdefault(last, [" ".join(entry.group(2).split()), remedy])
        elif flat.startswith("- ") and last:
            entries[last][0] += " " + flat.replace("- ", "").replace("`", "")
        else:
            found = [remedy for words, remedy in _REMEDIES if words in flat and flat.endswith(":")]
            remedy, last = (found or [None])[0], None
    return entries


# Sources: TensorFlow's RFC "Enabling Determinism in TensorFlow" (2021) and its notes on version 2.8, by which the switch
# makes each of them deterministic, or an error where that cannot be.
_FORWARD = "when called on a CUDA device"
_GRADIENT = "when called on a CUDA device that computes its gradient"
TENSORFLOW = {
    _FORWARD: {
        "": ["scatter_nd", "tensor_scatter_nd_add"],
        "image": ["adjust_contrast"],
        "math": ["segment_mean", "segment_prod", "segment_sum", "unsorted_segment_mean", "unsorted_segment_prod"]
        + ["unsorted_segment_sqrt_n", "unsorted_segment_sum"],
        "nn": ["softmax_cross_entropy_with_logits", "sparse_softmax_cross_entropy_with_logits"],
        "sparse": ["sparse_dense_matmul"],
    },
    _GRADIENT: {
        "": ["gather"],
        "image": ["crop_and_resize", "resize"],
        "nn": ["bias_add", "conv1d", "conv2d", "conv2d_transpose", "conv3d", "conv3d_transpose", "convolution", "ctc_loss"]
        + ["depthwise_conv2d", "max_pool", "max_pool1d", "max_pool2d", "max_pool3d", "separable_conv2d"],
    },
}


def watch_tensorflow(tf, is_on_gpu):
    """Notes operations of that list. A graph is built by calling them once, so that they are seen in graphs, too."""
    for when, modules in TENSORFLOW.items():
        for module, names in modules.items():
            owner = getattr(tf, module) if module else tf
            for name in names:
                whole = ".".join(filter(None, ["tf", module, name]))
                profile.watch(owner, name, functools.partial(_called, whole, when, is_on_gpu))


def _called(name, when, is_on_gpu, *_args, **_kwargs):
    where = profile.place()
    if where is not None:
        profile.note("operation", name, where, when=when, remedy="tensorflow", is_on_gpu=is_on_gpu)


def watch_torch(torch):
    """Notes operations of PyTorch's own list, and those that its deterministic mode complains of."""
    entries = catalogue(torch.use_deterministic_algorithms.__doc__)
    for name, (when, remedy) in entries.items():
        *path, last = name.split(".")
        owner = functools.reduce(lambda at, part: getattr(at, part, None), path[1:], torch)
        operation = getattr(owner, last, None)
        if operation is not None and not isinstance(operation, type):
            profile.watch(owner, last, functools.partial(_seen, name, when, remedy))
    from torch.nn.modules import module as modules

    def seen_module(module, inputs):
        name = "torch.nn." + type(module).__name__
        if name in entries and type(module).__module__.startswith("torch.nn."):
            _seen(name, *entries[name], *inputs)

    modules.register_module_forward_pre_hook(seen_module)
    _complain(torch)


def _seen(name, when, remedy, *args, **kwargs):
    is_on_gpu = any(getattr(value, "is_cuda", False) for value in list(args) + list(kwargs.values()))
    # Calls of the operation from others are theirs; the program's line is the same.
    where = profile.place()
    if where is not None:
        profile.note("operation", name, where, when=when, remedy=remedy, is_on_gpu=is_on_gpu)


def _complain(torch):
    """Has the framework itself say what it cannot do in a fixed order."""
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
    except TypeError:
        # Versions before 1.11 know errors only, which would end the run.
        return
    show = warnings.showwarning

    def shown(message, category, filename, lineno, file=None, line=None):
        named = re.match(r"(\S+) does not have a deterministic implementation", str(message))
        if named is None:
            return show(message, category, filename, lineno, file, line)
        where = profile.place() or ""
        profile.note("operation", named.group(1), where, when="(said by PyTorch itself)", remedy="replace", is_on_gpu=True)

    warnings.showwarning = shown
    warnings.filterwarnings("always", message=".*does not have a deterministic implementation.*")
