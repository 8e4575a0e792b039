"""Orthogonalization beside PyTorch, and steps of Muon and PSGD on ten million parameters beside HeavyBall."""

import statistics

import common

SIZES = (256, 512, 1024)
POLAR = ("turbo-muon", "muon")
# Quire's work, HeavyBall's optimizer, the title of the row.
STEPS = {
    "muon": "Muon",
    "psgd kronecker": "PSGD, Kronecker factors",
    "psgd low-rank": "PSGD, rank 10",
}


def main():
    parser = common.arguments(__doc__, rounds=3)
    parser.add_argument("--compile", action="store_true", help="also HeavyBall and PyTorch by torch.compile, which takes minutes")
    options = parser.parse_args()
    python = common.environment("optimizers")
    load = common.load()
    quire = common.quire()
    peers = {"eager": common.peer("PyTorch", python, "optimizers.py")}
    if options.compile:
        peers["compiled"] = common.peer("PyTorch, compiled", python, "optimizers.py")
    sides = {}

    def columns(own, theirs):
        ask = {}
        for threads in (1, 2):
            ask[f"quire {threads}"] = lambda _, t=threads: quire.ask(threads=t, seconds=options.seconds, **own)
            for name, peer in peers.items():
                ask[f"{name} {threads}"] = lambda _, t=threads, n=name, p=peer: p.ask(
                    threads=t, seconds=options.seconds, compiled=n == "compiled", **theirs)
        return common.seconds(common.interleave(options.rounds, ask))

    for size in SIZES:
        for method in POLAR:
            common.note(f"{method}, {size} x {size}")
            own = dict(work=f"polar {method}", options={"size": size})
            sides[method, size] = columns(own, dict(work="polar", method=method, size=size))
    for method, title in STEPS.items():
        common.note(f"a step of {title}")
        sides[method] = columns(dict(work=f"{method} step"), dict(work="step", method=method))
    sides["sgemm"] = common.seconds(common.interleave(options.rounds, {
        f"quire {t}": lambda _, t=t: quire.ask(work="sgemm", threads=t, seconds=options.seconds) for t in (1, 2)}))
    quire.close()
    for peer in peers.values():
        peer.close()
    common.record(options, "optimizers", "Optimizers", report(sides, list(peers)),
                  common.versions(python, "torch", "heavyball", "numpy"),
                  {" ".join(map(str, key if isinstance(key, tuple) else (key,))): value for key, value in sides.items()}, load)


def fastest(times, side):
    """The better thread count of a side's names."""
    names = side if isinstance(side, list) else [side]
    return common.best(times, [f"{name} {threads}" for name in names for threads in (1, 2)])


def report(sides, peers):
    median = lambda times, name: statistics.median(times[name])
    rate = 2 * 1024**3 / median(sides["sgemm"], fastest(sides["sgemm"], "quire")) / 1e9
    rows, verdicts, least = [], [], []
    for size in SIZES:
        for method in POLAR:
            times = sides[method, size]
            own, peer = fastest(times, "quire"), fastest(times, peers)
            ratio = common.ratio(times, peer, own)
            least.append(ratio)
            products = 12 if method == "turbo-muon" else 15
            rows.append([
                f"{method}, {size} x {size}", f"{common.time_text(median(times, own))} ({own[-1]})",
                f"{common.time_text(median(times, peer))} ({peer})", f"{ratio:.2f}",
                f"{products * 2 * size**3 / median(times, own) / 1e9:.0f} GFLOP/s",
            ])
        turbo, muon = sides["turbo-muon", size], sides["muon", size]
        share = statistics.median(a / b for a, b in zip(turbo[fastest(turbo, "quire")], muon[fastest(muon, "quire")]))
        verdicts.append(f"- {size} x {size}: Turbo-Muon's 12 products take {share:.2f} of the time of Muon's 15.")
    steps = []
    for method, title in STEPS.items():
        times = sides[method]
        own, peer = fastest(times, "quire"), fastest(times, peers)
        steps.append([title, f"{common.time_text(median(times, own))} ({own[-1]})",
                      f"{common.time_text(median(times, peer))} ({peer})", f"{common.ratio(times, peer, own):.2f}"])
    return "\n".join([
        "Orthogonalization of a square matrix by Newton-Schulz iterations, float32, either side with its better thread count (in brackets). "
        "The products of X with itself are symmetric, and Quire computes half of them, so that its rate, counted as if all were full, can be above "
        f"that of its own matrix product ({rate:.0f} GFLOP/s in this run), which is the limit.",
        "",
        common.table(["", "Quire", "PyTorch", "ratio", "rate"], rows),
        "",
        *verdicts,
        f"- At least PyTorch's speed everywhere: {common.verdict(min(least), 1)}.",
        "",
        "An optimizer's step on ten layers of 1024 x 1024 with biases, 10.5 million parameters; preconditioners are fitted in every step. HeavyBall's Muon "
        "iterates in bfloat16, Quire's in float32.",
        "",
        common.table(["a step", "Quire", "HeavyBall", "ratio"], steps),
    ])


if __name__ == "__main__":
    main()
