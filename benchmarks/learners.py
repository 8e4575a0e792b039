"""Whole runs of DQN and SAC beside Stable-Baselines3, SBX and rlox: how long they take, and how well they learn."""

import statistics
import subprocess
import tempfile
import time

import common

# One update a step of a small network, where a library's own time per step shows.
SMALL = {
    "learn_period": 1, "updates_per_round": 1, "target_period": 500, "network": {"hidden": [64, 64]},
    "optimizer": {"name": "adam", "learning_rate": 5e-4},
}
SETTINGS = {
    "dqn": dict(work="dqn", threads=1, title="DQN, RL-Zoo: 256-256, 128 updates every 256 steps", peers=["sb3", "sbx", "rlox"]),
    "dqn-small": dict(
        work="dqn", small=True, threads=1, title="DQN, small: 64-64, an update every step", peers=["sb3", "sbx", "rlox"]
    ),
    "sac": dict(work="sac", threads=1, title="SAC, RL-Zoo: 256-256, batch 256, an update every step", peers=["sb3", "sbx"]),
}
def forward(sizes):
    """Multiplications with weights for a row of a batch."""
    return sum(a * b for a, b in zip(sizes, sizes[1:]))


def trained(sizes):
    """The same with those for the gradients of the weights and of the layers below, which the first layer does not need."""
    return 3 * forward(sizes) - sizes[0] * sizes[1]


