"""The sizes of the DIN paper's Amazon model, filled at random: time depends on sizes, not on what was learned.

User, item and category of 64 numbers, a unit of 80-40-1 with sigmoid, a head of 80-40-1 with Dice, vocabularies of 192,403,
63,001 and 801.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

ROWS = {"user": 192_403, "item": 63_001, "category": 801}
DIM = 64
HIDDEN = [80, 40]


def write(folder, capacity):
    """The description's path; the same numbers whatever the capacity."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20180819)
    normal = lambda *shape: random.standard_normal(shape, dtype=np.float32)
    tensors = {name: 0.4 * normal(rows, DIM) for name, rows in ROWS.items()}
    text = 'name = "paper"\nweights = "weights.safetensors"\n\n'
    for name in ROWS:
        text += f'[tables.{name}]\ntensor = "{name}"\n\n'
    text += '[[profile]]\nname = "user"\ntable = "user"\n\n'
    for name in ("item", "category"):
        text += f'[[candidate]]\nname = "{name}"\ntable = "{name}"\n\n'
    fields = ", ".join(f'{{ name = "{name}", table = "{name}", pair = "{name}" }}' for name in ("item", "category"))
    text += '[[sequence]]\nname = "history"\npooling = "attention"\n'
    text += f"capacity = {capacity}\nfields = [{fields}]\n\n"

    def layers(part, inputs, activation):
        nonlocal text
        for index, outputs in enumerate(HIDDEN + [1]):
            name = f"{part}.{index}"
            tensors[f"{name}.weight"] = normal(outputs, inputs) * np.float32(1.5 / np.sqrt(inputs))
            tensors[f"{name}.bias"] = 0.1 * normal(outputs)
            if part == "unit" and outputs == 1:
                # Attention weights around 0.1: a history's sum stays where the head tells candidates apart.
                tensors[f"{name}.weight"] *= np.float32(0.1)
                tensors[f"{name}.bias"] *= 0
            table = "sequence.layer" if part == "unit" else "head.layer"
            text += f'[[{table}]]\nweight = "{name}.weight"\nbias = "{name}.bias"\n'
            if outputs > 1 and activation == "sigmoid":
                text += 'activation = "sigmoid"\n'
            elif outputs > 1:
                tensors[f"{name}.alpha"] = 0.2 * normal(outputs)
                tensors[f"{name}.mean"] = 0.2 * normal(outputs)
                tensors[f"{name}.variance"] = 0.5 + random.random(outputs, dtype=np.float32)
                text += f"[{table}.activation.dice]\nepsilon = 1e-8\n"
                text += "".join(f'{key} = "{name}.{key}"\n' for key in ("alpha", "mean", "variance"))
            text += "\n"
            inputs = outputs

    layers("unit", 4 * 2 * DIM, "sigmoid")
    layers("head", DIM + 2 * DIM + 2 * DIM, "dice")
    save_file(tensors, folder / "weights.safetensors")
    (folder / "model.toml").write_text(text)
    return folder / "model.toml"
