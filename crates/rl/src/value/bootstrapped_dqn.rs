//! Bootstrapped DQN: deep exploration with an ensemble of heads (Osband, Blundell, Pritzel & Van Roy 2016).
//!
//! K heads Q₁, ..., Q_K on common features are trained side by side, each on its own bootstrap sample of the transitions and
//! towards its own targets. A head is drawn when an episode begins, and acts greedily until it ends: an agent that keeps to one
//! opinion for an episode explores as deeply as posterior sampling does, where random actions undo each other.
//!
//! A transition t gets a mask m_tk ~ Bernoulli(p) for every head, once and for all, and the loss of a batch is
//!
//! > Σₖ mean_t m_tk ℓ(y_tk - Qₖ(s, a; θ)),  y_tk = r + γ (1 - terminated) Qₖ(s', argmax_a Qₖ(s', a; θ); θ⁻)
//!
//! with ℓ Huber's loss. The gradient of what the heads share is divided by K. Evaluated is the vote of the heads.
//!
//! The masks are not stored: they are the first numbers of a generator that belongs to the number of the transition, so that it
//! has the same ones whenever it is drawn.
//!
//! Source: I. Osband, C. Blundell, A. Pritzel & B. Van Roy, *Deep exploration via bootstrapped DQN*, NeurIPS 2016,
//! arXiv:1602.04621, algorithm 1 and section 6.
//!
//! Pick it where rewards take many right steps in a row to find and ten heads can be paid for. Ties between heads are broken by
//! the sum of their values, which is ours.

use quire_core::{About, Options, Result, Rng, Seeds, options, state};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::deep_q::{DeepQ, DeepQLearner, DeepQOptions, argmax, deep_q_options, residual_loss};
use super::double_dqn::double_dqn_targets;
use super::dqn::dqn_targets;
use crate::agent::{Actions, Learner, Task};
use crate::network::{Form, check_widths};

deep_q_options! {
    /// Options of `bootstrapped-dqn`. The defaults are the paper's for Atari 2600.
    BootstrappedDqnOptions {
        /// Heads K. Paper: 10.
        #[schemars(range(min = 1, max = 1000))]
        heads: usize = 10,
        /// Probability p that a head learns from a transition. Paper, Atari: 1, as one half was no better.
        #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
        mask_probability: f64 = 1.0,
        /// Fully connected layers that the heads share, besides the convolutions. Paper: 0; without convolutions the heads are
        /// then networks of their own.
        shared_layers: usize = 0,
        /// Whether the online heads select the next action, as in double DQN. Paper: yes.
        double: bool = true,
        /// Bound on the temporal-difference error in the gradient (Huber); none is squared loss. DQN's paper: 1.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        error_clip: Option<f64> = Some(1.0),
    } with { n_step: 1 }
}

impl Options for BootstrappedDqnOptions {
    fn validate(&self) -> Result<()> {
        check_widths("network.hidden", &self.network.hidden, self.heads)
    }
}

/// Fills `targets`, `[heads, batch]`, for the batch drawn last: those of DQN or double DQN for every head apart.
pub(super) fn set_head_targets(parts: &mut DeepQ, double: bool, targets: &mut [f32]) {
    let DeepQ { tape, network, online, target, batch, discounts, .. } = parts;
    let graph = tape.graph();
    let next = &batch.next_observations;
    let evaluating = graph.no_grad(|| network.forward(graph, target, next).data());
    let selecting = double.then(|| graph.no_grad(|| network.forward(graph, online, next).data()));
    let (size, count) = (batch.len(), evaluating.len() / targets.len() * batch.len());
    let (rewards, terminated) = (&batch.rewards, &batch.terminated);
    for (head, targets) in targets.chunks_exact_mut(size).enumerate() {
        let own = head * count..(head + 1) * count;
        match selecting {
            Some(selecting) => double_dqn_targets(
                rewards,
                terminated,
                &selecting[own.clone()],
                &evaluating[own],
                discounts,
                targets,
            ),
            None => dqn_targets(rewards, terminated, &evaluating[own], discounts, targets),
        }
    }
}

