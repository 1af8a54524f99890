"""A small residual network (ResNet-8) and a small wide one (WRN-10-2) in PyTorch. Nothing is seeded.

Both learn to tell coloured pictures of bars from pictures of blocks, which they draw themselves, moved and mirrored by chance.
"""

import torch
from torch import nn

torch.set_num_threads(1)


class ResidualBlock(nn.Module):
    """As in a ResNet: normalised behind each convolution."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.way = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.short = nn.Identity() if before == after else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x):
        return torch.relu(self.way(x) + self.short(x))


class WideBlock(nn.Module):
    """As in a WRN: normalised in front of each convolution, with dropout between the two."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.way = nn.Sequential(
            nn.BatchNorm2d(before), nn.ReLU(), nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(after, after, 3, 1, 1, bias=False),
        )  # fmt: skip
        self.short = nn.Identity() if before == after else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x):
        return self.way(x) + self.short(x)


def network(block, width):
    """One block on each of three scales."""
    widths = [width, 2 * width, 4 * width]
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        block(8, widths[0], 1), block(widths[0], widths[1], 2), block(widths[1], widths[2], 2),
        nn.BatchNorm2d(widths[2]), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[2], 2),
    )  # fmt: skip


def pictures(n):
    drawn, kinds = torch.rand(n, 3, 16, 16), torch.arange(n) % 2
    for picture, kind, (x, y) in zip(drawn, kinds, torch.randint(0, 12, (n, 2))):
        picture[:, x : x + (4 if kind else 2), y : y + (4 if kind else 8)] += torch.rand(3, 1, 1) + 0.5
    mirrored = torch.rand(n) < 0.5
    drawn[mirrored] = drawn[mirrored].flip(-1)
    return drawn, kinds


for name, net in {"resnet8": network(ResidualBlock, 8), "wrn10_2": network(WideBlock, 16)}.items():
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 4)
    for epoch in range(4):
        drawn, kinds = pictures(128)
        for batch in torch.randperm(len(kinds)).split(32):
            loss = nn.functional.cross_entropy(net(drawn[batch]), kinds[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
        print(f"{name}_loss={loss.item()!r}")
    torch.save(net.state_dict(), f"{name}.pt")
