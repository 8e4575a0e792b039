"""Environment steps beside Gymnasium and the package MinAtar, on one core, resets included."""

import statistics

import common

# Quire's work, the peer's work.
WORKS = {
    "CartPole typed": "CartPole-v1",
    "CartPole-v1": "CartPole-v1",
    "CartPole-v1 x 64": "CartPole-v1 x 64",
    "Acrobot-v1": "Acrobot-v1",
    "MountainCar-v0": "MountainCar-v0",
    "Pendulum typed": "Pendulum-v1",
    "Pendulum-v1": "Pendulum-v1",
    "MinAtar/Asterix-v1": "MinAtar/asterix",
    "MinAtar/Breakout-v1": "MinAtar/breakout",
    "MinAtar/Freeway-v1": "MinAtar/freeway",
    "MinAtar/Seaquest-v1": "MinAtar/seaquest",
    "MinAtar/SpaceInvaders-v1": "MinAtar/space_invaders",
}


def main():
    options = common.arguments(__doc__).parse_args()
    python = common.environment("environments")
    load = common.load()
    quire = common.quire()
    peer = common.peer("gymnasium", python, "environments_gymnasium.py")
    times = {}
    for own, other in WORKS.items():
        common.note(own)
        columns = {
            "quire": lambda _: quire.ask(work=own, seconds=options.seconds),
            "peer": lambda _: peer.ask(work=other, processor=True, seconds=options.seconds),
        }
        times[own] = common.seconds(common.interleave(options.rounds, columns))
    quire.close()
    peer.close()

    rate = lambda work, side: 1e-6 / statistics.median(times[work][side])
    rows = [
        [work, f"{rate(work, 'quire'):.2f}", f"{rate(work, 'peer'):.4f}", f"{common.ratio(columns, 'peer', 'quire'):.0f}"]
        for work, columns in times.items()
    ]
    text = "\n".join([
        "Million steps a second of one core with random actions drawn beforehand. *typed* is the Rust type, the others are "
        "made by name and boxed, with their time limit; `x 64` is the vectorized form (Gymnasium: its vectorized CartPole). "
        "The peers' time is processor time, since they are slow enough to be interrupted. MinAtar is the package's own environment and state, without Gymnasium around it.",
        "", common.table(["environment", "Quire", "Gymnasium / MinAtar", "ratio"], rows), "",
        f"- CartPole typed >= 20 million steps/s: {common.verdict(rate('CartPole typed', 'quire'), 20)}.",
        f"- CartPole-v1 boxed >= 5 million steps/s: {common.verdict(rate('CartPole-v1', 'quire'), 5)}.",
    ])
    packages = common.versions(python, "gymnasium", "MinAtar", "numpy")
    common.record(options, "environments", "Environments", text, packages, times, load)


if __name__ == "__main__":
    main()
