"""Records games of the official MinAtar package, random draws included, for tests/minatar_parity.rs.

    pip install minatar==1.0.15 numpy==2.4.6
    python record_minatar.py

Writes one minatar_<game>.txt a game. The package's generator is replaced by one that notes what it gives out; it
gives out real numbers on a grid of 1/10000 that misses every threshold, which makes the files short. Lines:

    actions <minimal action set>
    reset <draws> <changes>
    step <action> <reward> <terminal> <draws> <changes>

where <draws> is a sequence of u<4 digits> (a real number in units of 1/10000, plus half a unit) and i<n>:<value>
(an integer below n), <changes> lists the cells that differ from the observation before, as two digits of base 32
(0-9a-v) each, cells numbered [channel, row, column]; "-" is an empty list. Before a reset all cells are off.

Half of the games are played at random, the others by looking ahead a few frames, to get far.
"""

import copy
import pathlib

import numpy as np
from minatar import Environment

DIGITS = "0123456789abcdefghijklmnopqrstuv"


class Recorder:
    """Stands in for numpy's RandomState."""

    def __init__(self, seed):
        self.source = np.random.RandomState(seed)
        self.log = []

    def real(self):
        k = self.source.randint(10000)
        self.log.append(f"u{k:04d}")
        return (k + 0.5) / 10000

    def below(self, n):
        value = self.source.randint(n)
        self.log.append(f"i{n}:{value}")
        return value

    def rand(self, *shape):
        return np.array([self.real() for _ in range(shape[0])]) if shape else self.real()

    def randint(self, low, high=None, size=None):
        if high is None:
            low, high = 0, low
        if size is None:
            return low + self.below(high - low)
        return np.array([low + self.below(high - low) for _ in range(size)])

    def draws(self):
        text = "".join(self.log) or "-"
        self.log = []
        return text


