"""Libraries over `huggingface_hub`, unmodified, each in a process of its own: they read the address once, at import.

Each goes both ways: with large files in chunks, and without. Where a file goes by itself is looked at in what the client
keeps of chunks. Models need PyTorch, which PyPI has for Linux only with all of CUDA. Those with weights are tried by an environment
over Debian's, with versions of `transformers` and `huggingface_hub` that take it; the newest write configuration and
tokenizer.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import environments
import pytest
from conftest import Account, Running

TIME_OUT_S = 300.0

TRANSFORMERS = """
import sys
name = sys.argv[1] + "-tiny"
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoTokenizer, BertConfig, PreTrainedTokenizerFast

words = {"[UNK]": 0, "[PAD]": 1, "iris": 2, "setosa": 3}
made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
made.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]")
tokenizer.push_to_hub(name, private=True)
config = BertConfig(vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
config.push_to_hub(name)

read = AutoTokenizer.from_pretrained(name)
assert read("setosa iris lily")["input_ids"] == [3, 2, 0], read("setosa iris lily")
config = AutoConfig.from_pretrained(name)
assert (config.model_type, config.hidden_size) == ("bert", 8)

from huggingface_hub import HfApi
assert HfApi().repo_info(name).private
"""

DATASETS = """
import sys
name = sys.argv[1] + "-streamed-rows"
from datasets import load_dataset
from huggingface_hub import HfApi

api = HfApi()
api.create_repo(name, repo_type="dataset", private=True)
api.upload_file(path_or_fileobj=b"a,b\\n1,x\\n2,y\\n", path_in_repo="data/train.csv", repo_id=name,
                repo_type="dataset")
rows = load_dataset(name, split="train")
assert rows.to_list() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], rows.to_list()
streamed = load_dataset(name, split="train", streaming=True)
assert [row["b"] for row in streamed] == ["x", "y"]
"""

# The library deletes its table before it commits, so the table has to be sent ahead of the commit.
DATASETS_PUSH = """
import sys
import numpy as np
from datasets import Dataset, DatasetDict, load_dataset

name = sys.argv[1] + "-pushed"
numbers = np.random.default_rng(0).standard_normal(400_000)
pushed = DatasetDict({"train": Dataset.from_dict({"n": numbers}), "test": Dataset.from_dict({"n": [4.0]})})
pushed.push_to_hub(name, private=True)
back = load_dataset(name)
assert np.array_equal(np.asarray(back["train"]["n"][:]), numbers)
assert back["test"]["n"][:] == [4.0], back
# A second push of the same writes nothing anew.
pushed.push_to_hub(name)
"""

WEIGHTS = """
import sys
name = sys.argv[1]
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig
from transformers import BertForSequenceClassification, BertTokenizerFast, pipeline
import huggingface_hub
assert huggingface_hub.__version__.startswith("0."), huggingface_hub.__version__

