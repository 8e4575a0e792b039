//! Net-RandQL and Adaptive-RandQL: [RandQL](super::super::rand_ql) over cells of a metric space (Tiapkin et al. 2023).
//!
//! A pair (s, a) gives way to the cell B of action a that s lies in; everything else is RandQL, with
//! V̄_h(s) = min(v_h, max_a Q̄_h(B_a(s))). Cells are those of a fixed ε-net, or begin as one and are split as soon as a cell of
//! diameter D has been visited (D_max/D)² times; its children inherit tables and counts.
//!
//! The forms are those of RandQL: *practical*, *sampled*, and *staged*, which is analysed: with a covering number of ε^-d its
//! regret is of the order H^{5/2} T^{(d+1)/(d+2)}.
//!
//! Source: D. Tiapkin et al., *Model-free posterior sampling via learning rate randomization*, NeurIPS 2023,
//! arXiv:2310.18186, section on metric spaces; from memory, and its official code has no metric form. That actions are few and
//! lie far from each other, so that no cell holds two, is ours, as are the net's level, the prior weight, that children inherit
//! their parent's counts, and that Q̄ may rise again where cells are split: the minimum with the old Q̄ would hold a good part of
//! a bad cell down for good.

use quire_core::{About, Options, Paper, Result, Rng, options, state};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::rand_ql::{Form, PracticalStep, stage_length, staged_step};
use super::partition::{CellKind, Cells, Partition, inherit};
use super::{Explorer, Method, Setting};
use crate::solve::maximum;

/// Options of `metric-randql`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricRandQlOptions {
    /// How states are put into cells.
    pub cells: Cells,
    /// Which form of the algorithm.
    pub form: Form,
    /// Tables J in the ensemble. Paper's tabular experiments: 10.
    #[schemars(range(min = 1, max = 100_000))]
    pub tables: usize,
    /// Prior transitions n₀ of a cell. Paper's tabular experiments: one over the number of states; ours: 0.01.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub prior_weight: f64,
    /// Posterior inflation κ. Paper's tabular experiments: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub inflation: f64,
    /// Reward r₀ per step that unknown cells are taken to earn. Theory: 2; paper's tabular experiments: 1.
    #[schemars(range(min = 1.0))]
    pub prior_reward: f64,
}

impl Default for MetricRandQlOptions {
    fn default() -> Self {
        MetricRandQlOptions {
            cells: Cells::default(),
            form: Form::Practical,
            tables: 10,
            prior_weight: 0.01,
            inflation: 1.0,
            prior_reward: 1.0,
        }
    }
}

impl Options for MetricRandQlOptions {}

/// The explorer.
pub struct MetricRandQl {
    options: MetricRandQlOptions,
    setting: Setting,
    learned: Learned,
}

#[derive(Serialize, Deserialize)]
struct Learned {
    /// Trees of (h, a), `[H, A]`.
    partition: Partition,
    /// Q̃^j, `[nodes, J]`.
    ensemble: Vec<f64>,
    /// Q̄, `[nodes]`.
    upper: Vec<f64>,
    /// Visits, those of the ancestors included, `[nodes]`.
    visits: Vec<u64>,
    /// Visits since the stage began, `[nodes]`; like the next empty but in the staged form.
    since: Vec<u64>,
    /// The stage q, `[nodes]`.
    stages: Vec<u32>,
    /// The table that the sampled form follows in this episode.
    drawn: usize,
    rng: Rng,
}

impl Method for MetricRandQl {
    type Options = MetricRandQlOptions;

    const ABOUT: About = About {
        name: "metric-randql",
        summary: "RandQL where states are points: random learning rates over the cells of a net, or over cells that split",
        when: "Continuous states of one to three dimensions, few actions, short episodes, some thousand of them. After many more \
               metric-opt-ql is ahead where cells are split.",
        wing: "mdp",
        family: "explore",
        paper: Some(Paper {
            slug: "randql",
            title: "Model-free Posterior Sampling via Learning Rate Randomization",
            arxiv: "2310.18186",
        }),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: MetricRandQlOptions) -> Result<Self> {
        options::check(&options)?;
        let partition = Partition::new(setting.horizon * setting.actions, setting.dimensions, options.cells)?;
        let nodes = partition.nodes();
        let ceiling = |node| {
            let stage = partition.tree(node) / setting.actions;
            options.prior_reward * setting.greatest_return(stage)
        };
        let upper: Vec<f64> = (0..nodes).map(ceiling).collect();
        let staged = if options.form == Form::Staged { nodes } else { 0 };
        let learned = Learned {
            ensemble: upper.iter().flat_map(|&value| std::iter::repeat_n(value, options.tables)).collect(),
            upper,
            visits: vec![0; nodes],
            since: vec![0; staged],
            stages: vec![0; staged],
            drawn: 0,
            rng: setting.seeds.stream("learning-rates"),
            partition,
        };
        Ok(MetricRandQl { learned, setting: setting.clone(), options })
    }
}

