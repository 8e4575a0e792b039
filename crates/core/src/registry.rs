//! Finding problems and methods by name.

use crate::{Error, MethodCard, Problem, Result};

/// Every problem there is, and through the problems every method.
pub struct Registry {
    problems: Vec<Box<dyn Problem>>,
}

impl Registry {
    /// A registry of these problems.
    pub fn new(problems: Vec<Box<dyn Problem>>) -> Self {
        Registry { problems }
    }

    /// All problems, in the order the wings list them.
    pub fn problems(&self) -> impl Iterator<Item = &dyn Problem> {
        self.problems.iter().map(AsRef::as_ref)
    }

    /// The problem with this name; letter case does not matter.
    pub fn problem(&self, name: &str) -> Result<&dyn Problem> {
        self.problems().find(|problem| problem.card().name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let known = self.problems().map(|problem| problem.card().name.as_str());
            Error::unknown("problem", name, known, "quire list problems")
        })
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
