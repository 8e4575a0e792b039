"""UCBVI of rlberry, PSRL on rlberry's planner, and value iteration in SciPy.

The PSRL of rlberry's research package is not on PyPI. Here it is written anew as that code works: a posterior sample of the
whole model each episode (vectorized in NumPy) and rlberry's compiled backward induction.
"""

import logging
import time

import numpy as np
import rlberry
import scipy.sparse
from rlberry.envs.finite_mdp import FiniteMDP
from rlberry_scool.agents.dynprog.utils import backward_induction_in_place
from rlberry_scool.agents.ucbvi import UCBVIAgent

from worker import serve

rlberry.logger.setLevel(logging.ERROR)
SIDE, HORIZON, SUCCESS = 10, 50, 0.8


def grid():
    """GridWorld 10 x 10, slippery, reward 1 in the far corner: transitions [S, A, S] and rewards [S, A]."""
    states = SIDE * SIDE
    moves = [(0, -1), (0, 1), (1, 0), (-1, 0)]
    p = np.zeros((states, 4, states))
    for s in range(states):
        row, column = divmod(s, SIDE)
        neighbors = {
            a: (row + dr) * SIDE + column + dc
            for a, (dr, dc) in enumerate(moves)
            if 0 <= row + dr < SIDE and 0 <= column + dc < SIDE
        }
        for a in range(4):
            if a not in neighbors:
                p[s, a, s] = 1.0
                continue
            others = [t for b, t in neighbors.items() if b != a]
            p[s, a, neighbors[a]] += SUCCESS if others else 1.0
            for t in others:
                p[s, a, t] += (1 - SUCCESS) / len(others)
    rewards = np.zeros((states, 4))
    rewards[-1] = 1.0
    return p, rewards


class Environment(FiniteMDP):
    """The grid as an environment of rlberry."""

    def __init__(self):
        p, rewards = grid()
        super().__init__(rewards, p, initial_state_distribution=0)


def timed(units, work):
    """Time by the clock and of the processor, of a unit."""
    start, processor = time.perf_counter(), time.process_time()
    work()
    return {"seconds": (time.perf_counter() - start) / units, "processor": (time.process_time() - processor) / units}


def ucbvi(episodes, seed):
    agent = UCBVIAgent((Environment, {}), horizon=HORIZON, seeder=seed, bonus_scale_factor=1.0)
    agent.fit(budget=3)  # compiles
    agent.reset()
    return timed(episodes, lambda: agent.fit(budget=episodes))


def psrl(episodes, seed):
    p, rewards = grid()
    states, actions, _ = p.shape
    cumulative = p.cumsum(-1)
    rng = np.random.default_rng(seed)
    counts = np.full((states, actions, states), 1.0 / states)
    q, v = np.zeros((HORIZON, states, actions)), np.zeros((HORIZON, states))

    def episode():
        model = rng.standard_gamma(counts)
        model /= model.sum(-1, keepdims=True)
        backward_induction_in_place(q, v, rewards, model, HORIZON, 1.0, float(HORIZON))
        state = 0
        for stage in range(HORIZON):
            action = q[stage, state].argmax()
            following = int(np.searchsorted(cumulative[state, action], rng.random(), side="right"))
            counts[state, action, following] += 1
            state = following

    episode()
    return timed(episodes, lambda: [episode() for _ in range(episodes)])


GARNET = {}


def garnet(states=1_000_000, actions=4, branching=4):
    """One sparse matrix an action, rewards [S, A]."""
    if not GARNET:
        rng = np.random.default_rng(0)
        pointers = np.arange(0, states * branching + 1, branching)
        matrices = []
        for _ in range(actions):
            following = np.sort(rng.integers(0, states, (states, branching), dtype=np.int32), 1)
            weights = rng.dirichlet(np.ones(branching), states)
            matrices.append(scipy.sparse.csr_matrix((weights.ravel(), following.ravel(), pointers), (states, states)))
        rewards = np.zeros((states, actions))
        paying = rng.choice(states, states // 10, replace=False)
        rewards[paying] = rng.random(len(paying))[:, None]
        GARNET["model"] = matrices, rewards
    return GARNET["model"]


def value_iteration(sweeps):
    matrices, rewards = garnet()
    v = np.zeros(rewards.shape[0])
    start = time.perf_counter()
    for _ in range(sweeps):
        new = rewards[:, 0] + 0.95 * (matrices[0] @ v)
        for action in range(1, len(matrices)):
            np.maximum(new, rewards[:, action] + 0.95 * (matrices[action] @ v), out=new)
        abs(new - v).max()
        v = new
    return {"seconds": (time.perf_counter() - start) / sweeps}


def answer(request):
    work, steps, seed = request["work"], request["steps"], request["seed"]
    return {"ucbvi": ucbvi, "psrl": psrl}[work](steps, seed) if work != "value iteration" else value_iteration(steps)


serve(answer)