impl MetricRandQl {
    /// v_h.
    fn ceiling(&self, stage: usize) -> f64 {
        self.options.prior_reward * self.setting.greatest_return(stage)
    }

    fn cell(&self, stage: usize, action: usize, state: &[f64]) -> usize {
        self.learned.partition.locate(stage * self.setting.actions + action, state)
    }

    /// V̄_h(s), or V^j_h(s) of one table; 0 after the last stage.
    fn value(&self, stage: usize, state: &[f64], table: Option<usize>) -> f64 {
        if stage == self.setting.horizon {
            return 0.0;
        }
        let value = |action| {
            let cell = self.cell(stage, action, state);
            table.map_or(self.learned.upper[cell], |j| self.learned.ensemble[cell * self.options.tables + j])
        };
        let greatest = (0..self.setting.actions).map(value).fold(f64::NEG_INFINITY, f64::max);
        if table.is_some() { greatest } else { greatest.min(self.ceiling(stage)) }
    }

    fn split_if_due(&mut self, cell: usize) {
        let MetricRandQl { options, learned, .. } = self;
        if !options.cells.splits(learned.partition.level(cell), learned.visits[cell]) {
            return;
        }
        learned.partition.split(cell);
        let fan = learned.partition.fan();
        inherit(&mut learned.ensemble, cell, fan, options.tables);
        inherit(&mut learned.upper, cell, fan, 1);
        inherit(&mut learned.visits, cell, fan, 1);
        if options.form == Form::Staged {
            inherit(&mut learned.since, cell, fan, 1);
            inherit(&mut learned.stages, cell, fan, 1);
        }
    }
}

impl Explorer for MetricRandQl {
    fn begin(&mut self) {
        if self.options.form == Form::Sampled {
            self.learned.drawn = self.learned.rng.random_range(0..self.options.tables as u32) as usize;
        }
    }

    /// Greedy, the first of equals.
    fn act(&self, stage: usize, state: &[f64]) -> usize {
        let value = |action| {
            let cell = self.cell(stage, action, state);
            match self.options.form {
                Form::Sampled => self.learned.ensemble[cell * self.options.tables + self.learned.drawn],
                _ => self.learned.upper[cell],
            }
        };
        maximum((0..self.setting.actions).map(value)).0
    }

    fn observe(&mut self, stage: usize, state: &[f64], action: usize, reward: f64, next: &[f64]) {
        let (cell, ceiling) = (self.cell(stage, action, state), self.ceiling(stage));
        let (tables, horizon) = (self.options.tables, self.setting.horizon);
        let (prior, inflation) = (self.options.prior_weight, self.options.inflation);
        self.learned.visits[cell] += 1;
        let row = cell * tables..(cell + 1) * tables;
        if self.options.form == Form::Staged {
            let target = reward + self.value(stage + 1, next, None);
            let Learned { ensemble, upper, since, stages, rng, .. } = &mut self.learned;
            let values = &mut ensemble[row];
            values
                .iter_mut()
                .for_each(|value| staged_step(value, target, since[cell], prior, inflation, rng));
            since[cell] += 1;
            if since[cell] >= stage_length(stages[cell], horizon) {
                upper[cell] = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                values.fill(ceiling);
                stages[cell] += 1;
                since[cell] = 0;
            }
        } else {
            let n = self.learned.visits[cell] as f64 + prior * inflation;
            let shared = match self.options.form {
                Form::Sampled => None,
                _ => Some(reward + self.value(stage + 1, next, None)),
            };
            let step = PracticalStep::new(n, prior, inflation, horizon);
            for table in 0..tables {
                let target = shared.unwrap_or_else(|| reward + self.value(stage + 1, next, Some(table)));
                let Learned { ensemble, rng, .. } = &mut self.learned;
                let value = &mut ensemble[cell * tables + table];
                step.apply(value, target, ceiling, rng);
            }
            let greatest = self.learned.ensemble[row].iter().copied().fold(f64::NEG_INFINITY, f64::max);
            // A coarse cell may be worth less than its best part, so what its parts inherit may have to rise.
            let before = match self.options.cells.kind {
                CellKind::Net => self.learned.upper[cell],
                CellKind::Adaptive => ceiling,
            };
            self.learned.upper[cell] = before.min(greatest);
        }
        self.split_if_due(cell);
    }

