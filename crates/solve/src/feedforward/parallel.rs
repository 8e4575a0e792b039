//! Feedforward computation by parallel sweeps (Song et al. 2021).
//!
//! The system is s_t = h_t(s_1, ..., s_{t-1}) for t = 1..T. From any s⁰ a Jacobi sweep computes all states at once,
//!
//! > s_t^{k+1} = h_t(s_1^k, ..., s_{t-1}^k)
//!
//! After k sweeps the first k states are final, so T sweeps give what one state after the other gives, to the bit; where states depend weakly on those far
//! before, a few sweeps do. Four schemes:
//!
//! - `jacobi`: as above;
//! - `jacobi-gs`: states are cut into blocks; a sweep goes through all blocks side by side, each in order with its own new values and the others' old ones. At
//!   most as many sweeps as blocks, each as deep as the longest;
//! - `gs-jacobi`: block after block, each by Jacobi sweeps until it is final;
//! - `sliding-window`: Jacobi sweeps over a window of so many states, which moves on past those that no longer change.
//!
//! A state is *known* once all before it have been left alone by a sweep: a state that did not change may still do so, if one before it does. If the first p
//! states of a sweep did not change, p + 1 are known; known states are not computed again, which changes no bit of the others.
//!
//! Source: Y. Song, C. Meng, R. Liao & S. Ermon, ICML 2021, arXiv:2002.03629. The window moves by the states that match, as in the authors' sampler, and one
//! more, which has been computed from matching ones: without it a chain would take 2 T sweeps.

use std::ops::Range;

use quire_core::{About, Error, Options, Paper, Reason, Result, options, state};
use quire_kernels::pool::{Parts, Pool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Feedforward, Task};
use crate::solver::{Method, Solver, Step};

/// Which states a sweep computes, and from what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// All, from the values of the sweep before.
    #[default]
    Jacobi,
    /// All blocks side by side, each in order.
    JacobiGs,
    /// Block after block, each by Jacobi sweeps.
    GsJacobi,
    /// Jacobi sweeps over a window that moves.
    SlidingWindow,
}

/// Options of `parallel-feedforward`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ParallelOptions {
    /// Which states a sweep computes.
    pub scheme: Scheme,
    /// States of a block, or of the window, at least 1; Jacobi has no use for it. The paper's samplers take 2 to 15 rows of an image.
    #[schemars(range(min = 1))]
    pub block_size: usize,
    /// The lengths of all blocks, for blocks that differ; together T.
    pub blocks: Option<Vec<usize>>,
    /// Jacobi schemes: done (a block of `gs-jacobi`: left) when the Euclidean norm of a sweep's change is at most this. `sliding-window`: a number matches
    /// if it changed by no more than this and `relative_tolerance` of itself; the authors' sampler: 1e-5. 0, the default, asks for the same bits.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
    /// Of `sliding-window`; the authors' sampler: 1e-3.
    #[schemars(range(min = 0.0))]
    pub relative_tolerance: f64,
    /// Sweeps at most, at least 1; as many as the result may need by default. The paper's recurrent network: 10 to 80.
    #[schemars(range(min = 1))]
    pub max_sweeps: Option<u64>,
}

impl Default for ParallelOptions {
    fn default() -> Self {
        ParallelOptions {
            scheme: Scheme::Jacobi,
            block_size: 10,
            blocks: None,
            tolerance: 0.0,
            relative_tolerance: 0.0,
            max_sweeps: None,
        }
    }
}

impl Options for ParallelOptions {}

