//! Exploring and solving finite MDPs.

use std::hint::black_box;
use std::time::Instant;

use quire_core::{Error, Problem, Progress, Result, RunSpec, Trace};
use quire_mdp::FiniteMdp;
use quire_mdp::explore::problem::ExploreProblem;
use quire_mdp::solve::value_iteration;
use quire_mdp::worlds::{garnet, grid_world};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::work::{Request, Work, processor_seconds, processor_since};

/// Steps of an episode on the grid.
const HORIZON: usize = 50;
/// States, actions and next states of the large random model.
const GARNET: [usize; 3] = [1_000_000, 4, 4];
const DISCOUNT: f64 = 0.95;

/// The works of this file.
pub fn works() -> Vec<Work> {
    vec![
        Work {
            name: "ucbvi",
            summary: "UCBVI on GridWorld 10 x 10, horizon 50: an episode, planning and exact regret included",
            run: |request| explore(request, "ucbvi"),
        },
        Work { name: "psrl", summary: "the same with PSRL", run: |request| explore(request, "psrl") },
        Work {
            name: "bayes-ucbvi",
            summary: "the same with Bayes-UCBVI",
            run: |request| explore(request, "bayes-ucbvi"),
        },
        Work {
            name: "value iteration",
            summary: "Garnet of 1e6 states, 4 actions, 4 next states, discount 0.95: a sweep",
            run: sweeps,
        },
        Work { name: "copy", summary: "copying memory: a byte read or written", run: copy },
    ]
}

fn explore(request: &Request, method: &str) -> Result<Value> {
    let mdp = grid_world(10, 10, 0.8)?;
    let episodes = request.repetitions.map_or(request.steps, |n| 10 * n as u64);
    let problem = ExploreProblem::new("grid-world", "", "", mdp, HORIZON, episodes);
    let mut run = problem.start(&RunSpec::new("grid-world", method, request.seed))?;
    let mut trace = Trace::new();
    let (start, processor) = (Instant::now(), processor_seconds());
    while run.step(&mut trace)? == Progress::Continue {}
    let seconds = start.elapsed().as_secs_f64() / episodes as f64;
    let processor = processor_since(processor, episodes);
    Ok(json!({ "seconds": seconds, "processor": processor, "regret": trace.last("regret") }))
}

/// The large model, made once a process.
fn large_model() -> Result<&'static FiniteMdp> {
    use std::sync::OnceLock;
    static MODEL: OnceLock<FiniteMdp> = OnceLock::new();
    if let Some(model) = MODEL.get() {
        return Ok(model);
    }
    let [states, actions, branching] = GARNET;
    let model = garnet(states, actions, branching, 0)?;
    Ok(MODEL.get_or_init(|| model))
}

fn in_pool<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    Ok(pool.map_err(|error| Error::Failed(format!("no thread pool: {error}")))?.install(work))
}

fn sweeps(request: &Request) -> Result<Value> {
    let small;
    let mdp = match request.repetitions {
        Some(_) => {
            small = garnet(2000, GARNET[1], GARNET[2], 0)?;
            &small
        }
        None => large_model()?,
    };
    // So many sweeps reach this tolerance, and reading off the policy costs one more.
    let tolerance = if request.repetitions.is_some() { 1e-1 } else { 1e-3 };
    in_pool(request.threads, || {
        if let Some(repetitions) = request.repetitions {
            for _ in 0..repetitions {
                black_box(value_iteration(mdp, DISCOUNT, tolerance, 10_000)?);
            }
            return Ok(json!({}));
        }
        let start = Instant::now();
        let solution = value_iteration(mdp, DISCOUNT, tolerance, 10_000)?;
        let seconds = start.elapsed().as_secs_f64() / (solution.iterations + 1) as f64;
        let sum: f64 = solution.values.iter().sum();
        let [states, actions, _] = GARNET;
        // Offsets, rewards, and the old and new values once; next states and their probabilities.
        let bytes = 8 * (2 * states * actions + 2 * states) + 12 * mdp.transitions();
        Ok(json!({
            "seconds": seconds, "bytes": bytes, "sweeps": solution.iterations, "mean": sum / states as f64,
            "gathers": mdp.transitions(),
        }))
    })?
}

/// Bytes of one array that is copied; far more than fit into any cache.
const COPIED: usize = 256 << 20;

fn copy(request: &Request) -> Result<Value> {
    let from = vec![1_u8; COPIED];
    let mut to = vec![0_u8; COPIED];
    in_pool(request.threads, || {
        let piece = COPIED / request.threads;
        request.time(2 * COPIED, || {
            let pieces = to.par_chunks_mut(piece).zip(from.par_chunks(piece));
            pieces.for_each(|(to, from)| to.copy_from_slice(from));
            black_box(&to);
        })
    })
}