class Recording:
    def __init__(self, game, seed, ramping):
        self.env = Environment(game, 0.1 if ramping else 0.0, ramping)
        self.recorder = Recorder(seed)
        self.env.random = self.env.env.random = self.recorder
        self.lines = ["actions " + " ".join(str(a) for a in self.env.minimal_action_set())]
        if not ramping:
            self.lines.append("fixed difficulty, no sticky actions")
        self.cells = None

    def changes(self):
        cells = np.transpose(self.env.state(), (2, 0, 1)).reshape(-1)
        flipped = np.flatnonzero(cells != self.cells) if self.cells is not None else np.flatnonzero(cells)
        self.cells = cells
        return "".join(DIGITS[i // 32] + DIGITS[i % 32] for i in flipped) or "-"

    def reset(self):
        self.cells = None
        self.env.reset()
        self.lines.append(f"reset {self.recorder.draws()} {self.changes()}")

    def step(self, action):
        reward, terminal = self.env.act(action)
        self.lines.append(f"step {action} {reward} {int(terminal)} {self.recorder.draws()} {self.changes()}")
        return reward, terminal


def worth(game, before, after):
    """What a look-ahead counts beside the reward."""
    if game == "seaquest":
        value = 0.5 * (after.diver_count - before.diver_count)
        if after.diver_count > 0 and (after.oxygen < 100 or after.diver_count == 6):
            value -= 0.1 * after.sub_y
        elif after.divers:
            value -= 0.05 * min(abs(d[0] - after.sub_x) + abs(d[1] - after.sub_y) for d in after.divers)
        if after.surface and after.oxygen > 198 and before.oxygen < 190:
            value += 3
        return value
    if game == "freeway":
        return 0.1 * (before.pos - after.pos)
    return 0.0


def landmarks(game, core, reward):
    """Rare situations that the recordings should contain."""
    if game == "asterix":
        return {f"spawn {core.spawn_speed}", f"move {core.move_speed}"}
    if game == "breakout":
        met = {"bricks gone"} if not core.brick_map.any() else set()
        return met | {"through a brick"} if core.strike and reward == 0 else met
    if game == "seaquest":
        air = {"out of air"} if core.terminal and core.oxygen < 0 else set()
        return air | {f"divers {core.diver_count}", f"ramps {core.ramp_index}", f"move {core.move_speed}"}
    if game == "space_invaders":
        return {f"move interval {core.enemy_move_interval}", f"lowest {np.max(np.nonzero(core.alien_map)[0])}"}
    return set()


def catch(core):
    """Breakout: where will the ball come down? Be there, or beside it now and then, which turns the ball back."""
    trial = copy.copy(core)
    trial.brick_map = core.brick_map.copy()
    while trial.ball_y < 8 or trial.ball_dir < 2:
        trial.act(0)
    target = trial.ball_x
    if (core.brick_map.sum() + trial.ball_x) % 3 == 0:
        target = min(9, target + 1) if trial.ball_dir == 2 else max(0, target - 1)
    return 1 if core.pos > target else 3 if core.pos < target else 0


def look_ahead(game, core, rng, lurking=False, depth=8, tries=3):
    if game == "breakout":
        return catch(core)
    values = []
    for action in range(6):
        value = -100.0 if lurking and action == 2 and core.sub_y <= 1 else 0.0
        for _ in range(tries):
            trial = copy.copy(core)
            for name, attribute in vars(core).items():
                if isinstance(attribute, (list, np.ndarray)):
                    setattr(trial, name, copy.deepcopy(attribute))
            trial.random = rng
            now = action
            for frame in range(depth):
                reward, terminal = trial.act(now)
                value += reward * 0.9**frame
                if terminal:
                    value -= 20
                    break
                now = rng.randint(6)
            value += 0.0 if lurking else worth(game, core, trial)
        values.append(value)
    best = max(values)
    return int(rng.choice([a for a in range(6) if values[a] >= best - 1e-9]))


def play(game, seed, episodes, longest, skilled_share, ramping, lurking=False):
    recording = Recording(game, seed, ramping)
    rng = np.random.RandomState(seed + 1000)
    met = set()
    for episode in range(episodes):
        recording.reset()
        skilled = rng.rand() < skilled_share
        core = recording.env.env
        for _ in range(longest):
            random = not skilled or rng.rand() < (0.01 if game == "breakout" else 0.05)
            action = rng.randint(6) if random else look_ahead(game, core, rng, lurking)
            reward, over = recording.step(action)
            met.update(landmarks(game, core, reward))
            past_first_wall = game == "breakout" and "bricks gone" in met and core.brick_map.sum() == 25
            if over or past_first_wall:
                break
    print(game, "met:", sorted(met))
    return recording.lines


# game: (seed, episodes, longest, share of skilled episodes, ramping, lurking), each with a generator of its own;
# lurking is staying under water until the air is out.
# Seeds 2 and 3 of Breakout break the whole wall soon; with 55 the ball flies through a brick after another.
PLANS = {
    "asterix": [(0, 10, 900, 0.5, True), (100, 1, 300, 1.0, False)],
    "breakout": [
        (2, 1, 1000, 1.0, True),
        (3, 1, 1000, 1.0, True),
        (55, 1, 260, 1.0, True),
        (4, 30, 300, 0.0, True),
        (101, 1, 300, 1.0, False),
    ],
    "freeway": [(2, 1, 2501, 1.0, True), (102, 1, 300, 1.0, False)],
    "seaquest": [(3, 10, 1200, 0.7, True), (203, 1, 300, 1.0, True, True), (103, 1, 300, 1.0, False)],
    "space_invaders": [(4, 10, 700, 0.6, True), (104, 1, 300, 1.0, False)],
}


def main():
    folder = pathlib.Path(__file__).parent
    for game, plans in PLANS.items():
        lines = [line for plan in plans for line in play(game, *plan)]
        (folder / f"minatar_{game}.txt").write_text("\n".join(lines) + "\n")
        steps = [line.split() for line in lines if line.startswith("step")]
        ends, reward = sum(step[3] == "1" for step in steps), sum(int(step[2]) for step in steps)
        print(f"{game}: {len(steps)} steps, {ends} ends, reward {reward}")


main()
