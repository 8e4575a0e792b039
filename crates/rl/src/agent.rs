//! The role of this wing: learning from acting in an environment.

use std::collections::BTreeMap;

use quire_core::{About, Entry, OptionMap, Options, Result, Rng, Seeds, Trace, options};
use quire_env::Space;

use crate::replay::Transition;

/// What a learner is told about the environment it will meet and the resources it has.
#[derive(Debug, Clone)]
pub struct Task {
    /// The space of observations.
    pub observation: Space,
    /// The space of actions.
    pub action: Space,
    /// The environment steps there will be in all.
    pub budget: u64,
    /// Threads the learner may use. They change the speed, never a bit of the result.
    pub threads: usize,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

/// A learner at work. Actions are slices: a discrete action is its number in one element, a continuous one its vector.
pub trait Agent: Send {
    /// Chooses an action while learning: explores.
    fn act(&mut self, observation: &[f32], action: &mut [f32]);

    /// Chooses an action when evaluated, and returns the agent's own estimate of the discounted return from `observation`
    /// under its greedy policy, if it has one. Does not change the agent; randomness, if the evaluation rule has any, comes
    /// from `rng`.
    fn act_greedily(&mut self, observation: &[f32], rng: &mut Rng, action: &mut [f32]) -> Option<f64>;

    /// The discount factor it learns with.
    fn discount(&self) -> f64;

    /// Takes in one transition and does whatever learning is due. Records diagnostics into `trace` at `step`.
    fn observe(&mut self, transition: &Transition<'_>, step: u64, trace: &mut Trace) -> Result<()>;

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Agent::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;

    /// The files of an artefact that hold the policy.
    fn policy(&self) -> BTreeMap<String, Vec<u8>>;

    /// Takes the policy from the files of an artefact.
    fn load_policy(&mut self, files: &BTreeMap<String, Vec<u8>>) -> Result<()>;
}

/// A method of this wing: an agent that is made from typed options.
pub trait Learner: Agent + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Which actions it can choose among.
    const ACTIONS: Actions;

    /// Makes the agent. Fails if the options or the spaces don't suit it.
    fn new(task: &Task, options: Self::Options) -> Result<Self>;
}

/// Which action spaces a method can act in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actions {
    /// A finite set.
    Discrete,
    /// Real vectors.
    Continuous,
    /// Either.
    Any,
}

impl Actions {
    /// True if a method of this kind can act in `space`.
    pub fn suits(self, space: &Space) -> bool {
        match self {
            Actions::Discrete => matches!(space, Space::Discrete { .. }),
            Actions::Continuous => matches!(space, Space::Box { .. }),
            Actions::Any => true,
        }
    }
}

/// An agent and all its options.
pub type Made = (Box<dyn Agent>, OptionMap);

/// What the table says of a method besides its card.
pub struct Maker {
    /// Which actions it can choose among.
    pub actions: Actions,
    /// Makes the agent from the options that the user has set, laid over the defaults; also returns all options.
    pub agent: fn(&Task, &OptionMap) -> Result<Made>,
}

/// The row of the method `L`.
pub const fn entry<L: Learner>() -> Entry<Maker> {
    Entry {
        name: L::ABOUT.name,
        card: || L::ABOUT.card::<L::Options>(),
        make: Maker { actions: L::ACTIONS, agent: make::<L> },
    }
}

fn make<L: Learner>(task: &Task, set: &OptionMap) -> Result<Made> {
    let options: L::Options = options::resolve(&[set])?;
    let all = options::to_map(&options);
    Ok((Box::new(L::new(task, options)?), all))
}