/// `lengths` one behind the other, or blocks of `size`, the last of what is left.
///
/// # Errors
/// Lengths that are 0 or do not make up `states`.
pub fn cut(states: usize, size: usize, lengths: Option<&[usize]>) -> Result<Vec<Range<usize>>> {
    let Some(lengths) = lengths else {
        return Ok((0..states).step_by(size).map(|first| first..(first + size).min(states)).collect());
    };
    let total: usize = lengths.iter().sum();
    if total != states || lengths.contains(&0) {
        return Err(Error::option(
            "blocks",
            format!("{lengths:?} must be lengths of at least 1 that make up the {states} states"),
        ));
    }
    let mut first = 0;
    Ok(lengths
        .iter()
        .map(|length| {
            first += length;
            first - length..first
        })
        .collect())
}

/// What a sweep has changed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Change {
    /// The first states that are as before.
    matching: usize,
    /// Whether all are.
    is_none: bool,
    /// The Euclidean norm.
    norm: f64,
}

/// Compares `fresh` states of `width` numbers with `old` ones. Tolerances of 0 ask for the same bits.
fn compare(old: &[f64], fresh: &[f64], width: usize, tolerance: f64, relative: f64) -> Change {
    let is_exact = tolerance == 0.0 && relative == 0.0;
    let same = |old: f64, fresh: f64| {
        old.to_bits() == fresh.to_bits()
            || !is_exact && (fresh - old).abs() <= tolerance + relative * old.abs()
    };
    let (mut matching, mut is_prefix, mut is_none, mut square) = (0, true, true, 0.0);
    for (old, fresh) in old.chunks_exact(width).zip(fresh.chunks_exact(width)) {
        let mut all = true;
        for (&old, &fresh) in old.iter().zip(fresh) {
            all &= same(old, fresh);
            is_none &= old.to_bits() == fresh.to_bits();
            square += (fresh - old).powi(2);
        }
        is_prefix &= all;
        matching += usize::from(is_prefix);
    }
    Change { matching, is_none, norm: square.sqrt() }
}

/// Where a method stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    states: Vec<f64>,
    /// The first states that will not change any more.
    known: usize,
    sweeps: u64,
    /// The last sweep that changed a state.
    changing: u64,
    /// Evaluations that had to wait for one another.
    depth: u64,
    /// States computed.
    evaluations: u64,
}

/// Memory of a thread that goes through a block in order.
#[derive(Debug, Clone, Default)]
struct Own {
    states: Vec<f64>,
    features: Vec<f64>,
}

/// The method.
pub struct Parallel {
    options: ParallelOptions,
    blocks: Vec<Range<usize>>,
    place: Place,
    features: Vec<f64>,
    /// Features that have been computed from known states.
    known_features: usize,
    fresh: Vec<f64>,
    own: Vec<Own>,
    pool: Pool,
}

impl Parallel {
    /// Sweeps done.
    pub fn sweeps(&self) -> u64 {
        self.place.sweeps
    }

    /// The number of the last sweep that changed a state: what it takes to be right, without the last sweep, which finds that it is.
    pub fn changing_sweeps(&self) -> u64 {
        self.place.changing
    }

    /// The number of first states that are known to be final.
    pub fn known(&self) -> usize {
        self.place.known
    }

    /// All states of `range` from the old values, into `fresh`: features first, then the states, both cut among the threads.
    fn jacobi(&mut self, system: &dyn Feedforward, range: Range<usize>) {
        let (width, parts) = (system.width(), self.pool.threads());
        let needed = system.uses(range.end - 1);
        share(&self.pool, system, self.known_features..needed, &self.place.states, &mut self.features);
        let (states, features) = (&self.place.states, &self.features);
        let out = Parts::new(&mut self.fresh);
        let (first, count) = (range.start, range.len());
        self.pool.run(parts, |part| {
            let piece = first + part * count / parts..first + (part + 1) * count / parts;
            // SAFETY: the pieces do not overlap.
            let out = unsafe { out.part(piece.start * width, piece.len() * width) };
            system.evaluate(piece, states, features, out);
        });
    }

