//! Names of problems and methods: unknown ones get an error with suggestions, those of a family a valid member.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_core::Registry;

static REGISTRY: LazyLock<Registry> = LazyLock::new(quire_study::registry);

fuzz_target!(|text: &str| {
    match REGISTRY.problem(text) {
        Ok(problem) => assert!(!problem.card().name.is_empty() && !problem.methods().is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Err(error) = REGISTRY.method(text) {
        assert!(!error.to_string().is_empty());
    }
});
