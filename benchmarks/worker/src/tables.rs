//! Exploring and solving finite MDPs.

use std::hint::black_box;
use std::time::Instant;

use quire_core::{Error, OptionMap, Problem, Progress, Result, RunSpec, Seeds, Trace};
use quire_mdp::FiniteMdp;
use quire_mdp::explore::problem::ExploreProblem;
use quire_mdp::explore::{METHODS, Setting};
use quire_mdp::fitted::groups::{inputs, inputs_of_all_actions, target};
use quire_mdp::fitted::regressor::{ExtraTrees, Regressor, Rows};
use quire_mdp::solve::value_iteration;
use quire_mdp::worlds::{garnet, grid_world};
use rand::RngExt;
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
            summary: "UCBVI on GridWorld 10 x 10, horizon 50: an episode, planning included",
            run: |request| explore(request, "ucbvi"),
        },
        Work { name: "psrl", summary: "the same with PSRL", run: |request| explore(request, "psrl") },
        Work {
            name: "bayes-ucbvi",
            summary: "the same with Bayes-UCBVI",
            run: |request| explore(request, "bayes-ucbvi"),
        },
        Work { name: "opsrl", summary: "the same with OPSRL", run: |request| explore(request, "opsrl") },
        Work { name: "randql", summary: "the same with RandQL", run: |request| explore(request, "randql") },
        Work {
            name: "lmc-lsvi",
            summary: "the same with LMC-LSVI, a feature a pair",
            run: |request| explore(request, "lmc-lsvi"),
        },
        Work {
            name: "trees",
            summary: "fitted Q-iteration with extra-trees on the transitions in the file `data`: an iteration",
            run: fitted_trees,
        },
        Work {
            name: "value iteration",
            summary: "Garnet of 1e6 states, 4 actions, 4 next states, discount 0.95: a sweep",
            run: sweeps,
        },
        Work {
            name: "random reads",
            summary: "adding up values at random places of 8 MB: a value",
            run: random_reads,
        },
        Work { name: "copy", summary: "copying memory: a byte read or written", run: copy },
    ]
}

/// Episodes of planning, acting and learning, which is what the peers are timed at; then the same as users run them, with the exact
/// regret of every episode's policy.
fn explore(request: &Request, method: &str) -> Result<Value> {
    let mdp = grid_world(10, 10, 0.8)?;
    let states = mdp.states();
    let episodes = request.repetitions.map_or(request.steps, |n| 10 * n as u64);
    let seeds = Seeds::new(request.seed);
    let setting = Setting {
        states,
        actions: mdp.actions(),
        horizon: HORIZON,
        rewards: mdp.rewards().to_vec(),
        features: None,
        seeds,
    };
    let entry = METHODS.iter().find(|entry| entry.name == method).expect("an explorer");
    let mut explorer = (entry.make)(&setting, &OptionMap::new())?;
    let mut policy = vec![0; HORIZON * states];
    let mut dynamics = seeds.stream("dynamics");
    let (start, processor) = (Instant::now(), processor_seconds());
    for _ in 0..episodes {
        explorer.plan(&mut policy);
        let mut state = mdp.sample_start(&mut dynamics);
        for stage in 0..HORIZON {
            let action = policy[stage * states + state];
            let next = mdp.sample_next(state, action, &mut dynamics);
            explorer.observe(stage, state, action, next);
            state = next;
        }
    }
    let seconds = start.elapsed().as_secs_f64() / episodes as f64;
    let processor = processor_since(processor, episodes);
    if request.repetitions.is_some() {
        return Ok(json!({}));
    }
    let problem = ExploreProblem::new("grid-world", "", "", mdp, HORIZON, episodes);
    let mut run = problem.start(&RunSpec::new("grid-world", method, request.seed))?;
    let (mut trace, start) = (Trace::new(), processor_seconds());
    while run.step(&mut trace)? == Progress::Continue {}
    let scored = processor_since(start, episodes);
    Ok(
        json!({ "seconds": seconds, "processor": processor, "scored": scored, "regret": trace.last("regret") }),
    )
}

/// Numbers in a transition of the data: state, action, cost, next state, and 1 where that is forbidden.
const TRANSITION: usize = 11;

/// Fitted Q-iteration on transitions of the cart-pole, which the peer reads from the same file: `steps` iterations of 50 trees.
fn fitted_trees(request: &Request) -> Result<Value> {
    let path = request.word("data", "");
    let bytes = std::fs::read(path).map_err(|error| Error::Usage(format!("`data` = {path:?}: {error}")))?;
    let numbers = bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("8 bytes")));
    let numbers: Vec<f64> = numbers.collect();
    let transitions = || numbers.chunks_exact(TRANSITION);
    let states: Vec<f64> = transitions().flat_map(|t| t[..4].to_vec()).collect();
    let next: Vec<f64> = transitions().flat_map(|t| t[6..10].to_vec()).collect();
    let options = serde_json::from_value(json!({ "trees": 50, "min_split": 5 })).expect("options of trees");
    let mut trees = ExtraTrees::new(options);
    let mut rng = Seeds::new(request.seed).stream("trees");
    let (start, processor) = (Instant::now(), processor_seconds());
    let mut rows = Rows::new(5);
    rows.inputs = inputs(&states, 4, transitions().map(|t| t[4] as usize));
    let following = inputs_of_all_actions(&next, 4, 2);
    let mut values = vec![0.0; following.len() / 5];
    for _ in 0..request.steps {
        let targets = transitions().zip(values.chunks_exact(2));
        rows.targets.clear();
        rows.targets
            .extend(targets.map(|(t, next)| target(t[5], DISCOUNT, t[10] > 0.0, next.iter().copied())));
        trees.fit(&rows, &mut rng)?;
        trees.predict(&following, &mut values);
    }
    let seconds = start.elapsed().as_secs_f64() / request.steps as f64;
    let processor = processor_since(processor, request.steps);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Ok(json!({ "seconds": seconds, "processor": processor, "mean": mean, "nodes": trees.nodes() }))
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

/// As many values as a sweep of the large model reads, from places as random, and nothing else: its limit.
fn random_reads(request: &Request) -> Result<Value> {
    let [states, actions, branching] = GARNET;
    let mut rng = Seeds::new(0).stream("places");
    let reads = states * actions * branching;
    let places: Vec<u32> = (0..reads).map(|_| rng.random_range(0..states as u32)).collect();
    let values: Vec<f64> = (0..states).map(|state| state as f64).collect();
    in_pool(request.threads, || {
        request.time(reads, || {
            let sums = places.par_chunks(reads / request.threads).map(|places| {
                let mut sums = [0.0; 8];
                for places in places.chunks_exact(8) {
                    // Sums of their own, so that a read waits for no other.
                    sums.iter_mut().zip(places).for_each(|(sum, &place)| *sum += values[place as usize]);
                }
                sums.iter().sum::<f64>()
            });
            black_box(sums.sum::<f64>());
        })
    })
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
