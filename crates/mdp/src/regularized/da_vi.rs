//! DA-VI: dual averaging value iteration (Vieillard et al. 2020).
//!
//! The policies of MD-VI written as softmaxes of averages. Without entropy (τ = 0) h_k is the mean of q_0, ..., q_k and
//!
//! > π_{k+1} = softmax( (k + 1)/λ · h_k )
//!
//! with entropy, β = λ/(λ + τ) and h_{-1} = 0,
//!
//! > h_k = β h_{k-1} + (1 - β) q_k,  π_{k+1} = softmax( h_k/τ )
//!
//! and q_{k+1} as in MD-VI. Both forms make the same iterates (proposition 1).
//!
//! Source: N. Vieillard et al., *Leverage the average: an analysis of KL regularization in reinforcement learning*,
//! NeurIPS 2020, arXiv:2003.14089, section 3.

use quire_core::{About, Result, options, state};

use super::md_vi::PAPER;
use super::{Iterate, Method, RegularizedOptions, Setting, clip, log_softmax, state_value};

/// The method.
pub struct DaVi {
    options: RegularizedOptions,
    setting: Setting,
    /// q_k, `[S, A]`.
    q: Vec<f64>,
    /// h_{k-1} before an improvement, h_k after it, `[S, A]`.
    average: Vec<f64>,
    /// ln π_k, `[S, A]`: the penalty of the evaluation is about it.
    log_policy: Vec<f64>,
    /// k.
    iteration: u64,
}

impl Method for DaVi {
    type Options = RegularizedOptions;

    const ABOUT: About = About {
        name: "da-vi",
        summary: "Value iteration whose policy is a softmax of averaged action values",
        when: "As md-vi, whose iterates it has; the average is what a network can be fitted to.",
        wing: "mdp",
        family: "regularized",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn new(setting: &Setting, options: RegularizedOptions) -> Result<Self> {
        options::check(&options)?;
        let pairs = setting.states * setting.actions;
        Ok(DaVi {
            q: vec![0.0; pairs],
            average: vec![0.0; pairs],
            log_policy: vec![-(setting.actions as f64).ln(); pairs],
            iteration: 0,
            setting: setting.clone(),
            options,
        })
    }
}

impl Iterate for DaVi {
    fn improve(&mut self, values: &mut [f64]) {
        let DaVi { options, setting, q, average, log_policy, iteration } = self;
        let count = *iteration as f64 + 1.0;
        // The weight of q_k in h_k, and the factor from h_k to logits.
        let (weight, factor) = if options.entropy_weight == 0.0 {
            (1.0 / count, count / options.kl_weight)
        } else {
            (1.0 - options.beta(), 1.0 / options.entropy_weight)
        };
        average.iter_mut().zip(&*q).for_each(|(average, q)| *average += weight * (q - *average));
        let mut previous = vec![0.0; setting.actions];
        let rows = q.chunks_exact(setting.actions).zip(average.chunks_exact(setting.actions));
        for (((q, average), log_policy), value) in
            rows.zip(log_policy.chunks_exact_mut(setting.actions)).zip(values)
        {
            previous.copy_from_slice(log_policy);
            log_policy.iter_mut().zip(average).for_each(|(log, average)| *log = factor * average);
            log_softmax(log_policy);
            *value = state_value(options, q, log_policy, &previous);
        }
        *iteration += 1;
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
        state::encode("da-vi", &(&self.q, &self.average, &self.log_policy, self.iteration))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        (self.q, self.average, self.log_policy, self.iteration) = state::decode("da-vi", saved)?;
        Ok(())
    }
}
