//! Family: plan from a log of episodes that somebody else has acted in, and from nothing else.
//!
//! A planner gets K episodes of H steps, the features of all pairs, and returns one policy a stage. It is scored by its
//! suboptimality: the optimal expected return minus that of its policy, computed exactly from the model, which only the
//! score knows.
//!
//! | file | what it holds |
//! |---|---|
//! | [`pnlsvi`] | PNLSVI: regression weighted by estimated variances, minus a bonus |
//! | [`vapvi`] | its linear rivals: VAPVI and LinPEVI-ADV+ |
//! | [`pevi`] | the same idea without weights: PEVI, PFQL, and LSVI without a bonus |
//! | [`classes`] | the function classes with their least-squares and bonus oracles |
//! | [`log`](mod@log) | the log of episodes |
//! | [`problem`] | the problems `offline-linear-5`, `offline-linear-20` and `offline-sigmoid-5`, and their run |
//! | [`worlds`] | the models behind them |
//! | [`sources`] | planning from logs of perturbations of the target |

pub mod classes;
pub mod log;
pub mod pevi;
pub mod pnlsvi;
pub mod problem;
pub mod sources;
pub mod vapvi;
pub mod worlds;

use std::sync::Arc;

use quire_core::{About, Entry, OptionMap, Options, Result, options};

pub use log::{Log, Transition};
pub use problem::problems;

use crate::linear::Features;
use crate::solve::maximum;
use classes::FiniteClass;

/// What a planner is told besides the log.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The number of states S.
    pub states: usize,
    /// The number of actions A.
    pub actions: usize,
    /// Steps of an episode H.
    pub horizon: usize,
    /// φ(s, a).
    pub features: Arc<Features>,
    /// A finite class of action values, where the problem has one.
    pub class: Option<Arc<FiniteClass>>,
}

/// What a planner makes of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Q̂_h(s, a), `[H, S, A]`, pessimistic where the method is.
    pub q: Vec<f64>,
    /// The greedy action of every stage and state, `[H, S]`; of equal actions the first.
    pub policy: Vec<usize>,
}

/// The role: make a plan of a log.
pub trait Planner: Send {
    /// Plans from the first `episodes` episodes of `log`, at least 2.
    ///
    /// # Errors
    /// A regression that cannot be solved.
    fn plan(&self, log: &Log, episodes: usize) -> Result<Plan>;
}

/// A method of this family, made from typed options.
pub trait Method: Planner + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes the planner. Fails if the options don't suit the setting.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// Makes the planner from the options that the user has set, laid over the defaults.
pub type Make = fn(&Setting, &OptionMap) -> Result<Box<dyn Planner>>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Make>] = &[
    entry::<pnlsvi::Pnlsvi>(),
    entry::<vapvi::Vapvi>(),
    entry::<vapvi::LinPeviAdvPlus>(),
    entry::<pevi::Pevi>(),
    entry::<pevi::Pfql>(),
    entry::<pevi::Lsvi>(),
];

impl Setting {
    /// The greatest return from a stage on, counted from 0: H - h, as rewards lie in [0, 1].
    pub fn greatest_return(&self, stage: usize) -> f64 {
        (self.horizon - stage) as f64
    }
}

/// Plans backwards: `stage_values` makes Q̂_h (`[S, A]`) from (stage, V̂_{h+1} `[S]`). They are cut off at 0 and H - h + 1.
fn plan_backward(
    setting: &Setting,
    mut stage_values: impl FnMut(usize, &[f64]) -> Result<Vec<f64>>,
) -> Result<Plan> {
    let pairs = setting.states * setting.actions;
    let mut plan =
        Plan { q: vec![0.0; setting.horizon * pairs], policy: vec![0; setting.horizon * setting.states] };
    let mut later = vec![0.0; setting.states];
    for stage in (0..setting.horizon).rev() {
        let values = clipped(stage_values(stage, &later)?, setting.greatest_return(stage));
        for (state, row) in values.chunks_exact(setting.actions).enumerate() {
            (plan.policy[stage * setting.states + state], later[state]) = maximum(row.iter().copied());
        }
        plan.q[stage * pairs..][..pairs].copy_from_slice(&values);
    }
    Ok(plan)
}

/// Values cut off at 0 and `ceiling`.
fn clipped(mut values: Vec<f64>, ceiling: f64) -> Vec<f64> {
    values.iter_mut().for_each(|value| *value = value.clamp(0.0, ceiling));
    values
}

/// max_a Q(s, a) of every state, `[S]`, of `q`, `[S, A]`.
fn greatest(q: &[f64], actions: usize) -> Vec<f64> {
    q.chunks_exact(actions).map(|row| maximum(row.iter().copied()).1).collect()
}

#[cfg(test)]
mod tests;
