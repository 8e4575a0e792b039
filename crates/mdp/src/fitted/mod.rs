//! Family: fitted iteration - regress returns or backed-up values on what was seen, act greedily in the fit, go on.
//!
//! | folder | what it holds |
//! |---|---|
//! | [`regressor`] | what is fitted: means of cells, linear, randomized trees, network, behind one trait |
//! | [`groups`] | learn from logged transitions of two groups: nested fitted Q-iteration and its rivals |
//! | [`simulator`] | learn a policy for a finite horizon in a simulator: SQIRL and its rivals |

pub mod groups;
pub mod regressor;
pub mod simulator;

use std::sync::Arc;

use quire_core::Problem;

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    [simulator::problems(), groups::problems()].concat()
}
