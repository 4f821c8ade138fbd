"""A small transformer over characters, trained with PyTorch's cross-entropy and with xent's.

Run: ``python examples/char_transformer.py [--steps N]``. The text ships with Python: ``pydoc_data.topics``, the
language reference that ``help("topics")`` shows, some 600,000 characters; its last tenth is held out. Two layers of
width 96, four heads, 64 characters at a time, batches of 32; Adam. Prints both curves, how far they are apart, the time
of both runs and the share of the loss in it; exit status 1 where the curves are further apart than rounding explains
(see ``curves.py``).
"""

from __future__ import annotations

import argparse
from pydoc_data.topics import topics

import torch
from torch import nn
from two_losses import Batch, Task, compare

SEED, BATCH, LENGTH, WIDTH, HEADS, LAYERS = 0, 32, 64, 96, 4, 2


class Transformer(nn.Module):
    """Characters (N, LENGTH) to scores of the next one, (N·LENGTH, characters)."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(characters, WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, characters)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        h = self.characters(text) + self.places.weight
        return self.head(self.norm(self.layers(h, mask=self.mask, is_causal=True))).flatten(0, 1)


def batch(text: torch.Tensor, rows: int, g: torch.Generator) -> Batch:
    """Pieces of the text, and the characters that come next."""
    starts = torch.randint(len(text) - LENGTH, (rows,), generator=g)
    pieces = text[starts[:, None] + torch.arange(LENGTH + 1)]
    return pieces[:, :-1], pieces[:, 1:].flatten()


def main() -> None:
    """Train and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=120)
    steps = parser.parse_args().steps
    written = "\n".join(topics.values())
    places = {c: k for k, c in enumerate(sorted(set(written)))}
    text = torch.tensor([places[c] for c in written])
    train, held_out = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    g = torch.Generator().manual_seed(SEED)

    def build() -> nn.Module:
        torch.manual_seed(SEED)
        return Transformer(len(places))

    batches = [batch(train, BATCH, g) for _ in range(steps)]
    compare(Task(build, batches, 1e-3, batch(held_out, 2 * BATCH, g)))


if __name__ == "__main__":
    main()
