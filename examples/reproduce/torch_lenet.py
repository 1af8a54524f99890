"""LeNet-5 in PyTorch, on pictures of bars that it draws itself, loaded by two workers. Nothing is seeded."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(1)


class Bars(Dataset):
    """Pictures with noise: a bar that lies, or one that stands."""

    def __len__(self):
        return 256

    def __getitem__(self, index):
        picture = torch.rand(1, 28, 28) * 0.5
        at = int(torch.randint(4, 24, ()))
        if index % 2:
            picture[:, at, :] += 1
        else:
            picture[:, :, at] += 1
        return picture, index % 2


network = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
    nn.Linear(400, 120), nn.ReLU(), nn.Dropout(0.2), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 2),
)  # fmt: skip
optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
loader = DataLoader(Bars(), batch_size=32, shuffle=True, num_workers=2)

for epoch in range(3):
    for pictures, kinds in loader:
        loss = nn.functional.cross_entropy(network(pictures), kinds)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"epoch {epoch} loss={loss.item()!r}")

network.eval()
pictures, kinds = next(iter(DataLoader(Bars(), batch_size=256)))
predictions = network(pictures).argmax(dim=1)
print("accuracy:", (predictions == kinds).float().mean().item())
torch.save(network.state_dict(), "lenet.pt")
with open("predictions.txt", "w") as file:
    file.write("\n".join(str(kind) for kind in predictions.tolist()))
