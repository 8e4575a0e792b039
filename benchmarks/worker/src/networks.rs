//! Training steps of small networks, generation, and one observation through a network.
//!
//! A training step is everything a learner does with a batch: targets, forward pass, loss, backward pass, Adam and, where
//! the method has one, the Polyak average of the target network.

use std::hint::black_box;

use quire_core::{Result, Seeds};
use quire_nn::{
    CausalTransformer, DropoutKey, Init, Mlp, MlpConfig, Params, Scratch, Tape, Tensor, TransformerConfig,
};
use quire_optim::{Optimizer, OptimizerOptions, OptimizerSetting};
use quire_rl::network::layout;
use serde_json::Value;

use crate::work::{Request, Work, noise};

/// The works of this file.
pub fn works() -> Vec<Work> {
    vec![
        Work { name: "W1", summary: "DQN 4-120-84-2, batch 128, double target: a training step", run: dqn },
        Work {
            name: "W2",
            summary: "10 critics 23-256-256-1, batch 256, least of 2 targets (REDQ): a training step",
            run: |request| critics(request, 10, 0.0),
        },
        Work {
            name: "W2b",
            summary: "2 critics 23-256-256-1, batch 256 (SAC): a training step",
            run: |request| critics(request, 2, 0.0),
        },
        Work {
            name: "W3",
            summary: "2 critics with dropout and LayerNorm (DroQ): a training step",
            run: |request| critics(request, 2, 0.01),
        },
        Work {
            name: "W4",
            summary: "transformer of 4 layers, width 128, context 128, batch 16: a training step",
            run: transformer,
        },
        Work {
            name: "W4g",
            summary: "the same transformer writes 128 symbols in 64 rows with a cache",
            run: generate,
        },
        Work { name: "W5", summary: "one observation through 4-120-84-2", run: act },
        Work { name: "sgemm", summary: "product of two 1024 x 1024 matrices", run: sgemm },
    ]
}

/// A perceptron; with dropout, also with layer normalization.
fn mlp(sizes: &[usize], ensemble: usize, dropout: f64) -> (Params<f32>, Mlp) {
    let mut params = Params::new();
    let config = MlpConfig {
        sizes: sizes.to_vec(),
        ensemble,
        dropout,
        layer_norm: dropout > 0.0,
        ..MlpConfig::default()
    };
    let mlp = Mlp::new(&mut params, "mlp", &config, &mut Seeds::new(1).stream("init"));
    (params, mlp)
}

fn adam(params: &Params<f32>, tape: &Tape<f32>) -> Result<Box<dyn Optimizer>> {
    let setting = OptimizerSetting::without_noise().with_pool(tape.pool());
    OptimizerOptions::adam(3e-4).build(&layout(params), &setting)
}

fn dqn(request: &Request) -> Result<Value> {
    const BATCH: usize = 128;
    let (mut params, q) = mlp(&[4, 120, 84, 2], 1, 0.0);
    let mut target = params.clone();
    let mut tape = Tape::new(request.threads);
    let mut optimizer = adam(&params, &tape)?;
    let mut gradient = vec![0.0; params.len()];
    let (now, next, rewards) = (noise(BATCH * 4, 1), noise(BATCH * 4, 2), noise(BATCH, 3));
    let actions: Vec<usize> = (0..BATCH).map(|i| i % 2).collect();
    Ok(request.time(1, || {
        let graph = tape.graph();
        let next = graph.constant(&[BATCH, 4], &next);
        let value = graph.no_grad(|| {
            let (_, best) = q.forward(graph, &params, next).max_axis(-1, false);
            q.forward(graph, &target, next).gather(best)
        });
        let wanted = value * 0.99 + graph.constant(&[BATCH], &rewards);
        let taken = q.forward(graph, &params, graph.constant(&[BATCH, 4], &now)).gather(&actions);
        let loss = (taken - wanted).huber(1.0).mean();
        loss.gradient(&params, &mut gradient);
        optimizer.step(params.data_mut(), &mut gradient);
        target.polyak(&params, 0.005, tape.pool());
    }))
}

