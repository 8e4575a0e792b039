//! The mean of a slowly mixing chain, from short trajectories: what MAC's estimates do, without the learning.
//!
//! An estimator sees the states of a chain one after the other, from a start that is not stationary, and names the mean
//! that the chain has in the long run.
//!
//! | file | what it holds |
//! |---|---|
//! | [`fixed_length`] | the mean of a trajectory of a fixed length |
//! | [`multi_level`] | the multi-level estimate |
//! | [`two_state_chain`] | the problems `two-state-chain-0.05` and `two-state-chain-0.01`, and their run |

pub mod fixed_length;
pub mod multi_level;
pub mod two_state_chain;

use quire_core::{About, Entry, OptionMap, Options, Result, Rng, options};

pub use two_state_chain::problems;

/// The role: one estimate from one trajectory.
pub trait MeanEstimator: Send {
    /// An estimate, and how many steps it took; `next` makes a step and returns what it saw.
    fn estimate(&self, next: &mut dyn FnMut(&mut Rng) -> f64, rng: &mut Rng) -> (f64, usize);
}

/// A method of this role, made from typed options.
pub trait Method: MeanEstimator + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes the estimator.
    fn new(options: Self::Options) -> Result<Self>;
}

/// Makes the estimator from the options that the user has set, laid over the defaults.
pub type Make = fn(&OptionMap) -> Result<Box<dyn MeanEstimator>>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |set| Ok(Box::new(M::new(options::resolve(&[set])?)?)),
    }
}

/// The methods of this role.
pub const METHODS: &[Entry<Make>] =
    &[entry::<multi_level::MultiLevelMean>(), entry::<fixed_length::FixedLengthMean>()];
