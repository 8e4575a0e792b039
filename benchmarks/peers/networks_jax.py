"""The works W1 to W5 in JAX: jitted, several training steps in one `lax.scan`. The number of cores is the process's."""

import jax
import jax.numpy as jnp

from worker import measure, serve


def adam(params, m, v, grads, t, rate=3e-4):
    c1, c2 = 1 - 0.9**t, 1 - 0.999**t
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
    params = jax.tree.map(lambda p, m, v: p - rate * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), params, m, v)
    return params, m, v


def polyak(target, params):
    return jax.tree.map(lambda t, p: t + 0.005 * (p - t), target, params)


def weights(key, members, sizes, norm=False):
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        key, sub = jax.random.split(key)
        layer = {"w": jax.random.uniform(sub, (members, i, o), minval=-1, maxval=1) / i**0.5, "b": jnp.zeros((members, 1, o))}
        if norm and o != sizes[-1]:
            layer |= {"g": jnp.ones((members, 1, o)), "s": jnp.zeros((members, 1, o))}
        layers.append(layer)
    return layers


def normalize(x, gain, shift):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * gain + shift


def forward(layers, x, key=None, dropout=0.0):
    for i, layer in enumerate(layers):
        x = jnp.matmul(x, layer["w"]) + layer["b"]
        if i < len(layers) - 1:
            if dropout:
                key, sub = jax.random.split(key)
                x = jnp.where(jax.random.bernoulli(sub, 1 - dropout, x.shape), x / (1 - dropout), 0)
                x = normalize(x, layer["g"], layer["s"])
            x = jax.nn.relu(x)
    return x


def scanned(loss, params, target, times):
    """A function that makes `times` training steps, and its state."""

    def step(state, _):
        params, target, m, v, t, key = state
        key, sub = jax.random.split(key)
        grads = jax.grad(loss)(params, target, sub)
        params, m, v = adam(params, m, v, grads, t)
        return (params, target if target is None else polyak(target, params), m, v, t + 1, key), None

    zeros = jax.tree.map(jnp.zeros_like, params)
    state = (params, target, zeros, zeros, 1.0, jax.random.key(0))
    run = jax.jit(lambda state: jax.lax.scan(step, state, None, times)[0])

    def call():
        nonlocal state
        state = jax.block_until_ready(run(state))

    return times, call


def dqn():
    batch, key = 128, jax.random.key(0)
    params = weights(key, 1, [4, 120, 84, 2])
    now, later = jax.random.uniform(key, (2, 1, batch, 4))
    rewards, actions = jax.random.uniform(key, (batch,)), jnp.arange(batch) % 2

    def loss(params, target, _):
        best = forward(params, later)[0].argmax(1)
        y = rewards + 0.99 * jnp.take_along_axis(forward(target, later)[0], best[:, None], 1)[:, 0]
        error = jnp.take_along_axis(forward(params, now)[0], actions[:, None], 1)[:, 0] - jax.lax.stop_gradient(y)
        return jnp.where(abs(error) < 1, 0.5 * error**2, abs(error) - 0.5).mean()

    return scanned(loss, params, params, 50)


def critics(members, dropout):
    batch, key = 256, jax.random.key(0)
    params = weights(key, members, [23, 256, 256, 1], dropout > 0)
    now, later = jax.random.uniform(key, (2, 1, batch, 23))
    rewards = jax.random.uniform(key, (batch, 1))

    def loss(params, target, key):
        first, second, third = jax.random.split(key, 3)
        if members > 2:
            two = jax.random.choice(first, members, (2,), replace=False)
            target = jax.tree.map(lambda w: w[two], target)
        y = rewards + 0.99 * forward(target, later, second, dropout).min(0)
        return ((forward(params, now, third, dropout) - jax.lax.stop_gradient(y)) ** 2).mean() * members

    return scanned(loss, params, params, 10)


WIDTH, HEADS, LAYERS, TIME, SYMBOLS = 128, 4, 4, 128, 256


