//! A hundred episodes of CartPole at random, by name.
#![allow(clippy::print_stdout)]

use quire::core::{Result, Seeds};
use quire::env::Action;
use rand::RngExt;

fn main() -> Result<()> {
    let mut environment = quire::env::make("CartPole-v1")?;
    let mut observation = vec![0.0; environment.observation_space().size()];
    let mut rng = Seeds::new(7).stream("actions");
    let (mut steps, mut truncated) = (0, 0);
    environment.reset(Some(7), &mut observation)?;
    for _ in 0..100 {
        loop {
            let step = environment.step(Action::Discrete(rng.random_range(0..2)), &mut observation)?;
            steps += 1;
            if step.ended() {
                truncated += u32::from(step.truncated);
                environment.reset(None, &mut observation)?;
                break;
            }
        }
    }
    println!("{steps} steps in 100 episodes, {truncated} of them cut off by the time limit");
    Ok(())
}
