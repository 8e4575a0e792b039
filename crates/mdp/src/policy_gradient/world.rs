//! Where trajectories come from, and what they cost.

use quire_core::{Result, Rng};
use quire_env::{Action, Environment};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::exact::{Exact, exact};
use super::{Batch, Policy};
use crate::finite::FiniteMdp;

/// What is simulated.
pub enum Simulator {
    /// A finite MDP over `horizon` steps; observations are numbers of states.
    Finite {
        /// The model.
        mdp: FiniteMdp,
        /// Steps of a trajectory H.
        horizon: usize,
        /// True if learners are given J and its gradient instead of trajectories.
        is_exact: bool,
    },
    /// An environment with a time limit.
    Environment(Box<dyn Environment>),
}

/// How many trajectories are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enough {
    /// So many.
    Trajectories(usize),
    /// As many as it takes to make so many steps; the last trajectory is finished.
    Steps(usize),
}

/// A simulator, the policy that acts in it, and the account.
pub struct World {
    /// The policy.
    pub policy: Box<dyn Policy>,
    /// Discount factor γ of J.
    pub discount: f64,
    simulator: Simulator,
    account: Account,
    observation: Vec<f32>,
}

/// What has been spent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    rng: Rng,
    /// Steps of all trajectories; iterations where values are exact.
    pub spent: u64,
    /// Undiscounted return summed over the trajectories since [`World::take_returns`].
    sum: f64,
    trajectories: u64,
}

impl World {
    /// A world whose trajectories are drawn with `rng`.
    pub fn new(policy: Box<dyn Policy>, simulator: Simulator, discount: f64, rng: Rng) -> Self {
        let size = match &simulator {
            Simulator::Finite { .. } => 1,
            Simulator::Environment(environment) => environment.observation_space().size(),
        };
        let account = Account { rng, spent: 0, sum: 0.0, trajectories: 0 };
        World { policy, discount, simulator, account, observation: vec![0.0; size] }
    }

    /// Numbers in an observation.
    pub fn observation(&self) -> usize {
        self.observation.len()
    }

    /// What has been spent.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Takes over a saved account.
    pub fn restore(&mut self, account: Account) {
        self.account = account;
    }

    /// The mean undiscounted return of the trajectories since the last call, if there were any.
    pub fn take_returns(&mut self) -> Option<f64> {
        let Account { sum, trajectories, .. } = &mut self.account;
        let mean = (*trajectories > 0).then(|| *sum / *trajectories as f64);
        (*sum, *trajectories) = (0.0, 0);
        mean
    }

    /// Sets the policy's θ and draws trajectories into `batch`, which is cleared first.
    ///
    /// # Errors
    /// Those of an environment.
    pub fn sample(&mut self, theta: &[f64], enough: Enough, batch: &mut Batch) -> Result<()> {
        batch.clear();
        self.policy.set(theta);
        loop {
            let first = batch.rewards.len();
            self.trajectory(batch)?;
            batch.ends.push(batch.rewards.len());
            self.account.sum += batch.rewards[first..].iter().sum::<f64>();
            self.account.trajectories += 1;
            self.account.spent += (batch.rewards.len() - first) as u64;
            let done = match enough {
                Enough::Trajectories(count) => batch.ends.len() >= count,
                Enough::Steps(count) => batch.rewards.len() >= count,
            };
            if done {
                return Ok(());
            }
        }
    }

    fn trajectory(&mut self, batch: &mut Batch) -> Result<()> {
        let World { policy, simulator, account, observation, .. } = self;
        let rng = &mut account.rng;
        match simulator {
            Simulator::Finite { mdp, horizon, .. } => {
                let mut state = mdp.sample_start(rng);
                for _ in 0..*horizon {
                    let action = policy.act(&[state as f64], rng);
                    batch.observations.push(state as f64);
                    batch.actions.push(action);
                    batch.rewards.push(mdp.reward(state, action));
                    state = mdp.sample_next(state, action, rng);
                }
            }
            Simulator::Environment(environment) => {
                environment.reset(Some(rng.random()), observation)?;
                loop {
                    let first = batch.observations.len();
                    batch.observations.extend(observation.iter().map(|&x| f64::from(x)));
                    let action = policy.act(&batch.observations[first..], rng);
                    let step = environment.step(Action::Discrete(action), observation)?;
                    batch.actions.push(action);
                    batch.rewards.push(step.reward);
                    if step.ended() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// J and its gradient at θ where the model is known, at no cost: for scores.
    pub fn truth(&self, theta: &[f64]) -> Option<Exact> {
        match &self.simulator {
            Simulator::Finite { mdp, horizon, .. } => Some(exact(mdp, *horizon, self.discount, theta)),
            Simulator::Environment(_) => None,
        }
    }

    /// The same for a learner, at the cost of one iteration, if values are exact here.
    pub fn exactly(&mut self, theta: &[f64]) -> Option<Exact> {
        if !matches!(self.simulator, Simulator::Finite { is_exact: true, .. }) {
            return None;
        }
        self.account.spent += 1;
        self.truth(theta)
    }
}
