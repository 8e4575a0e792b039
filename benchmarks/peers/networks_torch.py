"""The works W1 to W5 in PyTorch: `networks_torch.py eager|best|compiled`.

*eager* is how Stable-Baselines3 and the REDQ code write it: a list of networks, default Adam, Polyak averages tensor by
tensor. *best* stacks ensembles into batched products and uses the fused Adam and foreach Polyak; *compiled* also compiles
loss and targets with torch.compile.
"""

import sys

import torch
import torch.nn.functional as F
from torch import nn

from worker import measure, serve

MODE = sys.argv[1]
BEST = MODE != "eager"


def adam(parameters):
    return torch.optim.Adam(parameters, lr=3e-4, fused=BEST or None)


def polyak(target, online, tau=0.005):
    with torch.no_grad():
        if BEST:
            torch._foreach_lerp_(target, online, tau)
        else:
            for t, p in zip(target, online):
                t.data.mul_(1 - tau)
                torch.add(t.data, p.data, alpha=tau, out=t.data)


def compiled(function):
    return torch.compile(function) if MODE == "compiled" else function


class Stack(nn.Module):
    """An ensemble of perceptrons as batched products; with dropout, also with layer normalization."""

    def __init__(self, members, sizes, dropout=0.0):
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter((torch.rand(members, i, o) * 2 - 1) / i**0.5) for i, o in zip(sizes, sizes[1:])
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(members, 1, o)) for o in sizes[1:])
        self.norms = nn.ParameterList(nn.Parameter(torch.ones(members, 1, o)) for o in sizes[1:-1])
        self.shifts = nn.ParameterList(nn.Parameter(torch.zeros(members, 1, o)) for o in sizes[1:-1])
        self.members, self.dropout = members, dropout

    def forward(self, x, members=None):
        pick = (lambda w: w) if members is None else (lambda w: w[members])
        count = self.members if members is None else len(members)
        x = x.expand(count, *x.shape)
        last = len(self.weights) - 1
        for i, (w, b) in enumerate(zip(self.weights, self.biases)):
            x = torch.baddbmm(pick(b), x, pick(w))
            if i < last:
                if self.dropout:
                    x = F.dropout(x, self.dropout)
                    x = F.layer_norm(x, x.shape[-1:]) * pick(self.norms[i]) + pick(self.shifts[i])
                x = F.relu(x)
        return x


class Loop(nn.Module):
    """The same as a list of networks, as the papers' code has it."""

    def __init__(self, members, sizes, dropout=0.0):
        super().__init__()

        def one():
            layers = []
            for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
                layers.append(nn.Linear(a, b))
                if i < len(sizes) - 2:
                    layers += [nn.Dropout(dropout), nn.LayerNorm(b)] if dropout else []
                    layers.append(nn.ReLU())
            return nn.Sequential(*layers)

        self.networks = nn.ModuleList(one() for _ in range(members))

    def forward(self, x, members=None):
        chosen = self.networks if members is None else [self.networks[m] for m in members]
        return torch.stack([network(x) for network in chosen])


def dqn(_):
    sizes, batch = [4, 120, 84, 2], 128

    def network():
        return nn.Sequential(
            *(layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.ReLU()))
        )[:-1]

    q, target = network(), network()
    target.load_state_dict(q.state_dict())
    now, later, rewards = torch.rand(batch, 4), torch.rand(batch, 4), torch.rand(batch)
    actions = (torch.arange(batch) % 2)[:, None]
    parameters, targets = list(q.parameters()), list(target.parameters())
    optimizer = adam(parameters)

    @compiled
    def loss_of():
        with torch.no_grad():
            best = q(later).argmax(1, keepdim=True)
            y = rewards + 0.99 * target(later).gather(1, best)[:, 0]
        return F.smooth_l1_loss(q(now).gather(1, actions)[:, 0], y)

    def step():
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        polyak(targets, parameters)

    return 1, step