    /// All blocks from `known` on side by side, each in order, into `fresh`; returns the length of the longest.
    fn jacobi_over_blocks(&mut self, system: &dyn Feedforward, from: usize) -> usize {
        let width = system.width();
        let known = self.place.known;
        // What the last block reads of the others' old values; each computes for itself what reads its own.
        let needed = system.uses(self.blocks[self.blocks.len() - 1].start.max(known));
        share(&self.pool, system, self.known_features..needed, &self.place.states, &mut self.features);
        let blocks = &self.blocks[from..];
        let (states, features) = (&self.place.states, &self.features);
        let (out, own) = (Parts::new(&mut self.fresh), Parts::new(&mut self.own));
        self.pool.run_with_thread(blocks.len(), |block, thread| {
            let range = blocks[block].start.max(known)..blocks[block].end;
            // SAFETY: a thread has its own memory, and blocks do not overlap.
            let (own, out) =
                unsafe { (&mut own.part(thread, 1)[0], out.part(range.start * width, range.len() * width)) };
            let mut shared = system.uses(range.start);
            own.states[..range.start * width].copy_from_slice(&states[..range.start * width]);
            own.features[..shared * width].copy_from_slice(&features[..shared * width]);
            for (t, out) in range.zip(out.chunks_exact_mut(width)) {
                let needed = system.uses(t);
                if needed > shared {
                    let place = &mut own.features[shared * width..needed * width];
                    system.share(shared..needed, &own.states, place);
                    shared = needed;
                }
                system.evaluate(t..t + 1, &own.states, &own.features, out);
                own.states[t * width..(t + 1) * width].copy_from_slice(out);
            }
        });
        blocks.iter().map(|block| block.end - block.start.max(known)).max().unwrap_or(0)
    }
}

/// Features of this range, cut among the threads.
fn share(pool: &Pool, system: &dyn Feedforward, range: Range<usize>, states: &[f64], features: &mut [f64]) {
    let (width, parts, first) = (system.width(), pool.threads(), range.start);
    let count = range.end.saturating_sub(first);
    let out = Parts::new(features);
    pool.run(parts, |part| {
        let piece = first + part * count / parts..first + (part + 1) * count / parts;
        if !piece.is_empty() {
            // SAFETY: the pieces do not overlap.
            let out = unsafe { out.part(piece.start * width, piece.len() * width) };
            system.share(piece, states, out);
        }
    });
}

impl Method<Task> for Parallel {
    type Options = ParallelOptions;

