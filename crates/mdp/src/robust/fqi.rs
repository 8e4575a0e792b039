//! Fitted Q-iteration on a table: Q_{k+1}(s, a) = r(s, a) + γ times the mean of max_a' Q_k(s', a') over the log, Q_0 = r.
//!
//! The baseline that trusts the log; the limit of RFZI for β → 0.

use std::sync::Arc;

use quire_core::options::NoOptions;
use quire_core::{About, Result, state};

use super::{Dataset, Method, Planner, Setting, greedy, mean_value, state_values};

/// The method.
pub struct Fqi {
    discount: f64,
    data: Arc<Dataset>,
    /// Mean next value of each pair, `[S, A]`.
    next: Vec<f64>,
    /// Q, `[S, A]`.
    q: Vec<f64>,
}

impl Method for Fqi {
    type Options = NoOptions;

    const ABOUT: About = About {
        name: "tabular-fqi",
        summary: "Fitted Q-iteration on a table: plans as if the log told the truth",
        when: "When the policy will run in the world that was logged; the baseline of rfzi.",
        wing: "mdp",
        family: "robust",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, _options: NoOptions) -> Result<Self> {
        let data = Arc::clone(&setting.data);
        let q = data.rewards().to_vec();
        Ok(Fqi { discount: setting.discount, next: vec![0.0; q.len()], q, data })
    }
}

impl Planner for Fqi {
    fn iterate(&mut self) -> Result<()> {
        let Fqi { discount, data, next, q } = self;
        let values: Vec<f64> = state_values(q, data.actions()).collect();
        data.cell_means(|next| next.map_or(0.0, |next| values[next]), next);
        q.iter_mut().zip(data.rewards()).zip(next).for_each(|((q, r), next)| *q = r + *discount * *next);
        Ok(())
    }

    fn policy(&self) -> Vec<f64> {
        greedy(&self.q, self.data.actions())
    }

    fn estimated_value(&self) -> f64 {
        mean_value(&self.q, self.data.actions())
    }

    fn save(&self) -> Vec<u8> {
        state::encode("tabular-fqi", &(&self.next, &self.q))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.next, self.q) = state::decode("tabular-fqi", saved)?;
        Ok(())
    }
}
