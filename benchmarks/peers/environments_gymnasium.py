"""Environment steps of Gymnasium and MinAtar, resets included, actions drawn beforehand."""

import gymnasium
import numpy as np
from minatar import Environment as MinAtar

from worker import measure, serve

STEPS = 4096


def single(name):
    env = gymnasium.make(name)
    env.action_space.seed(1)
    actions = [env.action_space.sample() for _ in range(STEPS)]
    env.reset(seed=1)

    def step():
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return step


def vector(name, copies):
    # CartPole has a vectorized form of its own in NumPy, the fastest that Gymnasium offers.
    env = gymnasium.make_vec(name, num_envs=copies, vectorization_mode="vector_entry_point")
    env.reset(seed=1)
    rng = np.random.default_rng(1)
    actions = rng.integers(0, 2, (STEPS // copies, copies))

    def step():
        for action in actions:
            env.step(action)

    return step


def minatar(game):
    env = MinAtar(game)
    chosen = env.minimal_action_set()
    rng = np.random.default_rng(1)
    actions = [chosen[i] for i in rng.integers(0, len(chosen), STEPS)]
    env.reset()

    def step():
        for action in actions:
            _, ended = env.act(action)
            env.state()
            if ended:
                env.reset()

    return step


def make(work):
    if work.startswith("MinAtar/"):
        return minatar(work.removeprefix("MinAtar/"))
    if " x " in work:
        name, copies = work.split(" x ")
        return vector(name, int(copies))
    return single(work)


MADE = {}


def answer(request):
    work = request["work"]
    if work not in MADE:
        MADE[work] = make(work)
    return measure(request, STEPS, MADE[work])


serve(answer)
