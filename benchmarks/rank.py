"""Ranking players by their games beside choix and evalica."""

import statistics

import common

LARGE = {"players": 100_000, "games": 1_000_000}
MIDDLE = {"players": 2_000, "games": 1_000_000}


def main():
    options = common.arguments(__doc__, rounds=3).parse_args()
    python = common.environment("rank")
    load = common.load()
    quire = common.quire()
    peer = common.peer("choix and evalica", python, "rank.py")
    own = lambda work, size: lambda seed: quire.ask(work=work, seed=seed, options=size)
    common.note("1e6 games among 1e5 players")
    large = common.interleave(options.rounds, {
        "quire": own("rank", LARGE),
        "zermelo": own("rank zermelo", LARGE),
        "choix pass": lambda seed: peer.ask(work="choix", iterations=2, seed=seed, **LARGE),
    })
    common.note("1e6 games among 2e3 players")
    middle = common.interleave(options.rounds, {
        "quire": own("rank", MIDDLE),
        "evalica": lambda seed: peer.ask(work="evalica", tolerance=1e-8, seed=seed, **MIDDLE),
    })
    quire.close()
    peer.close()
    times, small = common.seconds(large), common.seconds(middle)
    iterations = [reply["iterations"] for reply in large["zermelo"]]
    times["choix"] = [a * b for a, b in zip(times["choix pass"], iterations)]
    median = {name: statistics.median(t) for name, t in {**times, **{f"{n} small": t for n, t in small.items()}}.items()}
    sweeps = {name: statistics.median(reply["iterations"] for reply in replies) for name, replies in
              (("quire", large["quire"]), ("zermelo", large["zermelo"]), ("evalica", middle["evalica"]), ("small", middle["quire"]))}
    sorting = statistics.median(reply["sorting"] for reply in large["quire"])
    to_choix, to_evalica = common.ratio(times, "choix", "quire"), common.ratio(small, "evalica", "quire")
    text = "\n".join([
        "Maximum-likelihood strengths from a list of numbered games, sorting them included, one thread. Quire stops when no π/(π+1) "
        "changes by more than 1e-6.",
        "",
        common.table(["", "iterations", "time", "ratio"], [
            ["**1e6 games among 1e5 players**", "", "", ""],
            ["Quire, newman", f"{sweeps['quire']:.0f}", common.time_text(median["quire"]), ""],
            ["Quire, bradley-terry-mm", f"{sweeps['zermelo']:.0f}", common.time_text(median["zermelo"]), f"{common.ratio(times, 'zermelo', 'quire'):.1f}"],
            ["choix, mm_pairwise", f"{sweeps['zermelo']:.0f}", f"{common.time_text(median['choix'])} (a pass {common.time_text(median['choix pass'])})", f"{to_choix:.0f}"],
            ["**1e6 games among 2e3 players**", "", "", ""],
            ["Quire, newman", f"{sweeps['small']:.0f}", common.time_text(median["quire small"]), ""],
            ["evalica, bradley_terry", f"{sweeps['evalica']:.0f}", common.time_text(median["evalica small"]), f"{to_evalica:.1f}"],
        ]),
        "",
        f"Of Quire's time at 1e5 players, {common.time_text(sorting)} are sorting. choix iterates Hunter's MM; its time is that of a pass times the "
        "iterations that Quire's form of the same needs. evalica's core keeps a dense matrix of players by players: at 1e5 players that would be 80 GB, "
        "so it is asked for 2000, at its own tolerance of 1e-8.",
        "",
        f"- At least 50 x choix: {common.verdict(to_choix, 50)}.",
        f"- At least evalica's speed: {common.verdict(to_evalica, 1)}.",
    ])
    packages = common.versions(python, "choix", "evalica", "numpy", "scipy")
    common.record(options, "rank", "Rankings", text, packages, {**times, **{f"{n} small": t for n, t in small.items()}}, load)


if __name__ == "__main__":
    main()
