//! Every operation's first and second derivatives against finite differences.

mod common;

use common::{check, check_first};
use quire_nn::{Activation, Attention, Categorical, DropoutKey, Normal, TanhCorrection, TanhNormal, Tensor};

const ACTIVATIONS: [Activation; 8] = [
    Activation::None,
    Activation::Relu,
    Activation::Tanh,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::LeakyRelu,
];

#[test]
fn arithmetic() {
    check("add", &[&[2, 3], &[2, 3]], |_, x| x[0] + x[1] * x[1]);
    check("sub", &[&[2, 3], &[2, 3]], |_, x| x[0].square() - x[1] * x[0]);
    check("mul, the same tensor twice", &[&[4]], |_, x| x[0] * x[0] * x[0]);
    check("div", &[&[2, 3], &[2, 3]], |_, x| x[0] / (x[1].square() + 1.0));
    check("scalars", &[&[3]], |_, x| 2.0 / (3.0 - x[0].tanh() * 0.5) + (1.0 + x[0]) / 4.0 - (-x[0]));
    check("minimum", &[&[2, 5], &[2, 5]], |_, x| x[0].minimum(x[1]).square());
    check("maximum", &[&[2, 5], &[5]], |_, x| x[0].maximum(x[1]).square());
}

#[test]
fn broadcasting() {
    check("rows", &[&[2, 3, 4], &[4]], |_, x| x[0] * x[1]);
    check("columns", &[&[2, 3, 4], &[3, 1]], |_, x| x[0] * x[1]);
    check("outer", &[&[3, 1], &[1, 4]], |_, x| (x[0] * x[1]).tanh());
    check("a number", &[&[], &[2, 2]], |_, x| x[0] / (x[1].exp() + 1.0));
    check("middle", &[&[2, 1, 3], &[1, 4, 1]], |_, x| x[0] * x[1]);
    check("broadcast_to", &[&[3, 1]], |_, x| x[0].broadcast_to(&[2, 3, 4]).square());
    check("sum_to", &[&[2, 3, 4]], |_, x| x[0].sum_to(&[3, 1]).square());
}

#[test]
fn functions() {
    check("exp", &[&[5]], |_, x| x[0].exp());
    check("log", &[&[5]], |_, x| (x[0].square() + 0.5).log());
    check("sqrt", &[&[5]], |_, x| (x[0].square() + 0.5).sqrt());
    check("reciprocal", &[&[5]], |_, x| (x[0].square() + 0.5).reciprocal());
    check("square", &[&[5]], |_, x| x[0].square());
    check("pow", &[&[5]], |_, x| (x[0].square() + 0.5).pow(1.7));
    check("pow 3", &[&[5]], |_, x| x[0].pow(3.0));
    check("abs", &[&[5]], |_, x| x[0].abs() * x[0]);
    check("softplus", &[&[5]], |_, x| x[0].softplus());
    check("normal_cdf", &[&[5]], |_, x| x[0].normal_cdf());
    check("leaky_relu", &[&[7]], |_, x| x[0].leaky_relu(0.2).square());
    check("clamp", &[&[9]], |_, x| x[0].clamp(-0.5, 0.8).square());
    check("huber", &[&[9]], |_, x| x[0].huber(0.7));
    check("relu", &[&[9]], |_, x| x[0].relu().square());
    check("tanh", &[&[5]], |_, x| x[0].tanh());
    check("sigmoid", &[&[5]], |_, x| x[0].sigmoid());
    check("silu", &[&[5]], |_, x| x[0].silu());
    check("gelu", &[&[5]], |_, x| x[0].gelu());
    check("gelu_tanh", &[&[5]], |_, x| x[0].gelu_tanh());
}

#[test]
fn closures() {
    check_first("map", &[&[6]], |_, x| x[0].map(|x| x * x.sin(), |x, _| x.sin() + x * x.cos()));
    check_first("zip_map", &[&[2, 3], &[2, 3]], |_, x| {
        x[0].zip_map(x[1], |a, b| a * a * b.exp(), |a, b| 2.0 * a * b.exp(), |a, b| a * a * b.exp())
    });
}

