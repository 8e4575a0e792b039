//! Traps, Garnets and a grid, with and without sticky actions, as problems.
//!
//! | problem | what it is |
//! |---|---|
//! | `trap-2`, `trap-3`, `trap-4` | [`crate::worlds::trap`]: 2, 3, 4 looks ahead are needed |
//! | `shallow-garnet` | Garnets of 30 states, 3 actions, 3 next states, 10 steps; the seed draws the model |
//! | `deterministic-garnet`, `sticky-garnet` | one next state, start in state 0; with 25 % sticky actions |
//! | `sticky-grid-world` | a 5 x 5 grid, 20 steps, 25 % sticky actions, with coordinates as features |

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Rng,
    Run, RunSpec, Seeds,
};
use rand::RngExt;

use super::METHODS;
use super::run::{POLICY, SimulatorRun};
use crate::finite::FiniteMdp;
use crate::policy;
use crate::worlds::{Sticky, garnet, grid_world, sticky, trap};

/// Probability that a sticky problem repeats the last action.
pub const STICKY: f64 = 0.25;

/// What lies below a model with sticky actions: a step is drawn from it, so that it pays what the executed action pays.
#[derive(Debug, Clone)]
struct Below {
    mdp: FiniteMdp,
    probability: f64,
    pairs: Vec<(usize, Option<usize>)>,
    /// The number of the pair of each state and last action, `[S, A]`; at an end that of the state.
    numbers: Vec<usize>,
}

/// A model with what a run needs to know of it.
#[derive(Debug, Clone)]
pub struct World {
    /// The model; with sticky actions over pairs of a state and the last action.
    pub mdp: FiniteMdp,
    /// Features of the states, `[S, d]`.
    pub features: Vec<f64>,
    sticky: Option<Below>,
    /// Which states end an episode.
    ends: Vec<bool>,
}

impl World {
    /// A model whose states are told apart by one feature each.
    pub fn new(mdp: FiniteMdp) -> Self {
        let states = mdp.states();
        let one_hot = |state| (0..states).map(move |other| f64::from(u8::from(other == state)));
        let features = (0..states).flat_map(one_hot).collect();
        World::with_features(mdp, features)
    }

    /// A model whose states have the features `[S, d]`.
    pub fn with_features(mdp: FiniteMdp, features: Vec<f64>) -> Self {
        let ends = (0..mdp.states()).map(|state| mdp.is_end(state)).collect();
        World { mdp, features, sticky: None, ends }
    }

    /// The same with sticky actions: features of a pair are those of its state and one for each last action.
    ///
    /// # Errors
    /// A probability outside [0, 1].
    pub fn sticky(self, probability: f64) -> Result<Self> {
        let Sticky { mdp, pairs } = sticky(&self.mdp, probability)?;
        let dimensions = self.features.len() / self.mdp.states();
        let mut features = Vec::new();
        for &(state, last) in &pairs {
            features.extend_from_slice(&self.features[state * dimensions..][..dimensions]);
            features.extend((0..mdp.actions()).map(|action| f64::from(u8::from(last == Some(action)))));
        }
        let actions = mdp.actions();
        let mut numbers = vec![0; self.mdp.states() * actions];
        for (number, &(state, last)) in pairs.iter().enumerate() {
            match last {
                Some(last) => numbers[state * actions + last] = number,
                None if self.ends[state] => numbers[state * actions..][..actions].fill(number),
                None => {}
            }
        }
        let mut world = World::with_features(mdp, features);
        world.sticky = Some(Below { mdp: self.mdp, probability, pairs, numbers });
        Ok(world)
    }

    /// Draws what `action` in `state` pays and leads to; `None` at an end.
    pub fn step(&self, state: usize, action: usize, rng: &mut Rng) -> (f64, Option<usize>) {
        let (reward, next) = match &self.sticky {
            None => (self.mdp.reward(state, action), self.mdp.sample_next(state, action, rng)),
            Some(below) => {
                let (at, last) = below.pairs[state];
                let executed = match last {
                    Some(last) if rng.random_bool(below.probability) => last,
                    _ => action,
                };
                let next = below.mdp.sample_next(at, executed, rng);
                let number = below.numbers[next * below.mdp.actions() + executed];
                (below.mdp.reward(at, executed), number)
            }
        };
        (reward, (!self.ends[next]).then_some(next))
    }
}

/// The Garnet of a seed with one next state for each pair, started in state 0.
fn deterministic(seed: u64) -> Result<FiniteMdp> {
    let mut start = vec![0.0; 30];
    start[0] = 1.0;
    garnet(30, 3, 1, seed)?.with_start(start)
}

/// Row and column of the states of a grid, scaled to [0, 1].
fn coordinates(rows: usize, columns: usize) -> Vec<f64> {
    let scaled = |at: usize, size: usize| at as f64 / (size - 1) as f64;
    (0..rows * columns)
        .flat_map(|state| [scaled(state / columns, rows), scaled(state % columns, columns)])
        .collect()
}

