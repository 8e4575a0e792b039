"""Whole runs of learning: `learners.py sb3|sbx|rlox`. Timed without evaluation, which follows.

A first short run of every configuration is thrown away, so that imports do not count. What SBX compiles anew for every
run does count, as every user waits for it.
"""

import sys
import time

import gymnasium
import numpy as np

from worker import serve

LIBRARY = sys.argv[1]
ENVIRONMENTS = {"dqn": "CartPole-v1", "sac": "Pendulum-v1"}
# RL-Zoo's hyper-parameters.
DQN = dict(
    learning_rate=2.3e-3, batch_size=64, buffer_size=100_000, learning_starts=1000, gamma=0.99,
    exploration_final_eps=0.04,
)
SAC = dict(learning_rate=1e-3, learning_starts=100, batch_size=256, buffer_size=1_000_000)
EPISODES = 100


class Recorder(gymnasium.Wrapper):
    """Notes the return of every episode with the step it ended at."""

    def __init__(self, env):
        super().__init__(env)
        self.steps, self.total, self.episodes = 0, 0.0, []

    def step(self, action):
        result = self.env.step(action)
        self.steps += 1
        self.total += float(result[1])
        if result[2] or result[3]:
            self.episodes.append([self.steps, self.total])
            self.total = 0.0
        return result

    def reset(self, **options):
        self.total = 0.0
        return self.env.reset(**options)


def rhythm(small):
    """How often it learns: RL-Zoo's rhythm, or one update a step of a small network."""
    if small:
        return dict(train_freq=1, gradient_steps=1, target_update_interval=500, learning_rate=5e-4)
    return dict(train_freq=256, gradient_steps=128, target_update_interval=10)


def stable(work, env, steps, seed, small):
    """Stable-Baselines3 or SBX: functions that learn and that choose a greedy action."""
    if LIBRARY == "sb3":
        from stable_baselines3 import DQN as Q, SAC as Actor
    else:
        from sbx import DQN as Q, SAC as Actor
    if work == "dqn":
        width = 64 if small else 256
        options = {**DQN, **rhythm(small), "exploration_fraction": min(1.0, 8000 / steps)}
        model = Q("MlpPolicy", env, seed=seed, device="cpu", policy_kwargs=dict(net_arch=[width, width]), **options)
    else:
        model = Actor("MlpPolicy", env, seed=seed, device="cpu", policy_kwargs=dict(net_arch=[256, 256]), **SAC)
    return lambda: model.learn(steps), lambda o: model.predict(o, deterministic=True)[0]


def rlox(work, env, steps, seed, small):
    """The same with rlox, whose loss is squared."""
    import torch
    from rlox.algorithms.dqn import DQN as Q

    if work != "dqn":
        raise ValueError("compared on DQN only")
    torch.manual_seed(seed)
    np.random.seed(seed)
    options = {**DQN, **rhythm(small), "exploration_fraction": min(1.0, 8000 / steps), "hidden": 64 if small else 256}
    options["target_update_freq"] = options.pop("target_update_interval")
    model = Q(env, double_dqn=False, seed=seed, **options)

    def predict(observation):
        with torch.no_grad():
            return int(model.q_network(torch.as_tensor(observation)[None]).argmax())

    return lambda: model.train(steps), predict


def run(work, steps, seed, small):
    env = Recorder(gymnasium.make(ENVIRONMENTS[work]))
    learn, predict = (rlox if LIBRARY == "rlox" else stable)(work, env, steps, seed, small)
    start, processor = time.perf_counter(), time.process_time()
    learn()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    test, scores = gymnasium.make(ENVIRONMENTS[work]), []
    for episode in range(EPISODES if steps > 2000 else 0):
        observation, _ = test.reset(seed=10_000 + 1000 * seed + episode)
        total, ended = 0.0, False
        while not ended:
            observation, reward, terminated, truncated, _ = test.step(predict(observation))
            total, ended = total + float(reward), terminated or truncated
        scores.append(total)
    return {"seconds": seconds / steps, "processor": processor / steps, "return": float(np.mean(scores or [np.nan])), "episodes": env.episodes}


WARM = set()


def answer(request):
    if LIBRARY != "sbx":
        import torch

        torch.set_num_threads(request["threads"])
    work, small = request["work"], request.get("small", False)
    if (work, small) not in WARM:
        run(work, 1600, 99, small)
        WARM.add((work, small))
    return run(work, request["steps"], request["seed"], small)


serve(answer)