#[test]
fn quantile_regression() {
    fn loss<'g>(x: Tensor<'g, f64>, delta: f64) -> Tensor<'g, f64> {
        let numbers = |step: f64| (0..6).map(|i| (f64::from(i) * step).sin() * 2.0).collect::<Vec<_>>();
        let levels = x.graph().constant(&[3], &[0.1, 0.5, 0.8]);
        x.quantile_huber(levels, x.graph().constant(&[2, 3], &numbers(1.7)), delta)
    }
    check_first("quantile_huber", &[&[2, 3]], |_, x| loss(x[0], 0.7));
    check_first("quantile_huber, without rounding", &[&[2, 3]], |_, x| loss(x[0], 0.0));
    check_first("quantile_huber, wide", &[&[2, 3]], |_, x| loss(x[0], 50.0));
}

#[test]
fn reductions() {
    check("sum", &[&[2, 3]], |_, x| x[0].sum().square());
    check("mean", &[&[2, 3]], |_, x| x[0].mean().exp());
    for axis in ["0", "1", "2"] {
        match axis {
            "0" => check("sum_axis 0", &[&[2, 3, 4]], |_, x| x[0].sum_axis(0, false).square()),
            "1" => check("sum_axis 1", &[&[2, 3, 4]], |_, x| x[0].sum_axis(1, true).square()),
            _ => check("sum_axis 2", &[&[2, 3, 4]], |_, x| x[0].mean_axis(-1, false).square()),
        }
    }
    check("max_axis, rows", &[&[3, 4]], |_, x| x[0].max_axis(-1, false).0.square());
    check("max_axis, columns", &[&[3, 4, 2]], |_, x| x[0].max_axis(1, true).0.square());
    check("softmax", &[&[2, 5]], |_, x| x[0].softmax());
    check("log_softmax", &[&[2, 5]], |_, x| x[0].log_softmax());
    check("logsumexp", &[&[2, 5]], |_, x| x[0].logsumexp(false).square());
    check("logsumexp, kept", &[&[2, 5]], |_, x| x[0] - x[0].logsumexp(true));
}

#[test]
fn shaping() {
    check("reshape", &[&[2, 6]], |_, x| x[0].reshape(&[3, 4]).square());
    check("permute", &[&[2, 3, 4]], |_, x| x[0].permute(&[2, 0, 1]).square());
    check("transpose", &[&[2, 3, 4]], |_, x| x[0].transpose(0, 1).square());
    check("slice", &[&[2, 5, 3]], |_, x| x[0].slice(1, 1..4).square());
    check("slice, leading", &[&[5, 3]], |_, x| x[0].slice(0, 2..4).square());
    check("concat", &[&[2, 3], &[2, 1]], |g, x| g.concat(&[x[0], x[1], x[0]], -1).square());
    check("stack", &[&[2, 3], &[2, 3]], |g, x| g.stack([x[0], x[1]], 1).square());
    check("split", &[&[2, 6]], |_, x| {
        let [a, b, c] = x[0].split(1);
        a * b + c.square()
    });
    check("gather", &[&[2, 3, 4]], |_, x| x[0].gather(&[1usize, 3, 0]).square());
    check("index_select", &[&[4, 3]], |_, x| x[0].index_select(0, &[2u32, 0, 2]).square());
    check("index_select, inner", &[&[2, 4]], |_, x| x[0].index_select(1, &[3u32, 3, 1]).square());
}

#[test]
fn products() {
    check("matmul", &[&[3, 4], &[4, 2]], |_, x| x[0].matmul(x[1]).square());
    check("matmul, batch", &[&[2, 3, 4], &[2, 4, 2]], |_, x| x[0].matmul(x[1]).square());
    check("matmul, one for all", &[&[2, 3, 4], &[4, 2]], |_, x| x[0].matmul(x[1]).square());
    check("matmul, all by one", &[&[3, 4], &[2, 4, 2]], |_, x| x[0].matmul(x[1]).square());
    check("matmul, a transposed", &[&[2, 4, 3], &[2, 4, 2]], |_, x| {
        x[0].matmul_with(x[1], true, false).square()
    });
    check("matmul, b transposed", &[&[2, 3, 4], &[2, 2, 4]], |_, x| {
        x[0].matmul_with(x[1], false, true).square()
    });
    check("matmul, both transposed", &[&[4, 3], &[2, 4]], |_, x| x[0].matmul_with(x[1], true, true).square());
}

