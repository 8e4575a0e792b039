"""Robertson's reactions beside SciPy and diffsol, passes over finite sums beside the memory, feedforward sweeps beside the loop."""

import statistics

import common

ENDS = (40.0, 4e10)
OWN = {
    "rosenbrock, order 3": dict(method="rosenbrock", order=3),
    "rosenbrock, order 2": dict(method="rosenbrock", order=2),
    "ms-rk-tase, order 2": dict(method="ms-rk-tase", order=2),
}
SCIPY = ("odeint", "Radau", "BDF")
DIFFSOL = ("bdf", "tr_bdf2", "esdirk34")
TOLERANCES = dict(relative=1e-3, absolute=1e-6)


def main():
    options = common.arguments(__doc__, rounds=5).parse_args()
    python = common.environment("solvers")
    load = common.load()
    quire = common.quire()
    scipy = common.peer("SciPy", python, "solvers.py")
    diffsol = common.Side("diffsol", [common.build_peer("diffsol")])
    seconds = dict(seconds=options.seconds)
    robertson = {}
    for end in ENDS:
        common.note(f"Robertson's reactions to {end:g}")
        set_ = {**TOLERANCES, "end": end}
        robertson[end] = common.interleave(options.rounds, {
            **{f"Quire, {name}": lambda _, o=own: quire.ask(work="robertson", options={**o, **set_}, **seconds) for name, own in OWN.items()},
            **{f"SciPy, {name}": lambda _, n=name: scipy.ask(method=n, **set_, **seconds) for name in SCIPY},
            **{f"diffsol, {name}": lambda _, n=name: diffsol.ask(method=n, **set_, **seconds) for name in DIFFSOL},
        })
    exact = {end: scipy.ask(method="Radau", relative=1e-12, absolute=1e-18, end=end, seconds=0)["values"] for end in ENDS}
    common.note("passes over a finite sum")
    passes = common.seconds(common.interleave(options.rounds, {
        name: lambda _, n=name: quire.ask(work=n, **seconds) for name in ("pass", "pass sgd", "pass svrg", "pass sparse", "pass sparse sgd", "copy")}))
    common.note("feedforward sweeps")
    sweeps = common.interleave(options.rounds, {
        "in order": lambda _: quire.ask(work="feedforward", **seconds),
        **{f"jacobi {t:g}": lambda _, t=t: quire.ask(work="feedforward", options={"method": "parallel-feedforward", "tolerance": t}, **seconds)
           for t in (0.0, 1e-6, 1e-3)},
    })
    for side in (quire, scipy, diffsol):
        side.close()
    text = report(robertson, exact, passes, sweeps)
    versions = {**common.versions(python, "scipy", "numpy"), "diffsol": common.locked_version("diffsol")}
    data = {**{f"robertson to {end:g}": common.seconds(replies) for end, replies in robertson.items()}, "passes": passes,
            "feedforward": common.seconds(sweeps)}
    common.record(options, "solvers", "Solvers", text, versions, data, load)


def report(robertson, exact, passes, sweeps):
    lines = ["Robertson's reactions at a relative tolerance of 1e-3 and an absolute one of 1e-6, with the exact Jacobian, by everybody's own control of steps. "
             "*Error* is the largest of a component over the tolerance, |y_i - exact_i| / (1e-6 + 1e-3 |exact_i|), at the end, "
             "against SciPy's Radau at 1e-12. SciPy calls Python for f; diffsol is compiled Rust.", ""]
    verdicts = []
    for end, replies in robertson.items():
        times = common.seconds(replies)
        rows = []
        for name, rounds in replies.items():
            error = max(abs(y - e) / (1e-6 + 1e-3 * abs(e)) for y, e in zip(rounds[0]["values"], exact[end]))
            rows.append([name, common.time_text(statistics.median(times[name])), f"{rounds[0]['steps']:.0f}", f"{error:.2g}",
                         f"{common.ratio(times, name, 'Quire, rosenbrock, order 3'):.2f}"])
        lines += [common.table([f"to time {end:g}", "time", "steps", "error", "time / Quire's order 3"], rows), ""]
    rate = {name: 1e-9 / statistics.median(t) for name, t in passes.items()}
    names = {"pass": "a full gradient", "pass sgd": "SGD, 64 shuffled rows a step", "pass svrg": "SVRG, 64 rows a step, two gradients each"}
    names |= {"pass sparse": "a full gradient, sparse", "pass sparse sgd": "SGD, 64 shuffled rows a step, sparse"}
    lines += ["Passes over logistic regression on 200,000 dense rows of 100 numbers in double precision, 160 MB, and on as many sparse rows with 75 of 10,000 "
              "numbers, 180 MB with their places; one thread. A row is read once for its product and once more, from the cache, for its part of the gradient. A "
              "step of SGD moves all parameters, which for 64 sparse rows is more memory than the rows are.", "",
              common.table(["", "bytes of the rows", "of copying memory"], [
                  [title, f"{rate[name]:.1f} GB/s", f"{rate[name] / rate['copy']:.0%}"] for name, title in names.items()]),
              "", f"Copying memory moves {rate['copy']:.1f} GB/s, reads and writes counted.", ""]
    times = common.seconds(sweeps)
    rows = [[name, f"{rounds[0]['dependent steps']:.0f}", common.time_text(statistics.median(times[name])),
             f"{common.ratio(times, 'in order', name):.2f}"] for name, rounds in sweeps.items()]
    lines += ["The gradient of a recurrent network of 100 units over 784 steps, as a loop and by Jacobi sweeps, which are products of matrices, down to a "
              "change of the tolerance behind their name; one thread.", "",
              common.table(["", "dependent steps", "time", "faster than the loop"], rows)]
    return "\n".join(lines + verdicts)


if __name__ == "__main__":
    main()
