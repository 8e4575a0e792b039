//! The problems with perturbed sources: plan for a target from logs of its perturbations.
//!
//! In `perturbed-trap`, `perturbed-even` and `perturbed-linear` a run plans with 1, 2, ... sources; its length is their
//! number. In `perturbed-three` there are three sources of the trap, and the length is the number of samples that they have
//! of each cell that they log: a run plans with 10 of them and then ever more.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard,
    Progress, Reason, Result, Run, RunSpec, Seeds, Trace, state,
};

use super::super::{Plan, greatest};
use super::worlds::World;
use super::{METHODS, SourcePlanner, setting};
use crate::policy;
use crate::solve::{maximum, worst_case_total_variation};
use crate::staged::StagedMdp;

/// Radius of the total-variation ball of the robust score.
pub const RADIUS: f64 = 0.1;
/// Samples that the shortest plan of `perturbed-three` has.
const FIRST_SAMPLES: f64 = 10.0;
/// Plans of a run whose length counts samples.
const SAMPLE_PLANS: u32 = 24;
/// Plans of a run, at most; one [`Run::step`] makes one of them.
const PLANS: u64 = 100;

/// Which world, and what a run's length counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Trap,
    Even,
    Linear,
    Three,
}

/// A target and its sources.
pub struct PerturbedProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    kind: Kind,
}

/// The problems of this role.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let problem = |kind| Arc::new(PerturbedProblem::new(kind)) as Arc<dyn Problem>;
    [Kind::Trap, Kind::Even, Kind::Linear, Kind::Three].map(problem).to_vec()
}

impl PerturbedProblem {
    fn new(kind: Kind) -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        let (name, what) = match kind {
            Kind::Trap => (
                "perturbed-trap",
                "whose perturbations all log the good actions, and each bad one but one of them",
            ),
            Kind::Even => ("perturbed-even", "whose perturbations log everything, if not equally often"),
            Kind::Linear => ("perturbed-linear", "with 4 features, whose perturbations log half of it each"),
            Kind::Three => {
                ("perturbed-three", "as in perturbed-trap from three perturbations and ever more samples")
            }
        };
        let (budget, budget_unit) = if kind == Kind::Three { (10_000, "samples") } else { (20, "sources") };
        PerturbedProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary: format!("plan for an MDP {what} (one target a seed)"),
                wing: "mdp",
                metrics: vec![
                    metric(
                        "suboptimality",
                        Direction::Lower,
                        "optimal expected return in the target minus the policy's, exact",
                    ),
                    metric(
                        "overestimate",
                        Direction::Neutral,
                        "what the planner takes its policy to earn, minus what it earns; below 0 if pessimistic",
                    ),
                    metric(
                        "robust_suboptimality",
                        Direction::Lower,
                        "the suboptimality if every transition is the worst within a total variation of 0.1",
                    ),
                ],
                optimum: Some(0.0),
                budget,
                budget_unit,
                source: "ours, for arXiv:2306.08364".to_owned(),
                tags: vec!["offline", "episodic", "pessimism", "several sources"],
            },
            methods: Entry::cards(METHODS),
            kind,
        }
    }

    fn world(&self, sources: usize, seed: u64) -> Result<World> {
        match self.kind {
            Kind::Trap => World::trap(sources, seed),
            Kind::Even => World::even(sources, seed),
            Kind::Linear => World::linear(sources, seed),
            Kind::Three => World::trap(3, seed),
        }
    }

    /// Sources and samples of a plan at `length` of a run.
    fn extent(&self, length: u64) -> (usize, u64) {
        match self.kind {
            Kind::Trap => (length as usize, 200),
            Kind::Even => (length as usize, 100),
            Kind::Linear => (length as usize, 20),
            Kind::Three => (3, length),
        }
    }

    /// Where along a run of `budget` it plans.
    fn lengths(&self, budget: u64) -> Vec<u64> {
        if self.kind != Kind::Three {
            let every = budget.div_ceil(PLANS) as usize;
            return (1..budget).step_by(every).chain([budget]).collect();
        }
        let ratio = budget as f64 / FIRST_SAMPLES;
        let at = |plan| FIRST_SAMPLES * ratio.powf(f64::from(plan) / f64::from(SAMPLE_PLANS));
        let mut lengths: Vec<u64> = (0..SAMPLE_PLANS).map(|plan| at(plan).round() as u64).collect();
        lengths.retain(|&length| length < budget);
        lengths.push(budget);
        lengths.dedup();
        lengths
    }

    fn run(&self, spec: &RunSpec) -> Result<PerturbedRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let options = card.options.with(&[&spec.options])?;
        let budget = self.card.length(spec)?;
        let world = self.world(self.extent(budget).0, spec.seed)?;
        let target = &world.target;
        let setting =
            setting(target.states(), target.actions(), target.horizon(), Arc::clone(&world.features));
        let lengths = self.lengths(budget);
        Ok(PerturbedRun {
            planner: (entry.make)(&setting, &spec.options)?,
            optimum: target.at_start(&target.backward_induction().values[..target.states()]),
            robust_optimum: robust_value(target, None),
            extents: lengths.iter().map(|&length| self.extent(length)).collect(),
            lengths,
            kind: spec.kind(budget, self.card.budget_unit),
            plans: 0,
            policy: Vec::new(),
            spec: spec.clone(),
            options,
            world,
        })
    }
}

