"""Sampling from the replay memory of Stable-Baselines3."""

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer

from worker import measure, serve

HELD = 1_000_000
torch.set_num_threads(1)
MADE = {}


def make(observation, action):
    box = lambda size: spaces.Box(-1, 1, (size,), np.float32)
    buffer = ReplayBuffer(HELD, box(observation), box(action), handle_timeout_termination=False)
    rng = np.random.default_rng(1)
    for name in ("observations", "next_observations", "actions", "rewards"):
        array = getattr(buffer, name)
        array[:] = rng.random(array.shape, dtype=np.float32)
    buffer.full = True
    return buffer


def answer(request):
    if request["work"] not in MADE:
        MADE[request["work"]] = make(request["observation"], request["action"])
    buffer = MADE[request["work"]]

    def step():
        for _ in range(20):
            buffer.sample(256)

    return measure(request, 20, step)


serve(answer)