Q, CRITIC, ACTOR = [4, 256, 256, 2], [4, 256, 256, 1], [3, 256, 256, 2]
# Updates of a whole run, rows of a batch, multiplications a row.
DQN_WORK = lambda steps: (max(0, steps // 256 - 1000 // 256) * 128, 64, forward(Q) + trained(Q))
SAC_WORK = lambda steps: (
    max(0, steps - 100), 256,
    # Targets; two critics; the actor through both critics.
    forward(ACTOR) + 2 * forward(CRITIC) + 2 * trained(CRITIC) + trained(ACTOR) + 4 * forward(CRITIC),
)
PRODUCTS = {"dqn": DQN_WORK, "sac": SAC_WORK}
PROFILE = {
    "dqn": "By a profile, the tiles of products take two thirds of the time, at the full rate; Adam takes a tenth, bound by square "
           "roots and divisions, transposing weights for the way back 5 %, acting 3 %."
}
TARGETS = {("dqn", "sb3"): 10, ("dqn", "sbx"): 3, ("dqn", "rlox"): 3, ("sac", "sb3"): 4, ("sac", "sbx"): 1.5}


def main():
    parser = common.arguments(__doc__, rounds=3)
    parser.add_argument("--dqn-steps", type=int, default=50_000)
    parser.add_argument("--sac-steps", type=int, default=20_000)
    parser.add_argument("--only", nargs="*", default=[*SETTINGS, "seeds"], choices=[*SETTINGS, "seeds"])
    options = parser.parse_args()
    python = common.environment("learners")
    load = common.load()
    quire = common.quire()
    sides = {name: common.peer(name, python, "learners.py", name, cores=1) for name in ("sb3", "sbx", "rlox")}
    replies = {}
    for name, setting in SETTINGS.items():
        if name in options.only:
            replies[name] = measure(options, name, setting, quire, sides)
    common.note("sgemm")
    product = min(quire.ask(work="sgemm", threads=1, seconds=options.seconds)["seconds"] for _ in range(options.rounds))
    for side in (quire, *sides.values()):
        side.close()
    seeds = ten_seeds(options) if "seeds" in options.only else None
    text = report(options, replies, seeds, 2 * 1024**3 / product)
    packages = common.versions(python, "stable-baselines3", "sbx-rl", "rlox", "torch", "jax", "gymnasium")
    data = {name: {side: [thin(r) for r in rounds] for side, rounds in sides.items()} for name, sides in replies.items()}
    common.record(options, "learners", "Learners", text, packages, {**data, "ten seeds": seeds}, load)


def measure(options, name, setting, quire, sides):
    """The replies of a round each; the seed is the round's number."""
    steps = options.dqn_steps if setting["work"] == "dqn" else options.sac_steps
    own = {"options": SMALL} if setting.get("small") else {}
    columns = {}
    for side in ["quire", *setting["peers"]]:

        def ask(seed, threads, side=side):
            if side == "quire":
                return quire.ask(work=setting["work"], threads=threads, steps=steps, seed=seed, **own)
            small = setting.get("small", False)
            return sides[side].ask(work=setting["work"], threads=threads, steps=steps, seed=seed, small=small)

        def column(seed, side=side, threads=setting["threads"], ask=ask):
            common.note(f"{name}: {side}, {threads} threads, seed {seed}")
            return {**ask(seed, threads), "threads": threads}

        columns[side] = column
    return common.interleave(options.rounds, columns)


def curve(episodes, steps, parts=10):
    """Mean return of the training episodes that ended in each tenth of the run."""
    bins = [[] for _ in range(parts)]
    for step, total in episodes:
        bins[min(parts - 1, (int(step) - 1) * parts // steps)].append(total)
    return [round(statistics.mean(b), 1) if b else None for b in bins]


def thin(reply):
    """What the history keeps of a reply: a curve of ten points for the list of episodes."""
    last = max((int(step) for step, _ in reply["episodes"]), default=1)
    return {**{k: v for k, v in reply.items() if k != "episodes"}, "curve": curve(reply["episodes"], last)}


def ten_seeds(options):
    """Ten seeds of DQN on two threads against one seed on one thread: the whole command, evaluation included."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=common.ROOT, check=True)
    binary = common.target_folder() / "release" / "quire"
    steps = str(max(options.dqn_steps // 5, 2000))

    def run(seeds, threads):
        with tempfile.TemporaryDirectory() as folder:
            words = [binary, "--out", folder, "--threads", threads, "compare", "dqn", "--on", "CartPole-v1"]
            start = time.perf_counter()
            subprocess.run([*words, "--seeds", seeds, "--steps", steps, "--quiet"], check=True, capture_output=True)
            return {"seconds": time.perf_counter() - start}

    common.note("ten seeds on two threads")
    return common.seconds(common.interleave(options.rounds, {"one": lambda _: run("1", "1"), "ten": lambda _: run("10", "2")}))


def report(options, replies, seeds, rate):
    """The section's text; `rate` is that of sgemm on one thread, FLOP/s."""
    lines = [
        f"DQN on CartPole-v1 ({options.dqn_steps:,} steps), SAC on Pendulum-v1 ({options.sac_steps:,} steps), the same "
        "hyper-parameters on every side, one run a seed, everybody on one thread. "
        "Time is that of learning alone, without imports and evaluation, as processor time, which other programs do not lengthen "
        "(by the clock: see the history). *Return* is the mean of 100 greedy "
        "episodes after learning, one number a seed; the curve is the mean return of the training episodes in each tenth "
        "of the run, averaged over seeds. rlox has a squared loss where the others have Huber's.",
        "",
    ]
    for name, sides in replies.items():
        setting, times = SETTINGS[name], common.processor(sides)
        steps = options.dqn_steps if setting["work"] == "dqn" else options.sac_steps
        rows = []
        for side, rounds in sides.items():
            curves = zip(*(curve(r["episodes"], steps) for r in rounds))
            means = [statistics.mean(x for x in part if x is not None) if any(x is not None for x in part) else None for part in curves]
            rows.append([
                side, f"{statistics.median(times[side]) * steps:.1f} s",
                f"{common.ratio(times, side, 'quire'):.1f}", " / ".join(f"{r['return']:.0f}" for r in rounds),
                " ".join("-" if m is None else f"{m:.0f}" for m in means),
            ])
        lines += [f"### {setting['title']}", "", common.table(["", "time", "ratio", "returns", "curve"], rows), ""]
        for side in setting["peers"]:
            if (name, side) in TARGETS:
                value = common.ratio(times, side, "quire")
                lines.append(f"- at least {TARGETS[name, side]} x faster than {side}: {common.verdict(value, TARGETS[name, side])}.")
        if name in PRODUCTS:
            updates, height, each = PRODUCTS[name](steps)
            limit, own = 2 * updates * height * each / rate, statistics.median(times["quire"]) * steps
            most = ", ".join(f"{statistics.median(times[side]) * steps / limit:.1f} x {side}" for side in setting["peers"])
            lines.append(f"- The products of its {updates:,} updates alone need {limit:.1f} s at the rate of Quire's own sgemm on one thread "
                         f"({rate / 1e9:.0f} GFLOP/s), {limit / own:.0%} of its time: nothing that multiplies at this rate can be faster than {most}.")
        if name in PROFILE:
            lines.append(f"- {PROFILE[name]}")
        lines.append("")
    if seeds:
        value = common.ratio(seeds, "ten", "one")
        lines.append(f"- Ten seeds of DQN on two threads <= 5.5 x one seed on one: {common.verdict(value, 5.5, at_most=True)} "
                     f"({statistics.median(seeds['ten']):.1f} s against {statistics.median(seeds['one']):.1f} s).")
    return "\n".join(lines).rstrip("\n")


if __name__ == "__main__":
    main()
