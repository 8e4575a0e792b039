"""Writes pytorch.json: values and gradients that PyTorch computes, for the parity test in pytorch.rs.

    pip install torch transformers numpy
    python crates/nn/tests/make_pytorch_fixtures.py

Inputs are not stored: number k of input i is sin(0.7 k + 1.3 i + 0.4) + 0.1 (times a case's scale), here and in the
test. The gradient is that of the sum of the output's numbers times weights ((7 k + 3) mod 11) / 5 - 0.9.
"""

import contextlib
import importlib
import json
import math
import pathlib

import torch
import torch.nn.functional as F
import transformers
from torch import distributions as D

torch.set_default_dtype(torch.float64)
CASES = []


def numbers(shape, i, scale=1.0):
    count = math.prod(shape)
    k = torch.arange(count, dtype=torch.float64)
    return (scale * (torch.sin(0.7 * k + 1.3 * i + 0.4) + 0.1)).reshape(shape)


def weigh(y):
    k = torch.arange(y.numel())
    return (y.reshape(-1) * (((7 * k + 3) % 11) / 5.0 - 0.9)).sum()


def flat(t):
    return [float(f"{v:.13g}") for v in t.detach().reshape(-1).tolist()]


def case(name, shapes, f, scale=1.0):
    x = [numbers(s, i, scale).requires_grad_() for i, s in enumerate(shapes)]
    y = f(*x)
    grads = torch.autograd.grad(weigh(y), x, allow_unused=True)
    grads = [torch.zeros_like(a) if g is None else g for a, g in zip(x, grads)]
    CASES.append(
        {
            "name": name,
            "shapes": [list(s) for s in shapes],
            "scale": scale,
            "output_shape": list(y.shape),
            "output": flat(y),
            "gradients": [flat(g) for g in grads],
        }
    )


unary = {
    "exp": torch.exp,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "relu": torch.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "square": torch.square,
    "abs": torch.abs,
    "neg": torch.neg,
    "reciprocal": torch.reciprocal,
    "clamp": lambda x: x.clamp(-0.5, 0.8),
    "normal_cdf": torch.special.ndtr,
    "pow": lambda x: x**3,
    "log": lambda x: torch.log(x.abs() + 0.1),
    "sqrt": lambda x: torch.sqrt(x.abs() + 0.1),
    "huber": lambda x: F.huber_loss(x, torch.zeros_like(x), reduction="none", delta=0.7),
}
for name, f in unary.items():
    case(name, [(3, 5)], f, 2.0)

case("add", [(2, 3, 4), (3, 1)], lambda a, b: a + b)
case("sub", [(2, 3, 4), (4,)], lambda a, b: a - b)
case("mul", [(3, 1), (1, 4)], lambda a, b: a * b)
case("div", [(2, 3), (2, 3)], lambda a, b: a / (b * b + 1))
case("minimum", [(2, 3), (2, 3)], torch.minimum)
case("maximum", [(2, 3), (3,)], torch.maximum)
case("sum", [(2, 3)], lambda x: x.sum())
case("mean", [(2, 3)], lambda x: x.mean())
case("sum_axis", [(2, 3, 4)], lambda x: x.sum(1))
case("mean_axis", [(2, 3, 4)], lambda x: x.mean(-1, keepdim=True))
case("max_axis", [(2, 3, 4)], lambda x: x.max(1).values)
case("cumsum", [(2, 5)], lambda x: x.cumsum(-1))
case("softmax", [(3, 5)], lambda x: x.softmax(-1), 3.0)
case("log_softmax", [(3, 5)], lambda x: x.log_softmax(-1), 3.0)
case("logsumexp", [(3, 5)], lambda x: x.logsumexp(-1), 3.0)
case("matmul", [(2, 3, 4), (2, 4, 5)], torch.matmul)
case("matmul_transposed", [(2, 4, 3), (2, 5, 4)], lambda a, b: a.mT @ b.mT)
case("permute", [(2, 3, 4)], lambda x: x.permute(2, 0, 1))
case("concat", [(2, 3), (2, 2)], lambda a, b: torch.cat([a, b], 1))
case("stack", [(2, 3), (2, 3)], lambda a, b: torch.stack([a, b], 1))
case("slice", [(2, 5)], lambda x: x[:, 1:4])
case("gather", [(3, 4)], lambda x: x.gather(1, torch.tensor([[1], [3], [0]])).squeeze(1))
case("index_select", [(4, 3)], lambda x: x.index_select(0, torch.tensor([2, 0, 2])))
case("embedding", [(5, 3)], lambda w: F.embedding(torch.tensor([4, 1, 1, 0]), w))
mask = torch.tensor([True, False, False, True])
case("where_mask", [(4,), (4,)], lambda a, b: torch.where(mask, a, b))
case("masked_fill", [(4,)], lambda a: a.masked_fill(mask, -3.0))

