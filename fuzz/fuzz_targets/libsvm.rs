//! A user's rows for finite sums: the text as it is, and a genuine file with changes.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use quire_solve::finite_sum::FiniteSum;
use quire_solve::finite_sum::libsvm::{parse, write};

const GENUINE: &[u8] = b"# a note\n+1 1:0.5 3:-2e1 # another\n-1\n\n-1 2:1 7:3\n";

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("rows.libsvm");
    let read = |contents: &[u8]| {
        let Ok(text) = std::str::from_utf8(contents) else { return };
        let rows = match parse(path, text) {
            Ok(rows) => rows,
            Err(error) => return assert!(error.to_string().contains("rows.libsvm"), "{error}"),
        };
        // What was read comes back, but for the width that a zero at the end has given it.
        let back = parse(path, &write(&rows)).unwrap();
        assert_eq!((&back.labels, &back.places, &back.values), (&rows.labels, &rows.places, &rows.values));
        // It can be learned from, or is refused with a reason.
        let width = rows.width;
        match rows.logistic(path) {
            Ok(sum) if width <= 1 << 12 => {
                let mut gradient = vec![0.0; width];
                sum.gradient(&vec![0.0; width], &[0], &mut gradient);
                assert!((FiniteSum::value(&sum, &vec![0.0; width]) - 2.0_f64.ln()).abs() < 1e-12);
            }
            Ok(_) => {}
            Err(error) => assert!(error.to_string().contains("rows.libsvm"), "{error}"),
        }
    };
    read(bytes);
    let mut changed = GENUINE.to_vec();
    quire_fuzz::edit(&mut changed, bytes);
    read(&changed);
});
