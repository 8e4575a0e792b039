//! MD-VI: mirror descent value iteration (Vieillard et al. 2020).
//!
//! With β = λ/(λ + τ), π_0 uniform and q_0 = 0,
//!
//! > π_{k+1} ∝ π_k^β exp( q_k/(λ + τ) )
//! >
//! > q_{k+1} = r + γ P ( ⟨π_{k+1}, q_k⟩ - λ KL(π_{k+1} ‖ π_k) + τ H(π_{k+1}) ) + ε_{k+1}
//!
//! The penalty makes the policy a softmax of the sum (τ = 0) or the moving average (τ > 0) of all past action values, so the
//! errors ε average out instead of adding up.
//!
//! Source: N. Vieillard, T. Kozuno, B. Scherrer, O. Pietquin, R. Munos & M. Geist, *Leverage the average: an analysis of KL
//! regularization in reinforcement learning*, NeurIPS 2020, arXiv:2003.14089, section 3.

use quire_core::{About, Paper, Result, options, state};

use super::{Iterate, Method, RegularizedOptions, Setting, clip, log_softmax, state_value};

/// The paper of MD-VI and DA-VI.
pub const PAPER: Paper = Paper {
    slug: "kl-averaging",
    title: "Leverage the Average: an Analysis of KL Regularization in Reinforcement Learning",
    arxiv: "2003.14089",
};

/// The method.
pub struct MdVi {
    options: RegularizedOptions,
    setting: Setting,
    /// q_k, `[S, A]`.
    q: Vec<f64>,
    /// ln π_k, `[S, A]`.
    log_policy: Vec<f64>,
}

impl Method for MdVi {
    type Options = RegularizedOptions;

    const ABOUT: About = About {
        name: "md-vi",
        summary: "Value iteration with a penalty on leaving the previous policy",
        when: "Where backups are noisy. Exact backups need no averaging, and a large weight delays the start.",
        wing: "mdp",
        family: "regularized",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: RegularizedOptions) -> Result<Self> {
        options::check(&options)?;
        let pairs = setting.states * setting.actions;
        Ok(MdVi {
            q: vec![0.0; pairs],
            log_policy: vec![-(setting.actions as f64).ln(); pairs],
            setting: setting.clone(),
            options,
        })
    }
}

impl Iterate for MdVi {
    fn improve(&mut self, values: &mut [f64]) {
        let MdVi { options, setting, q, log_policy } = self;
        let (beta, total) = (options.beta(), options.kl_weight + options.entropy_weight);
        let mut previous = vec![0.0; setting.actions];
        let rows = q.chunks_exact(setting.actions).zip(log_policy.chunks_exact_mut(setting.actions));
        for ((q, log_policy), value) in rows.zip(values) {
            previous.copy_from_slice(log_policy);
            log_policy.iter_mut().zip(q).for_each(|(log, q)| *log = beta * *log + q / total);
            log_softmax(log_policy);
            *value = state_value(options, q, log_policy, &previous);
        }
    }

    fn observe(&mut self, q: &[f64]) {
        self.q.copy_from_slice(q);
        if self.options.clip {
            clip(&self.setting, self.options.entropy_weight, &mut self.q);
        }
    }

    fn policy(&self) -> Vec<f64> {
        self.log_policy.iter().map(|log| log.exp()).collect()
    }

    fn save(&self) -> Vec<u8> {
        state::encode("md-vi", &(&self.q, &self.log_policy))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.q, self.log_policy) = state::decode("md-vi", saved)?;
        Ok(())
    }
}