classes = torch.tensor([4, 0, 2])
case("log_prob", [(3, 5)], lambda x: x.log_softmax(-1).gather(1, classes[:, None]).squeeze(1), 3.0)
case("cross_entropy", [(3, 5)], lambda x: F.cross_entropy(x, classes), 3.0)
weights = torch.tensor([0.5, 2.0, 1.5])
case(
    "cross_entropy_weighted",
    [(4, 3)],
    lambda x: F.cross_entropy(x, torch.tensor([2, 0, 99, 1]), weight=weights, ignore_index=99),
    3.0,
)

case("linear", [(3, 4), (4, 5), (5,)], lambda x, w, b: F.linear(x, w.mT, b))
case("linear_relu", [(3, 4), (4, 5), (5,)], lambda x, w, b: torch.relu(F.linear(x, w.mT, b)))
case(
    "linear_ensemble_gelu",
    [(2, 3, 4), (2, 4, 5), (2, 5)],
    lambda x, w, b: F.gelu(torch.baddbmm(b[:, None], x, w)),
)
case("layer_norm", [(3, 6), (6,), (6,)], lambda x, w, b: F.layer_norm(x, (6,), w, b, 1e-5))
case("layer_norm_relu", [(3, 6), (6,), (6,)], lambda x, w, b: torch.relu(F.layer_norm(x, (6,), w, b, 1e-5)))
case("rms_norm", [(3, 6), (6,)], lambda x, w: F.rms_norm(x, (6,), w, 1e-6))


def heads(x, n):
    return x.unflatten(-1, (n, -1)).transpose(1, 2)


def attention(q, k, v, hq, hk, **how):
    q, k, v = heads(q, hq), heads(k, hk), heads(v, hk)
    y = F.scaled_dot_product_attention(q, k, v, enable_gqa=True, **how)
    return y.transpose(1, 2).flatten(2)


case("attention", [(2, 5, 6)] * 3, lambda q, k, v: attention(q, k, v, 3, 3, is_causal=True))
case("attention_grouped", [(2, 5, 8), (2, 5, 4), (2, 5, 4)], lambda q, k, v: attention(q, k, v, 4, 2, is_causal=True))
lengths = torch.tensor([4, 2])
seen = (torch.arange(4)[None] < lengths[:, None])[:, None, None, :]
real = (torch.arange(4)[None] < lengths[:, None])[:, :, None]
case("attention_padded", [(2, 4, 4)] * 3, lambda q, k, v: attention(q, k, v, 2, 2, attn_mask=seen) * real)

case("conv2d", [(2, 3, 7, 6), (4, 3, 3, 2), (4,)], lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 0)))
case("max_pool2d", [(2, 2, 5, 6)], lambda x: F.max_pool2d(x, (3, 2), (1, 2)))
case("avg_pool2d", [(2, 2, 5, 6)], lambda x: F.avg_pool2d(x, (3, 2), (1, 2)))


def tanh_normal(mean, log_std, noise):
    std = (0.3 * log_std).exp()
    d = D.TransformedDistribution(D.Normal(mean, std), [D.TanhTransform(cache_size=1)])
    action = torch.tanh(mean + std * noise)
    u = mean + std * noise
    log_prob = D.Normal(mean, std).log_prob(u) - D.TanhTransform().log_abs_det_jacobian(u, action)
    del d
    return torch.cat([action, log_prob.sum(-1, keepdim=True)], -1)