    fn cells(&self) -> usize {
        self.learned.partition.cells()
    }

    fn save(&self) -> Vec<u8> {
        state::encode("metric-randql", &self.learned)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.learned = state::decode("metric-randql", saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::super::super::rand_ql::{RandQl, RandQlOptions};
    use super::super::super::{Explorer as _, Method as _};
    use super::*;

    fn setting(actions: usize, horizon: usize) -> Setting {
        Setting { dimensions: 1, actions, horizon, seeds: Seeds::new(3) }
    }

    /// On a net, a state that stands for its cell makes it RandQL on that many states, number for number.
    #[test]
    fn on_a_net_it_is_randql_on_the_cells() {
        let (states, actions, horizon) = (4, 2, 5);
        for form in [Form::Practical, Form::Sampled, Form::Staged] {
            let rewards: Vec<f64> = (0..states * actions).map(|pair| pair as f64 / 8.0).collect();
            let tabular = super::super::super::Setting {
                states,
                actions,
                horizon,
                rewards: rewards.clone(),
                features: None,
                seeds: Seeds::new(3),
            };
            let options =
                RandQlOptions { form, prior_weight: Some(0.25), tables: 4, ..RandQlOptions::default() };
            let mut named = RandQl::new(&tabular, options).unwrap();
            let options = MetricRandQlOptions {
                form,
                cells: Cells::net(2),
                prior_weight: 0.25,
                tables: 4,
                ..MetricRandQlOptions::default()
            };
            let mut metric = MetricRandQl::new(&setting(actions, horizon), options).unwrap();
            let point = |state: usize| [(state as f64 + 0.3) / 4.0];
            let mut rng = Seeds::new(9).stream("walk");
            let mut policy = vec![0; horizon * states];
            for _ in 0..200 {
                named.plan(&mut policy);
                metric.begin();
                let mut state = 0;
                for stage in 0..horizon {
                    for other in 0..states {
                        assert_eq!(
                            metric.act(stage, &point(other)),
                            policy[stage * states + other],
                            "{form:?}"
                        );
                    }
                    let action = policy[stage * states + state];
                    let next = rng.random_range(0..states as u32) as usize;
                    named.observe(stage, state, action, next);
                    metric.observe(
                        stage,
                        &point(state),
                        action,
                        rewards[state * actions + action],
                        &point(next),
                    );
                    state = next;
                }
            }
        }
    }

    #[test]
    fn cells_split_where_they_are_visited_and_hand_on_what_they_know() {
        let mut explorer = MetricRandQl::new(&setting(1, 1), MetricRandQlOptions::default()).unwrap();
        assert_eq!(explorer.cells(), 1);
        explorer.observe(0, &[0.1], 0, 0.5, &[0.9]);
        // The whole interval was split by its first visit; both halves know as much.
        assert_eq!(explorer.cells(), 2);
        let (left, right) = (explorer.cell(0, 0, &[0.1]), explorer.cell(0, 0, &[0.9]));
        assert!(left != right && explorer.learned.upper[left] == explorer.learned.upper[right]);
        assert_eq!(explorer.learned.visits[left], 1);
        (0..2).for_each(|_| explorer.observe(0, &[0.1], 0, 0.5, &[0.9]));
        assert_eq!(explorer.cells(), 2);
        explorer.observe(0, &[0.1], 0, 0.5, &[0.9]);
        assert_eq!((explorer.cells(), explorer.learned.visits[explorer.cell(0, 0, &[0.1])]), (3, 4));
        assert_eq!(explorer.cell(0, 0, &[0.9]), right);
    }

    #[test]
    fn upper_values_on_a_net_never_rise_and_stay_in_range() {
        let options = MetricRandQlOptions { cells: Cells::net(3), ..MetricRandQlOptions::default() };
        let mut explorer = MetricRandQl::new(&setting(2, 3), options).unwrap();
        let mut rng = Seeds::new(2).stream("walk");
        let points: Vec<f64> = (0..20).map(|i| f64::from(i) / 20.0).collect();
        let values = |explorer: &MetricRandQl| -> Vec<f64> {
            let value = |i: usize| explorer.value(i / 20, &[points[i % 20]], None);
            (0..60).map(value).collect()
        };
        let mut before = values(&explorer);
        for _ in 0..300 {
            for stage in 0..3 {
                let (state, next) = ([rng.random::<f64>()], [rng.random::<f64>()]);
                explorer.observe(stage, &state, rng.random_range(0..2_u32) as usize, state[0], &next);
            }
            let now = values(&explorer);
            assert!(now.iter().zip(&before).all(|(now, before)| now <= before && *now >= 0.0));
            before = now;
        }
    }
}
