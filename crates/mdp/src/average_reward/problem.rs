//! The problems: lives without end, some with a class of hypotheses that holds the truth.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Run, RunSpec,
    Seeds,
};

use super::run::{AverageRewardRun, World};
use super::worlds::{TRUTH, goal_grid, kernel_mixture, perturbed_river_swims, random_kernels};
use super::{Hypotheses, Kernels, METHODS, Needs};
use crate::finite::FiniteMdp;
use crate::linear::Features;
use crate::policy;
use crate::worlds::{mixture, river_swim};

/// Steps of an evaluation.
const EVALUATION_STEPS: usize = 1_000;

/// A life without end in a finite MDP.
pub struct AverageRewardProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    kind: Kind,
}

/// How the world comes from the seed of a run.
enum Kind {
    /// A grid of this side, the same for all.
    Grid(usize),
    /// A class drawn by the seed, with the truth in place [`TRUTH`].
    Class(fn(u64) -> Result<Vec<FiniteMdp>>),
    /// Kernels drawn by the seed, with the weights of the truth.
    Mixture(fn(u64) -> Result<(Kernels, Vec<f64>)>),
    /// A model drawn by the seed, with features that it is linear in.
    Linear(fn(u64) -> Result<(FiniteMdp, Features)>),
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        AverageRewardProblem::new(
            "random-kernels-40",
            "live in one of 40 random models of 3 states and 2 actions, not knowing in which (one class a seed)",
            "ours",
            3_000,
            Kind::Class(random_kernels),
        ),
        AverageRewardProblem::new(
            "river-swim-200",
            "swim for ever in RiverSwim of 6 states, one of 200 perturbed forms of it (one class a seed)",
            "Strehl & Littman 2008; the class is ours",
            20_000,
            Kind::Class(perturbed_river_swims),
        ),
        AverageRewardProblem::new(
            "kernel-mixture-4",
            "live in a mixture of 4 known kernels of 6 states and 3 actions with unknown weights (drawn anew by each seed)",
            "ours",
            10_000,
            Kind::Mixture(kernel_mixture),
        ),
        AverageRewardProblem::new(
            "linear-mdp-5",
            "live in an MDP of 20 states and 4 actions that is linear in 5 known features (drawn anew by each seed)",
            "ours",
            10_000,
            Kind::Linear(|seed| mixture(20, 4, 5, seed)),
        ),
        AverageRewardProblem::new(
            "linear-river-swim-6",
            "swim for ever in RiverSwim of 6 states, told apart by one feature for each state and action",
            "Strehl & Littman 2008",
            20_000,
            Kind::Linear(|_| Ok((river_swim(6)?, Features::one_hot(12)))),
        ),
        AverageRewardProblem::new(
            "goal-grid-5x5",
            "walk for ever from corner to corner of a 5 x 5 grid; only the goal pays",
            "the grid of arXiv:2301.12083, without its ends of episodes",
            100_000,
            Kind::Grid(5),
        ),
        AverageRewardProblem::new(
            "goal-grid-10x10",
            "the same on a 10 x 10 grid",
            "the grid of arXiv:2301.12083, without its ends of episodes",
            300_000,
            Kind::Grid(10),
        ),
        AverageRewardProblem::new(
            "goal-grid-20x20",
            "the same on a 20 x 20 grid, the largest of the paper",
            "the grid of arXiv:2301.12083, without its ends of episodes",
            1_000_000,
            Kind::Grid(20),
        ),
        AverageRewardProblem::new(
            "goal-grid-3x3",
            "the same on a 3 x 3 grid",
            "the grid of arXiv:2301.12083, smaller and without its ends of episodes",
            20_000,
            Kind::Grid(3),
        ),
    ];
    listed.into_iter().map(|problem| Arc::new(problem) as Arc<dyn Problem>).collect()
}

impl AverageRewardProblem {
    fn new(name: &str, summary: &str, source: &str, budget: u64, kind: Kind) -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        let has_class = matches!(kind, Kind::Class(_));
        let mut metrics = vec![
            metric("regret", Direction::Lower, "steps times the optimal average reward, minus what was paid"),
            metric("average_reward", Direction::Higher, "average reward per step since the last record"),
            metric("switches", Direction::Neutral, "how often the policy has been replaced"),
            metric(
                "estimated_gain",
                Direction::Neutral,
                "average reward that the agent takes its policy to earn",
            ),
        ];
        if has_class {
            let summary = "1 if the agent acts on the true hypothesis, else 0";
            metrics.push(metric("true_hypothesis", Direction::Higher, summary));
        }
        AverageRewardProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary: summary.to_owned(),
                wing: "mdp",
                metrics,
                optimum: Some(0.0),
                budget,
                budget_unit: "steps",
                source: source.to_owned(),
                tags: vec!["tabular", "average reward", "exploration"],
            },
            methods: METHODS
                .iter()
                .filter(|entry| match entry.make.needs {
                    Needs::Nothing => true,
                    Needs::Hypotheses => has_class,
                    Needs::Kernels => matches!(kind, Kind::Mixture(_)),
                    Needs::Features => matches!(kind, Kind::Linear(_)),
                })
                .map(|entry| (entry.card)())
                .collect(),
            kind,
        }
    }

    fn world(&self, seed: u64) -> Result<World> {
        match self.kind {
            Kind::Grid(side) => {
                let place = |at: usize| at as f64 / (side - 1) as f64;
                let coordinates =
                    (0..side * side).flat_map(|state| [place(state / side), place(state % side)]);
                Ok(World::new(goal_grid(side)?, None)?.with_coordinates(coordinates.collect()))
            }
            Kind::Class(make) => {
                let models = make(seed)?;
                let class = Arc::new(Hypotheses::new(&models)?);
                World::new(models[TRUTH].clone(), Some((class, TRUTH)))
            }
            Kind::Mixture(make) => {
                let (kernels, weights) = make(seed)?;
                Ok(World::new(kernels.mix(&weights)?, None)?.with_kernels(kernels))
            }
            Kind::Linear(make) => {
                let (mdp, features) = make(seed)?;
                Ok(World::new(mdp, None)?.with_features(features))
            }
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<AverageRewardRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let options = card.options.with(&[&spec.options])?;
        AverageRewardRun::start(spec, self.card.length(spec)?, self.world(spec.seed)?, entry, options)
    }
}

impl Problem for AverageRewardProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Average rewards of the policy over 1,000 steps from the start, in the world of the artefact's seed.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let world = self.world(artefact.seed)?;
        let policy = policy::read(artefact, &world.mdp)?;
        let actions = world.mdp.actions();
        let scores = (0..repetitions as u64).map(|life| {
            let mut rng = Seeds::new(seed).nth("life", life).stream("life");
            let mut state = world.mdp.sample_start(&mut rng);
            let mut sum = 0.0;
            for _ in 0..EVALUATION_STEPS {
                let action = policy::draw(&policy[state * actions..][..actions], &mut rng);
                sum += world.mdp.reward(state, action);
                state = world.mdp.sample_next(state, action, &mut rng);
            }
            sum / EVALUATION_STEPS as f64
        });
        Ok(Evaluation { metric: "average_reward".into(), scores: scores.collect() })
    }
}
