//! Optimistic Q-learning over cells: with a fixed net, or with cells that split, as adaptive Q-learning does (Sinclair,
//! Banerjee & Yu 2019).
//!
//! After the n-th visit of a cell B at stage h, with v_h = H - h + 1 and D the cell's diameter,
//!
//! > Q_h(B) ← (1 - η) Q_h(B) + η (r + V_{h+1}(s') + b),  η = (H + 1)/(H + n),  b = min(v_h, c (√(1/n) + v_h/n) + L D)
//! >
//! > V_h(s) = min(v_h, max_a Q_h(B_a(s)))
//!
//! Source: S. Sinclair, S. Banerjee & C. L. Yu, *Adaptive discretization for episodic reinforcement learning in metric
//! spaces*, 2019, arXiv:1910.08151; the bonus is that of [`opt_ql`](super::super::opt_ql), with a Lipschitz term.

use quire_core::{About, Options, Result, options, state};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::ucbvi::Bonus;
use super::partition::{Cells, Partition, inherit};
use super::{Explorer, Method, Setting};
use crate::solve::maximum;

/// Options of `metric-opt-ql`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricOptQlOptions {
    /// How states are put into cells.
    pub cells: Cells,
    /// Factor c on the bonus for few visits. rlberry: 1.
    #[schemars(range(min = 0.0))]
    pub scale: f64,
    /// Factor L on a cell's diameter in the bonus, in units of value. Theory: the Lipschitz constant of Q; ours: 0, which
    /// explores least.
    #[schemars(range(min = 0.0))]
    pub lipschitz: f64,
}

impl Default for MetricOptQlOptions {
    fn default() -> Self {
        MetricOptQlOptions { cells: Cells::default(), scale: 1.0, lipschitz: 0.0 }
    }
}

impl Options for MetricOptQlOptions {}

/// The explorer.
pub struct MetricOptQl {
    options: MetricOptQlOptions,
    setting: Setting,
    learned: Learned,
}

#[derive(Serialize, Deserialize)]
struct Learned {
    /// Trees of (h, a), `[H, A]`.
    partition: Partition,
    /// Q, `[nodes]`.
    q: Vec<f64>,
    /// Visits, those of the ancestors included, `[nodes]`.
    visits: Vec<u64>,
}

impl Method for MetricOptQl {
    type Options = MetricOptQlOptions;

    const ABOUT: About = About {
        name: "metric-opt-ql",
        summary: "Q-learning with an upper confidence bonus over the cells of a net, or over cells that split",
        when: "The rival of metric-randql; with cells that split it is adaptive Q-learning.",
        wing: "mdp",
        family: "explore",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, options: MetricOptQlOptions) -> Result<Self> {
        options::check(&options)?;
        let partition = Partition::new(setting.horizon * setting.actions, setting.dimensions, options.cells)?;
        let nodes = partition.nodes();
        let ceiling = |node| setting.greatest_return(partition.tree(node) / setting.actions);
        let learned = Learned { q: (0..nodes).map(ceiling).collect(), visits: vec![0; nodes], partition };
        Ok(MetricOptQl { learned, setting: setting.clone(), options })
    }
}

impl MetricOptQl {
    fn cell(&self, stage: usize, action: usize, state: &[f64]) -> usize {
        self.learned.partition.locate(stage * self.setting.actions + action, state)
    }

    /// The greedy action and V_h(s); 0 after the last stage.
    fn best(&self, stage: usize, state: &[f64]) -> (usize, f64) {
        if stage == self.setting.horizon {
            return (0, 0.0);
        }
        let q = |action| self.learned.q[self.cell(stage, action, state)];
        let (action, greatest) = maximum((0..self.setting.actions).map(q));
        (action, greatest.min(self.setting.greatest_return(stage)))
    }
}

impl Explorer for MetricOptQl {
    fn act(&self, stage: usize, state: &[f64]) -> usize {
        self.best(stage, state).0
    }

    fn observe(&mut self, stage: usize, state: &[f64], action: usize, reward: f64, next: &[f64]) {
        let (cell, later) = (self.cell(stage, action, state), self.best(stage + 1, next).1);
        let (horizon, ceiling) = (self.setting.horizon as f64, self.setting.greatest_return(stage));
        let MetricOptQl { options, learned, .. } = self;
        learned.visits[cell] += 1;
        let n = learned.visits[cell] as f64;
        let level = learned.partition.level(cell);
        let diameter = 0.5_f64.powi(i32::from(level));
        let bonus = Bonus::Simplified.value(options.scale, n, ceiling, 0.0) + options.lipschitz * diameter;
        let target = reward + later + bonus.min(ceiling);
        let rate = (horizon + 1.0) / (horizon + n);
        learned.q[cell] += rate * (target - learned.q[cell]);
        if options.cells.splits(level, learned.visits[cell]) {
            learned.partition.split(cell);
            let fan = learned.partition.fan();
            inherit(&mut learned.q, cell, fan, 1);
            inherit(&mut learned.visits, cell, fan, 1);
        }
    }

    fn cells(&self) -> usize {
        self.learned.partition.cells()
    }

    fn save(&self) -> Vec<u8> {
        state::encode("metric-opt-ql", &self.learned)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.learned = state::decode("metric-opt-ql", saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    #[test]
    fn updates_by_hand() {
        let setting = Setting { dimensions: 1, actions: 1, horizon: 3, seeds: Seeds::new(0) };
        let options = MetricOptQlOptions { cells: Cells::net(1), scale: 0.25, lipschitz: 0.5 };
        let mut explorer = MetricOptQl::new(&setting, options).unwrap();
        // The last stage: η = 1, b = (1 + 1)/4 + 0.5 · 0.5 = 0.75, target 0.25 + 0.75.
        explorer.observe(2, &[0.2], 0, 0.25, &[0.0]);
        assert_eq!(explorer.best(2, &[0.4]).1, 1.0);
        // Stage 1: v = 2, b = min(2, (1 + 2)/4 + 0.25) = 1, target 0.25 + 1 + 1: no more than 2 counts.
        explorer.observe(1, &[0.2], 0, 0.25, &[0.4]);
        assert_eq!(explorer.best(1, &[0.2]).1, 2.0);
        // n = 2: η = 4/5, b = (√½ + ½)/4 + ¼; the other half of the interval has not moved.
        explorer.observe(2, &[0.2], 0, 0.25, &[0.0]);
        let by_hand = 1.0 + 0.8 * (0.25 + 0.25 * (0.5_f64.sqrt() + 0.5) + 0.25 - 1.0);
        assert!((explorer.best(2, &[0.2]).1 - by_hand).abs() < 1e-12);
        assert_eq!(explorer.best(2, &[0.7]).1, 1.0);
    }
}
