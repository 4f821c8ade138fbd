"""A perceptron on scikit-learn's handwritten digits, trained with PyTorch's cross-entropy and with xent's.

Run: ``python examples/digits_mlp.py [--steps N]``. 1,437 images train, 360 are held out; two hidden layers of 256;
Adam, batches of 64. Prints both curves, how far they are apart, the time of both runs and the share of the loss in it;
exit status 1 where the curves are further apart than rounding explains (see ``curves.py``).
"""

from __future__ import annotations

import argparse

import torch
from sklearn.datasets import load_digits
from two_losses import Batch, Task, compare

SEED, BATCH, HIDDEN = 0, 64, 256


def data() -> tuple[Batch, Batch]:
    """(training, held out): pixels in [0, 1] and digits."""
    digits = load_digits()
    x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    y = torch.tensor(digits.target, dtype=torch.int64)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(SEED))
    train, held_out = order[: len(y) * 4 // 5], order[len(y) * 4 // 5 :]
    return (x[train], y[train]), (x[held_out], y[held_out])


def build() -> torch.nn.Module:
    """The model, with the same weights at every call."""
    torch.manual_seed(SEED)
    return torch.nn.Sequential(
        torch.nn.Linear(64, HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, 10),
    )


def main() -> None:
    """Train and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)  # matrices this small take longer on two
    (x, y), held_out = data()
    g = torch.Generator().manual_seed(SEED)
    picked = [torch.randint(len(y), (BATCH,), generator=g) for _ in range(steps)]
    compare(Task(build, [(x[rows], y[rows]) for rows in picked], 1e-3, held_out))


if __name__ == "__main__":
    main()