open("words.txt", "w").write("\\n".join("[PAD] [UNK] [CLS] [SEP] [MASK] a good bad film".split()) + "\\n")
tokenizer = BertTokenizerFast(vocab_file="words.txt")
torch.manual_seed(0)
config = BertConfig(vocab_size=9, hidden_size=256, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
model = BertForSequenceClassification(config).eval()
model.push_to_hub(name, private=True)
tokenizer.push_to_hub(name)
model.push_to_hub(name + "-shards", private=True, max_shard_size="1MB")
model.push_to_hub(name, create_pr=True, safe_serialization=False)

for one in (name, name + "-shards"):
    again = AutoModelForSequenceClassification.from_pretrained(one).eval()
    own, read = model.state_dict(), again.state_dict()
    assert own.keys() == read.keys() and all(torch.equal(own[key], read[key]) for key in own)
with_pickle = AutoModelForSequenceClassification.from_pretrained(
    name, revision="refs/pr/1", use_safetensors=False
)
assert torch.equal(with_pickle.classifier.weight, model.classifier.weight)
ask = pipeline("text-classification", model=name)
asked = AutoTokenizer.from_pretrained(name)("a good film", return_tensors="pt")
with torch.no_grad():
    wanted = torch.softmax(model(**asked).logits[0], 0).max().item()
assert abs(ask("a good film")[0]["score"] - wanted) < 1e-6
try:
    AutoModelForSequenceClassification.from_pretrained("alice/none")
except OSError as error:
    assert "alice/none" in str(error), error
else:
    raise AssertionError("a model that is not there was found")
"""

EMBEDDINGS = """
import sys
name = sys.argv[1]
import numpy as np
import torch
from sentence_transformers import SentenceTransformer, models
from transformers import BertConfig, BertModel, BertTokenizerFast

open("words.txt", "w").write("\\n".join("[PAD] [UNK] [CLS] [SEP] [MASK] a good bad film".split()) + "\\n")
config = BertConfig(vocab_size=9, hidden_size=256, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
BertModel(config).save_pretrained("base")
BertTokenizerFast(vocab_file="words.txt").save_pretrained("base")
words = models.Transformer("base")
model = SentenceTransformer(modules=[words, models.Pooling(words.get_word_embedding_dimension())])
model.push_to_hub(name, private=True)
again = SentenceTransformer(name)
assert np.array_equal(model.encode(["a good film"]), again.encode(["a good film"]))
"""

# The last that take the PyTorch of Debian 12; they ask for a `huggingface_hub` of 0.x, of which the last send in chunks.
OVER_TORCH = ["transformers==4.40.2", "jinja2", "sentence-transformers==2.7.0", "scikit-learn==1.3.2", "scipy==1.11.4"]
OVER_TORCH += ["huggingface_hub==0.36.0", "hf_xet"]


@dataclass(frozen=True)
class Way:
    """How a client moves what is large."""

    server: Running
    token: str
    is_xet: bool
    folder: Path

    def run(self, script: str, name: str, python: str = sys.executable) -> None:
        """Runs a script, which makes repositories of names that begin so, in a process with caches of its own."""
        known = {
            **os.environ,
            "HF_ENDPOINT": self.server.url,
            "HF_TOKEN": self.token,
            "HF_HOME": str(self.folder / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        known.pop("HF_HUB_DISABLE_XET", None)
        known |= {} if self.is_xet else {"HF_HUB_DISABLE_XET": "1"}
        command = [python, "-c", script, f"alice/{name}-{'in-chunks' if self.is_xet else 'plain'}"]
        ended = subprocess.run(
            command, env=known, cwd=self.folder, capture_output=True, text=True, timeout=TIME_OUT_S, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def moved_chunks(self) -> bool:
        """Whether the client has what it keeps of those it moved."""
        return any((self.folder / "hf" / "xet").rglob("*shard*"))


@pytest.fixture(params=[True, False], ids=["in-chunks", "plain"])
def way(request: pytest.FixtureRequest, server: Running, alice: Account, tmp_path: Path) -> Way:
    return Way(server, alice.token, request.param, tmp_path)


needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="`transformers` is not installed"
)
needs_datasets = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None, reason="`datasets` is not installed"
)


@needs_transformers
def test_transformers_pushes_and_reads_configuration_and_tokenizer(way: Way) -> None:
    way.run(TRANSFORMERS, "words")


@pytest.fixture(scope="module")
def over_torch(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has PyTorch and what saves models of it."""
    system = os.environ.get("REENACT_TEST_TORCH_PYTHON")
    if not system:
        pytest.skip("REENACT_TEST_TORCH_PYTHON is not set: no Python of this machine has PyTorch")
    return str(environments.over(system, tmp_path_factory.mktemp("over-torch"), OVER_TORCH))


@pytest.mark.parametrize("script", [WEIGHTS, EMBEDDINGS], ids=["transformers", "sentence-transformers"])
def test_a_model_with_weights_is_pushed_and_read(way: Way, over_torch: str, script: str) -> None:
    way.run(script, "weights" if script is WEIGHTS else "sentences", over_torch)
    assert way.moved_chunks() == way.is_xet


@needs_datasets
def test_datasets_loads_and_streams(way: Way) -> None:
    way.run(DATASETS, "loaded")


@needs_datasets
def test_datasets_pushes_and_loads_tables(way: Way) -> None:
    way.run(DATASETS_PUSH, "tables")
    assert way.moved_chunks() == way.is_xet