case("tanh_normal", [(3, 2)] * 3, tanh_normal)
case("normal_log_prob", [(3, 2), (2,), (3, 2)], lambda m, s, x: D.Normal(m, s.exp()).log_prob(x).sum(-1))
case("normal_entropy", [(3, 2), (2,)], lambda m, s: D.Normal(m, s.exp()).entropy().sum(-1))
case(
    "normal_kl",
    [(3, 2), (3, 2), (3, 2), (3, 2)],
    lambda a, s, b, t: D.kl_divergence(D.Normal(a, s.exp()), D.Normal(b, t.exp())).sum(-1),
)
case("categorical_entropy", [(3, 4)], lambda x: D.Categorical(logits=x).entropy(), 2.0)
case(
    "categorical_kl",
    [(3, 4), (3, 4)],
    lambda x, y: D.kl_divergence(D.Categorical(logits=x), D.Categorical(logits=y)),
    2.0,
)


def dqn(w0, b0, w1, b1):
    x = numbers((6, 4), 9)
    q = torch.tanh(x @ w0 + b0) @ w1 + b1
    taken = q.gather(1, (torch.arange(6) % 3)[:, None]).squeeze(1)
    return F.smooth_l1_loss(taken, numbers((6,), 10, 2.0))


case("dqn_loss", [(4, 5), (5,), (5, 3), (3,)], dqn)


def second(x, w):
    y = torch.tanh(x @ w).pow(2).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    return (g.pow(2).sum(-1) + 1e-6).sqrt()


case("gradient_penalty", [(3, 4), (4, 5)], second)

# Whole transformers, against Hugging Face's implementation. Parameters are numbered in the order of our registration.
# Their code rounds normalizations and rotations to single precision on the way; here it is made to keep all digits.
TRANSFORMERS = []


class Double:
    """The module torch, in which float32 is float64."""

    float32 = torch.float64
    float = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


torch.Tensor.float = torch.Tensor.double
for modeling in ("llama", "qwen2", "qwen3", "gpt2"):
    module = importlib.import_module(f"transformers.models.{modeling}.modeling_{modeling}")
    module.torch = Double()
    module.maybe_autocast = lambda **_: contextlib.nullcontext()
SYMBOLS = torch.tensor([[1, 4, 2, 7, 0], [3, 3, 6, 5, 1]])


def transformer(name, model, ours):
    state = dict(model.named_parameters())
    assert len(ours) == len(state), (sorted(n for _, n, _ in ours), sorted(state))
    with torch.no_grad():
        for i, (_, theirs, transpose) in enumerate(ours):
            p = state[theirs]
            shape = tuple(p.shape[::-1]) if transpose else tuple(p.shape)
            values = numbers(shape, i, 0.3) + (1.0 if p.dim() == 1 and theirs.endswith("weight") else 0.0)
            p.copy_(values.mT if transpose else values)
    logits = model(SYMBOLS).logits
    loss = F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), SYMBOLS[:, 1:].reshape(-1))
    grads = torch.autograd.grad(loss, [state[theirs] for _, theirs, _ in ours])
    TRANSFORMERS.append(
        {
            "name": name,
            "parameters": [ours_name for ours_name, _, _ in ours],
            "logits": flat(logits),
            "loss": float(loss.detach()),
            "gradients": [flat(g.mT if t else g) for g, (_, _, t) in zip(grads, ours)],
        }
    )


