"""Records Gymnasium's classic control, for tests/classic_parity.rs.

    pip install gymnasium==1.4.0 numpy==2.4.6
    python make_trajectories.py

Writes one <name>.json an environment: 1,000 steps, cut into episodes by the end of the task or its time limit.
Every episode starts from a recorded state. Half of the actions are random, half pump energy into the system, so
that goals, walls and clips are met; some continuous actions lie outside the box. Floats are printed so that
they read back to the same bits.
"""

import json
import pathlib

import gymnasium
import numpy as np

STEPS = 1000
OBSERVE_EVERY = 20  # observations are recorded this often, to keep the files small


def cart_pole(state, rng):
    return int(rng.integers(2)) if rng.random() < 0.5 else int(state[2] + state[3] > 0)


def acrobot(state, rng):
    return int(rng.integers(3)) if rng.random() < 0.3 else (0 if state[2] > 0 else 2)


def mountain_car(state, rng):
    return int(rng.integers(3)) if rng.random() < 0.2 else (0 if state[1] < 0 else 2)


def mountain_car_continuous(state, rng):
    force = rng.uniform(-1.2, 1.2) if rng.random() < 0.3 else np.sign(state[1]) * rng.uniform(0.5, 1.0)
    return np.array([force], dtype=np.float32)


def pendulum(state, rng):
    torque = rng.uniform(-2.5, 2.5) if rng.random() < 0.5 else np.sign(state[1]) * 2.0
    return np.array([torque], dtype=np.float32)


POLICIES = {
    "CartPole-v1": cart_pole,
    "Acrobot-v1": acrobot,
    "MountainCar-v0": mountain_car,
    "MountainCarContinuous-v0": mountain_car_continuous,
    "Pendulum-v1": pendulum,
}


def record(name, policy):
    env = gymnasium.make(name)
    limit = env.spec.max_episode_steps
    core = env.unwrapped
    rng = np.random.default_rng(2024)
    starts, rows, observations = [], [], []
    core.reset(seed=1)
    elapsed = None
    for t in range(STEPS):
        start = elapsed is None
        if start:
            core.reset()
            starts.append([float(value) for value in core.state])
            elapsed = 0
        action = policy(core.state, rng)
        observation, reward, terminated, _, _ = core.step(action)
        elapsed += 1
        rows.append(
            [int(start), float(np.asarray(action).reshape(-1)[0]), float(reward), int(terminated)]
            + [float(value) for value in core.state]
        )
        if t % OBSERVE_EVERY == 0:
            observations.append([t] + [float(value) for value in observation])
        if terminated or elapsed >= limit:
            elapsed = None
    ends = sum(row[3] for row in rows)
    print(f"{name}: {len(starts)} episodes, {ends} terminated")
    return {
        "environment": name,
        "gymnasium": gymnasium.__version__,
        "numpy": np.__version__,
        "columns": "new episode, action, reward, terminated, state after the step ...",
        "starts": starts,
        "rows": rows,
        "observations": observations,
    }


def main():
    folder = pathlib.Path(__file__).parent
    for name, policy in POLICIES.items():
        text = json.dumps(record(name, policy), separators=(",", ":"))
        (folder / f"{name}.json").write_text(text.replace("],[", "],\n[") + "\n")


main()
