//! Numbers worked out by other means.

mod actor_critics;
mod hypotheses;
mod linear;
mod mixtures;

use quire_core::options::parse_assignments;
use quire_core::{Point, Progress, RunSpec, Seeds, Trace};

use super::{Agent, problems};
use crate::finite::FiniteMdp;

/// Lets `agent` live `steps` steps in `mdp`; `each` sees it before every action is judged. Returns what it was paid.
fn live<A: Agent>(agent: &mut A, mdp: &FiniteMdp, seed: u64, steps: usize, mut each: impl FnMut(&A)) -> f64 {
    let mut rng = Seeds::new(seed).stream("life");
    let mut state = mdp.sample_start(&mut rng);
    let mut paid = 0.0;
    for _ in 0..steps {
        let action = agent.act(state);
        each(agent);
        let next = mdp.sample_next(state, action, &mut rng);
        agent.observe(state, action, mdp.reward(state, action), next);
        paid += mdp.reward(state, action);
        state = next;
    }
    paid
}

/// What a whole run records.
fn curve(problem: &str, method: &str, set: &[&str], seed: u64, steps: u64) -> Vec<Point> {
    let problems = problems();
    let problem = problems.iter().find(|listed| listed.card().name == problem).unwrap();
    let options = parse_assignments(set).unwrap();
    let spec = RunSpec { options, budget: Some(steps), ..RunSpec::new(&problem.card().name, method, seed) };
    let mut run = problem.start(&spec).unwrap();
    let mut trace = Trace::new();
    while run.step(&mut trace).unwrap() == Progress::Continue {}
    trace.take()
}

/// The last values of a whole run's metrics.
fn last(problem: &str, method: &str, set: &[&str], seed: u64, steps: u64) -> impl Fn(&str) -> f64 + use<> {
    let points = curve(problem, method, set, seed, steps);
    move |metric| points.iter().rfind(|point| point.metric == metric).unwrap().value
}
