//! The problems: a bandit whose gradients are exact, a slippery grid at three scales of reward, a pole.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Run,
    RunSpec, Seeds,
};

use super::mlp::MlpSoftmax;
use super::policy::TabularSoftmax;
use super::run::{FILE, PolicyGradientRun};
use super::world::Simulator;
use super::{Batch, Enough, METHODS, Setting, World};
use crate::finite::FiniteMdp;
use crate::{solve, worlds};

/// Rewards of the bandit's arms.
const ARMS: [f64; 3] = [1.0, 0.8, 0.0];
/// Steps of a trajectory on the grid.
const HORIZON: usize = 12;
/// The grid's optimum, over all policies; a policy that is the same at every step comes near it.
pub const GRID_OPTIMUM: f64 = 4.276_538_403_116;
/// Hidden layers of the policy on the pole.
const HIDDEN: [usize; 2] = [32, 32];

/// What a problem is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Softmax over three arms, J and ∇J given.
    Bandit,
    /// The 4 x 4 grid with rewards multiplied by `scale`.
    Grid { scale: f64 },
    /// CartPole of at most 200 steps, discount 0.99.
    CartPole,
}

/// A problem of this family.
pub struct PolicyGradientProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    kind: Kind,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let grid = |name, summary, scale| {
        PolicyGradientProblem::new(
            name,
            summary,
            "grid of rlberry; 12 steps, ours",
            307_200,
            Kind::Grid { scale },
        )
    };
    let listed = [
        PolicyGradientProblem::new(
            "softmax-bandit",
            "climb the value of a softmax over three arms along its exact gradient",
            "ours",
            10_000,
            Kind::Bandit,
        ),
        grid(
            "policy-grid-4x4",
            "walk through a slippery 4 x 4 grid by a softmax table, 12 steps a trajectory",
            1.0,
        ),
        grid("policy-grid-4x4-large", "the same with rewards multiplied by 100", 100.0),
        grid("policy-grid-4x4-small", "the same with rewards divided by 100", 0.01),
        PolicyGradientProblem::new(
            "cart-pole-200",
            "balance a pole for 200 steps by a stochastic policy, a perceptron 32-32; discount 0.99 in learning",
            "Gymnasium's CartPole-v0; policy and discount of arXiv:2302.01734's code",
            200_000,
            Kind::CartPole,
        ),
    ];
    listed.into_iter().map(|problem| Arc::new(problem) as Arc<dyn Problem>).collect()
}

/// Three arms that pay what they pay.
pub fn bandit() -> FiniteMdp {
    FiniteMdp::from_dense(1, ARMS.len(), &[1.0; ARMS.len()], ARMS.to_vec(), vec![1.0]).expect("a model")
}

/// The grid with its rewards multiplied.
fn grid(scale: f64) -> Result<FiniteMdp> {
    let mdp = worlds::grid_world(4, 4, 0.8)?;
    let rewards = mdp.rewards().iter().map(|reward| scale * reward).collect();
    mdp.with_rewards(rewards)
}

