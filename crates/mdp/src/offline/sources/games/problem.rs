//! The problem `perturbed-game`: a zero-sum game of 3 states, 3 x 3 actions and 5 steps, from logs of 1, 2, ... perturbations.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard,
    Progress, Reason, Result, Run, RunSpec, Seeds, Trace, number_bytes, state,
};
use serde::{Deserialize, Serialize};

use super::super::worlds::World;
use super::{GamePlanner, METHODS, Setting, best_responses};
use crate::policy;
use crate::staged::StagedMdp;

/// Samples that a source has of each joint action that it logs.
const SAMPLES: u64 = 200;
/// Actions of each player.
const ACTIONS: usize = 3;
/// The artefact's file with the first player's strategy, `[H, S, A]`, little-endian f64.
pub const ROWS: &str = "rows.f64";
/// The artefact's file with the second player's strategy, `[H, S, B]`, little-endian f64.
pub const COLUMNS: &str = "columns.f64";

/// A game and its perturbations.
pub struct PerturbedGame {
    card: ProblemCard,
    methods: Vec<MethodCard>,
}

/// The problem of this role.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
    vec![Arc::new(PerturbedGame {
        card: ProblemCard {
            name: "perturbed-game".to_owned(),
            summary:
                "plan both sides of a zero-sum Markov game from logs of its perturbations (one game a seed)"
                    .to_owned(),
            wing: "mdp",
            metrics: vec![
                metric(
                    "duality_gap",
                    Direction::Lower,
                    "what the first player could earn at most, minus what the second could hold it to, exact",
                ),
                metric(
                    "width",
                    Direction::Neutral,
                    "what the second player is promised to pay at most, minus what the first is promised at least",
                ),
            ],
            optimum: Some(0.0),
            budget: 20,
            budget_unit: "sources",
            source: "ours, for arXiv:2306.08364".to_owned(),
            tags: vec!["offline", "episodic", "pessimism", "several sources", "two players"],
        },
        methods: Entry::cards(METHODS),
    })]
}

impl PerturbedGame {
    fn run(&self, spec: &RunSpec) -> Result<GameRun> {
        let card = self.method(&spec.method)?;
        let entry = Entry::find(METHODS, self, &spec.method)?;
        let budget = self.card.length(spec)?;
        let world = World::game(budget as usize, spec.seed)?;
        let setting = Setting {
            states: world.target.states(),
            rows: ACTIONS,
            columns: ACTIONS,
            horizon: world.target.horizon(),
        };
        Ok(GameRun {
            options: card.options.with(&[&spec.options])?,
            planner: (entry.make)(&setting, &spec.options)?,
            place: Place::default(),
            spec: spec.clone(),
            budget,
            world,
        })
    }
}

/// A strategy of an artefact of `game`.
fn read(artefact: &Artefact, file: &str, game: &StagedMdp) -> Result<Vec<f64>> {
    let strategy = artefact.numbers(file)?;
    let is_distribution = |row: &[f64]| (row.iter().sum::<f64>() - 1.0).abs() < 1e-6;
    if strategy.len() == game.horizon() * game.states() * ACTIONS
        && strategy.chunks_exact(ACTIONS).all(is_distribution)
    {
        return Ok(strategy);
    }
    Err(Error::Failed(format!("the strategy in {file} does not fit {}", artefact.problem)))
}

impl Problem for PerturbedGame {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// What the first player earns in episodes of both strategies, with expected rewards.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let game = World::game(0, artefact.seed)?.target;
        let (rows, columns) = (read(artefact, ROWS, &game)?, read(artefact, COLUMNS, &game)?);
        let scores = (0..repetitions as u64).map(|episode| {
            let mut rng = Seeds::new(seed).nth("episode", episode).stream("dynamics");
            let mut state = game.sample_start(&mut rng);
            let mut sum = 0.0;
            for stage in 0..game.horizon() {
                let at = (stage * game.states() + state) * ACTIONS;
                let row = policy::draw(&rows[at..][..ACTIONS], &mut rng);
                let action = row * ACTIONS + policy::draw(&columns[at..][..ACTIONS], &mut rng);
                sum += game.stage(stage).reward(state, action);
                state = game.stage(stage).sample_next(state, action, &mut rng);
            }
            sum
        });
        Ok(Evaluation { metric: "return".into(), scores: scores.collect() })
    }
}

/// A planner and its sources.
struct GameRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    world: World,
    planner: Box<dyn GamePlanner>,
    place: Place,
}

#[derive(Default, Serialize, Deserialize)]
struct Place {
    /// Sources of the last plan.
    sources: u64,
    rows: Vec<f64>,
    columns: Vec<f64>,
}

impl GameRun {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "sources")
    }
}

impl Run for GameRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        let game = &self.world.target;
        let sources = self.budget.min(self.place.sources + self.budget.div_ceil(100));
        let plan = self.planner.plan(&self.world.data(sources as usize, SAMPLES));
        let (most, least) = best_responses(game, &plan.rows, &plan.columns);
        trace.record(sources, "duality_gap", most - least);
        trace.record(sources, "width", game.at_start(&plan.upper) - game.at_start(&plan.lower));
        self.place = Place { sources, rows: plan.rows, columns: plan.columns };
        Ok(if sources == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.sources, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &self.place)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.place = state::decode(&self.kind(), saved)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let Place { sources, rows, columns } = &self.place;
        let file = |name, numbers: &[f64]| (name, number_bytes(numbers.iter().copied()));
        let files = [file(ROWS, rows), file(COLUMNS, columns)];
        (*sources > 0).then(|| self.spec.artefact("strategies", &self.options, *sources, files))
    }
}
