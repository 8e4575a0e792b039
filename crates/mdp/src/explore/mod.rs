//! Family: learn by acting in an unknown episodic MDP, and pay little for learning.
//!
//! An explorer plans before every episode of H steps, follows its plan, and takes in what it saw. It is scored by its
//! regret: the optimal expected return minus that of the policies it followed, summed over episodes and computed
//! exactly from the model, which only the score knows.

pub mod bayes_ucbvi;
pub mod greedy_ucbvi;
pub mod incr_bayes_ucbvi;
pub mod linear;
pub mod metric;
pub mod model;
pub mod opsrl;
pub mod opt_ql;
pub mod problem;
pub mod psrl;
pub mod rand_ql;
pub mod rlsvi;
pub mod run;
pub mod stages;
pub mod ucbvi;

use std::sync::Arc;

use quire_core::{About, Entry, OptionMap, Options, Result, Seeds, options};

use crate::linear::Features;

pub use problem::problems;

/// What an explorer is told: sizes, and the rewards, which these methods take as known.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The number of states S.
    pub states: usize,
    /// The number of actions A.
    pub actions: usize,
    /// Steps of an episode H.
    pub horizon: usize,
    /// Expected rewards in [0, 1], `[S, A]`.
    pub rewards: Vec<f64>,
    /// Features of the pairs in which rewards and transitions are linear, where the problem has any.
    pub features: Option<Arc<Features>>,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

impl Setting {
    /// The number of state-action pairs.
    pub fn pairs(&self) -> usize {
        self.states * self.actions
    }

    /// The features, or one a pair.
    pub fn features(&self) -> Arc<Features> {
        self.features.clone().unwrap_or_else(|| Arc::new(Features::one_hot(self.pairs())))
    }

    /// The greatest return from stage `stage` (from 0) on: H - stage.
    pub fn greatest_return(&self, stage: usize) -> f64 {
        (self.horizon - stage) as f64
    }
}

/// The role: plan, act, observe.
pub trait Explorer: Send {
    /// Plans the next episode; fills `policy`, `[H, S]`, with the action of every stage and state. It holds the plan before, so that
    /// only what has changed need be written.
    fn plan(&mut self, policy: &mut [usize]);

    /// Takes in one step: at stage `stage` (from 0), `action` led from `state` to `next`.
    fn observe(&mut self, stage: usize, state: usize, action: usize, next: usize);

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Explorer::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this family: an explorer that is made from typed options.
pub trait Method: Explorer + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes the explorer. Fails if the options don't suit the setting.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// Makes the explorer from the options that the user has set, laid over the defaults.
pub type Make = fn(&Setting, &OptionMap) -> Result<Box<dyn Explorer>>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Make>] = &[
    entry::<bayes_ucbvi::BayesUcbvi>(),
    entry::<incr_bayes_ucbvi::IncrBayesUcbvi>(),
    entry::<ucbvi::Ucbvi>(),
    entry::<psrl::Psrl>(),
    entry::<opsrl::Opsrl>(),
    entry::<rlsvi::Rlsvi>(),
    entry::<greedy_ucbvi::GreedyUcbvi>(),
    entry::<rand_ql::RandQl>(),
    entry::<opt_ql::OptQl>(),
    entry::<linear::lmc_lsvi::LmcLsvi>(),
    entry::<linear::linear_rlsvi::LinearRlsvi>(),
    entry::<linear::lsvi_ucb::LsviUcb>(),
    entry::<linear::epsilon_greedy_lsvi::EpsilonGreedyLsvi>(),
];

/// Backward induction over any optimistic or sampled Q: fills `policy` (`[H, S]`) with its greedy actions, of equal ones the
/// first. `q(greatest, later, values)` writes Q_h (`[S, A]`) given the greatest return from stage h on and V_{h+1} (`[S]`);
/// `ceiling` of that greatest return bounds V_h.
pub fn plan_backward(
    setting: &Setting,
    policy: &mut [usize],
    ceiling: impl Fn(f64) -> f64,
    mut q: impl FnMut(f64, &[f64], &mut [f64]),
) {
    let mut values = vec![0.0; setting.states * setting.actions];
    let mut later = vec![0.0; setting.states];
    for stage in (0..setting.horizon).rev() {
        let greatest = setting.greatest_return(stage);
        q(greatest, &later, &mut values);
        let bound = ceiling(greatest);
        let chosen = &mut policy[stage * setting.states..(stage + 1) * setting.states];
        for ((row, chosen), value) in values.chunks_exact(setting.actions).zip(chosen).zip(&mut later) {
            let mut best = (0, f64::NEG_INFINITY);
            for (action, &q) in row.iter().enumerate() {
                if q > best.1 {
                    best = (action, q);
                }
            }
            *chosen = best.0;
            *value = best.1.min(bound);
        }
    }
}
