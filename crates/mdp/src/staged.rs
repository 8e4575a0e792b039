//! Episodic MDPs whose dynamics and rewards differ from stage to stage, solved and evaluated exactly.

use quire_core::{Error, Result, Rng};

use crate::finite::FiniteMdp;
use crate::solve::{EpisodicSolution, maximum};

/// An episodic MDP of H stages: one [`FiniteMdp`] a stage, all with the same states and actions. The first one's start
/// distribution is that of the episodes.
#[derive(Debug, Clone, PartialEq)]
pub struct StagedMdp {
    stages: Vec<FiniteMdp>,
}

impl StagedMdp {
    /// From the models of the stages, first stage first.
    ///
    /// # Errors
    /// No stage, or one with other numbers of states or actions than the first.
    pub fn new(stages: Vec<FiniteMdp>) -> Result<Self> {
        let Some(first) = stages.first() else {
            return Err(Error::Usage("an episodic MDP needs at least one stage".into()));
        };
        let sizes = |mdp: &FiniteMdp| (mdp.states(), mdp.actions());
        if let Some(stage) = stages.iter().position(|mdp| sizes(mdp) != sizes(first)) {
            return Err(Error::Usage(format!(
                "stage {stage} has {:?} states and actions, stage 0 has {:?}",
                sizes(&stages[stage]),
                sizes(first)
            )));
        }
        Ok(StagedMdp { stages })
    }

    /// The number of stages H.
    pub fn horizon(&self) -> usize {
        self.stages.len()
    }

    /// The number of states S.
    pub fn states(&self) -> usize {
        self.stages[0].states()
    }

    /// The number of actions A.
    pub fn actions(&self) -> usize {
        self.stages[0].actions()
    }

    /// The model of a stage, counted from 0.
    pub fn stage(&self, stage: usize) -> &FiniteMdp {
        &self.stages[stage]
    }

    /// Draws a first state.
    pub fn sample_start(&self, rng: &mut Rng) -> usize {
        self.stages[0].sample_start(rng)
    }

    /// The expectation of `values` (`[S]`) over the first state.
    pub fn at_start(&self, values: &[f64]) -> f64 {
        self.stages[0].start().iter().zip(values).map(|(p, v)| p * v).sum()
    }

    /// r + P V of a stage, `[S, A]`, for the values of the next, `[S]`.
    pub fn backup(&self, stage: usize, values: &[f64]) -> Vec<f64> {
        let mdp = &self.stages[stage];
        let pair = |pair| {
            let (state, action) = (pair / mdp.actions(), pair % mdp.actions());
            mdp.reward(state, action) + mdp.expectation(state, action, values)
        };
        (0..mdp.states() * mdp.actions()).map(pair).collect()
    }

    /// Optimal values and policy of every stage.
    pub fn backward_induction(&self) -> EpisodicSolution {
        let (horizon, states) = (self.horizon(), self.states());
        let mut values = vec![0.0; (horizon + 1) * states];
        let mut policy = vec![0; horizon * states];
        for stage in (0..horizon).rev() {
            let q = self.backup(stage, &values[(stage + 1) * states..][..states]);
            for (state, row) in q.chunks_exact(self.actions()).enumerate() {
                let (action, value) = maximum(row.iter().copied());
                values[stage * states + state] = value;
                policy[stage * states + state] = action;
            }
        }
        EpisodicSolution { values, policy }
    }

    /// The expected return of a deterministic policy, `[H, S]`, from the start distribution.
    pub fn evaluate(&self, policy: &[usize]) -> f64 {
        let states = self.states();
        let mut later = vec![0.0; states];
        let mut now = vec![0.0; states];
        for (mdp, policy) in self.stages.iter().zip(policy.chunks_exact(states)).rev() {
            for (state, &action) in policy.iter().enumerate() {
                now[state] = mdp.reward(state, action) + mdp.expectation(state, action, &later);
            }
            std::mem::swap(&mut now, &mut later);
        }
        self.at_start(&later)
    }

    /// P(s_h = s, a_h = a) under a policy with action probabilities `[H, S, A]`; fills `result`, of the same shape.
    pub fn occupancy(&self, policy: &[f64], result: &mut [f64]) {
        let (states, actions) = (self.states(), self.actions());
        result.fill(0.0);
        // Until its stage is reached, the mass of a state stands with its first action.
        for (mass, p) in result.iter_mut().step_by(actions).zip(self.stages[0].start()) {
            *mass = *p;
        }
        for (stage, (mdp, policy)) in
            self.stages.iter().zip(policy.chunks_exact(states * actions)).enumerate()
        {
            let (now, later) = result[stage * states * actions..].split_at_mut(states * actions);
            for state in 0..states {
                let mass = now[state * actions];
                for action in 0..actions {
                    let weight = mass * policy[state * actions + action];
                    now[state * actions + action] = weight;
                    let (next, probability) = mdp.row(state, action);
                    if weight > 0.0 && !later.is_empty() {
                        for (&next, &p) in next.iter().zip(probability) {
                            later[next as usize * actions] += weight * p;
                        }
                    }
                }
            }
        }
    }

    /// The return of one episode under a deterministic policy, `[H, S]`, with expected rewards.
    pub fn play(&self, policy: &[usize], rng: &mut Rng) -> f64 {
        let mut state = self.sample_start(rng);
        let mut sum = 0.0;
        for (mdp, policy) in self.stages.iter().zip(policy.chunks_exact(self.states())) {
            sum += mdp.reward(state, policy[state]);
            state = mdp.sample_next(state, policy[state], rng);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve;
    use crate::worlds::garnet;

    #[test]
    fn equal_stages_are_the_stationary_model() {
        let mdp = garnet(6, 3, 2, 4).unwrap();
        let staged = StagedMdp::new(vec![mdp.clone(); 7]).unwrap();
        let solution = staged.backward_induction();
        assert_eq!(solution, solve::backward_induction(&mdp, 7));
        let value = solve::evaluate_episodic(&mdp, &solution.policy, &mut Vec::new());
        assert_eq!(staged.evaluate(&solution.policy), value);
        let policy: Vec<f64> = (0..7 * 6 * 3).map(|at| [0.5, 0.2, 0.3][at % 3]).collect();
        let mut visits = vec![0.0; policy.len()];
        staged.occupancy(&policy, &mut visits);
        let expected = solve::occupancy(&mdp, &policy);
        assert!(visits.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-15));
        assert!(StagedMdp::new(Vec::new()).is_err());
        assert!(StagedMdp::new(vec![mdp, garnet(5, 3, 2, 4).unwrap()]).is_err());
    }
}
