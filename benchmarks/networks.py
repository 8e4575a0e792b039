"""Training steps of small networks, generation and acting, beside PyTorch and JAX."""

import statistics

import common

WORKS = {
    "W1": "DQN 4-120-84-2, batch 128, double target",
    "W2": "10 critics 23-256-256-1, batch 256 (REDQ)",
    "W2b": "2 critics, the same (SAC)",
    "W3": "2 critics with dropout and LayerNorm (DroQ)",
    "W4": "transformer, 4 layers, width 128, 16 x 128",
    "W4g": "generating 128 symbols in 64 rows, with a cache",
    "W5": "one observation through 4-120-84-2",
    "sgemm": "1024 x 1024 x 1024",
}
# What torch.compile is tried on; it has nothing to gain on the others.
COMPILED = ("W1", "W2", "W2b", "W3", "W4")
# FLOP/s of sgemm on the machine that the targets were set on.
REFERENCE = 478e9


def flops(work):
    """Multiplications and additions that the matrix products of a work need."""
    dqn = 4 * 120 + 120 * 84 + 84 * 2
    critic, first = 23 * 256 + 256 * 256 + 256, 23 * 256
    gpt = 4 * 12 * 128 * 128 + 128 * 256
    attention = 4 * 2 * 128 * 128 / 2  # per symbol: two products with half of the context on average, in four layers
    return {
        # Forward for both targets, forward, and backward, which does not need the first layer's input gradient.
        "W1": 2 * 128 * (5 * dqn - 4 * 120),
        "W2": 2 * 256 * (10 * (3 * critic - first) + 2 * critic),
        "W2b": 2 * 256 * (2 * (3 * critic - first) + 2 * critic),
        "W3": 2 * 256 * (2 * (3 * critic - first) + 2 * critic),
        "W4": 6 * (gpt + attention) * 16 * 128,
        "W4g": 2 * (gpt + attention) * 64 * 128,
        "W5": 2 * dqn,
        "sgemm": 2 * 1024**3,
    }[work]


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--compile", action="store_true", help="try torch.compile as well, which takes minutes")
    parser.add_argument("--works", nargs="*", default=list(WORKS), choices=list(WORKS))
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2], help="thread counts that all sides try")
    options = parser.parse_args()
    python = common.environment("networks")
    load = common.load()
    quire = common.quire()
    modes = ["eager", "best"] + (["compiled"] if options.compile else [])
    torch = {mode: common.peer(f"torch {mode}", python, "networks_torch.py", mode) for mode in modes}
    jax = {cores: common.peer(f"jax on {cores}", python, "networks_jax.py", cores=cores) for cores in options.threads}

    times = {}
    for work in options.works:
        common.note(work)
        columns = {}
        for threads in options.threads:

            def ask(side, threads=threads):
                return lambda _: side.ask(work=work, threads=threads, seconds=options.seconds)

            columns[f"quire {threads}"] = ask(quire)
            for mode, side in torch.items():
                if mode != "compiled" or work in COMPILED:
                    columns[f"torch {mode} {threads}"] = ask(side)
            columns[f"jax {threads}"] = ask(jax[threads])
        times[work] = common.seconds(common.interleave(options.rounds, columns))
    for side in (quire, *torch.values(), *jax.values()):
        side.close()

    text = report(times, options.compile)
    packages = common.versions(python, "torch", "jax", "jaxlib", "numpy")
    common.record(options, "networks", "Networks", text, packages, times, load)