def critics(members, dropout):
    sizes, batch = [23, 256, 256, 1], 256
    make = Stack if BEST else Loop
    q, target = make(members, sizes, dropout), make(members, sizes, dropout)
    target.load_state_dict(q.state_dict())
    now, later, rewards = torch.rand(batch, 23), torch.rand(batch, 23), torch.rand(batch, 1)
    parameters, targets = list(q.parameters()), list(target.parameters())
    optimizer = adam(parameters)

    @compiled
    def loss_of(two):
        with torch.no_grad():
            y = rewards + 0.99 * target(later, two).min(0).values
        return ((q(now) - y) ** 2).mean() * members

    count = 0

    def step():
        nonlocal count
        # Two members chosen at random each time are a new program for the compiler; the first two cost the same.
        two = None if members == 2 else [0, 1] if MODE == "compiled" else [count % members, (count + 1) % members]
        count += 1
        loss = loss_of(two)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        polyak(targets, parameters)

    return 1, step


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, cache=None, at=None):
        rows, time, width = x.shape
        q, k, v = self.qkv(self.first(x)).split(width, 2)
        q, k, v = (y.view(rows, time, self.heads, width // self.heads).transpose(1, 2) for y in (q, k, v))
        if cache is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            cache[0][:, :, at : at + 1], cache[1][:, :, at : at + 1] = k, v
            y = F.scaled_dot_product_attention(q, cache[0][:, :, : at + 1], cache[1][:, :, : at + 1])
        x = x + self.out(y.transpose(1, 2).reshape(rows, time, width))
        return x + self.down(F.gelu(self.up(self.second(x)), approximate="tanh"))


class Transformer(nn.Module):
    def __init__(self, symbols=256, time=128, width=128, layers=4, heads=4):
        super().__init__()
        self.symbol, self.position = nn.Embedding(symbols, width), nn.Embedding(time, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, symbols, bias=False)

    def forward(self, x, caches=None, at=0):
        positions = torch.arange(at, at + x.shape[1])
        y = self.symbol(x) + self.position(positions)
        for i, block in enumerate(self.blocks):
            y = block(y, caches and caches[i], at)
        return self.head(self.norm(y))


def transformer(_):
    model = Transformer()
    symbols = torch.randint(256, (16, 128))
    following = symbols.roll(-1, 1).flatten()
    optimizer = adam(model.parameters())

    @compiled
    def loss_of():
        return F.cross_entropy(model(symbols).flatten(0, 1), following)

    def step():
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return 1, step


def generate(_):
    model, rows, time = Transformer().eval(), 64, 128
    caches = [torch.zeros(2, rows, 4, time, 32) for _ in range(4)]

    @torch.inference_mode()
    def step():
        last = torch.zeros(rows, 1, dtype=torch.long)
        for at in range(time):
            last = model(last, caches, at)[:, -1].argmax(1, keepdim=True)

    return 1, step


def act(_):
    q = nn.Sequential(nn.Linear(4, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 2))
    x, times = torch.rand(1, 4), 100
    forward = compiled(q)

    @torch.inference_mode()
    def step():
        for _ in range(times):
            forward(x)

    return times, step


def sgemm(_):
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    return 1, lambda: torch.mm(a, b)


WORKS = {
    "W1": dqn,
    "W2": lambda _: critics(10, 0.0),
    "W2b": lambda _: critics(2, 0.0),
    "W3": lambda _: critics(2, 0.01),
    "W4": transformer,
    "W4g": generate,
    "W5": act,
    "sgemm": sgemm,
}
MADE = {}


def answer(request):
    torch.set_num_threads(request["threads"])
    key = (request["work"], request["threads"])
    if key not in MADE:
        if MODE == "compiled":
            torch._dynamo.reset()
        MADE[key] = WORKS[request["work"]](request)
    units, step = MADE[key]
    return measure(request, units, step)


torch.manual_seed(0)
serve(answer)
