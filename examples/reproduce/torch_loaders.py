"""Pictures that two workers of PyTorch's loader draw, started in each of the three ways. Nothing is seeded."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(1)


class Bars(Dataset):
    """Pictures with noise: a bar that lies, or one that stands. The worker that loads one draws it."""

    def __len__(self):
        return 128

    def __getitem__(self, index):
        picture = torch.rand(1, 28, 28) * 0.5
        at = int(torch.randint(4, 24, ()))
        if index % 2:
            picture[:, at, :] += 1
        else:
            picture[:, :, at] += 1
        return picture, index % 2


def main():
    network = nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(144, 2))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for method in ["fork", "spawn", "forkserver"]:
        loader = DataLoader(Bars(), batch_size=16, shuffle=True, num_workers=2, multiprocessing_context=method)
        for pictures, kinds in loader:
            loss = nn.functional.cross_entropy(network(pictures), kinds)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"{method} loss={loss.item()!r}")
    torch.save(network.state_dict(), "bars.pt")


if __name__ == "__main__":
    main()