def report(times, compiled):
    """The section's text."""
    median = {work: {name: statistics.median(t) for name, t in columns.items()} for work, columns in times.items()}
    peak = 0.0
    if "sgemm" in times:
        peak = max(flops("sgemm") / median["sgemm"][name] for name in median["sgemm"])
    rows, chosen = [], {}
    for work, columns in times.items():
        def pick(start):
            return common.best(columns, [name for name in columns if name.startswith(start)])

        own, eager, torch, jax = pick("quire"), pick("torch eager"), pick("torch"), pick("jax")
        chosen[work] = own
        cell = lambda name: f"{common.time_text(median[work][name])} ({name.split()[-1]})"
        limit = common.time_text(flops(work) / peak) if peak else "-"
        achieved = f"{flops(work) / median[work][own] / peak:.0%}" if peak else "-"
        rows.append([
            f"{work} {WORKS[work]}", cell(own), cell(eager), f"{common.time_text(median[work][torch])} ({torch[6:]})",
            cell(jax), f"{common.ratio(columns, eager, own):.2f}", f"{common.ratio(columns, torch, own):.2f}",
            f"{common.ratio(columns, jax, own):.2f}", limit, achieved,
        ])
    head = [
        "work (threads)", "Quire", "torch eager", "torch best", "JAX", "eager / Quire", "best / Quire", "JAX / Quire",
        "limit", "of limit",
    ]
    lines = [
        "One training step each (targets, forward, loss, backward, Adam, Polyak), float32, every library with its better "
        "thread count. *Limit* is the time that the matrix products alone need at the best sgemm rate any library reached "
        f"in this run ({peak / 1e9:.0f} GFLOP/s); W5 fits into cache and registers and is not bound by it. "
        f"*torch best* is the faster of eager and stacked ensembles with fused Adam and foreach Polyak"
        + (", and of torch.compile." if compiled else "; torch.compile was left out (`--compile`)."),
        "", common.table(head, rows), "",
    ]
    ask = lambda work: median[work][chosen[work]]
    if "W1" in times:
        lines.append(f"- W1 <= 100 µs: {common.verdict(ask('W1') * 1e6, 100, at_most=True)}. Its products need "
                     f"{flops('W1') / peak * 1e6:.0f} µs on this machine at full rate. The target is from a machine whose "
                     f"sgemm ran at {REFERENCE / 1e9:.0f} GFLOP/s, of which it is {100 * flops('W1') / 100e-6 / REFERENCE:.0f} %; "
                     f"here the step runs at {100 * flops('W1') / ask('W1') / peak:.0f} % of the rate. The step is a dozen short operations: "
                     "a second thread waits for two fifths of the time, since small ones run on one alone, and what it is handed "
                     "comes from the other core's cache."
                     if peak else "")
    if "W2" in times and peak:
        own = max(flops("sgemm") / median["sgemm"][n] for n in median["sgemm"] if n.startswith("quire"))
        lines.append(f"- W2 at >= 75 % of Quire's own sgemm rate ({own / 1e9:.0f} GFLOP/s): "
                     f"{common.verdict(100 * flops('W2') / ask('W2') / own, 75)} %.")
    if "W3" in times and "W2b" in times:
        same = statistics.median(a / b for a, b in zip(times["W3"][chosen["W3"]], times["W2b"][chosen["W2b"]]))
        lines.append(f"- W3 <= 1.25 x W2b: {common.verdict(same, 1.25, at_most=True)}.")
    for work in ("W4", "W4g"):
        if work in times:
            eager = common.best(times[work], [n for n in times[work] if n.startswith("torch eager")])
            ratio = common.ratio(times[work], eager, chosen[work])
            bound = f" The products alone bound it by {median[work][eager] * peak / flops(work):.1f} x." if peak else ""
            lines.append(f"- {work} at least 2 x torch eager: {common.verdict(ratio, 2)}.{bound}")
            if work == "W4":
                lines[-1] += (" The target was set on a processor where PyTorch's library of products does not use AVX-512; "
                              "made to use it there, PyTorch was 1.19 times slower than the prototype, not 2.")
    if "W5" in times:
        lines.append(f"- W5 <= 1.2 µs: {common.verdict(ask('W5') * 1e6, 1.2, at_most=True)}.")
    return "\n".join(line for line in lines if line is not None)


if __name__ == "__main__":
    main()
