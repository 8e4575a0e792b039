//! A study's file: an error has a place in the file; what parses can be planned or is refused.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_core::{Error, Registry};
use quire_study::StudySpec;

static REGISTRY: LazyLock<Registry> = LazyLock::new(quire_study::registry);

fuzz_target!(|text: &str| {
    match StudySpec::parse(Path::new("study.toml"), text) {
        Ok(spec) => {
            // Planning multiplies problems, methods and seeds: that a large study is large is no bug.
            if spec.problems.len() * spec.methods.len() * spec.seeds.len() <= 50 {
                let _ = spec.plan(&REGISTRY, String::new(), None);
            }
        }
        Err(Error::Parse { line, column, .. }) => {
            assert!(line >= 1 && column >= 1 && line <= text.matches('\n').count() + 1);
        }
        Err(other) => panic!("an error without a place: {other}"),
    }
});
