//! The log that methods plan from.

use quire_core::{Error, Result, Rng};
use rand::RngExt;

use crate::finite::FiniteMdp;

/// One logged step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// State and action, as state x A + action.
    pub pair: usize,
    /// The state that followed; `None` if the episode ended, where the value is 0.
    pub next: Option<usize>,
}

/// A log of steps in an MDP of `S` states and `A` actions, and its reward function.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    actions: usize,
    /// r(s, a), `[S, A]`.
    rewards: Vec<f64>,
    steps: Vec<Step>,
    /// How often each pair occurs, `[S, A]`.
    counts: Vec<u32>,
}

impl Dataset {
    /// A log. `rewards` is `[S, A]`.
    ///
    /// # Errors
    /// No step, or one that names a state or an action that does not exist.
    pub fn new(actions: usize, rewards: Vec<f64>, steps: Vec<Step>) -> Result<Self> {
        let states = rewards.len() / actions.max(1);
        let fits = |step: &Step| step.pair < rewards.len() && step.next.is_none_or(|next| next < states);
        if let Some(place) = steps.iter().position(|step| !fits(step)) {
            return Err(Error::Usage(format!(
                "step {place} of the log names a state or action that is not there"
            )));
        }
        if steps.is_empty() {
            return Err(Error::Usage("the log has no step".into()));
        }
        let mut counts = vec![0; rewards.len()];
        steps.iter().for_each(|step| counts[step.pair] += 1);
        Ok(Dataset { actions, rewards, steps, counts })
    }

    /// `count` steps of `mdp`, each from a pair drawn uniformly.
    ///
    /// # Errors
    /// A `count` of 0.
    pub fn uniform(mdp: &FiniteMdp, count: usize, rng: &mut Rng) -> Result<Self> {
        let pairs = mdp.states() * mdp.actions();
        let steps = (0..count).map(|_| {
            let pair = rng.random_range(0..pairs as u64) as usize;
            let next = Some(mdp.sample_next(pair / mdp.actions(), pair % mdp.actions(), rng));
            Step { pair, next }
        });
        Self::new(mdp.actions(), mdp.rewards().to_vec(), steps.collect())
    }

    /// The number of states S.
    pub fn states(&self) -> usize {
        self.rewards.len() / self.actions
    }

    /// The number of actions A.
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// r(s, a), `[S, A]`.
    pub fn rewards(&self) -> &[f64] {
        &self.rewards
    }

    /// All steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The mean over the log of `target`, a function of the next state, for every pair: what least squares on a table gives.
    /// Writes into `means`, `[S, A]`; a pair that the log does not have keeps what it was.
    pub fn cell_means(&self, target: impl Fn(Option<usize>) -> f64, means: &mut [f64]) {
        for (mean, _) in means.iter_mut().zip(&self.counts).filter(|(_, count)| **count > 0) {
            *mean = 0.0;
        }
        self.steps.iter().for_each(|step| means[step.pair] += target(step.next));
        for (mean, &count) in means.iter_mut().zip(&self.counts).filter(|(_, count)| **count > 0) {
            *mean /= f64::from(count);
        }
    }

    /// The relative frequencies as a model, started uniformly. From a pair that the log does not have every state follows with
    /// the same probability, which is ours.
    ///
    /// # Errors
    /// A log with ends of episodes, which a model without terminal states cannot have.
    pub fn model(&self) -> Result<FiniteMdp> {
        let states = self.states();
        let mut transitions = vec![0.0; self.rewards.len() * states];
        for step in &self.steps {
            let next = step.next.ok_or_else(|| {
                Error::Usage(
                    "the log has ends of episodes; methods that plan in a model need one without".into(),
                )
            })?;
            transitions[step.pair * states + next] += 1.0;
        }
        for (row, &count) in transitions.chunks_exact_mut(states).zip(&self.counts) {
            match count {
                0 => row.fill(1.0 / states as f64),
                _ => row.iter_mut().for_each(|p| *p /= f64::from(count)),
            }
        }
        let start = vec![1.0 / states as f64; states];
        FiniteMdp::from_dense(states, self.actions, &transitions, self.rewards.clone(), start)
    }
}
