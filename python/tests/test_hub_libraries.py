"""Libraries over `huggingface_hub`, unmodified, each in a process of its own: they read the address once, at import.

Models of `transformers` need PyTorch, which PyPI has for Linux only with all of CUDA; what is tested is how the library
finds, reads and writes the files of one: configuration and tokenizer.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Account, Running, running

TIME_OUT_S = 300.0

TRANSFORMERS = """
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoTokenizer, BertConfig, PreTrainedTokenizerFast

words = {"[UNK]": 0, "[PAD]": 1, "iris": 2, "setosa": 3}
made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
made.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]")
tokenizer.push_to_hub("alice/tiny", private=True)
config = BertConfig(vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
config.push_to_hub("alice/tiny")

read = AutoTokenizer.from_pretrained("alice/tiny")
assert read("setosa iris lily")["input_ids"] == [3, 2, 0], read("setosa iris lily")
config = AutoConfig.from_pretrained("alice/tiny")
assert (config.model_type, config.hidden_size) == ("bert", 8)

from huggingface_hub import HfApi
assert HfApi().repo_info("alice/tiny").private
"""

DATASETS = """
from datasets import load_dataset
from huggingface_hub import HfApi

api = HfApi()
api.create_repo("alice/streamed-rows", repo_type="dataset", private=True)
api.upload_file(path_or_fileobj=b"a,b\\n1,x\\n2,y\\n", path_in_repo="data/train.csv", repo_id="alice/streamed-rows",
                repo_type="dataset")
rows = load_dataset("alice/streamed-rows", split="train")
assert rows.to_list() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], rows.to_list()
streamed = load_dataset("alice/streamed-rows", split="train", streaming=True)
assert [row["b"] for row in streamed] == ["x", "y"]
"""

# The library deletes its table before it commits, so the table has to be sent ahead of the commit.
DATASETS_PUSH = """
from datasets import Dataset, DatasetDict, load_dataset

pushed = DatasetDict({"train": Dataset.from_dict({"n": [1, 2, 3]}), "test": Dataset.from_dict({"n": [4]})})
pushed.push_to_hub("alice/pushed", private=True)
back = load_dataset("alice/pushed")
assert (back["train"]["n"][:], back["test"]["n"][:]) == ([1, 2, 3], [4]), back
"""


def run(script: str, server: Running, token: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": token,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    command = [sys.executable, "-c", script]
    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=TIME_OUT_S, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="`transformers` is not installed"
)
needs_datasets = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None, reason="`datasets` is not installed"
)


@needs_transformers
def test_transformers_pushes_and_reads_configuration_and_tokenizer(server: Running, alice: Account, tmp_path: Path):
    run(TRANSFORMERS, server, alice.token, tmp_path)


@needs_datasets
def test_datasets_loads_and_streams(server: Running, alice: Account, tmp_path: Path):
    run(DATASETS, server, alice.token, tmp_path)


@needs_datasets
def test_datasets_pushes_tables_that_are_sent_apart(binary: Path, tmp_path: Path):
    with running(binary, tmp_path / "data", "--large-files", "apart") as server:
        run(DATASETS_PUSH, server, server.token("alice"), tmp_path)
