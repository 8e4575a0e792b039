//! A user's matrix for `solve`: the text as it is, below a header, and a genuine file with changes.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use quire_solve::linear::System;
use quire_solve::linear::file::parse;
use quire_solve::linear::own::{How, solve_own};

const GENUINE: &[&str] = &[
    "%%MatrixMarket matrix coordinate real symmetric\n% a note\n3 3 4\n1 1 2.0\n2 2 2\n3 3 2e0\n2 1 -1\n",
    "%%MatrixMarket matrix array integer general\n2 2\n1\n3\n0\n1\n",
    "%%MatrixMarket matrix coordinate pattern skew-symmetric\n2 2 1\n2 1\n",
];

fuzz_target!(|bytes: &[u8]| {
    let read = |text: &str| match parse(Path::new("a.mtx"), text) {
        Ok(matrix) => {
            // What was read can be solved, or is refused with a reason.
            let right = vec![1.0; matrix.rows()];
            if let Ok(system) = System::new(matrix, right)
                && system.size() <= 50
            {
                let how = How { method: None, set: Default::default(), iterations: 20 };
                assert_eq!(solve_own(&system, &how).unwrap().solution.len(), system.size());
            }
        }
        Err(error) => assert!(error.to_string().contains("a.mtx"), "{error}"),
    };
    if let Ok(text) = std::str::from_utf8(bytes) {
        read(text);
        read(&format!("%%MatrixMarket matrix coordinate real general\n{text}"));
    }
    if let Some((&pick, edits)) = bytes.split_first() {
        let mut changed = GENUINE[pick as usize % GENUINE.len()].as_bytes().to_vec();
        quire_fuzz::edit(&mut changed, edits);
        if let Ok(text) = std::str::from_utf8(&changed) {
            read(text);
        }
    }
});
