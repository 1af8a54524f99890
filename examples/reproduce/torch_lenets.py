"""LeNet-1, LeNet-4 and LeNet-5 in PyTorch, on pictures of bars that they draw themselves. Nothing is seeded."""

import torch
from torch import nn

torch.set_num_threads(1)


def bars(n):
    """Pictures with noise, half of them with a bar that lies, half with one that stands."""
    pictures, kinds = torch.rand(n, 1, 28, 28) * 0.5, torch.arange(n) % 2
    for picture, kind, at in zip(pictures, kinds, torch.randint(4, 24, (n,))):
        picture[0].select(int(kind), int(at)).add_(1)
    return pictures, kinds


def stages(first, second, padding):
    """Two convolutions, each followed by the mean of every four neighbours."""
    return [
        nn.Conv2d(1, first, 5, padding=padding), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(first, second, 5), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
    ]  # fmt: skip


NETWORKS = {
    "lenet1": nn.Sequential(*stages(4, 12, 0), nn.Linear(192, 2)),
    "lenet4": nn.Sequential(*stages(4, 16, 2), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 2)),
    "lenet5": nn.Sequential(
        *stages(6, 16, 2), nn.Linear(400, 120), nn.ReLU(), nn.Dropout(0.2), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 2)
    ),
}

predictions = []
for name, network in NETWORKS.items():
    optimiser = torch.optim.Adam(network.parameters(), lr=0.003)
    for epoch in range(4):
        pictures, kinds = bars(256)
        for batch in torch.randperm(256).split(32):
            loss = nn.functional.cross_entropy(network(pictures[batch]), kinds[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"{name}_loss={loss.item()!r}")
    network.eval()
    pictures, kinds = bars(256)
    told = network(pictures).argmax(dim=1)
    print(f"{name}_accuracy={(told == kinds).float().mean().item()}")
    predictions += told.tolist()
    torch.save(network.state_dict(), f"{name}.pt")
with open("predictions.txt", "w") as file:
    file.write("\n".join(str(kind) for kind in predictions))
