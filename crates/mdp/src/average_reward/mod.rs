//! Family: learn while living one endless life, and be paid by the average reward.
//!
//! Nothing is discounted and nothing is reset: an agent acts, sees the reward and the next state, and acts again. It is
//! scored by its regret, T steps of the optimal average reward J* minus what it was paid.
//!
//! | file | what it holds |
//! |---|---|
//! | [`local_fitted`] | LOOP: optimism over a finite class of hypotheses, few changes of policy |
//! | [`best_fit`] | the hypothesis that fits best, with random actions in place of optimism |
//! | [`hypotheses`] | a class of hypotheses, and the excess losses of what it predicted |
//! | [`mixture_loop`] | LOOP over mixtures of known kernels |
//! | [`ucrl2_vtr`] | UCRL2-VTR: optimism over the same mixtures pair by pair |
//! | [`mixtures`] | mixtures, the regression of value targets, the search for the most rewarding one |
//! | [`linear_loop`] | LOOP over action values that are linear in features |
//! | [`fopo`] | FOPO: the same hope in episodes of doubling information |
//! | [`linear_best_fit`] | the linear action values that fit best, with random actions in place of optimism |
//! | [`linear_class`] | linear action values, their excess losses, the search for the most rewarding ones |
//! | [`ucrl2`] | UCRL2: optimism over all models that the counts allow |
//! | [`mac`] | MAC: actor-critic with multi-level estimates |
//! | [`vanilla_actor_critic`] | the same on trajectories of a fixed length |
//! | [`mac_network`], [`vanilla_actor_critic_network`] | both with networks for policy and values |
//! | [`network_actor_critic`] | what these two share |
//! | [`reinforce`] | REINFORCE on segments |
//! | [`ppgae`] | policy gradient with advantages from windows |
//! | [`actor_critic`] | what the actor-critics on tables share |
//! | [`random_policy`] | actions at random |
//! | [`stationary_mean`] | what multi-level estimates do, without the learning |
//! | [`worlds`] | what the problems are made of |
//! | [`problem`] | the problems |
//! | [`run`] | a run: step after step, one record every hundredth |

pub mod actor_critic;
pub mod best_fit;
pub mod fopo;
pub mod hypotheses;
pub mod linear_best_fit;
pub mod linear_class;
pub mod linear_loop;
pub mod local_fitted;
pub mod mac;
pub mod mac_network;
pub mod mixture_loop;
pub mod mixtures;
pub mod network_actor_critic;
pub mod ppgae;
pub mod problem;
pub mod random_policy;
pub mod reinforce;
pub mod run;
pub mod stationary_mean;
pub mod ucrl2;
pub mod ucrl2_vtr;
pub mod vanilla_actor_critic;
pub mod vanilla_actor_critic_network;
pub mod worlds;

use std::sync::Arc;

use quire_core::{About, Entry, OptionMap, Options, Problem, Result, Seeds, options};

pub use hypotheses::Hypotheses;
pub use mixtures::Kernels;

use crate::linear::Features;

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    [problem::problems(), stationary_mean::problems()].concat()
}

/// What an agent is told.
#[derive(Clone)]
pub struct Setting {
    /// The number of states S.
    pub states: usize,
    /// The number of actions A.
    pub actions: usize,
    /// The class that the truth is known to be in, if the problem has one.
    pub hypotheses: Option<Arc<Hypotheses>>,
    /// Kernels that the truth is known to be a mixture of, if the problem has any.
    pub kernels: Option<Arc<Kernels>>,
    /// Features that the model is known to be linear in, if the problem has any.
    pub features: Option<Arc<Features>>,
    /// Coordinates of the states in [0, 1], `[S, d]`, where the world has any.
    pub coordinates: Option<Arc<Vec<f64>>>,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

/// The role: act, observe, for ever.
pub trait Agent: Send {
    /// The action in `state`.
    fn act(&mut self, state: usize) -> usize;

    /// Takes in one step: `action` in `state` paid `reward` in [0, 1] and led to `next`.
    fn observe(&mut self, state: usize, action: usize, reward: f64, next: usize);

    /// The current policy as action probabilities, `[S, A]`.
    fn policy(&self) -> Vec<f64>;

    /// How often the agent has replaced its policy; `None` if it changes all the time.
    fn switches(&self) -> Option<u64> {
        None
    }

    /// The hypothesis that it acts on.
    fn hypothesis(&self) -> Option<usize> {
        None
    }

    /// The average reward per step that it takes its policy to earn.
    fn estimated_gain(&self) -> Option<f64> {
        None
    }

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Agent::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this family: an agent that is made from typed options.
pub trait Method: Agent + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// What it must be told.
    const NEEDS: Needs = Needs::Nothing;

    /// Makes the agent. Fails if the options don't suit the setting.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// What a method must be told besides sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// [`Setting::hypotheses`].
    Hypotheses,
    /// [`Setting::kernels`].
    Kernels,
    /// [`Setting::features`].
    Features,
}

/// What the table says of a method besides its card.
pub struct Maker {
    /// What it must be told.
    pub needs: Needs,
    /// Makes the agent from the options that the user has set, laid over the defaults.
    pub agent: fn(&Setting, &OptionMap) -> Result<Box<dyn Agent>>,
}

const fn entry<M: Method>() -> Entry<Maker> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: Maker {
            needs: M::NEEDS,
            agent: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
        },
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] = &[
    entry::<local_fitted::Loop>(),
    entry::<best_fit::BestFit>(),
    entry::<mixture_loop::MixtureLoop>(),
    entry::<ucrl2_vtr::Ucrl2Vtr>(),
    entry::<linear_loop::LinearLoop>(),
    entry::<fopo::Fopo>(),
    entry::<linear_best_fit::LinearBestFit>(),
    entry::<ucrl2::Ucrl2>(),
    entry::<mac::Mac>(),
    entry::<vanilla_actor_critic::VanillaActorCritic>(),
    entry::<mac_network::MacNetwork>(),
    entry::<vanilla_actor_critic_network::VanillaActorCriticNetwork>(),
    entry::<reinforce::Reinforce>(),
    entry::<ppgae::Ppgae>(),
    entry::<random_policy::RandomPolicy>(),
];

#[cfg(test)]
mod tests;
