//! Times the training steps that Quire lives on, in microseconds.
//!
//! `cargo run --release -p quire-nn --example workloads [threads] [W1 W2 ...]`. Each line has the least and the median time over
//! many steps; W1 to W5 are the rows of the table of networks in the design notes.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use quire_core::Seeds;
use quire_nn::{
    CausalTransformer, DropoutKey, Float, Graph, Mlp, MlpConfig, Params, Scratch, Tape, Tensor,
    TransformerConfig, multiversion,
};

/// Prints the least and the median time of a step.
fn time(name: &str, seconds: f64, mut step: impl FnMut()) -> f64 {
    for _ in 0..3 {
        step();
    }
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || start.elapsed().as_secs_f64() < seconds {
        let at = Instant::now();
        step();
        times.push(at.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!("{name:<58} min {:>10.1}   median {median:>10.1}", times[0]);
    median
}

multiversion! {
    /// One pass of Adam over the flat buffers.
    fn adam[](x: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], rate: f32, second: f32) |simd| {
        for (((x, m), v), &g) in x.iter_mut().zip(m).zip(v).zip(g) {
            *m += 0.1 * (g - *m);
            *v += 0.001 * (g * g - *v);
            *x -= rate * *m / (second * Float::sqrt(*v) + 1e-8);
        }
    }
}

struct Adam {
    m: Vec<f32>,
    v: Vec<f32>,
    step: i32,
}

impl Adam {
    fn new(len: usize) -> Self {
        Adam { m: vec![0.0; len], v: vec![0.0; len], step: 0 }
    }

    fn step(&mut self, params: &mut Params<f32>, gradient: &[f32]) {
        self.step += 1;
        let rate = 3e-4 / (1.0 - 0.9f32.powi(self.step));
        let second = 1.0 / (1.0 - 0.999f32.powi(self.step)).sqrt();
        adam(params.data_mut(), &mut self.m, &mut self.v, gradient, rate, second);
    }
}

fn noise(len: usize, seed: u64) -> Vec<f32> {
    use rand::RngExt;
    let mut rng = Seeds::new(seed).stream("noise");
    (0..len).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect()
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

fn dqn(threads: usize) {
    const BATCH: usize = 128;
    let (mut params, q) = mlp(&[4, 120, 84, 2], 1, 0.0);
    let mut target = params.clone();
    let mut adam = Adam::new(params.len());
    let mut gradient = vec![0.0; params.len()];
    let mut tape = Tape::new(threads);
    let (now, next, rewards) = (noise(BATCH * 4, 1), noise(BATCH * 4, 2), noise(BATCH, 3));
    let actions: Vec<usize> = (0..BATCH).map(|i| i % 2).collect();
    time(&format!("W1   DQN 4-120-84-2, batch 128, {threads} threads"), 0.5, || {
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
        adam.step(&mut params, &gradient);
        target.polyak(&params, 0.005);
    });
}

fn critics(threads: usize, name: &str, members: usize, dropout: f64) -> f64 {
    const BATCH: usize = 256;
    let (mut params, q) = mlp(&[23, 256, 256, 1], members, dropout);
    let mut target = params.clone();
    let mut adam = Adam::new(params.len());
    let mut gradient = vec![0.0; params.len()];
    let mut tape = Tape::new(threads);
    let (now, next, rewards) = (noise(BATCH * 23, 1), noise(BATCH * 23, 2), noise(BATCH, 3));
    let mut step = 0;
    let mut run = || {
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
        adam.step(&mut params, &gradient);
        target.polyak(&params, 0.005);
    };
    let median = time(&format!("{name} critics 23-256-256-1, batch 256, {threads} threads"), 1.0, &mut run);
    // Multiplications and additions of the forward pass, the backward pass and the target's forward pass.
    let weights = (23 * 256 + 256 * 256 + 256) as f64;
    let first = (23 * 256) as f64;
    let flops = 2.0 * BATCH as f64 * (members as f64 * (3.0 * weights - first) + 2.0 * weights);
    println!("{:<58} {:.0} GFLOP/s", "", flops / median * 1e-3);
    median
}

/// A transformer of GPT-2's kind: 4 layers, width 128, 4 heads, context 128, 256 symbols.
fn transformer(threads: usize) {
    const BATCH: usize = 16;
    const TIME: usize = 128;
    let mut params = Params::<f32>::new();
    let config = TransformerConfig::gpt2(256, TIME, 128, 4, 4);
    let mut rng = Seeds::new(1).stream("init");
    let model = CausalTransformer::new(&mut params, "m", &config, &mut rng).expect("the sizes fit");
    let mut adam = Adam::new(params.len());
    let mut gradient = vec![0.0; params.len()];
    let symbols: Vec<u32> = (0..(BATCH * TIME) as u32).map(|i| (i * i + i / 7) % 256).collect();
    let next: Vec<u32> = symbols[1..].iter().copied().chain([0]).collect();
    let mut tape = Tape::new(threads);
    let median = time(&format!("W4   transformer, batch 16 x 128, {threads} threads"), 3.0, || {
        let graph = tape.graph();
        let logits = model.forward(graph, &params, &symbols, BATCH, None, None);
        let loss = logits.reshape(&[BATCH * TIME, 256]).cross_entropy(&next, None, None);
        loss.gradient(&params, &mut gradient);
        adam.step(&mut params, &gradient);
    });
    let weights = (4 * 12 * 128 * 128 + 128 * 256) as f64;
    println!("{:<58} {:.0} GFLOP/s", "", 6.0 * weights * (BATCH * TIME) as f64 / median * 1e-3);
    println!("{:<58} {:.0} MB of tape", "", tape.memory().0 as f64 / 1e6);
}

/// The same transformer writes 128 symbols in 64 rows.
fn generate(threads: usize) {
    const TIME: usize = 128;
    let mut params = Params::<f32>::new();
    let config = TransformerConfig::gpt2(256, TIME, 128, 4, 4);
    let mut rng = Seeds::new(1).stream("init");
    let model = CausalTransformer::new(&mut params, "m", &config, &mut rng).expect("the sizes fit");
    let mut tape = Tape::new(threads);
    const ROWS: usize = 64;
    let mut cache = model.cache(ROWS, TIME);
    time(&format!("W4g  generating 128 symbols in 64 rows, {threads} threads"), 2.0, || {
        cache.clear();
        let mut last = [0u32; ROWS];
        for _ in 0..TIME {
            let logits = model.step(tape.graph(), &params, &last, &mut cache);
            last.copy_from_slice(logits.max_axis(-1, false).1);
        }
    });
}

fn act() {
    let (params, q) = mlp(&[4, 120, 84, 2], 1, 0.0);
    let mut scratch = Scratch::new();
    let x = noise(4, 1);
    time("W5   act: one observation through 4-120-84-2, times 1000", 0.3, || {
        for _ in 0..1000 {
            black_box(q.infer(&params, black_box(&x), &mut scratch));
        }
    });
}

fn sgemm(threads: usize) {
    let n = 1024;
    let (a, b) = (noise(n * n, 1), noise(n * n, 2));
    let mut tape = Tape::<f32>::new(threads);
    let median = time(&format!("sgemm 1024^3, {threads} threads"), 0.5, || {
        let graph: Graph<f32> = tape.graph();
        let (a, b) = (graph.constant(&[n, n], &a), graph.constant(&[n, n], &b));
        black_box(a.matmul(b));
    });
    println!("{:<58} {:.0} GFLOP/s", "", 2.0 * (n * n * n) as f64 / median * 1e-3);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = |name: &str| {
        let named: Vec<_> = arguments.iter().filter(|a| a.parse::<usize>().is_err()).collect();
        named.is_empty() || named.iter().any(|a| *a == name)
    };
    let most = std::thread::available_parallelism().map_or(1, |n| n.get());
    let threads: Vec<usize> = match arguments.iter().find_map(|a| a.parse().ok()) {
        Some(n) => vec![n],
        None => (1..=most.min(2)).collect(),
    };
    for &threads in &threads {
        if only("W1") {
            dqn(threads);
        }
        if only("W2") {
            critics(threads, "W2   10", 10, 0.0);
        }
        if only("W3") {
            let plain = critics(threads, "W2b  2", 2, 0.0);
            let dropout = critics(threads, "W3   2 DroQ", 2, 0.01);
            println!("{:<58} {:.2} of W2b", "", dropout / plain);
        }
        if only("W4") {
            transformer(threads);
        }
        if only("W4g") {
            generate(threads);
        }
        if only("sgemm") {
            sgemm(threads);
        }
    }
    if only("W5") {
        act();
    }
}
