"""Ranking by choix (Hunter's MM over a list of pairs) and by evalica's core (Rust, dense matrices of players by players)."""

import time

import choix
import numpy as np
from evalica import _brzo

from worker import serve


def games(players, count, seed):
    """A circle of wins, so that strengths exist, and games between random players of strengths e^{N(0, 1/4)}."""
    rng = np.random.default_rng(seed)
    strengths = 0.5 * rng.standard_normal(players)
    winners = np.arange(players)
    losers = (winners + 1) % players
    a = rng.integers(0, players, count - players)
    b = (a + rng.integers(1, players, count - players)) % players
    wins = rng.random(count - players) < 1 / (1 + np.exp(strengths[b] - strengths[a]))
    return np.concatenate([winners, np.where(wins, a, b)]), np.concatenate([losers, np.where(wins, b, a)])


def answer(request):
    players, count = request["players"], request["games"]
    winners, losers = games(players, count, request["seed"])
    if request["work"] == "choix":
        data = list(zip(winners.tolist(), losers.tolist()))
        start = time.perf_counter()
        try:
            choix.mm_pairwise(players, data, max_iter=request["iterations"])
        except RuntimeError:
            pass  # so many iterations do not converge
        return {"seconds": (time.perf_counter() - start) / request["iterations"]}
    xs, ys, results, weights = winners.tolist(), losers.tolist(), [1] * count, [1.0] * count
    start = time.perf_counter()
    _, iterations = _brzo.bradley_terry(xs, ys, results, weights, players, 1.0, 0.5, request["tolerance"], 100_000)
    return {"seconds": time.perf_counter() - start, "iterations": iterations}


serve(answer)
