//! A paper's file: an error has a place in the file; what parses can be listed.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use quire_core::Error;
use quire_study::claims::Paper;

fuzz_target!(|text: &str| {
    match Paper::parse(Path::new("paper.toml"), text) {
        Ok(paper) => assert!(!paper.listing().claims.is_empty()),
        Err(Error::Parse { line, column, .. }) => {
            assert!(line >= 1 && column >= 1 && line <= text.matches('\n').count() + 1);
        }
        Err(other) => panic!("an error without a place: {other}"),
    }
});
