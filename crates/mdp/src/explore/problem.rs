//! Worlds to explore, as problems.

use std::path::Path;
use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, Problem, ProblemCard, Result, Run,
    RunSpec, Seeds,
};

use super::METHODS;
use super::run::{ExploreRun, optimum};
use crate::finite::FiniteMdp;
use crate::linear::Features;
use crate::{file, policy, worlds};

/// An MDP to explore in episodes of a fixed length.
pub struct ExploreProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    mdp: Arc<FiniteMdp>,
    features: Option<Arc<Features>>,
    horizon: usize,
}

const GRID_SOURCE: &str = "GridWorld of the library rlberry, as in the experiments of arXiv:2205.07704";

/// The listed worlds.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let world = |name: &str, summary: &str, source: &str, mdp: Result<FiniteMdp>, horizon, episodes| {
        let mdp = mdp.expect("a listed world has valid parameters");
        Arc::new(ExploreProblem::new(name, summary, source, mdp, horizon, episodes)) as Arc<dyn Problem>
    };
    vec![
        world(
            "grid-world",
            "walk to the far corner of a slippery 10 x 10 grid in 50 steps and stay there",
            GRID_SOURCE,
            worlds::grid_world(10, 10, 0.8),
            50,
            10_000,
        ),
        world(
            "grid-world-5x5",
            "the same on a 5 x 5 grid in 20 steps",
            GRID_SOURCE,
            worlds::grid_world(5, 5, 0.8),
            20,
            2_000,
        ),
        world(
            "river-swim",
            "swim against the current through 6 states in 20 steps",
            "Strehl & Littman 2008; Osband, Russo & Van Roy 2013",
            worlds::river_swim(6),
            20,
            2_000,
        ),
        world(
            "river-swim-4",
            "swim against the current through 4 states in 14 steps",
            "the form of the experiments of arXiv:2305.18246",
            worlds::river_swim(4),
            14,
            2_000,
        ),
        world(
            "chain-10",
            "walk right along 10 states, 19 steps, past a small reward on the left",
            "Osband et al. 2016, arXiv:1602.04621",
            worlds::chain(10),
            19,
            2_000,
        ),
        world(
            "ring-10",
            "walk a ring of 10 states with slips of 0.1 to its one rewarding state, in 10 steps",
            "ours",
            worlds::ring(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], 0.1),
            10,
            2_000,
        ),
        world(
            "garnet",
            "a random MDP of 30 states, 4 actions, 4 next states (seed 0), in 20 steps",
            "Archibald, McKinnon & Thomas 1995",
            worlds::garnet(30, 4, 4, 0),
            20,
            2_000,
        ),
        linear_world(),
    ]
}

fn linear_world() -> Arc<dyn Problem> {
    let (mdp, features) = worlds::mixture(30, 4, 5, 0).expect("a listed world has valid parameters");
    let summary = "a random linear MDP of 30 states, 4 actions and 5 features (seed 0), in 20 steps";
    let problem = ExploreProblem::new("linear-30", summary, "ours", mdp, 20, 2_000);
    Arc::new(problem.with_features(Arc::new(features)))
}

/// A user's model as a problem: `path/to/model.npz` or `.json`. `None` if the name is not that of such a file.
pub fn open(name: &str) -> Option<Result<Arc<dyn Problem>>> {
    file::is_model(name).then(|| {
        let path = Path::new(name);
        let file::ModelFile { mdp, horizon, .. } = file::read(path)?;
        let usage = |problem: String| Err(Error::file(path, problem));
        let Some(horizon) = horizon else {
            return usage("has no `horizon`; explorers need the number of steps of an episode".into());
        };
        let outside = mdp.rewards().iter().position(|reward| !(0.0..=1.0).contains(reward));
        if let Some(pair) = outside {
            let (state, action) = (pair / mdp.actions(), pair % mdp.actions());
            return usage(format!(
                "action {action} in state {state} has the reward {}; explorers need rewards in [0, 1], so scale them",
                mdp.rewards()[pair]
            ));
        }
        let summary = format!(
            "your own model: {} states, {} actions, episodes of {horizon} steps",
            mdp.states(),
            mdp.actions()
        );
        Ok(Arc::new(ExploreProblem::new(name, &summary, name, mdp, horizon, 2_000)) as Arc<dyn Problem>)
    })
}

impl ExploreProblem {
    /// A problem made of any MDP; rewards must lie in [0, 1], which the methods take for granted.
    pub fn new(
        name: &str,
        summary: &str,
        source: &str,
        mdp: FiniteMdp,
        horizon: usize,
        episodes: u64,
    ) -> Self {
        let metric = |name, unit, direction, summary| Metric { name, unit, direction, summary };
        ExploreProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary: summary.to_owned(),
                wing: "mdp",
                metrics: vec![
                    metric(
                        "regret",
                        "",
                        Direction::Lower,
                        "optimal return minus the policies' exact returns, summed over episodes",
                    ),
                    metric("return", "", Direction::Higher, "exact expected return of the policy followed"),
                ],
                optimum: Some(0.0),
                budget: episodes,
                budget_unit: "episodes",
                source: source.to_owned(),
                tags: vec!["tabular", "episodic", "exploration"],
            },
            methods: Entry::cards(METHODS),
            mdp: Arc::new(mdp),
            features: None,
            horizon,
        }
    }

    /// The same with features of the pairs, in which rewards and transitions are linear.
    pub fn with_features(mut self, features: Arc<Features>) -> Self {
        self.card.tags.push("linear");
        self.features = Some(features);
        self
    }

    /// The model, which only the score knows.
    pub fn mdp(&self) -> &FiniteMdp {
        &self.mdp
    }

    /// The optimal expected return of an episode.
    pub fn optimal_return(&self) -> f64 {
        optimum(&self.mdp, self.horizon)
    }

    fn run(&self, spec: &RunSpec) -> Result<ExploreRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let options = card.options.with(&[&spec.options])?;
        let (mdp, features) = (Arc::clone(&self.mdp), self.features.clone());
        ExploreRun::start(spec, self.card.length(spec)?, mdp, features, self.horizon, entry, options)
    }
}

impl Problem for ExploreProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let states = self.mdp.states();
        let policy = policy::read_staged(artefact, self.horizon, states, self.mdp.actions())?;
        let scores = (0..repetitions as u64).map(|episode| {
            let mut rng = Seeds::new(seed).nth("episode", episode).stream("dynamics");
            let mut state = self.mdp.sample_start(&mut rng);
            (0..self.horizon)
                .map(|stage| {
                    let action = policy[stage * states + state];
                    let reward = self.mdp.reward(state, action);
                    state = self.mdp.sample_next(state, action, &mut rng);
                    reward
                })
                .sum()
        });
        Ok(Evaluation { metric: "return".into(), scores: scores.collect() })
    }
}
