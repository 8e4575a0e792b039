"""The peers of the tabular methods: rlberry, the official RandQL and OPSRL, scikit-learn's trees and SciPy.

The official repositories are written for an older rlberry: their agents run here on a base class of the few lines that they
need of it. The PSRL of rlberry's research package is not on PyPI, and there is no official code of the linear LMC-LSVI; both
are written anew: PSRL as that code works, with a posterior sample of the whole model each episode (vectorized in NumPy) and
rlberry's compiled backward induction, LMC-LSVI from the paper's formulas, using that one feature a pair makes its matrices
diagonal.
"""

import importlib
import logging
import sys
import time
import types

import gymnasium
import numpy as np
import rlberry
import scipy.sparse
from rlberry.envs.finite_mdp import FiniteMDP
from rlberry_scool.agents.dynprog.utils import backward_induction_in_place
from rlberry_scool.agents.ucbvi import UCBVIAgent
from sklearn.ensemble import ExtraTreesRegressor

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


class Agent:
    """What the official agents use of rlberry's base class."""

    def __init__(self, env, seed=0):
        self.env, self.rng, self.writer = env, np.random.default_rng(seed), None


class Grid:
    """The grid as an environment with the interface of gym 0.21, which the official agents expect."""

    observation_space, action_space, reward_range = gymnasium.spaces.Discrete(SIDE * SIDE), gymnasium.spaces.Discrete(4), (0, 1)

    def __init__(self, seed):
        p, self.rewards = grid()
        self.cumulative, self.rng = p.cumsum(-1), np.random.default_rng(seed)

    def reset(self):
        self.state = 0
        return self.state

    def step(self, action):
        reward = self.rewards[self.state, action]
        self.state = int(np.searchsorted(self.cumulative[self.state, action], self.rng.random(), side="right"))
        return self.state, reward, False, {}


class Unused:
    """rlberry's counter of visited states, which feeds its log only."""

    def __init__(self, *_):
        pass

    def update(self, *_):
        pass


def official(folder, module, name):
    """The class `name` of an official repository, which imports from an rlberry and a gym of its time."""
    import rlberry_scool.agents.dynprog.utils as dynprog
    from numba import njit

    stand_ins = {
        "gym": gymnasium,
        "gym.spaces": gymnasium.spaces,
        "rlberry.agents": types.SimpleNamespace(AgentWithSimplePolicy=Agent),
        "rlberry.exploration_tools": types.ModuleType("rlberry.exploration_tools"),
        "rlberry.exploration_tools.discrete_counter": types.SimpleNamespace(DiscreteCounter=Unused),
        "rlberry.agents.dynprog": types.ModuleType("rlberry.agents.dynprog"),
        "rlberry.agents.dynprog.utils": dynprog,
        "rlberry.utils.jit_setup": types.SimpleNamespace(numba_jit=njit),
    }
    kept = {key: sys.modules.get(key) for key in [*stand_ins, "algorithms"]}
    sys.modules.update(stand_ins)
    sys.path.insert(0, folder)
    try:
        for key in [key for key in sys.modules if key.split(".")[0] == "algorithms"]:
            del sys.modules[key]
        return getattr(importlib.import_module(module), name)
    finally:
        sys.path.remove(folder)
        for key, value in kept.items():
            sys.modules.pop(key, None)
            if value is not None:
                sys.modules[key] = value


def rand_ql(episodes, seed, folder):
    agent = official(folder, "algorithms.rand_ql.rand_ql", "RandomizedQLAgent")(Grid(seed), horizon=HORIZON, seed=seed)
    agent.fit(budget=3)
    return timed(episodes, lambda: agent.fit(budget=episodes))


def opsrl(episodes, seed, folder, samples):
    agent = official(folder, "algorithms.opsrl.opsrl", "OPSRLAgent")(
        Grid(seed), horizon=HORIZON, seed=seed, prior_transition="optimistic", thompson_samples=samples
    )
    agent.fit(budget=1)  # compiles
    return timed(episodes, lambda: agent.fit(budget=episodes))


def lmc_lsvi(episodes, seed):
    """The defaults of Quire's: 60 steps of 1 / (4 λ_max) a stage, λ = 1, β = 0.2."""
    p, rewards = grid()
    states, actions, _ = p.shape
    pairs, rng, cumulative = states * actions, np.random.default_rng(seed), p.cumsum(-1)
    visits = np.zeros((HORIZON, pairs))
    counts = np.zeros((HORIZON, pairs, states))
    weights = np.zeros((HORIZON, pairs))
    earned = rewards.reshape(pairs)

    def episode():
        later = np.zeros(states)
        greedy = np.zeros((HORIZON, states), int)
        for stage in reversed(range(HORIZON)):
            precision = visits[stage] + 1.0
            right = visits[stage] * earned + counts[stage] @ later
            eta = 0.25 / precision.max()
            w, noise = weights[stage], np.sqrt(2 * eta / 0.2) * rng.standard_normal((60, pairs))
            for step in noise:
                w += step - 2 * eta * (precision * w - right)
            q = w.reshape(states, actions).clip(0, HORIZON - stage)
            greedy[stage], later = q.argmax(-1), q.max(-1)
        state = 0
        for stage in range(HORIZON):
            action = greedy[stage, state]
            following = int(np.searchsorted(cumulative[state, action], rng.random(), side="right"))
            visits[stage, state * actions + action] += 1
            counts[stage, state * actions + action, following] += 1
            state = following

    episode()
    return timed(episodes, lambda: [episode() for _ in range(episodes)])


def trees(iterations, seed, data):
    """Fitted Q-iteration on the transitions in a file: state (4), action, cost, next state (4), and 1 if that is forbidden."""
    transitions = np.fromfile(data).reshape(-1, 11)
    inputs, costs, following, done = transitions[:, :5], transitions[:, 5], transitions[:, 6:10], transitions[:, 10] > 0
    every = np.concatenate([np.repeat(following, 2, 0), np.tile([[0.0], [1.0]], (len(following), 1))], 1)
    values = np.zeros((len(following), 2))
    regressor = ExtraTreesRegressor(50, min_samples_split=5, n_jobs=1, random_state=seed)

    def iterate():
        nonlocal values
        for _ in range(iterations):
            regressor.fit(inputs, costs + 0.95 * np.where(done, 0.0, values.min(1)))
            values = regressor.predict(every).reshape(-1, 2)

    times = timed(iterations, iterate)
    nodes = sum(tree.tree_.node_count for tree in regressor.estimators_)
    return {**times, "mean": values.mean(), "nodes": nodes}


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
    options = {name: value for name, value in request.items() if name not in ("work", "steps", "seed")}
    if work == "value iteration":
        return value_iteration(steps)
    works = {"ucbvi": ucbvi, "psrl": psrl, "randql": rand_ql, "opsrl": opsrl, "lmc-lsvi": lmc_lsvi, "trees": trees}
    return works[work](steps, seed, **options)


serve(answer)
