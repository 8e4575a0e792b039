//! NFQI: nested policy fitted Q-iteration (Mandyam et al. 2021).
//!
//! > Q(s, a, z) = g_s(s, a) + z g_f(s, a)
//!
//! Stage 1 fits the shared part g_s on the background alone; stage 2 freezes it and fits g_f, which starts with weights of 0,
//! on the foreground alone. The targets of an epoch are
//!
//! > y = c + γ (1 - done) min_b Q(s', b, z)
//!
//! Groups that are alike lose nothing, for g_f has nothing to add; groups that differ get policies that differ.
//!
//! Measured (`papers/nested-fqi.toml`, 8 seeds): runs end near 1,000 steps or near 60, so that 8 seeds tell next to nothing apart.
//! At a force of 5 N interquartile means are 371 steps in the foreground and 885 in the background, of pooling 552 and 282;
//! the paper's authors' files have 736 and 837 against 416 and 343. With little data of the foreground the foreground's data
//! alone make 66 steps, nesting 641. A foreground part whose sigmoids saturate stops learning; the same run then stays where it is.
//!
//! Source: A. Mandyam, A. Jones, J. Yao, K. Laudanski & B. Engelhardt, *Nested policy reinforcement learning*,
//! arXiv:2110.02879. The paper presents the stages as alternating; the authors' code, which is followed here, goes through
//! them once, trains on the whole data in one batch, and takes one step of Adam an epoch. The variants with trees and with
//! exact least squares in place of Adam are ours.

use quire_core::{About, Paper, Result};

use super::{Group, GroupLearner, GroupOptions, Method, Plan, Setting, Stage};

/// The paper.
pub const PAPER: Paper =
    Paper { slug: "nested-fqi", title: "Nested Policy Reinforcement Learning", arxiv: "2110.02879" };

/// The two stages.
pub const PLAN: Plan = Plan {
    stages: &[
        Stage {
            rows: Group::Background,
            nested: false,
            shared_learns: true,
            foreground_learns: false,
            output_frozen: false,
            watched: false,
        },
        Stage {
            rows: Group::Foreground,
            nested: true,
            shared_learns: false,
            foreground_learns: true,
            output_frozen: false,
            watched: true,
        },
    ],
    by_group: true,
};

/// The method.
pub struct NestedFqi;

impl Method for NestedFqi {
    type Options = GroupOptions;

    const ABOUT: About = About {
        name: "nested-fqi",
        summary: "Fitted Q-iteration with a part for everybody and a part that is added for the foreground group",
        when: "Logged data of two groups whose best policies differ somewhat, one of them scarce: it keeps the policy of the \
               larger group. That it also beats pooling in the smaller one is not shown by what was measured here. Networks \
               with sigmoid outputs want costs well below 1, and several seeds: many runs fail.",
        wing: "mdp",
        family: "fitted",
        paper: Some(PAPER),
        is_baseline: false,
        tuned: "",
    };

    fn learner(setting: Setting, options: GroupOptions) -> Result<Box<dyn GroupLearner>> {
        PLAN.learner(Self::ABOUT.name, setting, options)
    }
}