def gpt(key):
    def linear(i, o):
        nonlocal key
        key, sub = jax.random.split(key)
        return {"w": jax.random.normal(sub, (i, o)) * 0.02, "b": jnp.zeros(o)}

    def norm():
        return {"g": jnp.ones(WIDTH), "s": jnp.zeros(WIDTH)}

    blocks = [
        {
            "first": norm(), "second": norm(), "qkv": linear(WIDTH, 3 * WIDTH), "out": linear(WIDTH, WIDTH),
            "up": linear(WIDTH, 4 * WIDTH), "down": linear(4 * WIDTH, WIDTH),
        }
        for _ in range(LAYERS)
    ]
    table = jax.random.normal(key, (SYMBOLS + TIME, WIDTH)) * 0.02
    return {"blocks": blocks, "symbol": table[:SYMBOLS], "position": table[SYMBOLS:], "norm": norm(), "head": linear(WIDTH, SYMBOLS)["w"]}


def block(p, x, attend):
    apply = lambda layer, x: x @ layer["w"] + layer["b"]
    heads = lambda y: y.reshape(*y.shape[:2], HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)
    q, k, v = map(heads, jnp.split(apply(p["qkv"], normalize(x, p["first"]["g"], p["first"]["s"])), 3, -1))
    y, kept = attend(q, k, v)
    x = x + apply(p["out"], y.transpose(0, 2, 1, 3).reshape(x.shape))
    hidden = jax.nn.gelu(apply(p["up"], normalize(x, p["second"]["g"], p["second"]["s"])))
    return x + apply(p["down"], hidden), kept


def attention(q, k, v, seen):
    scores = q @ k.swapaxes(-1, -2) / (WIDTH // HEADS) ** 0.5
    return jax.nn.softmax(jnp.where(seen, scores, -1e30), -1) @ v


def transformer():
    symbols = jax.random.randint(jax.random.key(1), (16, TIME), 0, SYMBOLS)
    following = jnp.roll(symbols, -1, 1)
    causal = jnp.tril(jnp.ones((TIME, TIME), bool))

    def loss(p, _target, _key):
        x = p["symbol"][symbols] + p["position"]
        for b in p["blocks"]:
            x, _ = block(b, x, lambda q, k, v: (attention(q, k, v, causal), None))
        logits = normalize(x, p["norm"]["g"], p["norm"]["s"]) @ p["head"]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), following[..., None], -1).mean()

    return scanned(loss, gpt(jax.random.key(0)), None, 2)


def generate():
    rows, p = 64, gpt(jax.random.key(0))

    def write(state, at):
        last, caches = state
        x = (p["symbol"][last] + p["position"][at])[:, None]
        seen, kept = jnp.arange(TIME) <= at, []
        for b, (keys, values) in zip(p["blocks"], caches):

            def attend(q, k, v, keys=keys, values=values):
                keys = jax.lax.dynamic_update_slice(keys, k, (0, 0, at, 0))
                values = jax.lax.dynamic_update_slice(values, v, (0, 0, at, 0))
                return attention(q, keys, values, seen), (keys, values)

            x, cache = block(b, x, attend)
            kept.append(cache)
        logits = normalize(x[:, 0], p["norm"]["g"], p["norm"]["s"]) @ p["head"]
        return (logits.argmax(-1).astype(jnp.int32), kept), None

    zeros = jnp.zeros((rows, HEADS, TIME, WIDTH // HEADS))
    start = (jnp.zeros(rows, jnp.int32), [(zeros, zeros)] * LAYERS)
    run = jax.jit(lambda start: jax.lax.scan(write, start, jnp.arange(TIME))[0][0])
    return 1, lambda: jax.block_until_ready(run(start))


def act():
    params, x = weights(jax.random.key(0), 1, [4, 120, 84, 2]), jnp.ones((1, 1, 4))
    q = jax.jit(forward)

    def step():
        for _ in range(100):
            q(params, x).block_until_ready()

    return 100, step


def sgemm():
    a = jax.random.uniform(jax.random.key(0), (1024, 1024))
    product = jax.jit(jnp.matmul)
    return 1, lambda: product(a, a).block_until_ready()


WORKS = {
    "W1": dqn, "W2": lambda: critics(10, 0.0), "W2b": lambda: critics(2, 0.0), "W3": lambda: critics(2, 0.01),
    "W4": transformer, "W4g": generate, "W5": act, "sgemm": sgemm,
}
MADE = {}


def answer(request):
    if request["work"] not in MADE:
        MADE[request["work"]] = WORKS[request["work"]]()
    units, step = MADE[request["work"]]
    return measure(request, units, step)


serve(answer)
