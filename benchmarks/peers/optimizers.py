"""Orthogonalization by PyTorch, and optimizer steps of HeavyBall on the same ten layers."""

import os

import torch

from worker import measure, serve

SIDE, LAYERS = 1024, 10
TURBO = [(3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037), (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012)]
MUON = [(3.4445, -4.7750, 2.0315)] * 5


def turbo(x):
    a = x @ x.T
    s = a.abs().sum(dim=1).add(1e-7).rsqrt()
    x, a = x * s[:, None], a * s[:, None] * s[None, :]
    for index, (p, q, r) in enumerate(TURBO):
        if index:
            a = x @ x.T
        x = torch.addmm(x, torch.addmm(a, a, a, beta=q, alpha=r), x, beta=p)
    return x


def muon(x):
    x = x / (x.norm() + 1e-7)
    for p, q, r in MUON:
        a = x @ x.T
        x = torch.addmm(x, torch.addmm(a, a, a, beta=q, alpha=r), x, beta=p)
    return x


def polar(request):
    size = request["size"]
    start = torch.rand(size, size) * 2 - 1
    work = {"turbo-muon": turbo, "muon": muon}[request["method"]]
    if request.get("compiled"):
        work = torch.compile(work)
    with torch.no_grad():
        return measure(request, 1, lambda: work(start))


def optimizer_step(request):
    import heavyball

    if not request.get("compiled"):
        heavyball.utils.compile_mode = None
        heavyball.utils.compile_mode_recommended_to_none = None
    params = []
    for _ in range(LAYERS):
        params += [torch.nn.Parameter(torch.rand(SIDE, SIDE) * 2 - 1), torch.nn.Parameter(torch.rand(SIDE) * 2 - 1)]
    optimizer = {
        "muon": lambda: heavyball.Muon(params, lr=0.02, betas=(0.95, 0.99)),
        "psgd kronecker": lambda: heavyball.PSGDKron(params, lr=1e-3, preconditioner_update_probability=1.0),
        "psgd low-rank": lambda: heavyball.PSGDLRA(params, lr=1e-3, rank=10, preconditioner_update_probability=1.0),
    }[request["method"]]()
    gradients = [torch.rand_like(p) * 2 - 1 for p in params]

    def step():
        for p, g in zip(params, gradients):
            p.grad = g.clone()
        optimizer.step()

    return measure(request, 1, step)


def answer(request):
    torch.set_num_threads(request["threads"])
    return polar(request) if request["work"] == "polar" else optimizer_step(request)


os.environ.setdefault("TORCHINDUCTOR_MAX_AUTOTUNE_GEMM_BACKENDS", "ATEN")
serve(answer)