/// What a policy (`[H, S]`), or else the best one, earns from the start if every transition is the worst within a total
/// variation of [`RADIUS`].
pub fn robust_value(mdp: &StagedMdp, policy: Option<&[usize]>) -> f64 {
    let mut later = vec![0.0; mdp.states()];
    let mut row = vec![0.0; mdp.states()];
    for stage in (0..mdp.horizon()).rev() {
        let model = mdp.stage(stage);
        let mut value = |state, action| {
            row.fill(0.0);
            let (next, probability) = model.row(state, action);
            next.iter().zip(probability).for_each(|(&next, &p)| row[next as usize] = p);
            model.reward(state, action) + worst_case_total_variation(&row, &later, RADIUS)
        };
        let best = |state| match policy {
            Some(policy) => value(state, policy[stage * mdp.states() + state]),
            None => maximum((0..mdp.actions()).map(|action| value(state, action))).1,
        };
        later = (0..mdp.states()).map(best).collect();
    }
    mdp.at_start(&later)
}

impl Problem for PerturbedProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Returns of episodes in the target of the artefact's seed, with expected rewards.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let target = self.world(0, artefact.seed)?.target;
        let policy = policy::read_staged(artefact, target.horizon(), target.states(), target.actions())?;
        let play =
            |episode| target.play(&policy, &mut Seeds::new(seed).nth("episode", episode).stream("dynamics"));
        Ok(Evaluation { metric: "return".into(), scores: (0..repetitions as u64).map(play).collect() })
    }
}

/// A planner and its sources.
struct PerturbedRun {
    spec: RunSpec,
    kind: String,
    options: OptionMap,
    world: World,
    optimum: f64,
    robust_optimum: f64,
    planner: Box<dyn SourcePlanner>,
    /// The run's lengths at its plans, and the sources and samples there.
    lengths: Vec<u64>,
    extents: Vec<(usize, u64)>,
    /// Plans made.
    plans: usize,
    /// The last one's policy, `[H, S]`.
    policy: Vec<usize>,
}

impl Run for PerturbedRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let target = &self.world.target;
        let ((sources, samples), length) = (self.extents[self.plans], self.lengths[self.plans]);
        let plans = self.planner.plan(&self.world.data(sources, samples))?;
        let scored = plans.into_iter().map(|plan| (target.evaluate(&plan.policy), plan));
        let better = |a: (f64, Plan), b: (f64, Plan)| if b.0 > a.0 { b } else { a };
        let (value, Plan { q, policy }) = scored.reduce(better).expect("at least one plan");
        let first = greatest(&q[..target.states() * target.actions()], target.actions());
        trace.record(length, "suboptimality", self.optimum - value);
        trace.record(length, "overestimate", target.at_start(&first) - value);
        let robust = robust_value(target, Some(&policy));
        trace.record(length, "robust_suboptimality", self.robust_optimum - robust);
        self.policy = policy;
        self.plans += 1;
        let done = self.plans == self.lengths.len();
        Ok(if done { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        let done = self.plans.checked_sub(1).map_or(0, |last| self.lengths[last]);
        (done, self.lengths[self.lengths.len() - 1])
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind, &(self.plans, &self.policy))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.plans, self.policy) = state::decode(&self.kind, saved)?;
        if self.plans > self.lengths.len() {
            return Err(Error::Resume(format!(
                "the saved state is {} plans into a run of {}; start the run afresh",
                self.plans,
                self.lengths.len()
            )));
        }
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let file = (policy::STAGED_FILE, policy::staged_bytes(&self.policy));
        (self.plans > 0).then(|| self.spec.artefact("policy", &self.options, self.progress().0, [file]))
    }
}
