//! Family: value iteration that keeps its policy near the last one, so that errors of its backups average out.
//!
//! An iteration asks the method for the values of all states, backs them up through a model that errs - one sampled next
//! state in place of the expectation, or noise on top of it - and hands the result back. The method is scored by how far
//! the policy that it has made is from the optimal one, computed exactly.
//!
//! | file | what it holds |
//! |---|---|
//! | [`md_vi`] | MD-VI: the policy is a softmax near the previous policy |
//! | [`da_vi`] | DA-VI: the same as a softmax of averaged action values |
//! | [`sampled_vi`] | plain value iteration on the same backups |
//! | [`backups`] | the problems `garnet-sampled-backups` and `garnet-noisy-backups`, and their run |

pub mod backups;
pub mod da_vi;
pub mod md_vi;
pub mod sampled_vi;

use quire_core::{About, Entry, OptionMap, Options, Result, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use backups::problems;

/// Options that MD-VI and DA-VI share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegularizedOptions {
    /// Weight λ of the divergence from the previous policy, in units of value. Paper's figure: 0.1, 1 and 10; default ours.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub kl_weight: f64,
    /// Weight τ of the policy's entropy, in units of value; 0 leaves it out. Paper's figure: 0 and 0.001.
    #[schemars(range(min = 0.0))]
    pub entropy_weight: f64,
    /// Whether values are those of the regularized problem, which the theory is about ("w/"), or plain means of action
    /// values ("w/o").
    pub regularized_evaluation: bool,
    /// Whether action values are cut off at ±(r_max + τ ln A)/(1 - γ), as the theory assumes.
    pub clip: bool,
}

impl Default for RegularizedOptions {
    fn default() -> Self {
        RegularizedOptions { kl_weight: 1.0, entropy_weight: 0.0, regularized_evaluation: true, clip: false }
    }
}

impl Options for RegularizedOptions {}

impl RegularizedOptions {
    /// β = λ/(λ + τ).
    pub fn beta(&self) -> f64 {
        self.kl_weight / (self.kl_weight + self.entropy_weight)
    }
}

/// What a method is told about the model.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The number of states S.
    pub states: usize,
    /// The number of actions A.
    pub actions: usize,
    /// Discount factor γ per step.
    pub discount: f64,
    /// The greatest size of a reward.
    pub greatest_reward: f64,
}

/// The role: improve the policy, name the states' values, take in what a backup made of them.
pub trait Iterate: Send {
    /// π_{k+1} from q_k: fills `values`, `[S]`, with the states' values to be backed up.
    fn improve(&mut self, values: &mut [f64]);

    /// Takes in q_{k+1} = r + γ P v + ε, `[S, A]`.
    fn observe(&mut self, q: &[f64]);

    /// π_{k+1}, `[S, A]`.
    fn policy(&self) -> Vec<f64>;

    /// The whole state.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Iterate::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this family, made from typed options.
pub trait Method: Iterate + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Starts with q_0 = 0 and the uniform policy.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// Makes the method from the options that the user has set, laid over the defaults.
pub type Make = fn(&Setting, &OptionMap) -> Result<Box<dyn Iterate>>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Make>] =
    &[entry::<md_vi::MdVi>(), entry::<da_vi::DaVi>(), entry::<sampled_vi::SampledVi>()];

/// Turns `logits` into log-probabilities in place and returns ln Σ exp(logits).
pub fn log_softmax(logits: &mut [f64]) -> f64 {
    let greatest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = greatest + logits.iter().map(|logit| (logit - greatest).exp()).sum::<f64>().ln();
    logits.iter_mut().for_each(|logit| *logit -= sum);
    sum
}

/// The value of a state under π_{k+1} (`log_policy`, `[A]`) for action values `q` (`[A]`): with regularization
/// Σ π q - λ KL(π ‖ π_k) + τ H(π), without it Σ π q.
pub fn state_value(options: &RegularizedOptions, q: &[f64], log_policy: &[f64], previous: &[f64]) -> f64 {
    let (kl, entropy) =
        if options.regularized_evaluation { (options.kl_weight, options.entropy_weight) } else { (0.0, 0.0) };
    let terms = q.iter().zip(log_policy).zip(previous);
    terms.map(|((q, log), before)| log.exp() * (q - kl * (log - before) - entropy * log)).sum()
}

/// Cuts `q` off at ±(r_max + τ ln A)/(1 - γ).
fn clip(setting: &Setting, entropy_weight: f64, q: &mut [f64]) {
    let bound =
        (setting.greatest_reward + entropy_weight * (setting.actions as f64).ln()) / (1.0 - setting.discount);
    q.iter_mut().for_each(|value| *value = value.clamp(-bound, bound));
}

#[cfg(test)]
mod tests;
