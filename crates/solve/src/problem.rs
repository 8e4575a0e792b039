//! Instances that a seed draws, as problems of the registry; and a run: iteration after iteration until the algorithm stops.
//!
//! The metric `work` is what an algorithm needed to meet its stopping rule; it is the first where methods have one. One that stops early is recorded once more at the
//! end of the budget, so that all curves have one length.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard,
    Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, number_bytes, state,
};
use serde::{Deserialize, Serialize};

use crate::solver::{Make, Solver, advance};

/// An artefact's file with the solution, little-endian f64.
pub const FILE: &str = "solution.f64";
/// Points of the curve in a run, at most; one [`Run::step`] makes one of them.
const RECORDS: u64 = 100;

/// What a family's problems are made of.
pub trait World: Send + Sync + 'static {
    /// What is to be solved.
    type Instance: Send + Sync + 'static;
    /// What is known of the instance that algorithms are not told.
    type Truth: Send + Sync + 'static;

    /// The instance that `seed` draws.
    fn draw(&self, seed: u64) -> Result<(Self::Instance, Self::Truth)>;

    /// How good `values` are, by the names of [`World::metrics`].
    fn measure(
        &self,
        instance: &Self::Instance,
        truth: &Self::Truth,
        values: &[f64],
    ) -> Vec<(&'static str, f64)>;

    /// More of them, of what a method needed so far beside what it has found (`told`, by `measure`): for comparisons with what is known.
    fn compare(
        &self,
        _truth: &Self::Truth,
        _work: f64,
        _told: &[(&'static str, f64)],
    ) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// What `measure` and `compare` tell.
    fn metrics(&self) -> Vec<Metric>;

    /// Whether methods are compared by the work until their stopping rule was met; otherwise all are given the same budget and are
    /// compared by the first of [`World::metrics`].
    const BY_WORK: bool = true;

    /// The name of what [`World::score`] returns.
    const SCORE: &'static str;

    /// A score of an artefact's values, afresh with `rng`.
    fn score(&self, instance: &Self::Instance, truth: &Self::Truth, values: &[f64], rng: &mut Rng) -> f64;

    /// How many values a solution has, where all have the same number.
    fn length(&self, _instance: &Self::Instance) -> usize {
        0
    }

    /// Whether `values` can be a solution.
    fn fits(&self, instance: &Self::Instance, values: &[f64]) -> bool {
        values.len() == self.length(instance)
    }
}

/// What is said of a problem besides its metrics.
pub struct Said<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it asks.
    pub summary: &'a str,
    /// Iterations of a run, at most.
    pub budget: u64,
    /// Where it comes from.
    pub source: &'a str,
    /// Words to search by.
    pub tags: &'static [&'static str],
    /// The unit of work.
    pub work: &'static str,
}

/// A problem of this wing.
pub struct SolveProblem<W: World> {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    table: &'static [Entry<Make<W::Instance>>],
    world: Arc<W>,
}

impl<W: World> SolveProblem<W> {
    /// A problem that the methods of `table` work on.
    pub fn new(said: Said<'_>, table: &'static [Entry<Make<W::Instance>>], world: W) -> Self {
        let metric = |name, unit, direction, summary| Metric { name, unit, direction, summary };
        let mut metrics = vec![
            metric(
                "work",
                said.work,
                Direction::Lower,
                "work until the stopping rule was met; all of the run's if it never was",
            ),
            metric("iterations", "", Direction::Lower, "iterations until then"),
            metric("solved", "", Direction::Higher, "1 once the stopping rule is met, 0 before"),
            metric(
                "residual",
                "",
                Direction::Lower,
                "what the method's own stopping rule looks at, after the last iteration",
            ),
        ];
        if W::BY_WORK {
            metrics.extend(world.metrics());
        } else {
            metrics.splice(0..0, world.metrics());
        }
        let card = ProblemCard {
            name: said.name.into(),
            summary: said.summary.into(),
            wing: "solve",
            metrics,
            optimum: None,
            budget: said.budget,
            budget_unit: "iterations",
            source: said.source.into(),
            tags: said.tags.to_vec(),
        };
        SolveProblem { card, methods: Entry::cards(table), table, world: Arc::new(world) }
    }
}

impl<W: World> Problem for SolveProblem<W> {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(self.table, self, &spec.method)?;
        let (instance, truth) = self.world.draw(spec.seed)?;
        let mut solver = (entry.make)(&instance, &spec.options)?;
        solver.use_threads(spec.threads);
        Ok(Box::new(SolveRun {
            options: card.options.with(&[&spec.options])?,
            solver,
            instance,
            truth,
            place: Place { iteration: 0, residual: f64::MAX, end: None },
            budget: self.card.length(spec)?,
            spec: spec.clone(),
            world: Arc::clone(&self.world),
        }))
    }

    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let (instance, truth) = self.world.draw(artefact.seed)?;
        let values = artefact.numbers(FILE)?;
        if !self.world.fits(&instance, &values) || values.iter().any(|value| !value.is_finite()) {
            return Err(Error::Failed(format!("the numbers in {FILE} do not fit {}", artefact.problem)));
        }
        let score = |n| {
            let mut rng = Seeds::new(seed).nth("score", n).stream("score");
            self.world.score(&instance, &truth, &values, &mut rng)
        };
        Ok(Evaluation { metric: W::SCORE.into(), scores: (0..repetitions as u64).map(score).collect() })
    }
}

/// An algorithm at work.
struct SolveRun<W: World> {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    world: Arc<W>,
    instance: W::Instance,
    truth: W::Truth,
    solver: Box<dyn Solver<W::Instance>>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    iteration: u64,
    residual: f64,
    end: Option<Reason>,
}

impl<W: World> SolveRun<W> {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "iterations")
    }

    fn record(&self, at: u64, trace: &mut Trace) {
        let solved = matches!(self.place.end, Some(Reason::Converged(_)));
        trace.record(at, "work", self.solver.work());
        trace.record(at, "iterations", self.place.iteration as f64);
        trace.record(at, "solved", f64::from(u8::from(solved)));
        let told = self.world.measure(&self.instance, &self.truth, &self.solver.values());
        let compared = self.world.compare(&self.truth, self.solver.work(), &told);
        let own = [("residual", self.place.residual)].into_iter().chain(self.solver.told());
        for (metric, value) in own.chain(told).chain(compared) {
            if value.is_finite() {
                trace.record(at, metric, value);
            }
        }
    }
}

impl<W: World> Run for SolveRun<W> {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let until = self.budget.min(self.place.iteration + self.budget.div_ceil(RECORDS));
        while self.place.iteration < until && self.place.end.is_none() {
            let step = advance(&mut *self.solver, &self.instance);
            self.place.iteration += 1;
            self.place.residual = step.residual;
            self.place.end = step.done;
        }
        let Some(end) = &self.place.end else {
            self.record(until, trace);
            return Ok(if until == self.budget {
                Progress::Done(Reason::Budget)
            } else {
                Progress::Continue
            });
        };
        if self.place.iteration < self.budget {
            self.record(self.place.iteration, trace);
        }
        self.record(self.budget, trace);
        Ok(Progress::Done(end.clone()))
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.iteration, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(&self.place, self.solver.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, solver): (Place, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.place = place;
        self.solver.restore(&solver)
    }

    fn artefact(&self) -> Option<Artefact> {
        let bytes = number_bytes(self.solver.values());
        Some(self.spec.artefact("solution", &self.options, self.place.iteration, [(FILE, bytes)]))
    }
}
