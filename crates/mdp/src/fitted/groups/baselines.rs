//! What else one can do with two groups: pool them, drop one, or train on one after the other.
//!
//! All have both parts of the nested network, added for everybody, so that they differ from
//! [`nested-fqi`](super::nested_fqi) in what is trained on what, and not in size.

use quire_core::{About, Result};

use super::{Group, GroupLearner, GroupOptions, Method, Plan, Setting, Stage};

/// Both parts learn, for everybody, on `rows`.
const fn whole(rows: Group, watched: bool, output_frozen: bool) -> Stage {
    Stage { rows, nested: true, shared_learns: true, foreground_learns: true, output_frozen, watched }
}

const POOLED: Plan = Plan { stages: &[whole(Group::Everybody, true, false)], by_group: false };
const FOREGROUND: Plan = Plan { stages: &[whole(Group::Foreground, true, false)], by_group: false };
const WARM_START: Plan = Plan {
    stages: &[whole(Group::Background, false, false), whole(Group::Foreground, true, false)],
    by_group: false,
};
const TRANSFER: Plan = Plan {
    stages: &[whole(Group::Background, false, true), whole(Group::Foreground, true, false)],
    by_group: false,
};

macro_rules! baseline {
    ($(#[$doc:meta])* $type:ident, $name:literal, $plan:ident, $summary:literal, $when:literal) => {
        $(#[$doc])*
        pub struct $type;

        impl Method for $type {
            type Options = GroupOptions;

            const ABOUT: About = About {
                name: $name,
                summary: $summary,
                when: $when,
                wing: "mdp",
                family: "fitted",
                paper: None,
                is_baseline: true,
                tuned: "",
            };

            fn learner(setting: Setting, options: GroupOptions) -> Result<Box<dyn GroupLearner>> {
                $plan.learner($name, setting, options)
            }
        }
    };
}

baseline!(
    /// One Q-function for everybody, trained on everybody.
    PooledFqi,
    "pooled-fqi",
    POOLED,
    "Fitted Q-iteration that does not know of groups",
    "Groups that need the same policy, or just one group: with model = \"trees\" it is the fitted Q-iteration of Ernst et al. \
     2005."
);
baseline!(
    /// One Q-function, trained on the foreground alone.
    ForegroundFqi,
    "foreground-fqi",
    FOREGROUND,
    "Fitted Q-iteration on the foreground's data alone",
    "Plenty of data of the group that matters."
);
baseline!(
    /// One Q-function, trained on the background until it survives there, then on the foreground.
    WarmStartFqi,
    "warm-start-fqi",
    WARM_START,
    "Fitted Q-iteration on the background, continued on the foreground",
    "A baseline: what it learns of the foreground it forgets of the background."
);
baseline!(
    /// As a warm start, but output layers learn on the foreground only.
    TransferFqi,
    "transfer-fqi",
    TRANSFER,
    "Fitted Q-iteration whose hidden layers are trained on the background, all layers then on the foreground",
    "A baseline. Regressors without layers make it the same as warm-start-fqi."
);
