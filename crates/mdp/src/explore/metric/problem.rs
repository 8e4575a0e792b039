//! The problem `ball-2d`.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Run, RunSpec,
    Seeds,
};

use super::METHODS;
use super::run::{FILE, MetricRun, play, setting};

/// A disc to explore.
pub struct BallProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
    let card = ProblemCard {
        name: "ball-2d".into(),
        summary: "walk from the middle of a disc to the region that pays, in 30 noisy steps".into(),
        wing: "mdp",
        metrics: vec![
            metric(
                "regret",
                Direction::Lower,
                "optimal expected return minus what was earned, summed over episodes",
            ),
            metric("return", Direction::Higher, "mean return of the episodes since the last record"),
            metric(
                "cells",
                Direction::Neutral,
                "cells that tables are kept over, all stages and actions together",
            ),
        ],
        optimum: Some(0.0),
        budget: 10_000,
        budget_unit: "episodes",
        source: "the ball environment of arXiv:2004.05599, as in arXiv:2310.18186".into(),
        tags: vec!["continuous states", "episodic", "exploration"],
    };
    vec![Arc::new(BallProblem { card, methods: Entry::cards(METHODS) })]
}

impl Problem for BallProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        let options = self.method(&spec.method)?.options.with(&[&spec.options])?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        Ok(Box::new(MetricRun::start(spec, self.card.length(spec)?, entry, options)?))
    }

    /// Returns of episodes in which nothing more is learned.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let entry = Entry::find(METHODS, self, &artefact.method)?;
        let mut explorer = (entry.make)(&setting(Seeds::new(seed)), &artefact.options)?;
        explorer.restore(artefact.file(FILE)?)?;
        let scores = (0..repetitions as u64).map(|episode| {
            let mut rng = Seeds::new(seed).nth("episode", episode).stream("dynamics");
            play(explorer.as_mut(), &mut rng, |_, _, _, _, _, _| {})
        });
        Ok(Evaluation { metric: "return".into(), scores: scores.collect() })
    }
}
