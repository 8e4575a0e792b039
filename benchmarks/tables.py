"""Exploring and solving finite MDPs beside rlberry, official repositories, scikit-learn and SciPy."""

import math
import random
import statistics
import struct
import tempfile
from pathlib import Path

import common

RAND_QL = ("d-tiapkin/rand-ql", "d5f15284a8b2f05ceeb3274c2b882e182166542a")
OPSRL = ("d-tiapkin/optimistic-psrl-experiments", "5bd5d1df8af641537d76f5e6f83b0c7f04f59e70")
# Quire's work; the row's title; the peer's work and its options; how many episodes of Quire for one of the peer; the target.
EXPLORERS = {
    "ucbvi": ("UCBVI", "rlberry", "ucbvi", {}, 300, 50),
    "psrl": ("PSRL", "ours, on rlberry's planner", "psrl", {}, 50, 50),
    "opsrl": ("OPSRL, 8 samples", "official", "opsrl", {"repository": OPSRL, "samples": 8}, 50, None),
    "bayes-ucbvi": ("Bayes-UCBVI, 64 samples", "official OPSRL, 64 samples", "opsrl", {"repository": OPSRL, "samples": 64}, 100, 30),
    "randql": ("RandQL", "official", "randql", {"repository": RAND_QL}, 10, 30),
    "lmc-lsvi": ("LMC-LSVI", "ours, NumPy", "lmc-lsvi", {}, 20, 30),
}
# The peer's episodes are slow enough that so many give a stable time, as a share of `--episodes`.
SHARES = {"ucbvi": 0.03, "psrl": 0.03, "opsrl": 0.1, "bayes-ucbvi": 0.02, "lmc-lsvi": 0.3}
TRANSITIONS = 10_000


