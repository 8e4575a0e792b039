//! A user's log of transitions in CSV, NPZ and Parquet: raw bytes, genuine files with changes, and a genuine archive whose
//! arrays were changed before they were packed, so that its checksums are right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quire_fuzz::{edit, npy, pack};
use quire_mdp::evaluation::log;

const CSV: &str =
    "episode,step,state,action,reward,done,next_state\n0,0,0,1,0.5,0,1\n0,1,1,0,-1,1,0\n1,0,2,1,1e2,true,2\n";
const TWO_REWARDS: &str = "episode,step,observation_x,observation_y,action,reward_a,reward_b,done\n0,0,0.5,1,2,1,-1,0\n0,1,1,1,0,0,3,1\n";
/// Written by Polars (zstd, lists) and by PyArrow (gzip, two groups of rows).
const PARQUET: [&[u8]; 2] = [
    include_bytes!("../../crates/mdp/tests/data/log-polars.parquet"),
    include_bytes!("../../crates/mdp/tests/data/log-pyarrow.parquet"),
];

fn arrays() -> [(&'static str, Vec<u8>); 6] {
    [
        ("observations", npy("2, 2", &[0.0, 0.5, 1.0, 1.5])),
        ("next_observations", npy("2, 2", &[1.0, 1.5, 0.0, 0.5])),
        ("actions", npy("2,", &[1.0, 0.0])),
        ("rewards", npy("2,", &[1.0, 2.0])),
        ("terminals", npy("2,", &[0.0, 1.0])),
        ("timeouts", npy("2,", &[0.0, 0.0])),
    ]
}

fn read(name: &str, contents: &[u8]) {
    let file = quire_fuzz::scratch(name);
    std::fs::write(&file, contents).unwrap();
    match log::read(&file) {
        Ok(episodes) => assert!(!episodes.is_empty() && episodes.iter().all(|rows| !rows.is_empty())),
        Err(error) => assert!(error.to_string().contains(name), "{error}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&pick, edits)) = bytes.split_first() else { return };
    let changed = |genuine: &[u8]| {
        let mut changed = genuine.to_vec();
        edit(&mut changed, edits);
        changed
    };
    match pick % 8 {
        0 => read("log.csv", edits),
        1 => read("log.npz", edits),
        2 => read("log.parquet", edits),
        3 => read("log.csv", &changed(CSV.as_bytes())),
        4 => read("log.csv", &changed(TWO_REWARDS.as_bytes())),
        5 => {
            let mut arrays = arrays();
            let count = arrays.len();
            edit(&mut arrays[usize::from(pick) / 8 % count].1, edits);
            read("log.npz", &pack(&arrays));
        }
        6 => read("log.npz", &changed(&pack(&arrays()))),
        _ => read("log.parquet", &changed(PARQUET[usize::from(pick) / 8 % 2])),
    }
});
