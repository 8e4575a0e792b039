"""Sampling batches of 256 from a million transitions, beside the replay memory of Stable-Baselines3."""

import statistics

import common

WORKS = {"replay 4+1": (4, 1), "replay 17+6": (17, 6)}


def main():
    options = common.arguments(__doc__).parse_args()
    python = common.environment("learners")
    load = common.load()
    quire = common.quire()
    peer = common.peer("stable-baselines3", python, "replay_sb3.py")
    times = {}
    for work, (observation, action) in WORKS.items():
        common.note(work)
        columns = {
            "quire": lambda _: quire.ask(work=work, seconds=options.seconds),
            "peer": lambda _: peer.ask(work=work, observation=observation, action=action, processor=True, seconds=options.seconds),
        }
        times[work] = common.seconds(common.interleave(options.rounds, columns))
    copy = statistics.median(quire.ask(work="copy", seconds=options.seconds)["seconds"] for _ in range(options.rounds))
    quire.close()
    peer.close()

    rows = []
    for work, (observation, action) in WORKS.items():
        row = 4 * (2 * observation + action + 2)
        # A row starts anywhere, so it touches on average (row - 4) / 64 + 1 lines of the cache.
        lines = 256 * ((row - 4) / 64 + 1)
        median = {side: statistics.median(t) for side, t in times[work].items()}
        rows.append([
            f"{observation} numbers, {action} actions ({row} bytes)", common.time_text(median["quire"]),
            common.time_text(median["peer"]), f"{common.ratio(times[work], 'peer', 'quire'):.1f}",
            common.time_text(lines * 64 * copy), f"{median['quire'] / lines * 1e9:.1f} ns",
        ])
    head = ["transition", "Quire", "Stable-Baselines3", "ratio", "limit", "a cache line"]
    own = statistics.median(times["replay 4+1"]["quire"])
    text = "\n".join([
        "A batch of 256 out of 1e6 transitions, uniformly, with replacement. *Limit*: the cache lines that the rows touch "
        f"at the copy bandwidth of one core measured in this run ({1e-9 / copy:.1f} GB/s, reading and writing); random "
        "lines come from memory more slowly than that, bound by latency and by how many misses a core keeps in flight. "
        "The peer's time is processor time, since it is slow enough to be interrupted.",
        "", common.table(head, rows), "",
        f"- Sampling <= 5 µs (CartPole's transitions): {common.verdict(own * 1e6, 5, at_most=True)}.",
    ])
    packages = common.versions(python, "stable-baselines3", "torch", "numpy")
    common.record(options, "replay", "Replay", text, packages, {**times, "copy": copy}, load)


if __name__ == "__main__":
    main()