#[test]
fn linear_layers() {
    fn ensemble<'g>(x: &[Tensor<'g, f64>], activation: Activation) -> Tensor<'g, f64> {
        x[0].linear(x[1], Some(x[2]), activation).square()
    }
    let shapes: &[&[usize]] = &[&[2, 3, 4], &[2, 4, 5], &[2, 5]];
    check("linear", shapes, |_, x| ensemble(x, Activation::None));
    check("linear, relu", shapes, |_, x| ensemble(x, Activation::Relu));
    check("linear, tanh", shapes, |_, x| ensemble(x, Activation::Tanh));
    check("linear, gelu", shapes, |_, x| ensemble(x, Activation::Gelu));
    check("linear, gelu_tanh", shapes, |_, x| ensemble(x, Activation::GeluTanh));
    check("linear, silu", shapes, |_, x| ensemble(x, Activation::Silu));
    check("linear, sigmoid", shapes, |_, x| ensemble(x, Activation::Sigmoid));
    check("linear, leaky_relu", shapes, |_, x| ensemble(x, Activation::LeakyRelu));
    check("linear, shared input", &[&[3, 4], &[2, 4, 5], &[2, 5]], |_, x| ensemble(x, Activation::Tanh));
    check("linear, one member", &[&[2, 3, 4], &[1, 4, 5], &[1, 5]], |_, x| ensemble(x, Activation::Tanh));
    check("linear, no bias", &[&[3, 4], &[4, 1]], |_, x| x[0].linear(x[1], None, Activation::Silu));
}

#[test]
fn activations_agree_with_the_fused_ones() {
    use quire_nn::Tape;
    let mut tape = Tape::<f64>::new(1);
    let graph = tape.graph();
    let x: Vec<f64> = (-20..=20).map(|i| f64::from(i) * 0.31).collect();
    let x = graph.constant(&[41, 1], &x);
    let one = graph.constant(&[1, 1], &[1.0]);
    for activation in ACTIVATIONS {
        assert_eq!(x.linear(one, None, activation).data(), x.activate(activation).data(), "{activation:?}");
    }
}

#[test]
fn running_sums_and_masks() {
    check("cumsum", &[&[2, 4, 3]], |_, x| x[0].cumsum(1).square());
    check("cumsum, last", &[&[2, 4]], |_, x| x[0].cumsum(-1).square());
    check("where_mask", &[&[4], &[4]], |_, x| {
        x[0].square().where_mask(&[true, false, false, true], x[1].pow(3.0))
    });
    check("masked_fill", &[&[4]], |_, x| x[0].masked_fill(&[true, false, false, true], -3.0).square());
}

#[test]
fn likelihoods() {
    check("log_prob", &[&[3, 5]], |_, x| x[0].log_prob(&[4usize, 0, 2]).square());
    check("cross_entropy", &[&[3, 5]], |_, x| x[0].cross_entropy(&[4usize, 0, 2], None, None));
    check("cross_entropy, weighted", &[&[4, 3]], |_, x| {
        x[0].cross_entropy(&[2usize, 0, 99, 1], Some(99), Some(&[0.5, 2.0, 1.5]))
    });
}

#[test]
fn normalization() {
    fn layer<'g>(x: &[Tensor<'g, f64>], activation: Activation) -> Tensor<'g, f64> {
        x[0].layer_norm(Some(x[1]), Some(x[2]), 1e-3, activation).square()
    }
    let shapes: &[&[usize]] = &[&[2, 3, 5], &[5], &[5]];
    check("layer_norm", shapes, |_, x| layer(x, Activation::None));
    check("layer_norm, relu", shapes, |_, x| layer(x, Activation::Relu));
    check("layer_norm, silu", shapes, |_, x| layer(x, Activation::Silu));
    check("layer_norm, tanh", shapes, |_, x| layer(x, Activation::Tanh));
    check("layer_norm, ensemble", &[&[2, 3, 5], &[2, 5], &[2, 5]], |_, x| layer(x, Activation::Gelu));
    check("layer_norm, bare", &[&[3, 5]], |_, x| {
        x[0].layer_norm(None, None, 1e-3, Activation::None).square()
    });
    check("rms_norm", &[&[3, 5], &[5]], |_, x| x[0].rms_norm(Some(x[1]), 1e-3).square());
    check("rms_norm, bare", &[&[3, 5]], |_, x| x[0].rms_norm(None, 1e-3).square());
    // More rows than a block of the sum over rows.
    check_first("layer_norm, long", &[&[150, 3], &[3], &[3]], |_, x| layer(x, Activation::Silu));
}