impl PolicyGradientProblem {
    fn new(name: &str, summary: &str, source: &str, budget: u64, kind: Kind) -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        let value = metric(
            "value",
            Direction::Higher,
            "expected return of the policy, exact, in the unscaled reward of the goal or the best arm",
        );
        let returns = metric(
            "return",
            Direction::Higher,
            "mean undiscounted return of the trajectories drawn since the last record",
        );
        let error = metric(
            "gradient_error",
            Direction::Lower,
            "distance of the last direction from the exact gradient where it was taken, before normalization",
        );
        let solved = metric(
            "solved_at",
            Direction::Lower,
            "iterations until the value was within 0.001 of the optimum; the whole run if it never was",
        );
        let mut metrics = match kind {
            Kind::Bandit => vec![value, solved, error],
            Kind::Grid { .. } => vec![value, returns, error],
            Kind::CartPole => vec![returns],
        };
        metrics.push(metric(
            "step_size",
            Direction::Neutral,
            "factor of the last direction in the last step",
        ));
        let exactly = kind == Kind::Bandit;
        PolicyGradientProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary: summary.to_owned(),
                wing: "mdp",
                metrics,
                optimum: Some(match kind {
                    Kind::Bandit => 1.0,
                    Kind::Grid { .. } => GRID_OPTIMUM,
                    Kind::CartPole => 200.0,
                }),
                budget,
                budget_unit: if exactly { "iterations" } else { "environment steps" },
                source: source.to_owned(),
                tags: vec!["policy gradient", if kind == Kind::CartPole { "network" } else { "tabular" }],
            },
            methods: METHODS
                .iter()
                .filter(|entry| !exactly || entry.make.works_exactly)
                .map(|entry| (entry.card)())
                .collect(),
            kind,
        }
    }

    /// The world, the optimum of J, and by what values are divided.
    fn world(&self, seeds: Seeds) -> Result<(World, f64, f64)> {
        let rng = seeds.stream("trajectories");
        Ok(match self.kind {
            Kind::Bandit => {
                let policy = Box::new(TabularSoftmax::new(1, ARMS.len(), 0.0));
                let simulator = Simulator::Finite { mdp: bandit(), horizon: 1, is_exact: true };
                (World::new(policy, simulator, 1.0, rng), 1.0, 1.0)
            }
            Kind::Grid { scale } => {
                let mdp = grid(scale)?;
                let optimum = solve::backward_induction(&mdp, HORIZON).values[0];
                let policy = Box::new(TabularSoftmax::new(mdp.states(), mdp.actions(), 0.1));
                let simulator = Simulator::Finite { mdp, horizon: HORIZON, is_exact: false };
                (World::new(policy, simulator, 1.0, rng), optimum, scale)
            }
            Kind::CartPole => {
                let discount = 0.99_f64;
                let environment = quire_env::make("CartPole-v0")?;
                let actions = environment.action_space().discrete_n().expect("two actions");
                let policy =
                    Box::new(MlpSoftmax::new(environment.observation_space().size(), &HIDDEN, actions));
                let optimum = (1.0 - discount.powi(200)) / (1.0 - discount);
                (World::new(policy, Simulator::Environment(environment), discount, rng), optimum, 1.0)
            }
        })
    }

    fn run(&self, spec: &RunSpec) -> Result<PolicyGradientRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let seeds = Seeds::new(spec.seed);
        let (world, optimum, scale) = self.world(seeds)?;
        let setting = Setting {
            start: world.policy.initial(&mut seeds.stream("start")),
            layout: world.policy.layout(),
            optimum: Some(optimum),
            observation: world.observation(),
            seeds: seeds.child("learner"),
        };
        let learner = (entry.make.learner)(&setting, &spec.options)?;
        let options = card.options.with(&[&spec.options])?;
        let unit = self.card.budget_unit;
        Ok(PolicyGradientRun::new(
            spec,
            (self.card.length(spec)?, unit),
            options,
            world,
            learner,
            (optimum, scale),
        ))
    }
}

impl Problem for PolicyGradientProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Undiscounted returns of the stochastic policy.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let theta = artefact.numbers(FILE)?;
        let (mut world, ..) = self.world(Seeds::new(seed))?;
        if theta.len() != world.policy.parameters() || theta.iter().any(|x| !x.is_finite()) {
            return Err(Error::Failed(format!("the parameters in {FILE} do not fit {}", artefact.problem)));
        }
        let mut batch = Batch::default();
        if repetitions > 0 {
            world.sample(&theta, Enough::Trajectories(repetitions), &mut batch)?;
        }
        let scores = batch.trajectories().map(|range| batch.rewards[range].iter().sum()).collect();
        Ok(Evaluation { metric: "return".into(), scores })
    }
}
