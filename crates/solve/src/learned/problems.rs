//! The problems.
//!
//! | problem | tasks | solver | judged on |
//! |---|---|---|---|
//! | `relaxation-reaction-diffusion` | -u'' + c u = f, c log-uniform from 0.1 to 1e4 | SOR | 200 tasks, residual 1e-6 |
//! | `relaxation-robertson` | implicit Euler steps of Robertson's reactions with drawn rates | Newton-SOR | the 5000 steps of 50 trajectories, ‖F‖ 1e-9 |
//! | `guess-robertson` | the same, with a guess beside the factor | Newton-SOR | the same |
//! | `guess-poisson` | -u'' = f, f of 8 sines, of which the guess is made | SOR, ω = 1.5 | 200 tasks, residual 1e-6 |
//! | `preconditioner-diffusion` | -(a u')' + c u = f in media of contrasts up to e⁶ | conjugate gradients with SSOR's preconditioner | 200 tasks, residual 1e-6 |
//!
//! Runs that come to 2000 iterations count as that, which is the authors' cap in training; they test up to 100,000.

use std::sync::Arc;

use quire_core::{Direction, Metric, Problem, Result, Rng, Seeds};
use quire_nn::Scratch;

use super::guesses::{GuessedRobertson, Poisson};
use super::preconditioned::Medium;
use super::tasks::{Parameters, ReactionDiffusion, Robertson, Tasks, counts};
use super::{METHODS, Rule, Training, network};
use crate::problem::{Said, SolveProblem, World};

/// Iterations of a run that is judged, at most.
const CAP: u64 = 2000;

/// Which tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reaction-diffusion by SOR.
    ReactionDiffusion,
    /// Robertson's reactions by Newton-SOR.
    Robertson,
    /// The same from a guess that is chosen as well.
    GuessedRobertson,
    /// Poisson's equation by SOR from a guess that is chosen.
    Poisson,
    /// Diffusion in a medium by preconditioned conjugate gradients.
    Medium,
}

/// The problems of this family, those of [`super::fields`] among them.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        (
            "relaxation-reaction-diffusion",
            "choose the relaxation factor of SOR for reaction-diffusion equations",
            Kind::ReactionDiffusion,
            "generated, for the claims of arXiv:2206.08594",
        ),
        (
            "relaxation-robertson",
            "choose the relaxation factor of Newton-SOR for steps of Robertson's reactions",
            Kind::Robertson,
            "arXiv:2206.08594, with fewer trajectories",
        ),
        (
            "guess-robertson",
            "choose the relaxation factor and the start of Newton-SOR for steps of Robertson's reactions",
            Kind::GuessedRobertson,
            "arXiv:2206.08594, with fewer trajectories",
        ),
        (
            "guess-poisson",
            "choose where SOR starts on Poisson's equation",
            Kind::Poisson,
            "in the manner of arXiv:2206.08594, on 31 points",
        ),
        (
            "preconditioner-diffusion",
            "choose the factor of SSOR's preconditioner for conjugate gradients on diffusion equations",
            Kind::Medium,
            "generated, for the claims of arXiv:2206.08594",
        ),
    ];
    let problem = |(name, summary, kind, source)| {
        let said = Said {
            name,
            summary,
            budget: 500,
            source,
            tags: &["meta-learning", "relaxation", "iterative solver"],
            work: "solver iterations in training",
        };
        Arc::new(SolveProblem::new(said, METHODS, kind)) as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).chain(super::fields::problems()).collect()
}

impl Kind {
    /// The tasks that a seed draws.
    pub fn tasks(self, seeds: Seeds) -> Box<dyn Tasks> {
        match self {
            Kind::ReactionDiffusion => Box::new(ReactionDiffusion::new(200, seeds)),
            Kind::Robertson => Box::new(Robertson::new(50, seeds)),
            Kind::GuessedRobertson => Box::new(GuessedRobertson(Robertson::new(50, seeds))),
            Kind::Poisson => Box::new(Poisson::new(200, seeds)),
            Kind::Medium => Box::new(Medium::new(200, seeds)),
        }
    }
}

/// Mean iterations at the three tolerances of the tasks, and the part of tasks that came to the cap at the second.
pub fn judge(
    tasks: &dyn Tasks,
    on: impl IntoIterator<Item = impl AsRef<[f64]>>,
    mut choose: impl FnMut(&[f64]) -> Parameters,
) -> ([f64; 3], f64) {
    let (mut sums, mut capped, mut count) = ([0; 3], 0, 0);
    for task in on {
        let found = counts(tasks, task.as_ref(), &choose(task.as_ref()), CAP);
        sums.iter_mut().zip(found).for_each(|(sum, n)| *sum += n);
        capped += u64::from(found[1] == CAP);
        count += 1;
    }
    (sums.map(|sum| sum as f64 / f64::from(count)), capped as f64 / f64::from(count))
}

impl World for Kind {
    type Instance = Training;
    /// Mean iterations with the best factors that theory knows, where it knows them.
    type Truth = Option<f64>;

    const BY_WORK: bool = false;

    const SCORE: &'static str = "count";

    fn draw(&self, seed: u64) -> Result<(Training, Option<f64>)> {
        let seeds = Seeds::new(seed);
        let tasks = self.tasks(seeds.child("problem"));
        let best = (*self == Kind::ReactionDiffusion).then(|| {
            judge(&*tasks, tasks.tests(), |task| tasks.best(task).expect("Young's formula knows all")).0[1]
        });
        Ok((Training { tasks, seeds: seeds.child("method") }, best))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, summary| Metric { name, unit: "", direction: Direction::Lower, summary };
        let mut metrics = vec![
            metric("count", "mean iterations of the tasks that are judged, each at most 2000"),
            metric("count_loose", "the same at a looser tolerance"),
            metric("count_tight", "the same at a tighter tolerance"),
            metric("capped", "part of the tasks that came to 2000 iterations"),
            metric("training_count", "mean iterations of the last batch"),
            metric("training_tolerance", "the tolerance of the last step of training"),
        ];
        if *self == Kind::ReactionDiffusion {
            metrics.push(metric("excess", "count over that of the best factors by theory"));
        }
        metrics
    }

    fn measure(&self, training: &Training, best: &Option<f64>, values: &[f64]) -> Vec<(&'static str, f64)> {
        let tasks = &*training.tasks;
        let Ok(rule) = Rule::from_values(tasks, values) else { return Vec::new() };
        let mut scratch = Scratch::new();
        let ([loose, count, tight], capped) =
            judge(tasks, tasks.tests(), |task| rule.choose(tasks, task, &mut scratch));
        let mut told =
            vec![("count", count), ("count_loose", loose), ("count_tight", tight), ("capped", capped)];
        told.extend(best.map(|best| ("excess", count / best)));
        told
    }

    /// Iterations of one fresh task.
    fn score(&self, training: &Training, _best: &Option<f64>, values: &[f64], rng: &mut Rng) -> f64 {
        let tasks = &*training.tasks;
        let Ok(rule) = Rule::from_values(tasks, values) else { return f64::NAN };
        let task = tasks.draw(rng);
        counts(tasks, &task, &rule.choose(tasks, &task, &mut Scratch::new()), CAP)[1] as f64
    }

    fn length(&self, training: &Training) -> usize {
        1 + network(&*training.tasks, Seeds::new(0)).1.len()
    }
}
