//! A log of episodes, and what a regression needs of it.

use quire_core::Rng;
use rand::RngExt;

use crate::policy;
use crate::staged::StagedMdp;

/// One step of an episode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// Where it began.
    pub state: usize,
    /// What was done.
    pub action: usize,
    /// What it paid, in [0, 1].
    pub reward: f64,
    /// Where it led.
    pub next: usize,
}

/// K episodes of H steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    horizon: usize,
    /// `[K, H]`.
    transitions: Vec<Transition>,
}

/// How rewards are paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewards {
    /// Always their expectation.
    Certain,
    /// 1 with the expectation as probability, else 0.
    Coins,
}

/// The episodes of a log that a regression looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// All of them.
    All,
    /// Episodes 0, 2, 4, ...
    Even,
    /// Episodes 1, 3, 5, ...
    Odd,
}

/// A weighted regression on the pairs, Σ_z w(z) (f(z) - y(z))², which is the sum of squares over the samples of a log up to
/// a constant: w(z) sums the weights of the samples of a pair z, y(z) is the mean of their targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression {
    /// w, `[S, A]`.
    pub weight: Vec<f64>,
    /// y, `[S, A]`; 0 for a pair without samples.
    pub target: Vec<f64>,
}

impl Log {
    /// From `transitions`, `[K, H]`.
    ///
    /// # Panics
    /// If they do not make whole episodes.
    pub fn new(horizon: usize, transitions: Vec<Transition>) -> Self {
        assert!(horizon > 0 && transitions.len().is_multiple_of(horizon), "episodes have {horizon} steps");
        Log { horizon, transitions }
    }

    /// Acts for `episodes` episodes with a stochastic policy, `[S, A]`, the same at all stages.
    pub fn record(
        mdp: &StagedMdp,
        behaviour: &[f64],
        rewards: Rewards,
        episodes: usize,
        rng: &mut Rng,
    ) -> Self {
        let mut transitions = Vec::with_capacity(episodes * mdp.horizon());
        for _ in 0..episodes {
            let mut state = mdp.sample_start(rng);
            for stage in 0..mdp.horizon() {
                let model = mdp.stage(stage);
                let action = policy::draw(&behaviour[state * mdp.actions()..][..mdp.actions()], rng);
                let mean = model.reward(state, action);
                let reward = match rewards {
                    Rewards::Certain => mean,
                    Rewards::Coins => f64::from(u8::from(rng.random::<f64>() < mean)),
                };
                let next = model.sample_next(state, action, rng);
                transitions.push(Transition { state, action, reward, next });
                state = next;
            }
        }
        Log::new(mdp.horizon(), transitions)
    }

    /// The number of episodes K.
    pub fn episodes(&self) -> usize {
        self.transitions.len() / self.horizon
    }

    /// The steps at `stage` of those of the first `episodes` episodes that are in `fold`.
    pub fn steps(&self, stage: usize, episodes: usize, fold: Fold) -> impl Iterator<Item = &Transition> {
        let (first, every) = match fold {
            Fold::All => (0, 1),
            Fold::Even => (0, 2),
            Fold::Odd => (1, 2),
        };
        self.transitions[..episodes * self.horizon]
            .chunks_exact(self.horizon)
            .skip(first)
            .step_by(every)
            .map(move |episode| &episode[stage])
    }
}

impl Regression {
    /// Of `steps` over `pairs` pairs with `actions` actions a state; `target` says what a step is regressed on, and the
    /// steps of a pair have the weight 1/`variance` (`[S, A]`), or 1.
    pub fn new<'a>(
        pairs: usize,
        actions: usize,
        steps: impl Iterator<Item = &'a Transition>,
        variance: Option<&[f64]>,
        target: impl Fn(&Transition) -> f64,
    ) -> Self {
        let mut regression = Regression { weight: vec![0.0; pairs], target: vec![0.0; pairs] };
        for step in steps {
            let pair = step.state * actions + step.action;
            regression.weight[pair] += 1.0;
            let from_mean = target(step) - regression.target[pair];
            regression.target[pair] += from_mean / regression.weight[pair];
        }
        if let Some(variance) = variance {
            regression.weight.iter_mut().zip(variance).for_each(|(weight, variance)| *weight /= variance);
        }
        regression
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_split_the_log_and_sums_of_squares_are_those_of_the_samples() {
        let step = |state, reward| Transition { state, action: 0, reward, next: 0 };
        let log = Log::new(1, vec![step(0, 1.0), step(1, 0.5), step(0, 0.0), step(0, 0.2), step(1, 9.0)]);
        let rewards = |fold| log.steps(0, 4, fold).map(|step| step.reward).collect::<Vec<_>>();
        assert_eq!(rewards(Fold::All), [1.0, 0.5, 0.0, 0.2]);
        assert_eq!((rewards(Fold::Even), rewards(Fold::Odd)), (vec![1.0, 0.0], vec![0.5, 0.2]));
        let regression =
            Regression::new(2, 1, log.steps(0, 4, Fold::All), Some(&[2.0, 4.0]), |step| step.reward);
        assert_eq!(regression.weight, [1.5, 0.25]);
        assert!((regression.target[0] - 0.4).abs() < 1e-15 && regression.target[1] == 0.5);
    }
}
