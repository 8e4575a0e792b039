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

use quire_core::{Entry, Problem};

/// The problems of this family; `learners` from elsewhere join those of [`simulator`].
pub fn problems(learners: &'static [Entry<simulator::Make>]) -> Vec<Arc<dyn Problem>> {
    [simulator::problems(learners), groups::problems()].concat()
}
