//! Plain value iteration on backups that err: q_{k+1} = r + γ P max_a q_k + ε_{k+1}, greedy in q_k.
//!
//! The baseline of MD-VI and DA-VI: each error is all there is of its iteration, so the policy never settles.

use quire_core::options::NoOptions;
use quire_core::{About, Result, state};

use super::{Iterate, Method, Setting};
use crate::solve::maximum;

/// The method.
pub struct SampledVi {
    actions: usize,
    /// q_k, `[S, A]`.
    q: Vec<f64>,
    /// The greedy actions, `[S]`; the first of equals.
    greedy: Vec<usize>,
}

impl Method for SampledVi {
    type Options = NoOptions;

    const ABOUT: About = About {
        name: "sampled-value-iteration",
        summary: "Value iteration on the same erring backups, without regularization",
        when: "The baseline of md-vi and da-vi; exact backups are value iteration's own ground.",
        wing: "mdp",
        family: "regularized",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(setting: &Setting, _options: NoOptions) -> Result<Self> {
        Ok(SampledVi {
            actions: setting.actions,
            q: vec![0.0; setting.states * setting.actions],
            greedy: vec![0; setting.states],
        })
    }
}

impl Iterate for SampledVi {
    fn improve(&mut self, values: &mut [f64]) {
        for ((row, greedy), value) in self.q.chunks_exact(self.actions).zip(&mut self.greedy).zip(values) {
            (*greedy, *value) = maximum(row.iter().copied());
        }
    }

    fn observe(&mut self, q: &[f64]) {
        self.q.copy_from_slice(q);
    }

    fn policy(&self) -> Vec<f64> {
        crate::finite::deterministic(&self.greedy, self.actions)
    }

    fn save(&self) -> Vec<u8> {
        state::encode("sampled-value-iteration", &(&self.q, &self.greedy))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.q, self.greedy) = state::decode("sampled-value-iteration", saved)?;
        Ok(())
    }
}
