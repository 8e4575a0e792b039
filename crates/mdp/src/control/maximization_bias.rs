//! The problem `maximization-bias`: noise lures a learner that takes the maximum of its estimates.
//!
//! Every episode starts in state A. Going right ends it with reward 0. Going left leads, with reward 0, to state B, where
//! each of ten actions ends it with a reward drawn from N(-0.1, 1). Left is the worse choice, but among ten noisy
//! estimates one is soon above 0. The least that an ε-greedy learner can go left is ε/2.
//!
//! Source: R. Sutton & A. Barto, *Reinforcement learning: an introduction*, 2nd edition, 2018, example 6.7 and
//! figure 6.5.

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Rng,
    Run, RunSpec, Seeds,
};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::run::{ControlRun, TABLES};
use super::{METHODS, argmax_at_random};

/// The state where every episode starts.
pub const A: usize = 0;
/// The state on the left.
pub const B: usize = 1;
/// The action in A that leads to B.
pub const LEFT: usize = 0;
/// The number of actions in A and in B.
pub const ACTIONS: [usize; 2] = [2, 10];
/// The expected reward of every action in B, and so the value of going left.
pub const VALUE_OF_LEFT: f64 = -0.1;

/// What `action` in `state` leads to: the reward and the next state, `None` at the end of the episode.
pub fn step(state: usize, action: usize, rng: &mut Rng) -> (f64, Option<usize>) {
    match (state, action) {
        (A, LEFT) => (0.0, Some(B)),
        (A, _) => (0.0, None),
        _ => (VALUE_OF_LEFT + rng.sample::<f64, _>(StandardNormal), None),
    }
}

/// The problem.
pub struct MaximizationBias {
    card: ProblemCard,
    methods: Vec<MethodCard>,
}

impl Default for MaximizationBias {
    fn default() -> Self {
        Self::new()
    }
}

impl MaximizationBias {
    /// The problem.
    pub fn new() -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        MaximizationBias {
            card: ProblemCard {
                name: "maximization-bias".to_owned(),
                summary: "learn not to go left, where ten noisy actions earn -0.1 on average: 100 independent learners a run"
                    .to_owned(),
                wing: "mdp",
                metrics: vec![
                    metric("left", Direction::Lower, "part of the episodes since the last record in which the learners went left"),
                    metric("bias", Direction::Neutral, "estimated minus true value of going left, mean over the learners"),
                ],
                optimum: None,
                budget: 300,
                budget_unit: "episodes",
                source: "Sutton & Barto 2018, example 6.7".to_owned(),
                tags: vec!["tabular", "episodic", "bias"],
            },
            methods: Entry::cards(METHODS),
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<ControlRun> {
        let entry = Entry::find(METHODS, self, &spec.method)?;
        ControlRun::start(spec, self.card.length(spec)?, entry)
    }
}

impl Problem for MaximizationBias {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Returns of greedy episodes, each by one of the run's learners drawn at random.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let values = artefact.numbers(TABLES)?;
        let size: usize = ACTIONS.iter().sum();
        if values.is_empty() || values.len() % size != 0 {
            return Err(Error::Failed(format!("the tables in {TABLES} do not fit {}", self.card.name)));
        }
        let scores = (0..repetitions as u64).map(|episode| {
            let mut rng = Seeds::new(seed).nth("episode", episode).stream("episode");
            let learner = rng.random_range(0..values.len() / size);
            let table = &values[learner * size..][..size];
            let (mut state, mut total) = (Some(A), 0.0);
            while let Some(at) = state {
                let row = if at == A { &table[..ACTIONS[A]] } else { &table[ACTIONS[A]..] };
                let (reward, next) = step(at, argmax_at_random(row, &mut rng), &mut rng);
                total += reward;
                state = next;
            }
            total
        });
        Ok(Evaluation { metric: "return".into(), scores: scores.collect() })
    }
}

#[cfg(test)]
mod tests {
    use quire_core::{Progress, Trace};

    use super::*;

    /// Metric `left` around episode 30 and at the end, over 1000 learners as in the book.
    fn left(method: &str) -> (f64, f64) {
        let problem = MaximizationBias::new();
        let mut trace = Trace::new();
        for seed in 0..10 {
            let mut run = problem.start(&RunSpec::new("maximization-bias", method, seed)).unwrap();
            while run.step(&mut trace).unwrap() == Progress::Continue {}
        }
        let mean = |from: u64, to: u64| {
            let points =
                trace.points().iter().filter(|p| p.metric == "left" && (from..=to).contains(&p.step));
            let values: Vec<f64> = points.map(|p| p.value).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        (mean(25, 35), mean(280, 300))
    }

    /// As in figure 6.5 of the book; the numbers are those of an independent program, 600 learners: q-learning 0.918 and
    /// 0.117, double Q-learning 0.188 and 0.072.
    #[test]
    fn noise_lures_q_learning_and_hardly_double_q_learning() {
        let (early, late) = left("q-learning");
        assert!((0.89..0.95).contains(&early) && (0.10..0.14).contains(&late), "{early} {late}");
        let (early, late) = left("double-q-learning");
        assert!((0.15..0.23).contains(&early) && (0.055..0.085).contains(&late), "{early} {late}");
    }

    #[test]
    fn a_run_of_no_episodes_is_refused() {
        let spec = RunSpec { budget: Some(0), ..RunSpec::new("maximization-bias", "q-learning", 0) };
        assert!(MaximizationBias::new().start(&spec).err().unwrap().is_usage());
    }
}
