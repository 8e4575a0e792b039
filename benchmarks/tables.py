"""Exploring and solving finite MDPs beside rlberry and SciPy."""

import statistics

import common

EXPLORERS = {"ucbvi": "UCBVI", "psrl": "PSRL"}


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--episodes", type=int, default=300, help="of the peer; Quire plays ten times as many")
    options = parser.parse_args()
    python = common.environment("tables")
    load = common.load()
    quire = common.quire()
    peer = common.peer("rlberry", python, "tables_rlberry.py")
    times = {}
    for work in EXPLORERS:
        common.note(work)
        columns = {
            "quire": lambda seed: quire.ask(work=work, steps=10 * options.episodes, seed=seed),
            "peer": lambda seed: peer.ask(work=work, steps=options.episodes, seed=seed),
        }
        times[work] = common.processor(common.interleave(options.rounds, columns))
    common.note("value iteration")
    ask = lambda threads: lambda _: quire.ask(work="value iteration", threads=threads)
    copy = lambda threads: lambda _: quire.ask(work="copy", threads=threads, seconds=options.seconds)
    replies = common.interleave(options.rounds, {
        "quire 1": ask(1), "quire 2": ask(2), "copy 1": copy(1), "copy 2": copy(2),
        "peer": lambda _: peer.ask(work="value iteration", steps=5, seed=0),
    })
    bytes_moved = replies["quire 2"][0]["bytes"]
    sweeps = times["value iteration"] = common.seconds(replies)
    quire.close()
    peer.close()

    rows = []
    for work, title in EXPLORERS.items():
        median = {side: statistics.median(t) for side, t in times[work].items()}
        rows.append([title, f"{1 / median['quire']:,.0f}", f"{1 / median['peer']:,.0f}", f"{common.ratio(times[work], 'peer', 'quire'):.1f}"])
    median = {name: statistics.median(t) for name, t in sweeps.items()}
    share = {n: statistics.median(bytes_moved * c / q for c, q in zip(sweeps[f"copy {n}"], sweeps[f"quire {n}"])) for n in (1, 2)}
    lines = [
        "Episodes a second of processor time, one thread, on GridWorld 10 x 10, horizon 50, planning included (Quire's also holds the exact regret of every "
        "episode's policy). UCBVI is rlberry's (`rlberry-scool`, Numba). The PSRL of rlberry's research package is not on "
        "PyPI; its peer is ours, NumPy's vectorized posterior and rlberry's compiled backward induction.",
        "", common.table(["", "Quire", "peer", "ratio"], rows), "",
        *(f"- {title} at least 50 x: {common.verdict(common.ratio(times[work], 'peer', 'quire'), 50)}." for work, title in EXPLORERS.items()),
        "",
        f"Value iteration on a Garnet of 1e6 states, 4 actions and 4 next states, in double precision. A sweep moves "
        f"{bytes_moved / 1e6:.0f} MB and reads 16 million values at random places of an array of 8 MB.",
        "",
        common.table(
            ["threads", "a sweep", "bytes", "copying memory", "share"],
            [[n, common.time_text(median[f"quire {n}"]), f"{bytes_moved / median[f'quire {n}'] / 1e9:.1f} GB/s",
              f"{1e-9 / median[f'copy {n}']:.1f} GB/s", f"{share[n]:.0%}"] for n in (1, 2)],
        ),
        "",
        f"- SciPy (sparse products, one an action) needs {common.time_text(median['peer'])}: "
        f"{common.ratio(sweeps, 'peer', common.best(sweeps, ['quire 1', 'quire 2'])):.1f} x.",
        f"- At least 70 % of the copy bandwidth: {common.verdict(100 * max(share.values()), 70)} %.",
    ]
    packages = common.versions(python, "rlberry", "rlberry-scool", "numba", "numpy", "scipy")
    common.record(options, "tables", "Tables", "\n".join(lines), packages, times, load)


if __name__ == "__main__":
    main()
