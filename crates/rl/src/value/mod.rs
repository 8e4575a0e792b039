//! Family: value-based learners of discrete actions.

pub mod adam_lmcdqn;
pub mod bayes_ucbdqn;
pub mod bootstrapped_dqn;
pub mod c51;
pub mod deep_q;
pub mod double_dqn;
pub mod dqn;
pub mod iqn;
pub mod langevin_dqn;
pub mod md_dqn;
pub mod noisy_dqn;
pub mod prioritized_dqn;
pub mod qr_dqn;

use quire_core::Entry;

use crate::agent::{Maker, entry};

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] = &[
    entry::<double_dqn::DoubleDqn>(),
    entry::<adam_lmcdqn::AdamLmcDqn>(),
    entry::<md_dqn::MdDqn>(),
    entry::<dqn::Dqn>(),
    entry::<langevin_dqn::LangevinDqn>(),
    entry::<bayes_ucbdqn::BayesUcbDqn>(),
    entry::<bootstrapped_dqn::BootstrappedDqn>(),
    entry::<noisy_dqn::NoisyDqn>(),
    entry::<prioritized_dqn::PrioritizedDqn>(),
    entry::<c51::C51>(),
    entry::<qr_dqn::QrDqn>(),
    entry::<iqn::Iqn>(),
];

#[cfg(test)]
mod tests {
    use quire_core::options::parse_assignments;
    use quire_core::{Seeds, Trace};
    use quire_env::Space;
    use quire_optim::OptimizerOptions;

    use super::*;
    use crate::agent::Task;
    use crate::replay::Transition;

    /// `--set optimizer=...` holds for all methods that do not have an optimizer of their own.
    #[test]
    fn every_optimizer_works_in_every_method() {
        let task = Task {
            observation: Space::new_box(vec![-1.0; 2], vec![1.0; 2], vec![2]).unwrap(),
            action: Space::Discrete { n: 3 },
            budget: 40,
            threads: 1,
            seeds: Seeds::new(5),
        };
        let with_optimizer =
            |entry: &&Entry<Maker>| (entry.card)().options.defaults().contains_key("optimizer");
        let mut methods = 0;
        for entry in METHODS.iter().filter(with_optimizer) {
            methods += 1;
            for optimizer in OptimizerOptions::NAMES {
                let optimizer = format!("optimizer={optimizer}");
                let small = ["learning_starts=10", "learn_period=3", "batch_size=4", "network.hidden=[6]"];
                let set = parse_assignments(&[&[&*optimizer], &small[..]].concat()).unwrap();
                let (mut agent, _) = (entry.make.agent)(&task, &set).unwrap();
                let before = agent.policy();
                for step in 1..=40_u64 {
                    let seen = [(step as f32).sin(), (step as f32).cos()];
                    let mut action = [0.0];
                    agent.act(&seen, &mut action);
                    let transition = Transition {
                        observation: &seen,
                        action: &action,
                        reward: seen[0],
                        steps: 1,
                        next_observation: &seen,
                        terminated: step % 7 == 0,
                        truncated: false,
                    };
                    agent.observe(&transition, step, &mut Trace::new()).unwrap();
                }
                assert!(agent.policy() != before, "{} with {optimizer} learns nothing", entry.name);
                let mut rng = task.seeds.stream("evaluation");
                assert!(agent.act_greedily(&[0.0, 0.0], &mut rng, &mut [0.0]).unwrap().is_finite());
            }
        }
        assert_eq!(methods, 10);
    }
}