#[test]
fn dropout() {
    check("dropout", &[&[4, 6]], |_, x| x[0].dropout(0.4, DropoutKey { stream: 3, step: 4 }).square());
}

#[test]
fn attention() {
    check_first("attention", &[&[2, 5, 6], &[2, 5, 6], &[2, 5, 6]], |_, x| {
        x[0].attention(x[1], x[2], Attention::causal(3)).square()
    });
    check_first("attention, grouped", &[&[1, 5, 8], &[1, 5, 4], &[1, 5, 4]], |_, x| {
        let how = Attention { kv_heads: 2, ..Attention::causal(4) };
        x[0].attention(x[1], x[2], how).square()
    });
    check_first("attention, padded, not causal", &[&[3, 4, 4], &[3, 4, 4], &[3, 4, 4]], |_, x| {
        let how = Attention { causal: false, lengths: Some(&[4, 2, 0]), ..Attention::causal(2) };
        x[0].attention(x[1], x[2], how).square()
    });
    check_first("attention, padded", &[&[2, 4, 4], &[2, 4, 4], &[2, 4, 4]], |_, x| {
        let how = Attention { lengths: Some(&[3, 1]), ..Attention::causal(2) };
        x[0].attention(x[1], x[2], how).square()
    });
    // More queries than a block.
    check_first("attention, long", &[&[1, 70, 2], &[1, 70, 2], &[1, 70, 2]], |_, x| {
        x[0].attention(x[1], x[2], Attention::causal(1)).square()
    });
    check("rotate", &[&[2, 3, 8]], |g, x| x[0].rotate(g.rotary(&[0, 1, 5], 4, 100.0)).square());
}

#[test]
fn images() {
    check_first("conv2d", &[&[2, 3, 6, 5], &[4, 3, 3, 2], &[4]], |_, x| {
        x[0].conv2d(x[1], Some(x[2]), [1, 1], [0, 0]).square()
    });
    check_first("conv2d, stride and padding", &[&[2, 2, 7, 6], &[3, 2, 3, 3]], |_, x| {
        x[0].conv2d(x[1], None, [2, 2], [1, 2]).square()
    });
    check_first("conv2d, many images", &[&[19, 1, 3, 3], &[1, 1, 2, 2]], |_, x| {
        x[0].conv2d(x[1], None, [1, 1], [0, 0]).square()
    });
    check_first("conv2d, stride beyond the kernel", &[&[1, 1, 5, 7], &[1, 1, 1, 2]], |_, x| {
        x[0].conv2d(x[1], None, [2, 3], [0, 1]).square()
    });
    check_first("max_pool2d", &[&[2, 2, 5, 6]], |_, x| x[0].max_pool2d([3, 2], [1, 2]).square());
    check_first("avg_pool2d", &[&[2, 2, 5, 6]], |_, x| x[0].avg_pool2d([3, 2], [1, 2]).square());
    check("upsample2d", &[&[2, 3, 2, 4]], |_, x| x[0].upsample2d([3, 2]).square());
}

#[test]
fn distributions() {
    check("categorical", &[&[3, 4]], |g, x| {
        let d = Categorical::new(x[0]);
        g.stack([d.entropy(), d.log_prob(&[1usize, 3, 0]), d.kl(&Categorical::new(x[0].square()))], 0)
    });
    check("normal", &[&[3, 2], &[2], &[3, 2]], |g, x| {
        let d = Normal::new(x[0], x[1]);
        let other = Normal::new(x[2], x[0]);
        g.stack([d.log_prob(x[2]), d.entropy(), d.sample(x[2]).sum_axis(-1, false), d.kl(&other)], 0)
    });
    check("tanh normal", &[&[3, 2], &[3, 2], &[3, 2]], |g, x| {
        let d = TanhNormal::new(x[0], x[1] * 0.3);
        let (action, log_prob) = d.sample(x[2]);
        g.concat(&[action, log_prob.unsqueeze(-1)], -1)
    });
    check("tanh normal, with epsilon", &[&[3, 2], &[3, 2], &[3, 2]], |_, x| {
        let d = TanhNormal::new(x[0], x[1] * 0.3).with_correction(TanhCorrection::Epsilon);
        d.sample(x[2]).1 + d.log_prob((x[2] * 0.3).tanh())
    });
}