/// A problem of this role.
pub struct SimulatorProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    learners: Vec<&'static Learners>,
    horizon: usize,
    make: Make,
}

type Make = fn(u64) -> Result<World>;
type Learners = Entry<super::Make>;

/// The problems of this role, for its own methods and for `more` from elsewhere.
pub fn problems(more: &'static [Learners]) -> Vec<Arc<dyn Problem>> {
    const PAPER: &str = "ours, for arXiv:2312.08369";
    let listed: [(&str, &str, &str, usize, u64, Make); 7] = [
        (
            "trap-2",
            "take 0.6 now, or walk on to 1, which random play gets half the time",
            PAPER,
            2,
            2_000,
            |_| Ok(World::new(trap(2)?)),
        ),
        ("trap-3", "the same with a way of 3 steps to 1", PAPER, 3, 3_000, |_| Ok(World::new(trap(3)?))),
        ("trap-4", "the same with a way of 4 steps to 1", PAPER, 4, 4_000, |_| Ok(World::new(trap(4)?))),
        (
            "shallow-garnet",
            "10 steps in a random MDP of 30 states, 3 actions, 3 next states, of which 3 states pay (one a seed)",
            "Archibald, McKinnon & Thomas 1995",
            10,
            100_000,
            |seed| Ok(World::new(garnet(30, 3, 3, seed)?)),
        ),
        (
            "deterministic-garnet",
            "the same with a single next state for each pair, from a fixed start",
            PAPER,
            10,
            100_000,
            |seed| Ok(World::new(deterministic(seed)?)),
        ),
        (
            "sticky-garnet",
            "as deterministic-garnet, but a quarter of the actions repeat the last one",
            PAPER,
            10,
            100_000,
            |seed| World::new(deterministic(seed)?).sticky(STICKY),
        ),
        (
            "sticky-grid-world",
            "walk to the far corner of a 5 x 5 grid in 20 steps; a quarter of the actions repeat the last one",
            PAPER,
            20,
            100_000,
            |_| World::with_features(grid_world(5, 5, 1.0)?, coordinates(5, 5)).sticky(STICKY),
        ),
    ];
    let problem = |(name, summary, source, horizon, budget, make)| {
        Arc::new(SimulatorProblem::new(name, summary, source, horizon, budget, make, more))
            as Arc<dyn Problem>
    };
    listed.into_iter().map(problem).collect()
}

impl SimulatorProblem {
    fn new(
        name: &str,
        summary: &str,
        source: &str,
        horizon: usize,
        budget: u64,
        make: Make,
        more: &'static [Learners],
    ) -> Self {
        let learners: Vec<&Learners> = METHODS.iter().chain(more).collect();
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        SimulatorProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary: summary.to_owned(),
                wing: "mdp",
                metrics: vec![
                    metric(
                        "optimality",
                        Direction::Higher,
                        "exact expected return of the policy, as a share of the optimal one",
                    ),
                    metric("return", Direction::Higher, "exact expected return of the policy"),
                    metric("stages", Direction::Neutral, "stages learned for good"),
                ],
                optimum: Some(1.0),
                budget,
                budget_unit: "steps",
                source: source.to_owned(),
                tags: vec!["tabular", "episodic", "simulator"],
            },
            methods: learners.iter().map(|entry| (entry.card)()).collect(),
            learners,
            horizon,
            make,
        }
    }

    fn run(&self, spec: &RunSpec) -> Result<SimulatorRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(self.learners.iter().copied(), self, &spec.method)?;
        let options = card.options.with(&[&spec.options])?;
        let budget = self.card.length(spec)?;
        SimulatorRun::start(spec, budget, (self.make)(spec.seed)?, self.horizon, entry, options)
    }
}

impl Problem for SimulatorProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Returns of the policy in the world of the artefact's seed.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let world = (self.make)(artefact.seed)?;
        let (states, actions) = (world.mdp.states(), world.mdp.actions());
        let policy = artefact.numbers(POLICY)?;
        if policy.len() != self.horizon * states * actions {
            return Err(Error::Failed(format!("the policy in {POLICY} does not fit {}", self.card.name)));
        }
        let scores = (0..repetitions as u64).map(|episode| {
            let mut rng = Seeds::new(seed).nth("episode", episode).stream("episode");
            let mut state = Some(world.mdp.sample_start(&mut rng));
            let mut sum = 0.0;
            for stage in 0..self.horizon {
                let Some(at) = state else { break };
                let action = policy::draw(&policy[(stage * states + at) * actions..][..actions], &mut rng);
                let (reward, next) = world.step(at, action, &mut rng);
                sum += reward;
                state = next;
            }
            sum
        });
        Ok(Evaluation { metric: "return".into(), scores: scores.collect() })
    }
}