    const ABOUT: About = About {
        name: "parallel-feedforward",
        summary: "compute a long chain of steps by Jacobi sweeps over all of it, with the same result to the bit",
        when: "Where a step is small beside what the machine does at once - sampling and backpropagation on a GPU, steps that wait for a \
               network or a disc - and far steps depend on each other weakly or along many short ways. On a chain that hands everything on, \
               and on a processor that one step keeps busy, one state after the other is as good.",
        wing: "solve",
        family: "feedforward",
        paper: Some(Paper {
            slug: "parallel-feedforward",
            title: "Accelerating Feedforward Computation via Parallel Nonlinear Equation Solving",
            arxiv: "2002.03629",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(task: &Task, options: ParallelOptions) -> Result<Self> {
        options::check(&options)?;
        let system = &*task.system;
        let (length, width) = (system.length(), system.width());
        let blocks = match options.scheme {
            Scheme::Jacobi => cut(length, length.max(1), None)?,
            Scheme::SlidingWindow if options.blocks.is_some() => {
                return Err(Error::option(
                    "blocks",
                    "the scheme sliding-window takes no list: its window is as long as block_size",
                ));
            }
            _ => cut(length, options.block_size, options.blocks.as_deref())?,
        };
        let states = task.start.clone();
        let place = Place { states, known: 0, sweeps: 0, changing: 0, depth: 0, evaluations: 0 };
        let mut made = Parallel {
            options,
            blocks,
            place,
            features: vec![0.0; system.features() * width],
            known_features: 0,
            fresh: task.start.clone(),
            own: Vec::new(),
            pool: Pool::new(1),
        };
        made.use_threads(1);
        Ok(made)
    }
}

impl Solver<Task> for Parallel {
    /// A sweep.
    fn iterate(&mut self, task: &Task) -> Result<Step> {
        let system = &*task.system;
        let (length, width) = (system.length(), system.width());
        let known = self.place.known;
        let Some(block) = self.blocks.iter().position(|block| known < block.end) else {
            let done = Reason::Converged("there is no state to compute".into());
            return Ok(Step { residual: 0.0, done: Some(done) });
        };
        let (range, depth) = match self.options.scheme {
            Scheme::Jacobi => (known..length, 1),
            Scheme::GsJacobi => (known..self.blocks[block].end, 1),
            Scheme::SlidingWindow => (known..known.saturating_add(self.options.block_size).min(length), 1),
            Scheme::JacobiGs => (known..length, self.jacobi_over_blocks(system, block)),
        };
        if self.options.scheme != Scheme::JacobiGs {
            self.jacobi(system, range.clone());
        }

        let numbers = range.start * width..range.end * width;
        let is_window = self.options.scheme == Scheme::SlidingWindow;
        let (matches, relative) =
            if is_window { (self.options.tolerance, self.options.relative_tolerance) } else { (0.0, 0.0) };
        let change = compare(
            &self.place.states[numbers.clone()],
            &self.fresh[numbers.clone()],
            width,
            matches,
            relative,
        );
        self.known_features = self.known_features.max(system.uses(known).min(system.uses(range.end - 1)));
        let place = &mut self.place;
        place.states[numbers.clone()].copy_from_slice(&self.fresh[numbers]);
        place.sweeps += 1;
        place.depth += depth as u64;
        place.evaluations += range.len() as u64;
        if !change.is_none {
            place.changing = place.sweeps;
        }
        place.known = (known + change.matching + 1).min(range.end);
        if self.options.scheme == Scheme::JacobiGs {
            // The first block that was not known has been gone through in order, from known states.
            place.known = place.known.max(self.blocks[block].end);
        }
        let is_small = !is_window && change.norm <= self.options.tolerance;
        if is_small {
            place.known = range.end;
        }

        // In early sweeps states far behind may overflow, and come back.
        let residual = if change.norm.is_finite() { change.norm } else { f64::MAX };
        let done = if place.known == length {
            Some(match place.states.iter().all(|x| x.is_finite()) {
                true if is_small && self.options.tolerance > 0.0 => Reason::Converged(format!(
                    "the last sweep changed the states by at most {:e}",
                    self.options.tolerance
                )),
                true => Reason::Converged("no state can change any more".into()),
                false => {
                    Reason::Diverged("states are not finite, in whatever order they are computed".into())
                }
            })
        } else if self.options.max_sweeps.is_some_and(|most| place.sweeps >= most) {
            Some(Reason::Budget)
        } else {
            None
        };
        Ok(Step { residual, done })
    }

    fn values(&self) -> Vec<f64> {
        self.place.states.clone()
    }

    fn work(&self) -> f64 {
        self.place.depth as f64
    }

    fn told(&self) -> Vec<(&'static str, f64)> {
        let place = &self.place;
        vec![
            ("sweeps", place.changing as f64),
            ("known", place.known as f64),
            ("evaluations", place.evaluations as f64),
        ]
    }

    fn use_threads(&mut self, threads: usize) {
        let own =
            Own { states: vec![0.0; self.place.states.len()], features: vec![0.0; self.features.len()] };
        self.own = vec![own; threads.max(1)];
        if threads != self.pool.threads() {
            self.pool = Pool::new(threads);
        }
    }

    fn save(&self) -> Vec<u8> {
        state::encode(Self::ABOUT.name, &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(Self::ABOUT.name, saved)?;
        self.known_features = 0;
        Ok(())
    }
}
