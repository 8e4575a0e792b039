"""Robertson's reactions by SciPy."""

import numpy as np
from scipy.integrate import odeint, solve_ivp

from worker import measure, serve


def slope(t, y):
    a, b, c = y
    slow, fast, fastest = 0.04 * a, 1e4 * b * c, 3e7 * b * b
    return [fast - slow, slow - fast - fastest, fastest]


def jacobian(t, y):
    _, b, c = y
    return [[-0.04, 1e4 * c, 1e4 * b], [0.04, -1e4 * c - 6e7 * b, -1e4 * b], [0.0, 6e7 * b, 0.0]]


def answer(request):
    end, method = request["end"], request["method"]
    tolerances = dict(rtol=request["relative"], atol=request["absolute"])
    if method == "odeint":
        def run():
            ys, info = odeint(slope, [1.0, 0.0, 0.0], [0.0, end], Dfun=jacobian, tfirst=True, full_output=True, mxstep=100_000, **tolerances)
            return ys[-1], info["nst"][-1]
    else:
        def run():
            found = solve_ivp(slope, (0.0, end), [1.0, 0.0, 0.0], method=method, jac=jacobian, **tolerances)
            return found.y[:, -1], found.t.size - 1
    values, steps = run()
    reply = measure(request, 1, run) if request["seconds"] else {}
    return {**reply, "values": np.asarray(values).tolist(), "steps": float(steps)}


serve(answer)
