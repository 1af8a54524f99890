"""Pushes networks as their owner would, and keeps what they answer here.

Run as a script, by a Python that has PyTorch and `transformers`, and not imported: the tests' own environment has no
PyTorch. Where to push is in the environment.

    python network_client.py <folder> <interpreter>
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

import reenact as rn

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a good bad film day fine the".split()


class Digits(nn.Module):
    """A class of its own with all that a network can hold: shared weights, buffers, a tensor that is neither."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
        self.first = nn.Linear(144, 10)
        self.second = nn.Linear(144, 10)
        self.second.weight = self.first.weight
        self.scale = torch.linspace(0.5, 1.5, 10)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        features = torch.flatten(self.features(rows.reshape(-1, 1, 8, 8)), 1)
        return torch.softmax(self.first(features) + self.second(features) * self.scale, dim=1)


def main(folder: Path, interpreter: str) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rows = np.random.default_rng(0).random((24, 64), dtype=np.float32)
    network = Digits()
    rn.push(network, "alice/module", example=rows[:6], interpreter=interpreter, public=True)
    assert network.training, "a push leaves the network as it was"
    network.eval()
    script = folder / "script"
    script.mkdir()
    torch.jit.save(torch.jit.trace(network, torch.as_tensor(rows[:2])), str(script / "model.pt"))
    rn.push(script, "alice/script", example=rows[:6], interpreter=interpreter, public=True)
    with torch.no_grad():
        ask = lambda part: network(torch.as_tensor(part)).numpy()  # noqa: E731
        alone = np.concatenate([ask(rows[place : place + 1]) for place in range(len(rows))])
        sixteen = np.concatenate([ask(np.repeat(row[None], 16, axis=0))[:1] for row in rows])
        together = ask(rows)
    np.savez(folder / "module.npz", rows=rows, alone=alone, sixteen=sixteen, together=together)
    (folder / "pipelines.json").write_text(json.dumps(pipelines(folder, interpreter)))
    (folder / "pictures.json").write_text(json.dumps(pictures(folder, interpreter)))


def pictures(folder: Path, interpreter: str) -> dict[str, object]:
    """Pushes a classifier of pictures with what makes numbers of a picture, and keeps what it says of some."""
    from PIL import Image

    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()
    names = ["cat", "dog", "neither"]
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    def preprocess(picture: Image.Image) -> torch.Tensor:
        small = picture.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
        values = torch.as_tensor(np.asarray(small, dtype="float32") / 255)
        return ((values - mean) / deviation).permute(2, 0, 1)

    paths = []
    for number, size in enumerate([(48, 40), (200, 100), (31, 77)]):
        pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype="uint8")
        paths.append(str(folder / f"{number}.png"))
        Image.fromarray(pixels).save(paths[-1])
    Image.open(paths[0]).convert("L").save(folder / "gray.jpg")
    paths.append(str(folder / "gray.jpg"))
    rn.push(
        network, "alice/pets", example=paths[:2], preprocess=preprocess, input="image", output="label", labels=names,
        interpreter=interpreter, public=True,
    )  # fmt: skip
    with torch.no_grad():
        scores = torch.stack([torch.softmax(network(preprocess(Image.open(path))[None])[0], 0) for path in paths])
    return {"paths": paths, "names": names, "scores": scores.tolist()}


def pipelines(folder: Path, interpreter: str) -> dict[str, object]:
    """Pushes a pipeline as an object and another as the folder that it was saved to."""
    from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertTokenizerFast, pipeline

    (folder / "words.txt").write_text("\n".join(WORDS) + "\n")
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "words.txt"))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    labels = {0: "negative", 1: "positive", 2: "neutral"}
    config = BertConfig(vocab_size=len(WORDS), id2label=labels, **sizes)
    classifier = pipeline("text-classification", BertForSequenceClassification(config).eval(), tokenizer=tokenizer)
    rn.push(classifier, "alice/classifier", example=["a good film"], interpreter=interpreter, public=True)
    classifier.save_pretrained(str(folder / "saved"))
    filler = pipeline("fill-mask", BertForMaskedLM(config).eval(), tokenizer=tokenizer)
    filler.save_pretrained(str(folder / "filler"))
    rn.push(folder / "filler", "alice/filler", interpreter=interpreter, public=True)
    texts = ["a good film", "the bad day"]
    scores = [{one["label"]: one["score"] for one in classifier(text, top_k=None)} for text in texts]
    return {
        "texts": texts,
        "scores": [[one[label] for label in labels.values()] for one in scores],
        "filled": [one["token_str"] for one in filler("a good [MASK]")],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
