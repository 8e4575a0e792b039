//! An MDP with a known model, solved exactly; and learned by an explorer that does not know it.
#![allow(clippy::print_stdout)]

use quire::core::{Result, Seeds};
use quire::mdp::explore::bayes_ucbvi::{BayesUcbvi, BayesUcbviOptions};
use quire::mdp::explore::{Explorer, Method, Setting};
use quire::mdp::solve::{backward_induction, evaluate_episodic, policy_iteration};
use quire::mdp::worlds;

fn main() -> Result<()> {
    let mdp = worlds::river_swim(6)?;
    let horizon = 20;

    // Discounted, by policy iteration: the values of all states.
    let solution = policy_iteration(&mdp, 0.95)?;
    println!("values {:.2?}", solution.values);

    // Episodic, by backward induction: the best that an episode can bring.
    let best = backward_induction(&mdp, horizon);
    let optimum = evaluate_episodic(&mdp, &best.policy, &mut Vec::new());
    println!("optimum {optimum:.2}");

    // Unknown: an explorer is told the sizes and the rewards, and sees what happens.
    let seeds = Seeds::new(1);
    let pairs = (0..mdp.states()).flat_map(|state| (0..mdp.actions()).map(move |action| (state, action)));
    let setting = Setting {
        states: mdp.states(),
        actions: mdp.actions(),
        horizon,
        rewards: pairs.map(|(state, action)| mdp.reward(state, action)).collect(),
        features: None,
        seeds,
    };
    let mut explorer = BayesUcbvi::new(&setting, BayesUcbviOptions::default())?;
    let mut policy = vec![0; horizon * mdp.states()];
    let mut world = seeds.stream("world");
    for episode in 1..=1000 {
        explorer.plan(&mut policy);
        let mut state = mdp.sample_start(&mut world);
        for stage in 0..horizon {
            let action = policy[stage * mdp.states() + state];
            let next = mdp.sample_next(state, action, &mut world);
            explorer.observe(stage, state, action, next);
            state = next;
        }
        if [1, 10, 100, 1000].contains(&episode) {
            println!("episode {episode}: {:.2}", evaluate_episodic(&mdp, &policy, &mut Vec::new()));
        }
    }
    Ok(())
}