/// Fills `weights`, `[numbers, batch]`, for the batch drawn last: `draw` of a generator that belongs to the transition, as often
/// as there are numbers a transition.
pub(super) fn set_weights(
    parts: &DeepQ,
    seeds: Seeds,
    weights: &mut [f32],
    mut draw: impl FnMut(&mut Rng) -> f32,
) {
    let size = parts.batch.len();
    for (row, place) in parts.replay.places(&parts.batch).enumerate() {
        let mut own = seeds.nth("transition", parts.replay.number(place)).stream("weights");
        weights.iter_mut().skip(row).step_by(size).for_each(|weight| *weight = draw(&mut own));
    }
}

/// The action that most heads hold for the best; of several such that whose values have the greater sum. `values` is `[heads,
/// actions]`, `tally` memory for the votes and sums.
pub fn vote(values: &[f32], actions: usize, tally: &mut Vec<(u32, f32)>) -> usize {
    tally.clear();
    tally.resize(actions, (0, 0.0));
    for head in values.chunks_exact(actions) {
        tally[argmax(head)].0 += 1;
        tally.iter_mut().zip(head).for_each(|(tally, value)| tally.1 += value);
    }
    (1..actions).fold(0, |best, action| if tally[action] > tally[best] { action } else { best })
}

/// Fills `means`, `[actions]`, with the means over the heads of `values`, `[heads, actions]`.
pub(super) fn mean_over_heads(values: &[f32], means: &mut [f32]) {
    let heads = values.len() / means.len();
    means.fill(0.0);
    for head in values.chunks_exact(means.len()) {
        means.iter_mut().zip(head).for_each(|(mean, value)| *mean += value / heads as f32);
    }
}

/// The learner.
pub struct BootstrappedDqn {
    parts: DeepQ,
    options: BootstrappedDqnOptions,
    /// Where the masks come from.
    seeds: Seeds,
    acting: Acting,
    /// m, `[heads, batch]`.
    masks: Vec<f32>,
    /// y, `[heads, batch]`.
    targets: Vec<f32>,
    means: Vec<f32>,
    tally: Vec<(u32, f32)>,
}

/// The head of the episode, and what draws the next one.
#[derive(Serialize, Deserialize)]
struct Acting {
    head: usize,
    rng: Rng,
}

impl DeepQLearner for BootstrappedDqn {
    fn parts(&self) -> &DeepQ {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut DeepQ {
        &mut self.parts
    }

    fn choose(&mut self, observation: &[f32]) -> usize {
        let actions = self.parts.actions();
        argmax(&self.parts.infer(observation)[self.acting.head * actions..][..actions])
    }

    fn episode_ended(&mut self) {
        self.acting.head = self.acting.rng.random_range(0..self.options.heads);
    }

    fn update(&mut self) -> Result<()> {
        self.parts.sample();
        let probability = self.options.mask_probability;
        let draw = |own: &mut Rng| f32::from(u8::from(own.random::<f64>() < probability));
        set_weights(&self.parts, self.seeds, &mut self.masks, draw);
        set_head_targets(&mut self.parts, self.options.double, &mut self.targets);
        let DeepQ { tape, network, online, batch, gradient, .. } = &mut self.parts;
        let graph = tape.graph();
        let taken = network.forward(graph, online, &batch.observations).gather(&batch.choices);
        let error = taken - graph.constant(taken.shape(), &self.targets);
        let masks = graph.constant(taken.shape(), &self.masks);
        let loss = (residual_loss(error, self.options.error_clip) * masks).sum() * (1.0 / batch.len() as f64);
        let value = loss.item() / self.options.heads as f32;
        loss.gradient(online, gradient);
        self.parts.descend(value)
    }

    fn action_values(&mut self, observation: &[f32]) -> &[f32] {
        mean_over_heads(self.parts.infer(observation), &mut self.means);
        &self.means
    }

    fn choose_evaluated(&mut self, observation: &[f32], _: &mut Rng) -> (usize, f32) {
        let BootstrappedDqn { parts, means, tally, .. } = self;
        let actions = parts.actions();
        let heads = parts.infer(observation);
        mean_over_heads(heads, means);
        (vote(heads, actions, tally), means[argmax(means)])
    }

    fn save_more(&self) -> Vec<u8> {
        state::encode("heads", &self.acting)
    }

    fn restore_more(&mut self, saved: &[u8]) -> Result<()> {
        let acting: Acting = state::decode("heads", saved)?;
        if acting.head >= self.options.heads {
            return Err(quire_core::Error::Resume("the saved learner has more heads".into()));
        }
        self.acting = acting;
        Ok(())
    }
}

impl Learner for BootstrappedDqn {
    type Options = BootstrappedDqnOptions;

