//! `--set`: assignments, one a line, laid over the options of every method; what is accepted is stable.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_core::{OptionSchema, options};

static SCHEMAS: LazyLock<Vec<OptionSchema>> = LazyLock::new(|| {
    let registry = quire_fuzz::registry();
    registry.methods().into_iter().map(|(card, _)| card.options.clone()).collect()
});

fuzz_target!(|text: &str| {
    let words: Vec<&str> = text.split('\n').collect();
    let Ok(set) = options::parse_assignments(&words) else { return };
    for schema in &*SCHEMAS {
        if let Ok(all) = schema.with(&[&set]) {
            let back = options::from_toml(options::to_toml(&all));
            assert_eq!(schema.with(&[&back]).unwrap(), all);
            assert!(!schema.fields_of(&all).is_empty() || all.is_empty());
        }
    }
});