fn critics(request: &Request, members: usize, dropout: f64) -> Result<Value> {
    const BATCH: usize = 256;
    let (mut params, q) = mlp(&[23, 256, 256, 1], members, dropout);
    let mut target = params.clone();
    let mut tape = Tape::new(request.threads);
    let mut optimizer = adam(&params, &tape)?;
    let mut gradient = vec![0.0; params.len()];
    let (now, next, rewards) = (noise(BATCH * 23, 1), noise(BATCH * 23, 2), noise(BATCH, 3));
    let mut step = 0;
    Ok(request.time(1, || {
        let graph = tape.graph();
        let next = graph.constant(&[BATCH, 23], &next);
        let two = [step % members, (step + 1) % members];
        step += 1;
        let key = DropoutKey { stream: 1, step: step as u64 };
        let value = graph.no_grad(|| -> Tensor<f32> {
            let [a, b] = if dropout > 0.0 {
                q.forward_dropout(graph, &target, next, key).split(0)
            } else {
                q.forward_members(graph, &target, next, two).split(0)
            };
            a.minimum(b)
        });
        let wanted = value.reshape(&[1, BATCH]) * 0.99 + graph.constant(&[1, BATCH], &rewards);
        let all = q.forward_dropout(graph, &params, graph.constant(&[BATCH, 23], &now), key);
        let all = all.reshape(&[members, BATCH]);
        let loss = (all - wanted).square().mean() * members as f64;
        loss.gradient(&params, &mut gradient);
        optimizer.step(params.data_mut(), &mut gradient);
        target.polyak(&params, 0.005, tape.pool());
    }))
}

/// A transformer of GPT-2's kind: 4 layers, width 128, 4 heads, 256 symbols.
fn gpt(time: usize) -> Result<(Params<f32>, CausalTransformer)> {
    let mut params = Params::new();
    let config = TransformerConfig::gpt2(256, time, 128, 4, 4);
    let model = CausalTransformer::new(&mut params, "m", &config, &mut Seeds::new(1).stream("init"))?;
    Ok((params, model))
}

fn transformer(request: &Request) -> Result<Value> {
    const BATCH: usize = 16;
    const TIME: usize = 128;
    let (mut params, model) = gpt(TIME)?;
    let mut tape = Tape::new(request.threads);
    let mut optimizer = adam(&params, &tape)?;
    let mut gradient = vec![0.0; params.len()];
    let symbols: Vec<u32> = (0..(BATCH * TIME) as u32).map(|i| (i * i + i / 7) % 256).collect();
    let next: Vec<u32> = symbols[1..].iter().copied().chain([0]).collect();
    Ok(request.time(1, || {
        let graph = tape.graph();
        let logits = model.forward(graph, &params, &symbols, BATCH, None, None);
        let loss = logits.reshape(&[BATCH * TIME, 256]).cross_entropy(&next, None, None);
        loss.gradient(&params, &mut gradient);
        optimizer.step(params.data_mut(), &mut gradient);
    }))
}

fn generate(request: &Request) -> Result<Value> {
    const TIME: usize = 128;
    const ROWS: usize = 64;
    let (params, model) = gpt(TIME)?;
    let mut tape = Tape::new(request.threads);
    let mut cache = model.cache(ROWS, TIME);
    Ok(request.time(1, || {
        cache.clear();
        let mut last = [0u32; ROWS];
        for _ in 0..TIME {
            let logits = model.step(tape.graph(), &params, &last, &mut cache);
            last.copy_from_slice(logits.max_axis(-1, false).1);
        }
        black_box(last);
    }))
}

fn act(request: &Request) -> Result<Value> {
    const TIMES: usize = 1000;
    let (params, q) = mlp(&[4, 120, 84, 2], 1, 0.0);
    let mut scratch = Scratch::new();
    let x = noise(4, 1);
    Ok(request.time(TIMES, || {
        for _ in 0..TIMES {
            black_box(q.infer(&params, black_box(&x), &mut scratch));
        }
    }))
}

fn sgemm(request: &Request) -> Result<Value> {
    const SIZE: usize = 1024;
    // Parameters are used where they are; constants would be copied in, which is no part of the product.
    let mut params = Params::<f32>::new();
    let mut rng = Seeds::new(1).stream("init");
    let mut matrix =
        |name: &str| params.add(name.to_owned(), &[SIZE, SIZE], Init::Uniform { bound: 1.0 }, &mut rng);
    let (a, b) = (matrix("a"), matrix("b"));
    let mut tape = Tape::<f32>::new(request.threads);
    Ok(request.time(1, || {
        let graph = tape.graph();
        black_box(graph.no_grad(|| graph.param(&params, a).matmul(graph.param(&params, b))));
    }))
}
