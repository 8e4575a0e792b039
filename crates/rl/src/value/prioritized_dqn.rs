//! Prioritized DQN: transitions are replayed the more often, the more there was to learn from them (Schaul et al. 2016).
//!
//! Transition i is drawn with a probability in proportion to its priority, and what that distorts is taken back by a weight:
//!
//! > P(i) = pᵢ^α / Σ_j p_j^α,  pᵢ = |δᵢ| + c,  wᵢ = (N P(i))^-β / max_j (N P(j))^-β
//!
//! with δᵢ the temporal-difference error when the transition was last drawn; new ones get the greatest priority that there was, so
//! that each is soon seen. β rises linearly to 1 over the run, since bias matters most near its end. A batch of k is stratified: one
//! number from each k-th part of the sum of priorities. Everything else is double DQN.
//!
//! Source: T. Schaul, J. Quan, I. Antonoglou & D. Silver, *Prioritized experience replay*, ICLR 2016, arXiv:1511.05952, algorithm 1
//! with proportional priorities.
//!
//! Pick it where few transitions matter: rewards are rare, but found now and then. A draw and a change of priority take a walk down
//! a [tree of sums](crate::sum_tree).

use quire_core::{About, Error, Options, Result, options, state};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions, deep_q_options, residual_loss};
use super::{double_dqn, dqn};
use crate::agent::{Actions, Learner, Task};
use crate::exploration::Exploration;
use crate::network::check_widths;
use crate::sum_tree::SumTree;

deep_q_options! {
    /// Options of `prioritized-dqn`. The defaults are the paper's for Atari 2600 with proportional priorities.
    PrioritizedDqnOptions {
        /// Exponent α of the priorities; 0 is uniform replay. Paper: 0.6.
        #[schemars(range(min = 0.0, max = 10.0))]
        priority_exponent: f64 = 0.6,
        /// Exponent β of the weights at the start; it rises to 1. Paper: 0.4.
        #[schemars(range(min = 0.0, max = 1.0))]
        importance_exponent: f64 = 0.4,
        /// What is added to a temporal-difference error's size to make a priority. Paper: a small positive constant.
        #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1e6))]
        least_priority: f64 = 1e-6,
        /// Whether the online network selects the next action, as in double DQN. Paper: yes.
        double: bool = true,
        /// How ε falls while learning. Paper: that of the tuned version of double DQN.
        exploration: Exploration = Exploration { last: 0.01, ..Exploration::default() },
        /// Probability of a uniformly random action when evaluated. Paper: 0.001.
        #[schemars(range(min = 0.0, max = 1.0))]
        evaluation_epsilon: f64 = 0.001,
        /// Bound on the temporal-difference error, in the gradient and in priorities; none is squared loss. Paper: 1.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        error_clip: Option<f64> = Some(1.0),
    } with {
        target_period: 30_000,
        // A fourth of DQN's rate: the transitions drawn have larger gradients.
        optimizer: quire_optim::OptimizerOptions::Rmsprop(quire_optim::RmspropOptions {
            learning_rate: 0.000_062_5,
            decay: 0.95,
            momentum: 0.95,
            epsilon: 0.01,
            epsilon_in_root: true,
            centered: true,
            ..quire_optim::RmspropOptions::default()
        }),
    }
}

impl Options for PrioritizedDqnOptions {
    fn validate(&self) -> Result<()> {
        check_widths("network.hidden", &self.network.hidden, 1)
    }
}

/// Fills `weights` with (N P(i))^-β over the greatest of them, given pᵢ^α of the batch: N and the sum of all priorities cancel out.
pub fn importance_weights(priorities: &[f64], exponent: f64, weights: &mut [f32]) {
    let least = priorities.iter().copied().fold(f64::INFINITY, f64::min);
    let pairs = weights.iter_mut().zip(priorities);
    pairs.for_each(|(weight, priority)| *weight = (priority / least).powf(-exponent) as f32);
}

/// The learner.
pub struct PrioritizedDqn {
    parts: DeepQ,
    options: PrioritizedDqnOptions,
    /// Environment steps of the run, over which β rises.
    budget: u64,
    memory: Memory,
    /// Transitions whose priority is in the tree.
    known: u64,
    places: Vec<usize>,
    /// pᵢ^α of the batch.
    priorities: Vec<f64>,
    weights: Vec<f32>,
}

/// What is known of the transitions.
#[derive(Serialize, Deserialize)]
struct Memory {
    /// pᵢ^α, by place.
    tree: SumTree,
    /// The greatest p^α that there ever was.
    greatest: f64,
}