    const ABOUT: About = About {
        name: "bootstrapped-dqn",
        summary: "DQN with an ensemble of heads, one of which acts for an episode",
        when: "Rewards that take many right steps in a row to find, as a rival of adam-lmcdqn: an ensemble costs as many heads \
               as it has, and there is no noise to tune.",
        wing: "rl",
        family: "value",
        paper: None,
        is_baseline: true,
        tuned: include_str!("bootstrapped_dqn.toml"),
    };

    const ACTIONS: Actions = Actions::Discrete;

    fn new(task: &Task, options: BootstrappedDqnOptions) -> Result<Self> {
        options::check(&options)?;
        let form = Form { heads: options.heads, shared_layers: options.shared_layers, ..Form::default() };
        let common = DeepQOptions { error_clip: options.error_clip, ..options.deep_q() };
        let (parts, ()) = DeepQ::with_network(task, common, form, |_, _, _| ())?;
        let mut rng = task.seeds.stream("heads");
        let per_head = options.heads * options.batch_size;
        Ok(BootstrappedDqn {
            seeds: task.seeds.child("bootstrap"),
            acting: Acting { head: rng.random_range(0..options.heads), rng },
            masks: vec![0.0; per_head],
            targets: vec![0.0; per_head],
            means: vec![0.0; parts.actions()],
            tally: Vec::new(),
            options,
            parts,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use quire_env::Space;

    use super::*;
    use crate::agent::Agent;
    use crate::network::QNetworkOptions;
    use crate::replay::Transition;

    #[test]
    fn heads_vote_and_their_sums_break_ties() {
        let mut tally = Vec::new();
        // Two of three for the second action, although the first has the greater sum.
        assert_eq!(vote(&[9.0, 0.0, 1.0, 2.0, 1.0, 2.0], 2, &mut tally), 1);
        // One vote each: sums 3 and 4.
        assert_eq!(vote(&[2.0, 1.0, 1.0, 3.0], 2, &mut tally), 1);
        assert_eq!(vote(&[2.0, 1.0, 1.0, 2.0], 2, &mut tally), 0);
        let mut means = [0.0; 2];
        mean_over_heads(&[2.0, 1.0, 4.0, 3.0], &mut means);
        assert_eq!(means, [3.0, 2.0]);
    }

    /// One observed number, two actions.
    pub fn task() -> Task {
        Task {
            observation: Space::new_box(vec![-10.0], vec![10.0], vec![1]).unwrap(),
            action: Space::Discrete { n: 2 },
            budget: 100,
            threads: 1,
            seeds: Seeds::new(1),
        }
    }

    /// A step from the state 1 that ends its episode.
    pub fn last_step(action: &[f32], reward: f32) -> Transition<'_> {
        Transition {
            observation: &[1.0],
            action,
            reward,
            steps: 1,
            next_observation: &[0.0],
            terminated: true,
            truncated: false,
        }
    }

    fn learner(mask_probability: f64) -> BootstrappedDqn {
        let options = BootstrappedDqnOptions {
            heads: 3,
            mask_probability,
            discount: 0.5,
            learning_starts: 1_000,
            batch_size: 8,
            replay_capacity: 20,
            network: QNetworkOptions { hidden: vec![4], ..QNetworkOptions::default() },
            ..BootstrappedDqnOptions::default()
        };
        BootstrappedDqn::new(&task(), options).unwrap()
    }

    fn live(learner: &mut BootstrappedDqn, steps: u32) {
        let mut trace = quire_core::Trace::new();
        for step in 0..steps {
            let transition = Transition {
                observation: &[step as f32 / 10.0],
                action: &[(step % 2) as f32],
                reward: step as f32,
                steps: 1,
                next_observation: &[step as f32 / 10.0 + 0.1],
                terminated: step % 5 == 4,
                truncated: false,
            };
            learner.observe(&transition, u64::from(step) + 1, &mut trace).unwrap();
        }
    }

    /// A transition's masks are the same in every batch, and as frequent as they should be.
    #[test]
    fn masks_belong_to_transitions() {
        let mut learner = learner(0.5);
        live(&mut learner, 35);
        let mut known = std::collections::HashMap::new();
        let (mut ones, mut all) = (0.0, 0.0);
        for _ in 0..50 {
            learner.update().unwrap();
            for (row, reward) in learner.parts.batch.rewards.iter().enumerate() {
                let masks: Vec<f32> = (0..3).map(|head| learner.masks[head * 8 + row]).collect();
                assert!(masks.iter().all(|&mask| mask == 0.0 || mask == 1.0));
                let first = known.entry(*reward as u32).or_insert_with(|| masks.clone());
                assert_eq!(*first, masks);
            }
        }
        assert_eq!(known.len(), 20);
        known.values().flatten().for_each(|mask| {
            ones += mask;
            all += 1.0;
        });
        // Binomial(60, 1/2): mean 30, standard deviation 3.9.
        assert_eq!(all, 60.0);
        assert!((15.0..=45.0).contains(&ones), "{ones}");
    }

    /// Each head's targets are those of double DQN with its own values, by hand from the network's output.
    #[test]
    fn every_head_has_its_own_target() {
        let mut learner = learner(1.0);
        live(&mut learner, 15);
        learner.update().unwrap();
        // Online and target differ after an update.
        learner.parts.sample();
        set_head_targets(&mut learner.parts, true, &mut learner.targets);
        let parts = &mut learner.parts;
        for row in 0..8 {
            let next = parts.batch.next_observations[row..row + 1].to_vec();
            let online = parts.network.infer(&parts.online, &next, &mut parts.workspace).to_vec();
            let target = parts.network.infer(&parts.target, &next, &mut parts.workspace).to_vec();
            for head in 0..3 {
                let best = if online[2 * head + 1] > online[2 * head] { 1 } else { 0 };
                let bootstrap = 0.5 * (1.0 - parts.batch.terminated[row]) * target[2 * head + best];
                let expected = parts.batch.rewards[row] + bootstrap;
                assert!((learner.targets[head * 8 + row] - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_head_acts_for_an_episode() {
        let mut learner = learner(1.0);
        let mut heads = vec![learner.acting.head];
        for _ in 0..20 {
            live(&mut learner, 4);
            assert_eq!(learner.acting.head, heads[heads.len() - 1]);
            learner.episode_ended();
            heads.push(learner.acting.head);
            let values = learner.parts.infer(&[0.3]).to_vec();
            let own = &values[2 * learner.acting.head..][..2];
            assert_eq!(learner.choose(&[0.3]), argmax(own));
        }
        assert!((0..3).all(|head| heads.contains(&head)));
    }
}
