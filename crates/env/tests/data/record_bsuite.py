"""Records bsuite's DeepSea and Catch, for tests/bsuite_parity.rs.

    pip install bsuite==0.3.6 numpy==2.4.6
    python record_bsuite.py

Writes bsuite.json. DeepSea: for each size the mapping (the action that means right, row-major) and episodes of
random and of always-right play. Catch: the ball's column and the actions. A step is [action, reward, last, cells
that are on].
"""

import json
import pathlib

import numpy as np
from bsuite.environments import catch, deep_sea


def on(observation):
    return [int(cell) for cell in np.flatnonzero(observation.reshape(-1) == 1.0)]


def episode(env, choose):
    timestep = env.reset()
    start, steps = on(timestep.observation), []
    while not timestep.last():
        action = int(choose())
        timestep = env.step(action)
        steps.append([action, float(timestep.reward), int(timestep.last()), on(timestep.observation)])
    return {"start": start, "steps": steps}


def main():
    rng = np.random.RandomState(5)
    seas = []
    for size in [2, 5, 10, 20]:
        env = deep_sea.DeepSea(size, mapping_seed=42)
        mapping = env._action_mapping.astype(int)
        random = [episode(env, lambda: rng.randint(2)) for _ in range(6)]
        right = episode(env, lambda: mapping[env._row, env._column])
        edge = episode(env, lambda: mapping[env._row, env._column] ^ int(env._column == size - 1))
        seas.append({"size": size, "mapping": mapping.reshape(-1).tolist(), "episodes": random + [right, edge]})
    env = catch.Catch(seed=3)
    catches = [episode(env, lambda: rng.randint(3)) for _ in range(30)]
    text = json.dumps({"deep_sea": seas, "catch": catches}, separators=(",", ":"))
    (pathlib.Path(__file__).parent / "bsuite.json").write_text(text.replace("},{", "},\n{") + "\n")


main()
