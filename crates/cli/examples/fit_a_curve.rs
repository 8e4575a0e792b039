//! A network fitted to sin(3x): parameters, tape, gradient, optimizer.
#![allow(clippy::print_stdout)]

use quire::core::{Result, Seeds};
use quire::nn::{Activation, Mlp, MlpConfig, Params, Tape};
use quire::optim::{Layout, OptimizerOptions, OptimizerSetting};

fn main() -> Result<()> {
    // The parameters lie outside the tape, in one buffer; the network knows where.
    let mut params = Params::<f32>::new();
    let config =
        MlpConfig { sizes: vec![1, 64, 64, 1], activation: Activation::Tanh, ..MlpConfig::default() };
    let network = Mlp::new(&mut params, "curve", &config, &mut Seeds::new(1).stream("init"));

    let setting = OptimizerSetting::without_noise();
    let mut optimizer = OptimizerOptions::adam(3e-3).build(&Layout::flat(params.len()), &setting)?;
    let mut gradient = vec![0.0; params.len()];

    // 64 points: [ensemble of 1, batch, numbers].
    let x: Vec<f32> = (0..64).map(|i| i as f32 / 32.0 - 1.0).collect();
    let y: Vec<f32> = x.iter().map(|x| (3.0 * x).sin()).collect();
    let shape = [1, x.len(), 1];

    let mut tape = Tape::new(1);
    for step in 0..=1000 {
        // A step takes over the memory of the one before.
        let graph = tape.graph();
        let predicted = network.forward(graph, &params, graph.constant(&shape, &x));
        let loss = (predicted - graph.constant(&shape, &y)).square().mean();
        if step % 250 == 0 {
            println!("step {step:4}: mean squared error {:.1e}", loss.item());
        }
        loss.gradient(&params, &mut gradient);
        optimizer.step(params.data_mut(), &mut gradient);
    }
    Ok(())
}