def transitions(path):
    """Random play of the cart-pole of nested FQI, written for both sides: state, action, cost, next state, 1 if forbidden."""
    draw = random.Random(0)
    rows = []
    while len(rows) < TRANSITIONS:
        state = [draw.uniform(-2.3, 2.3), 0.0, draw.uniform(-0.3, 0.3), 0.0]
        for _ in range(100):
            action = draw.randrange(2)
            x, v, angle, turn = state
            sine, cosine = math.sin(angle), math.cos(angle)
            push = ((10.0 if action else -10.0) + 0.05 * turn * turn * sine) / 1.1
            bend = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - 0.1 * cosine * cosine / 1.1))
            run = push - 0.05 * bend * cosine / 1.1
            following = [x + 0.02 * v, v + 0.02 * run, angle + 0.02 * turn, turn + 0.02 * bend]
            done = abs(following[0]) > 2.4 or abs(following[2]) > math.pi / 2
            cost = 1.0 if done else 0.0 if abs(following[0]) < 2.4 and abs(following[2]) < math.radians(12) else 0.01
            rows.append([*state, action, cost, *following, done])
            if done:
                break
            state = following
    path.write_bytes(b"".join(struct.pack("<11d", *row) for row in rows[:TRANSITIONS]))


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--episodes", type=int, default=300, help="of the fastest peers; slower ones play fewer, Quire more")
    options = parser.parse_args()
    python = common.environment("tables")
    folders = {source: str(common.repository(*source)) for source in (RAND_QL, OPSRL)}
    load = common.load()
    quire = common.quire()
    peer = common.peer("rlberry", python, "tables_rlberry.py")
    times, scored = {}, {}
    for work, (_, _, asked, extra, factor, _) in EXPLORERS.items():
        common.note(work)
        extra = dict(extra)
        if "repository" in extra:
            extra["folder"] = folders[extra.pop("repository")]
        episodes = max(2, round(options.episodes * SHARES.get(work, 1)))
        columns = {
            "quire": lambda seed: quire.ask(work=work, steps=factor * episodes, seed=seed),
            "peer": lambda seed: peer.ask(work=asked, steps=episodes, seed=seed, **extra),
        }
        replies = common.interleave(options.rounds, columns)
        times[work] = common.processor(replies)
        scored[work] = statistics.median(reply["scored"] for reply in replies["quire"])
    common.note("trees")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "transitions"
        transitions(data)
        fits = common.interleave(options.rounds, {
            "quire": lambda seed: quire.ask(work="trees", steps=3, seed=seed, options={"data": str(data)}),
            "peer": lambda seed: peer.ask(work="trees", steps=3, seed=seed, data=str(data)),
        })
    times["trees"] = common.processor(fits)
    common.note("value iteration")
    ask = lambda threads: lambda _: quire.ask(work="value iteration", threads=threads)
    copy = lambda threads: lambda _: quire.ask(work="copy", threads=threads, seconds=options.seconds)
    reads = lambda threads: lambda _: quire.ask(work="random reads", threads=threads, seconds=options.seconds)
    replies = common.interleave(options.rounds, {
        "quire 1": ask(1), "quire 2": ask(2), "copy 1": copy(1), "copy 2": copy(2), "reads 1": reads(1), "reads 2": reads(2),
        "peer": lambda _: peer.ask(work="value iteration", steps=5, seed=0),
    })
    bytes_moved, gathers = (replies["quire 2"][0][name] for name in ("bytes", "gathers"))
    sweeps = times["value iteration"] = common.seconds(replies)
    quire.close()
    peer.close()

    rows = []
    for work, (title, source, *_) in EXPLORERS.items():
        median = {side: statistics.median(t) for side, t in times[work].items()}
        ratio = common.ratio(times[work], "peer", "quire")
        rows.append([title, f"{1 / median['quire']:,.0f}", f"{1 / scored[work]:,.0f}", source, f"{1 / median['peer']:,.1f}", f"{ratio:,.0f}"])
    targets = [(title, work, least) for work, (title, _, _, _, _, least) in EXPLORERS.items() if least]
    fit = {side: statistics.median(t) for side, t in times["trees"].items()}
    fitted = {side: {name: statistics.median(reply[name] for reply in replies) for name in ("mean", "nodes")} for side, replies in fits.items()}
    to_trees = common.ratio(times["trees"], "peer", "quire")
    median = {name: statistics.median(t) for name, t in sweeps.items()}
    share = {n: statistics.median(bytes_moved * c / q for c, q in zip(sweeps[f"copy {n}"], sweeps[f"quire {n}"])) for n in (1, 2)}
    lines = [
        "Episodes a second of processor time, one thread, on GridWorld 10 x 10, horizon 50, planning included, and for Quire also with the exact regret of "
        "every episode's policy, which the peers do not work out. UCBVI is rlberry's (`rlberry-scool`, Numba); RandQL and OPSRL are the authors' own code, on the few lines that they need of an older "
        "rlberry. There is no official code of Bayes-UCBVI: beside it stands the same authors' OPSRL with as many posterior samples. The PSRL of rlberry's research "
        "package is not on PyPI; its peer is ours, NumPy's vectorized posterior and rlberry's compiled backward induction. The official code of LMC-LSVI has only the "
        "deep form; the peer of the linear one is ours, NumPy with the diagonal matrices of one feature a pair, so most of its time is drawing normals in C: it walks the "
        "60 steps of a stage, where Quire draws their outcome at once from the same law.",
        "", common.table(["", "Quire", "with regret", "peer", "its episodes", "ratio"], rows), "",
        *(f"- {title} at least {least} x: {common.verdict(common.ratio(times[work], 'peer', 'quire'), least)}." for title, work, least in targets),
        "",
        f"Fitted Q-iteration with 50 extremely randomized trees on {TRANSITIONS:,} transitions of a cart-pole, no fewer than 5 rows in a node that is split, every input tried; "
        "an iteration is a fit and the prediction of both actions in every next state, one thread.",
        "",
        common.table(["", "an iteration", "nodes of the last fit", "mean of its predictions"], [
            [side, common.time_text(fit[name]), f"{fitted[name]['nodes']:,.0f}", f"{fitted[name]['mean']:.4f}"]
            for side, name in (("Quire", "quire"), ("scikit-learn, ExtraTreesRegressor", "peer"))
        ]),
        "",
        f"- Trees at least 5 x: {common.verdict(to_trees, 5)}.",
        "- Once the values are spread out, rows of a fit go through a cut 8.4 million times; each time Quire reads 64 bytes thrice and writes them once, 2.1 GB in and out of the "
        "first two caches. Four of five of the 160,000 cuts part fewer than 32 rows. Predictions are a million falls through trees of 110 kB, of some 17 steps, none of which "
        "can begin before the one above it has ended: only rows side by side keep a core busy.",
        "",
        f"Value iteration on a Garnet of 1e6 states, 4 actions and 4 next states, in double precision. A sweep moves "
        f"{bytes_moved / 1e6:.0f} MB and reads 16 million values at random places of an array of 8 MB, more than a core's own caches hold. Adding up as many values from places "
        "as random, and nothing else, takes the time in the last column: the limit of any sweep over this model, whatever memory can copy.",
        "",
        common.table(
            ["threads", "a sweep", "bytes", "copying memory", "share", "its random reads alone"],
            [[n, common.time_text(median[f"quire {n}"]), f"{bytes_moved / median[f'quire {n}'] / 1e9:.1f} GB/s",
              f"{1e-9 / median[f'copy {n}']:.1f} GB/s", f"{share[n]:.0%}", common.time_text(gathers * median[f"reads {n}"])]
             for n in (1, 2)],
        ),
        "",
        f"- SciPy (sparse products, one an action) needs {common.time_text(median['peer'])}: "
        f"{common.ratio(sweeps, 'peer', common.best(sweeps, ['quire 1', 'quire 2'])):.1f} x.",
        f"- At least 70 % of the copy bandwidth: {common.verdict(100 * max(share.values()), 70)} %.",
    ]
    packages = common.versions(python, "rlberry", "rlberry-scool", "numba", "numpy", "scipy", "scikit-learn")
    common.record(options, "tables", "Tables", "\n".join(lines), packages, times, load)


if __name__ == "__main__":
    main()