impl PrioritizedDqn {
    /// Draws a batch, one transition from each of as many equal parts of the sum of priorities.
    fn sample(&mut self) {
        let (size, total) = (self.parts.options.batch_size, self.memory.tree.total());
        self.places.clear();
        self.priorities.clear();
        for part in 0..size {
            let within: f64 = self.parts.sampling.random();
            let place = self.memory.tree.find((part as f64 + within) / size as f64 * total);
            self.places.push(place);
            self.priorities.push(self.memory.tree.leaves()[place]);
        }
        self.parts.sample_at(&self.places);
    }

    /// β, which rises linearly from its initial value to 1.
    fn importance_exponent(&self) -> f64 {
        let past = (self.parts.steps() as f64 / self.budget.max(1) as f64).min(1.0);
        self.options.importance_exponent + (1.0 - self.options.importance_exponent) * past
    }
}

impl DeepQLearner for PrioritizedDqn {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn remembered(&mut self) {
        let Memory { tree, greatest } = &mut self.memory;
        for number in self.known..self.parts.replay.written() {
            tree.set(self.parts.replay.place(number), *greatest);
        }
        self.known = self.parts.replay.written();
    }

    fn update(&mut self) -> Result<()> {
        self.sample();
        importance_weights(&self.priorities, self.importance_exponent(), &mut self.weights);
        if self.options.double {
            double_dqn::set_targets(&mut self.parts);
        } else {
            dqn::set_targets(&mut self.parts);
        }
        let PrioritizedDqnOptions { priority_exponent, least_priority, error_clip, .. } = self.options;
        let DeepQ { tape, network, online, batch, targets, gradient, .. } = &mut self.parts;
        let graph = tape.graph();
        let taken = network.forward(graph, online, &batch.observations).gather(&batch.choices);
        let error = taken - graph.constant(taken.shape(), targets);
        let weights = graph.constant(taken.shape(), &self.weights);
        let loss = (residual_loss(error, error_clip) * weights).mean();
        let value = loss.item();
        if value.is_finite() {
            for (&place, &error) in self.places.iter().zip(error.data()) {
                let size = f64::from(error.abs()).min(error_clip.unwrap_or(f64::INFINITY));
                let priority = (size + least_priority).powf(priority_exponent).min(GREATEST);
                self.memory.tree.set(place, priority);
                self.memory.greatest = self.memory.greatest.max(priority);
            }
        }
        loss.gradient(online, gradient);
        self.parts.descend(value)
    }

    fn save_more(&self) -> Vec<u8> {
        state::encode("priorities", &self.memory)
    }

    fn restore_more(&mut self, saved: &[u8]) -> Result<()> {
        let memory: Memory = state::decode("priorities", saved)?;
        let fits = memory.tree.len() == self.parts.replay.len()
            && memory.tree.leaves().iter().all(|&leaf| leaf > 0.0 && leaf <= GREATEST)
            && memory.greatest > 0.0
            && memory.greatest <= GREATEST;
        if !fits {
            return Err(Error::Resume("the saved priorities do not fit the saved transitions".into()));
        }
        self.known = self.parts.replay.written();
        self.memory = memory;
        Ok(())
    }
}

/// The greatest power of a priority that is kept: as many as a memory holds can be added up.
const GREATEST: f64 = 1e200;

impl Learner for PrioritizedDqn {
    type Options = PrioritizedDqnOptions;