def llama_names(layers, qkv_bias, qk_norm):
    names = [("embedding.weight", "model.embed_tokens.weight", False)]
    for i in range(layers):
        at = f"model.layers.{i}"

        def add(ours, theirs, transpose):
            names.append((f"blocks.{i}.{ours}", f"{at}.{theirs}", transpose))

        add("attention_norm.weight", "input_layernorm.weight", False)
        for ours, theirs in (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj")):
            add(f"{ours}.weight", f"self_attn.{theirs}.weight", True)
            if qkv_bias:
                add(f"{ours}.bias", f"self_attn.{theirs}.bias", False)
        if qk_norm:
            add("query_norm.weight", "self_attn.q_norm.weight", False)
            add("key_norm.weight", "self_attn.k_norm.weight", False)
        add("output.weight", "self_attn.o_proj.weight", True)
        add("feed_norm.weight", "post_attention_layernorm.weight", False)
        add("gate.weight", "mlp.gate_proj.weight", True)
        add("up.weight", "mlp.up_proj.weight", True)
        add("down.weight", "mlp.down_proj.weight", True)
    names.append(("norm.weight", "model.norm.weight", False))
    names.append(("head.weight", "lm_head.weight", True))
    return names


common = dict(
    vocab_size=8,
    hidden_size=8,
    intermediate_size=12,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=16,
    tie_word_embeddings=False,
    rms_norm_eps=1e-6,
    attn_implementation="eager",
)
llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(**common)).double()
transformer("llama", llama, llama_names(2, False, False))
qwen2 = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**common)).double()
transformer("qwen2", qwen2, llama_names(2, True, False))
qwen3 = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(head_dim=4, **common)).double()
transformer("qwen3", qwen3, llama_names(2, False, True))


def split_qkv(model):
    """GPT-2 keeps queries, keys and values in one weight; its gradient is cut up afterwards."""
    names = [("embedding.weight", "transformer.wte.weight", None), ("positions", "transformer.wpe.weight", None)]
    for i in range(model.config.n_layer):
        at = f"transformer.h.{i}"
        names.append((f"blocks.{i}.attention_norm.weight", f"{at}.ln_1.weight", None))
        names.append((f"blocks.{i}.attention_norm.bias", f"{at}.ln_1.bias", None))
        for j, part in enumerate(("query", "key", "value")):
            names.append((f"blocks.{i}.{part}.weight", f"{at}.attn.c_attn.weight", j))
            names.append((f"blocks.{i}.{part}.bias", f"{at}.attn.c_attn.bias", j))
        for ours, theirs in (("output", "attn.c_proj"), ("feed_norm", "ln_2"), ("up", "mlp.c_fc"), ("down", "mlp.c_proj")):
            names.append((f"blocks.{i}.{ours}.weight", f"{at}.{theirs}.weight", None))
            names.append((f"blocks.{i}.{ours}.bias", f"{at}.{theirs}.bias", None))
    names.append(("norm.weight", "transformer.ln_f.weight", None))
    names.append(("norm.bias", "transformer.ln_f.bias", None))
    return names


gpt2 = transformers.GPT2LMHeadModel(
    transformers.GPT2Config(
        vocab_size=8, n_positions=16, n_embd=8, n_layer=2, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
        attn_implementation="eager",
    )
).double()
names = split_qkv(gpt2)
state = dict(gpt2.named_parameters())


def part(tensor, j):
    return tensor if j is None else tensor.chunk(3, -1)[j]


with torch.no_grad():
    for i, (_, theirs, j) in enumerate(names):
        p = part(state[theirs], j)
        one = 1.0 if p.dim() == 1 and theirs.endswith("weight") else 0.0
        p.copy_(numbers(tuple(p.shape), i, 0.3) + one)
logits = gpt2(SYMBOLS).logits
loss = F.cross_entropy(logits[:, :-1].reshape(-1, 8), SYMBOLS[:, 1:].reshape(-1))
grads = dict(zip(state, torch.autograd.grad(loss, list(state.values()))))
TRANSFORMERS.append(
    {
        "name": "gpt2",
        "parameters": [ours for ours, _, _ in names],
        "logits": flat(logits),
        "loss": float(loss.detach()),
        "gradients": [flat(part(grads[theirs], j)) for _, theirs, j in names],
    }
)

out = pathlib.Path(__file__).with_name("pytorch.json")
document = {
    "torch": torch.__version__,
    "transformers": transformers.__version__,
    "symbols": SYMBOLS.reshape(-1).tolist(),
    "cases": CASES,
    "models": TRANSFORMERS,
}
out.write_text(json.dumps(document, separators=(",", ":")) + "\n")
print(out, out.stat().st_size, "bytes,", len(CASES), "cases")
