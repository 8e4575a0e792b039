//! Values and gradients against numbers that PyTorch and Hugging Face transformers printed (see
//! `make_pytorch_fixtures.py`; the versions stand in `pytorch.json`), in double and in single precision.

use quire_core::Seeds;
use quire_nn::{
    Activation, Attention, Categorical, CausalTransformer, Float, Graph, Init, Normal, Params, Positions,
    TanhNormal, Tape, Tensor, TransformerConfig,
};
use serde_json::Value;

/// Input `i` of a case: the same formula as in the script.
fn numbers(len: usize, i: usize, scale: f64) -> Vec<f64> {
    (0..len).map(|k| scale * ((0.7 * k as f64 + 1.3 * i as f64 + 0.4).sin() + 0.1)).collect()
}

fn convert<F: Float>(values: &[f64]) -> Vec<F> {
    values.iter().map(|&x| F::from_f64(x)).collect()
}

fn weigh<F: Float>(y: Tensor<'_, F>) -> Tensor<'_, F> {
    let weights: Vec<F> = (0..y.len()).map(|k| F::from_f64(((7 * k + 3) % 11) as f64 / 5.0 - 0.9)).collect();
    (y * y.graph().constant(y.shape(), &weights)).sum()
}

/// Our form of a case.
fn expression<'g, F: Float>(name: &str, g: Graph<'g, F>, x: &[Tensor<'g, F>]) -> Tensor<'g, F> {
    let mask = [true, false, false, true];
    match name {
        "exp" => x[0].exp(),
        "tanh" => x[0].tanh(),
        "sigmoid" => x[0].sigmoid(),
        "softplus" => x[0].softplus(),
        "relu" => x[0].relu(),
        "leaky_relu" => x[0].leaky_relu(0.2),
        "silu" => x[0].silu(),
        "gelu" => x[0].gelu(),
        "gelu_tanh" => x[0].gelu_tanh(),
        "square" => x[0].square(),
        "abs" => x[0].abs(),
        "neg" => -x[0],
        "reciprocal" => x[0].reciprocal(),
        "clamp" => x[0].clamp(-0.5, 0.8),
        "normal_cdf" => x[0].normal_cdf(),
        "pow" => x[0].pow(3.0),
        "log" => (x[0].abs() + 0.1).log(),
        "sqrt" => (x[0].abs() + 0.1).sqrt(),
        "huber" => x[0].huber(0.7),
        "add" => x[0] + x[1],
        "sub" => x[0] - x[1],
        "mul" => x[0] * x[1],
        "div" => x[0] / (x[1] * x[1] + 1.0),
        "minimum" => x[0].minimum(x[1]),
        "maximum" => x[0].maximum(x[1]),
        "sum" => x[0].sum(),
        "mean" => x[0].mean(),
        "sum_axis" => x[0].sum_axis(1, false),
        "mean_axis" => x[0].mean_axis(-1, true),
        "max_axis" => x[0].max_axis(1, false).0,
        "cumsum" => x[0].cumsum(-1),
        "softmax" => x[0].softmax(),
        "log_softmax" => x[0].log_softmax(),
        "logsumexp" => x[0].logsumexp(false),
        "matmul" => x[0].matmul(x[1]),
        "matmul_transposed" => x[0].matmul_with(x[1], true, true),
        "permute" => x[0].permute(&[2, 0, 1]),
        "concat" => g.concat(&[x[0], x[1]], 1),
        "stack" => g.stack([x[0], x[1]], 1),
        "slice" => x[0].slice(1, 1..4),
        "gather" => x[0].gather(&[1usize, 3, 0]),
        "index_select" => x[0].index_select(0, &[2usize, 0, 2]),
        "embedding" => x[0].index_select(0, &[4u32, 1, 1, 0]),
        "where_mask" => x[0].where_mask(&mask, x[1]),
        "masked_fill" => x[0].masked_fill(&mask, -3.0),
        "log_prob" => x[0].log_prob(&[4usize, 0, 2]),
        "cross_entropy" => x[0].cross_entropy(&[4usize, 0, 2], None, None),
        "cross_entropy_weighted" => x[0].cross_entropy(&[2usize, 0, 99, 1], Some(99), Some(&[0.5, 2.0, 1.5])),
        "linear" => x[0].linear(x[1], Some(x[2]), Activation::None),
        "linear_relu" => x[0].linear(x[1], Some(x[2]), Activation::Relu),
        "linear_ensemble_gelu" => x[0].linear(x[1], Some(x[2]), Activation::Gelu),
        "layer_norm" => x[0].layer_norm(Some(x[1]), Some(x[2]), 1e-5, Activation::None),
        "layer_norm_relu" => x[0].layer_norm(Some(x[1]), Some(x[2]), 1e-5, Activation::Relu),
        "rms_norm" => x[0].rms_norm(Some(x[1]), 1e-6),
        "attention" => x[0].attention(x[1], x[2], Attention::causal(3)),
        "attention_grouped" => x[0].attention(x[1], x[2], Attention { kv_heads: 2, ..Attention::causal(4) }),
        "attention_padded" => {
            let how = Attention { causal: false, lengths: Some(&[4, 2]), ..Attention::causal(2) };
            x[0].attention(x[1], x[2], how)
        }
        "conv2d" => x[0].conv2d(x[1], Some(x[2]), [2, 1], [1, 0]),
        "max_pool2d" => x[0].max_pool2d([3, 2], [1, 2]),
        "avg_pool2d" => x[0].avg_pool2d([3, 2], [1, 2]),
        "tanh_normal" => {
            let (action, log_prob) = TanhNormal::new(x[0], x[1] * 0.3).sample(x[2]);
            g.concat(&[action, log_prob.unsqueeze(-1)], -1)
        }
        "normal_log_prob" => Normal::new(x[0], x[1]).log_prob(x[2]),
        "normal_entropy" => Normal::new(x[0], x[1]).entropy(),
        "normal_kl" => Normal::new(x[0], x[1]).kl(&Normal::new(x[2], x[3])),
        "categorical_entropy" => Categorical::new(x[0]).entropy(),
        "categorical_kl" => Categorical::new(x[0]).kl(&Categorical::new(x[1])),
        "dqn_loss" => {
            let input = g.constant(&[6, 4], &convert(&numbers(24, 9, 1.0)));
            let targets = g.constant(&[6], &convert(&numbers(6, 10, 2.0)));
            let hidden = input.linear(x[0], Some(x[1]), Activation::Tanh);
            let q = hidden.linear(x[2], Some(x[3]), Activation::None);
            (q.gather(&[0usize, 1, 2, 0, 1, 2]) - targets).huber(1.0).mean()
        }
        "gradient_penalty" => {
            let y = x[0].linear(x[1], None, Activation::Tanh).square().sum();
            let [slope] = y.grad(&[x[0]]);
            (slope.square().sum_axis(-1, false) + 1e-6).sqrt()
        }
        _ => panic!("the fixture `{name}` has no counterpart here: add it to `expression`"),
    }
}

fn fixtures() -> Value {
    serde_json::from_str(include_str!("pytorch.json")).unwrap()
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect()
}

fn assert_close<F: Float>(what: &str, got: &[F], wanted: &[f64], tolerance: f64) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    let largest = wanted.iter().fold(1.0f64, |m, w| m.max(w.abs()));
    for (k, (g, w)) in got.iter().zip(wanted).enumerate() {
        let error = (g.to_f64() - w).abs();
        assert!(error <= tolerance * largest, "{what}: number {k} is {g}, PyTorch says {w}");
    }
}

fn check_operations<F: Float>(tolerance: f64) {
    let fixtures = fixtures();
    let cases = fixtures["cases"].as_array().unwrap();
    assert!(cases.len() >= 60);
    let mut tape = Tape::<F>::new(1);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let scale = case["scale"].as_f64().unwrap();
        let mut params = Params::<F>::new();
        let views: Vec<_> = case["shapes"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .map(|(i, shape)| {
                let mut rng = Seeds::new(0).stream("unused");
                let view = params.add(format!("{i}"), &sizes(shape), Init::Zeros, &mut rng);
                params.view_mut(view).copy_from_slice(&convert(&numbers(view.len(), i, scale)));
                view
            })
            .collect();
        let graph = tape.graph();
        let inputs: Vec<_> = views.iter().map(|view| graph.param(&params, *view)).collect();
        let y = expression(name, graph, &inputs);
        assert_eq!(y.shape(), sizes(&case["output_shape"]), "{name}");
        assert_close(name, y.data(), &list(&case["output"]), tolerance);
        let mut gradient = vec![F::ZERO; params.len()];
        weigh(y).gradient(&params, &mut gradient);
        for (i, (view, wanted)) in views.iter().zip(case["gradients"].as_array().unwrap()).enumerate() {
            let what = format!("{name}, gradient of input {i}");
            assert_close(&what, &gradient[view.range()], &list(wanted), tolerance);
        }
    }
}

#[test]
fn operations_in_double_precision() {
    check_operations::<f64>(1e-10);
}

#[test]
fn operations_in_single_precision() {
    check_operations::<f32>(1e-5);
}

fn config(name: &str) -> TransformerConfig {
    let llama = TransformerConfig {
        kv_heads: 2,
        hidden: 12,
        positions: Positions::Rotary { base: 10_000.0 },
        ..TransformerConfig::llama(8, 16, 8, 2, 4)
    };
    match name {
        "llama" => llama,
        "qwen2" => TransformerConfig { qkv_bias: true, ..llama },
        "qwen3" => TransformerConfig { qk_norm: true, head_width: 4, ..llama },
        "gpt2" => TransformerConfig::gpt2(8, 16, 8, 2, 2),
        _ => panic!("the model `{name}` has no counterpart here"),
    }
}

fn check_models<F: Float>(tolerance: f64) {
    let fixtures = fixtures();
    let symbols = sizes(&fixtures["symbols"]);
    let models = fixtures["models"].as_array().unwrap();
    assert_eq!(models.len(), 4);
    for model in models {
        let name = model["name"].as_str().unwrap();
        let mut rng = Seeds::new(0).stream("unused");
        let mut params = Params::<F>::new();
        let transformer = CausalTransformer::new(&mut params, "m", &config(name), &mut rng).unwrap();
        let names: Vec<_> =
            model["parameters"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        let ours: Vec<_> = params.layout().map(|(name, view)| (name[2..].to_owned(), view)).collect();
        assert_eq!(ours.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names, "{name}");
        for (i, (part, view)) in ours.iter().enumerate() {
            // Vectors that scale (those of normalizations) start around 1.
            let one = if part.contains("norm") && part.ends_with("weight") { 1.0 } else { 0.0 };
            let values: Vec<f64> = numbers(view.len(), i, 0.3).iter().map(|x| x + one).collect();
            params.view_mut(*view).copy_from_slice(&convert(&values));
        }
        let mut tape = Tape::<F>::new(1);
        let graph = tape.graph();
        let logits = transformer.forward(graph, &params, &symbols, 2, None, None);
        assert_close(name, logits.data(), &list(&model["logits"]), tolerance);
        let next: Vec<usize> = symbols.chunks(5).flat_map(|row| row[1..].to_vec()).collect();
        let loss = logits.slice(1, 0..4).reshape(&[8, 8]).cross_entropy(&next, None, None);
        assert_close(name, loss.data(), &[model["loss"].as_f64().unwrap()], tolerance);
        let mut gradient = vec![F::ZERO; params.len()];
        loss.gradient(&params, &mut gradient);
        for ((part, view), wanted) in ours.iter().zip(model["gradients"].as_array().unwrap()) {
            assert_close(&format!("{name}, {part}"), &gradient[view.range()], &list(wanted), tolerance);
        }
        // Generating with kept keys and values gives the same logits.
        let mut cache = transformer.cache(2, 6);
        let prompts: Vec<usize> = symbols.chunks(5).flat_map(|row| row[..3].to_vec()).collect();
        let graph = tape.graph();
        let whole = list(&model["logits"]);
        let after = transformer.prefill(graph, &params, &prompts, &[3, 2], &mut cache);
        assert_close(name, &after.data()[..8], &whole[2 * 8..3 * 8], tolerance);
        assert_close(name, &after.data()[8..], &whole[6 * 8..7 * 8], tolerance);
        let after = transformer.step(graph, &params, &[symbols[3], symbols[7]], &mut cache);
        assert_close(name, &after.data()[..8], &whole[3 * 8..4 * 8], tolerance);
        assert_close(name, &after.data()[8..], &whole[7 * 8..8 * 8], tolerance);
        cache.select(&[1, 1]);
        assert_eq!(cache.lengths(), [3, 3]);
        let after = transformer.step(graph, &params, &[symbols[8], symbols[8]], &mut cache);
        assert_close(name, &after.data()[..8], &whole[8 * 8..9 * 8], tolerance);
        assert_eq!(after.data()[..8], after.data()[8..]);
    }
}

#[test]
fn transformers_in_double_precision() {
    check_models::<f64>(1e-9);
}

#[test]
fn transformers_in_single_precision() {
    check_models::<f32>(2e-5);
}