    const ABOUT: About = About {
        name: "prioritized-dqn",
        summary: "Double DQN that replays a transition the more often, the larger its error was",
        when: "Few transitions matter, such as rare rewards that are found now and then. It does not explore better than \
               double-dqn. As a rival of adam-lmcdqn.",
        wing: "rl",
        family: "value",
        paper: None,
        is_baseline: true,
        tuned: include_str!("prioritized_dqn.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: PrioritizedDqnOptions) -> Result<Self> {
        options::check(&options)?;
        let common = DeepQOptions {
            exploration: options.exploration.clone(),
            evaluation_epsilon: options.evaluation_epsilon,
            error_clip: options.error_clip,
            ..options.deep_q()
        };
        Ok(PrioritizedDqn {
            parts: DeepQ::new(task, common)?,
            budget: task.budget,
            memory: Memory { tree: SumTree::default(), greatest: 1.0 },
            known: 0,
            places: Vec::with_capacity(options.batch_size),
            priorities: Vec::with_capacity(options.batch_size),
            weights: vec![0.0; options.batch_size],
            options,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::bootstrapped_dqn::tests::task;
    use super::*;
    use crate::agent::Agent;
    use crate::network::QNetworkOptions;
    use crate::replay::Transition;

    #[test]
    fn weights_by_hand() {
        let mut weights = [0.0; 3];
        importance_weights(&[1.0, 4.0, 16.0], 0.5, &mut weights);
        assert_eq!(weights, [1.0, 0.5, 0.25]);
        importance_weights(&[1.0, 4.0, 16.0], 1.0, &mut weights);
        assert_eq!(weights, [1.0, 0.25, 0.0625]);
        importance_weights(&[3.0, 4.0, 5.0], 0.0, &mut weights);
        assert_eq!(weights, [1.0; 3]);
    }

    fn learner(batch_size: usize) -> PrioritizedDqn {
        let options = PrioritizedDqnOptions {
            replay_capacity: 8,
            batch_size,
            learning_starts: 1_000,
            network: QNetworkOptions { hidden: vec![4], ..QNetworkOptions::default() },
            ..PrioritizedDqnOptions::default()
        };
        PrioritizedDqn::new(&task(), options).unwrap()
    }

    fn live(learner: &mut PrioritizedDqn, from: u32, steps: u32) {
        let mut trace = quire_core::Trace::new();
        for step in from..from + steps {
            let transition = Transition {
                observation: &[step as f32 / 10.0],
                action: &[0.0],
                reward: step as f32,
                steps: 1,
                next_observation: &[0.0],
                terminated: true,
                truncated: false,
            };
            learner.observe(&transition, u64::from(step) + 1, &mut trace).unwrap();
        }
    }

    #[test]
    fn transitions_are_drawn_in_proportion_and_each_stratum_once() {
        let mut learner = learner(16);
        live(&mut learner, 0, 4);
        assert_eq!(learner.memory.tree.leaves(), [1.0; 4]);
        for (place, priority) in [1.0, 4.0, 2.0, 1.0].into_iter().enumerate() {
            learner.memory.tree.set(place, priority);
        }
        // Strata are half as wide as the least priority, so that every batch has exactly its shares: 2, 8, 4 and 2.
        learner.sample();
        let mut counts = [0; 4];
        learner.parts.batch.rewards.iter().for_each(|&reward| counts[reward as usize] += 1);
        assert_eq!(counts, [2, 8, 4, 2]);
        assert_eq!(learner.priorities[..3], [1.0, 1.0, 4.0]);
    }

    #[test]
    fn priorities_are_errors_and_new_transitions_have_the_greatest() {
        let mut learner = learner(8);
        live(&mut learner, 0, 8);
        let errors: Vec<f64> = (0..8)
            .map(|step| f64::from(learner.parts.infer(&[step as f32 / 10.0])[0] - step as f32))
            .collect();
        learner.update().unwrap();
        // All were alike, so each stratum is one transition; errors count up to 1.
        for (&leaf, error) in learner.memory.tree.leaves().iter().zip(errors) {
            let expected = (error.abs().min(1.0) + 1e-6).powf(0.6);
            assert!((leaf - expected).abs() < 1e-5, "{leaf} {expected}");
        }
        let greatest = learner.memory.greatest;
        assert_eq!(greatest, (1.0_f64 + 1e-6).powf(0.6));
        // The next three overwrite the oldest three.
        live(&mut learner, 8, 3);
        assert_eq!(learner.memory.tree.leaves()[..3], [greatest; 3]);
        assert_eq!(learner.parts.replay.number(2), 10);
    }

    #[test]
    fn the_exponent_of_the_weights_rises_to_one() {
        let mut learner = learner(8);
        assert_eq!(learner.importance_exponent(), 0.4);
        live(&mut learner, 0, 50);
        assert!((learner.importance_exponent() - 0.7).abs() < 1e-12);
        live(&mut learner, 50, 70);
        assert_eq!(learner.importance_exponent(), 1.0);
    }

    #[test]
    fn priorities_that_do_not_fit_are_refused() {
        let mut learner = learner(8);
        live(&mut learner, 0, 5);
        let saved = learner.save();
        self::learner(8).restore(&saved).unwrap();
        learner.memory.tree.set(5, 1.0);
        assert!(self::learner(8).restore(&learner.save()).is_err());
        let (mut first, mut second) = (self::learner(4), self::learner(4));
        live(&mut first, 0, 6);
        second.restore(&first.save()).unwrap();
        for learner in [&mut first, &mut second] {
            (0..5).for_each(|_| learner.update().unwrap());
            live(learner, 6, 3);
        }
        assert_eq!(first.save(), second.save());
    }
}
