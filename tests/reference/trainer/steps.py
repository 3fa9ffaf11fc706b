"""Twenty steps of SGD and of Adam in PyTorch, in float64, from written weights on written batches: what tests/tests/parity.rs
holds the trainer against.

    python3 tests/reference/trainer/steps.py    # needs torch, numpy and safetensors; writes steps.safetensors beside itself

The model is a Deep Interest Network as the paper has it: item and category of a behaviour side by side, an activation unit on
[q, k, q-k, q*k] with sigmoid hidden layers, no softmax, a sum, and a head with Dice whose statistics are those of the batch.
Histories have any length, 0 included; what is beyond their end is multiplied by 0. Every batch touches every row of every table:
the trainer's Adam leaves alone the rows that a batch does not touch, which PyTorch's does not.
"""
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

ROWS = {"user": 5, "item": 20, "category": 4}
DIM = {"user": 6, "item": 8, "category": 4}
UNIT, HEAD = [12, 6], [10, 5]
BATCHES, BATCH, LENGTH, STEPS = 5, 24, 9, 20
RATE = {"sgd": 1.0, "adam": 0.005}
EPSILON = 1e-8  # of Dice


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.ModuleDict({name: nn.Embedding(rows, DIM[name]) for name, rows in ROWS.items()})
        d = DIM["item"] + DIM["category"]
        widths = [4 * d, *UNIT, 1]
        self.unit = nn.ModuleList(map(nn.Linear, widths, widths[1:]))
        widths = [DIM["user"] + 2 * d, *HEAD, 1]
        self.head = nn.ModuleList(map(nn.Linear, widths, widths[1:]))
        self.alpha = nn.ParameterList(nn.Parameter(torch.empty(width)) for width in HEAD)
        for table in self.table.values():
            nn.init.normal_(table.weight, std=0.5)
        for alpha in self.alpha:
            nn.init.normal_(alpha, std=0.3)

    def key(self, item, category):
        return torch.cat([self.table["item"](item), self.table["category"](category)], -1)

    def forward(self, batch):
        q = self.key(batch["item"], batch["category"])
        k = self.key(batch["history_item"], batch["history_category"])
        a = q.unsqueeze(1).expand_as(k)
        a = torch.cat([a, k, a - k, a * k], -1)
        for layer in self.unit[:-1]:
            a = torch.sigmoid(layer(a))
        real = torch.arange(LENGTH) < batch["length"].unsqueeze(1)
        pooled = (self.unit[-1](a) * real.unsqueeze(-1) * k).sum(1)
        x = torch.cat([self.table["user"](batch["user"]), pooled, q], -1)
        for layer, alpha in zip(self.head[:-1], self.alpha):
            s = layer(x)
            p = torch.sigmoid((s - s.mean(0)) / torch.sqrt(s.var(0, unbiased=False) + EPSILON))
            x = p * s + (1 - p) * alpha * s
        return self.head[-1](x).squeeze(-1)


def losses(start, batches, rule):
    model = Model().double()
    model.load_state_dict(start)
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[rule](model.parameters(), lr=RATE[rule])
    found = []
    for step in range(STEPS):
        batch = {name: values[step % BATCHES] for name, values in batches.items()}
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(batch), batch["label"])
        loss.backward()
        assert all((table.weight.grad != 0).any(1).all() for table in model.table.values()), "a row is not touched"
        optimizer.step()
        found.append(loss.item())
    print(rule, *(f"{loss:.7f}" for loss in found))
    return torch.tensor(found, dtype=torch.float64)


torch.manual_seed(20180713)
start = {name: value.detach().clone() for name, value in Model().float().state_dict().items()}
draw = lambda n, *shape: torch.randint(n, (BATCHES, BATCH, *shape))
all_rows = lambda name: torch.stack([torch.randperm(BATCH) % ROWS[name] for _ in range(BATCHES)])
batches = {
    "user": all_rows("user"), "item": all_rows("item"), "category": all_rows("category"),
    "history_item": draw(ROWS["item"], LENGTH), "history_category": draw(ROWS["category"], LENGTH),
    "length": draw(LENGTH + 1), "label": draw(2).double(),
}
out = {"weight." + name: value for name, value in start.items()}
out |= {"batch." + name: values.int() for name, values in batches.items()}
out |= {"loss." + rule: losses({name: value.double() for name, value in start.items()}, batches, rule) for rule in RATE}
save_file(out, Path(__file__).with_name("steps.safetensors"))
