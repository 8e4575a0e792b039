//! A user's norms and schedules for `refine-schedule` and `--set optimizer.schedule=`: the text as it is, below a header, and a genuine file with changes.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use quire_optim::refinement::{Power, SMOOTHING, parse_norms, parse_schedule, refine};

const GENUINE: &[u8] = b"step,l1,l2,factor\n1,3.5,2,0\n2,3,1e-3,0.5\n3,inf,nan,1\n4,0,0,0.25\n";

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("norms.csv");
    let read = |contents: &[u8]| {
        for power in [Power::Sgd, Power::Adam] {
            match parse_norms(path, contents, power) {
                // What was read makes a schedule, or is refused with a reason.
                Ok(norms) => match refine(&norms, power, SMOOTHING) {
                    Ok(found) => assert!(found.factors.iter().all(|factor| (0.0..=1.0).contains(factor))),
                    Err(error) => assert!(!error.to_string().is_empty()),
                },
                Err(error) => assert!(error.to_string().contains("norms.csv"), "{error}"),
            }
        }
        if let Ok(factors) = parse_schedule(path, contents) {
            assert!(factors.iter().all(|factor| (0.0..=1.0).contains(factor)));
        }
    };
    read(bytes);
    read(&[b"norm,factor\n", bytes].concat());
    let mut changed = GENUINE.to_vec();
    quire_fuzz::edit(&mut changed, bytes);
    read(&changed);
});
