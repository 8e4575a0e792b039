//! Family: climb the expected return of a parameterized policy by gradients estimated from its own trajectories.
//!
//! J(θ) = E Σ_h γ^h r_h over trajectories of π_θ. A learner may ask for trajectories at any θ, and pays for their steps. Where the
//! model is small and known, J and its gradient are exact as well, so that every estimate can be held against the truth.
//!
//! | file | what it holds |
//! |---|---|
//! | [`polyak`] | Polyak-PG: a step size from the gap to the best value, known or a twin's |
//! | [`reinforce`] | REINFORCE (GPOMDP) with SGD or Adam |
//! | [`n_pg_igt`] | N-PG-IGT: normalized momentum of gradients at extrapolated policies |
//! | [`harpg`] | HARPG and N-HARPG: recursive momentum corrected by Hessian-vector products |
//! | [`storm_pg`], [`hapg`] | STORM-PG and HAPG, which correct by importance weights and start from anchors |
//! | [`momentum`] | vanilla policy gradient and normalized momentum, their rivals, and the schedules |
//! | [`policy`], [`mlp`] | softmax policies, as a table and as a network |
//! | [`batch`] | trajectories, what weighs their scores, baselines |
//! | [`exact`] | J and its gradient where the model is known |
//! | [`world`] | where trajectories come from |
//! | [`problem`], [`run`] | the problems and a run |

pub mod batch;
pub mod exact;
pub mod hapg;
pub mod harpg;
pub mod mlp;
pub mod momentum;
pub mod n_pg_igt;
pub mod policy;
pub mod polyak;
pub mod problem;
pub mod reinforce;
pub mod run;
pub mod storm_pg;
pub mod world;

use quire_core::{About, Entry, OptionMap, Options, Result, Seeds, options};
use quire_optim::GradientNorms;

use quire_optim::Layout;

pub use batch::{Baseline, BaselineKind, Batch};
pub use policy::Policy;
pub use problem::problems;
pub use world::{Enough, World};

/// What a learner is told at its start.
pub struct Setting {
    /// θ_0.
    pub start: Vec<f64>,
    /// The tensors that θ is made of.
    pub layout: Layout,
    /// The greatest value of J, if it is known.
    pub optimum: Option<f64>,
    /// Numbers in an observation.
    pub observation: usize,
    /// Where its random streams come from; trajectories have their own.
    pub seeds: Seeds,
}

/// The role: ask for trajectories, move θ.
pub trait Learner: Send {
    /// One iteration.
    fn iterate(&mut self, world: &mut World) -> Result<()>;

    /// The parameters of the policy that the learner would hand over.
    fn parameters(&self) -> &[f64];

    /// The last point and what the learner took for the gradient of J there, if it keeps one such estimate.
    fn direction(&self) -> Option<(&[f64], &[f64])> {
        None
    }

    /// The factor of the last direction in the last step.
    fn step_size(&self) -> f64;

    /// The norms of its gradients, if its optimizer records them.
    fn gradient_norms(&self) -> Option<&GradientNorms> {
        None
    }

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Learner::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this family: a learner that is made from typed options.
pub trait Method: Learner + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Whether it also works where values and gradients are exact and there are no trajectories.
    const WORKS_EXACTLY: bool = false;

    /// Makes the learner. Fails if the options don't suit the setting.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// What the table says of a method besides its card.
pub struct Maker {
    /// Whether it also works where values and gradients are exact.
    pub works_exactly: bool,
    /// Makes the learner from the options that the user has set, laid over the defaults.
    pub learner: fn(&Setting, &OptionMap) -> Result<Box<dyn Learner>>,
}

const fn entry<M: Method>() -> Entry<Maker> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: Maker {
            works_exactly: M::WORKS_EXACTLY,
            learner: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
        },
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] = &[
    entry::<polyak::PolyakPg>(),
    entry::<n_pg_igt::NPgIgt>(),
    entry::<harpg::Harpg>(),
    entry::<reinforce::Reinforce>(),
    entry::<momentum::VanillaPg>(),
    entry::<momentum::NormalizedMomentumPg>(),
    entry::<storm_pg::StormPg>(),
    entry::<hapg::Hapg>(),
];

/// The Euclidean norm.
pub fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// `y += a x`.
pub fn add_scaled(a: f64, x: &[f64], y: &mut [f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}

#[cfg(test)]
mod tests;
