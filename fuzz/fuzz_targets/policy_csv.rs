//! A policy for `evaluate-policy` in CSV: the text as it is, behind a header, and a genuine file with changes. What is read
//! has rows that are empty or distributions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quire_mdp::evaluation::own::Target;

const GENUINE: &str = "state,action,probability\n0,0,0.25\n0,2,0.75\n2,1,1\n";

fn read(contents: &[u8]) {
    let file = quire_fuzz::scratch("policy.csv");
    std::fs::write(&file, contents).unwrap();
    match Target::parse(&file.to_string_lossy()) {
        Ok(Target::Table(rows)) => {
            let distributions =
                |row: &Vec<f64>| row.is_empty() || (row.iter().sum::<f64>() - 1.0).abs() < 1e-5;
            assert!(rows.iter().all(distributions), "{rows:?}");
        }
        Ok(other) => panic!("a file is a table, not {other:?}"),
        Err(error) => assert!(error.to_string().contains("policy.csv"), "{error}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&[b"state,action\n", bytes].concat());
    let mut changed = GENUINE.as_bytes().to_vec();
    quire_fuzz::edit(&mut changed, bytes);
    read(&changed);
});
