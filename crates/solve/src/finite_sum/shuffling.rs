//! SGD that passes over all components in an order: x ← x - η ∇f_i(x), i = σ_k(1), ..., σ_k(n) in pass k.
//!
//! With replacement the gap falls as 1/(n K) over K passes; with random reshuffling as 1/(n K²), with no order faster than 1/(n² K²), which GraB attains
//! (strongly convex functions, up to logarithms, each at its own best step; arXiv:2303.07160). The point handed over is the last one, the mean of
//! the ends of passes weighted by their number, or the mean of the last half of them.
//!
//! Source: see [`super::order`]. Pick it when the gradients of all components can be had again and again; GraB for smooth problems at small steps, and
//! if a second vector a component is no burden.

use quire_core::{About, Error, Options, Paper, Reason, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::order::{Orders, Policy};
use super::{Rule, Task};

use crate::vectors::{add_scaled, norm};

/// Which point is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Averaging {
    /// The last one.
    Last,
    /// The mean of the ends of all passes, weighted by their number.
    Weighted,
    /// The mean of the ends of the passes since the last power of two, at least half of all.
    Tail,
}

/// Options of `shuffling-sgd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ShufflingOptions {
    /// The order of a pass. Both papers end at `grab`.
    pub order: Policy,
    /// Step size η, > 0. Theory: log(n K)/(μ n K) up to constants; tuned in experiments.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step_size: f64,
    /// Components of a step, at least 1. GraB balances single ones.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Which point is handed over. Theory: `tail` or `last`.
    pub averaging: Averaging,
    /// K, the passes after which it ends, at least 1; by default it goes on to the end of the run. A step size belongs to a number of passes.
    #[schemars(range(min = 1))]
    pub passes: Option<u64>,
}

impl Default for ShufflingOptions {
    fn default() -> Self {
        ShufflingOptions {
            order: Policy::Grab,
            step_size: 0.01,
            batch_size: 1,
            averaging: Averaging::Last,
            passes: None,
        }
    }
}

impl Options for ShufflingOptions {}

/// The method.
pub struct Shuffling {
    options: ShufflingOptions,
    gradient: Vec<f64>,
}

/// What changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    x: Vec<f64>,
    orders: Orders,
    /// Components of this pass done.
    place: usize,
    passes: u64,
    /// The sum of gradients of the pass.
    drift: Vec<f64>,
    norm: f64,
    /// The average, and the weight in it.
    average: (Vec<f64>, f64),
}

impl Rule for Shuffling {
    type Options = ShufflingOptions;
    type State = State;

    const ABOUT: About = About {
        name: "shuffling-sgd",
        summary: "SGD pass after pass, in an order that is random or balanced",
        when: "Finite sums to moderate accuracy by the simplest method there is. GraB pays for many components and small steps; on quadratics flipping the order \
               does as well for free. To high accuracy take ai-sarah.",
        wing: "solve",
        family: "finite_sum",
        paper: Some(Paper {
            slug: "shuffling-sgd",
            title: "Tighter Lower Bounds for Shuffling SGD: Random Permutations and Beyond",
            arxiv: "2303.07160",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(task: &Task, options: ShufflingOptions) -> Result<(Self, State)> {
        let (n, d) = (task.sum.len(), task.sum.dimension());
        if options.batch_size > 1 && options.order.balances() {
            return Err(Error::option("batch_size", "must be 1 where the order balances single components"));
        }
        let orders = Orders::new(options.order, n, d, task.seeds.stream("order"));
        let state = State {
            x: task.start.clone(),
            orders,
            place: n,
            passes: 0,
            drift: vec![0.0; d],
            norm: f64::MAX,
            average: (task.start.clone(), 0.0),
        };
        Ok((Shuffling { options, gradient: vec![0.0; d] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        let n = task.sum.len();
        if state.place == n {
            state.orders.begin();
            state.place = 0;
            state.drift.fill(0.0);
        }
        let last = (state.place + self.options.batch_size).min(n);
        let batch = &state.orders.order()[state.place..last];
        task.sum.gradient(&state.x, batch, &mut self.gradient);
        let (taken, component) = (batch.len() as u64, batch[0]);
        state.orders.tell(component, &self.gradient);
        add_scaled(-self.options.step_size, &self.gradient, &mut state.x);
        add_scaled(taken as f64 / n as f64, &self.gradient, &mut state.drift);
        state.place = last;
        if last == n {
            state.orders.end();
            state.passes += 1;
            state.norm = norm(&state.drift);
            let weight = match self.options.averaging {
                Averaging::Last => {
                    state.average.1 = 0.0;
                    1.0
                }
                Averaging::Weighted => state.passes as f64,
                Averaging::Tail => {
                    if state.passes.is_power_of_two() {
                        state.average.1 = 0.0;
                    }
                    1.0
                }
            };
            let (average, sum) = &mut state.average;
            *sum += weight;
            for (average, x) in average.iter_mut().zip(&state.x) {
                *average += weight / *sum * (x - *average);
            }
            if !state.norm.is_finite() {
                return Err(Error::Diverged(
                    "the point is no longer finite; take a smaller step_size".into(),
                ));
            }
        }
        let is_last = last == n && self.options.passes.is_some_and(|passes| state.passes >= passes);
        Ok((taken, is_last.then(|| Reason::Converged("as many passes as were asked for are done".into()))))
    }

    fn point(state: &State) -> &[f64] {
        &state.average.0
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm
    }
}
