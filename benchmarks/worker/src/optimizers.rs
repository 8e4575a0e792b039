//! Steps of the optimizers that work on matrices, and the orthogonalization inside of them.

use quire_core::{Result, Seeds};
use quire_optim::muon::{Coefficients, MuonOptions, Normalization, Orthogonalizer, TurboMuonOptions};
use quire_optim::psgd::{Group, PsgdOptions};
use quire_optim::{Layout, OptimizerOptions, OptimizerSetting, Pool};
use serde_json::Value;

use crate::work::{Request, Work, noise};

/// Side of the model's weight matrices, and how many there are: 10.5 million parameters.
const SIDE: usize = 1024;
const LAYERS: usize = 10;

/// The works of this file.
pub fn works() -> Vec<Work> {
    vec![
        Work {
            name: "polar turbo-muon",
            summary: "a square matrix of `size` rows orthogonalized as in Turbo-Muon: 4 iterations, 12 products",
            run: |request| polar(request, Normalization::Rows, Coefficients::Turbo, 4),
        },
        Work {
            name: "polar muon",
            summary: "the same as in Muon: 5 iterations, 15 products",
            run: |request| polar(request, Normalization::Frobenius, Coefficients::Muon, 5),
        },
        Work {
            name: "muon step",
            summary: "a step of Muon on ten layers of 1024 x 1024 with biases",
            run: |request| step(request, &OptimizerOptions::Muon(MuonOptions::default())),
        },
        Work {
            name: "turbo-muon step",
            summary: "the same of Turbo-Muon",
            run: |request| step(request, &OptimizerOptions::TurboMuon(TurboMuonOptions::default())),
        },
        Work {
            name: "psgd kronecker step",
            summary: "the same of PSGD with Kronecker factors that are fitted in every step",
            run: |request| step(request, &psgd(Group::Kronecker)),
        },
        Work {
            name: "psgd low-rank step",
            summary: "the same of PSGD with a preconditioner of rank 10",
            run: |request| step(request, &psgd(Group::LowRank)),
        },
    ]
}

fn psgd(group: Group) -> OptimizerOptions {
    OptimizerOptions::Psgd(PsgdOptions { group, momentum: 0.9, ..PsgdOptions::default() })
}

fn polar(
    request: &Request,
    normalization: Normalization,
    coefficients: Coefficients,
    iterations: usize,
) -> Result<Value> {
    let size = request.number("size", 256.0) as usize;
    let rows = coefficients.rows(iterations).expect("the table has so many");
    let mut orthogonalizer =
        Orthogonalizer::<f32>::new(normalization, rows, 1e-7, Pool::new(request.threads));
    let start = noise(size * size, 1);
    let mut x = start.clone();
    Ok(request.time(1, || {
        x.copy_from_slice(&start);
        orthogonalizer.orthogonalize(&mut x, [size, size]);
    }))
}

fn step(request: &Request, options: &OptimizerOptions) -> Result<Value> {
    let mut layout = Layout::default();
    for layer in 0..LAYERS {
        layout.push(format!("{layer}.weight"), &[1, SIDE, SIDE]);
        layout.push(format!("{layer}.bias"), &[1, SIDE]);
    }
    let setting = OptimizerSetting::new(Seeds::new(request.seed)).with_pool(&Pool::new(request.threads));
    let mut optimizer = options.build(&layout, &setting)?;
    let mut params = noise(layout.len(), 1);
    let gradient = noise(layout.len(), 2);
    let mut given = gradient.clone();
    Ok(request.time(1, || {
        given.copy_from_slice(&gradient);
        optimizer.step(&mut params, &mut given);
    }))
}
