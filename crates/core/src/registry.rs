//! Finding problems and methods by name.

use std::sync::Arc;

use crate::{Error, MethodCard, Problem, Result};

/// Opens the problem that a name stands for; `None` if the name means nothing to it.
pub type Opener = fn(&str) -> Option<Result<Arc<dyn Problem>>>;

/// A wing's part of the registry.
pub struct Wing {
    /// The wing's name.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub summary: &'static str,
    /// Its problems, in the order they are listed.
    pub problems: Vec<Arc<dyn Problem>>,
    /// Opens a problem that is not in the list but that a name stands for: a member of a family such as
    /// `DeepSea-17`, or a user's file. `None` if the name means nothing to this wing.
    pub open: Opener,
}

/// Every problem there is, and through the problems every method.
pub struct Registry {
    wings: Vec<Wing>,
}

impl Registry {
    /// The registry of these wings.
    pub fn new(wings: Vec<Wing>) -> Self {
        Registry { wings }
    }

    /// All wings.
    pub fn wings(&self) -> &[Wing] {
        &self.wings
    }

    /// All listed problems, wing by wing.
    pub fn problems(&self) -> impl Iterator<Item = &Arc<dyn Problem>> {
        self.wings.iter().flat_map(|wing| &wing.problems)
    }

    /// The problem with this name; letter case does not matter.
    pub fn problem(&self, name: &str) -> Result<Arc<dyn Problem>> {
        if let Some(problem) = self.problems().find(|problem| problem.card().name.eq_ignore_ascii_case(name))
        {
            return Ok(Arc::clone(problem));
        }
        if let Some(opened) = self.wings.iter().find_map(|wing| (wing.open)(name)) {
            return opened;
        }
        let known = self.problems().map(|problem| problem.card().name.as_str());
        Err(Error::unknown("problem", name, known, "quire list problems"))
    }

    /// Every method with the names of the problems it works on, each method once, in the order of first appearance.
    pub fn methods(&self) -> Vec<(&MethodCard, Vec<&str>)> {
        let mut methods: Vec<(&MethodCard, Vec<&str>)> = Vec::new();
        for problem in self.problems() {
            for card in problem.methods() {
                let name = problem.card().name.as_str();
                match methods.iter_mut().find(|(known, _)| known.name == card.name) {
                    Some((_, problems)) => problems.push(name),
                    None => methods.push((card, vec![name])),
                }
            }
        }
        methods
    }

    /// The method with this name and the problems it works on.
    pub fn method(&self, name: &str) -> Result<(&MethodCard, Vec<&str>)> {
        let methods = self.methods();
        let known: Vec<&str> = methods.iter().map(|(card, _)| card.name).collect();
        methods
            .into_iter()
            .find(|(card, _)| card.name == name)
            .ok_or_else(|| Error::unknown("method", name, known, "quire list methods"))
    }
}
