//! Properties of what reads a user's model: no text, no archive makes it panic, errors name the file, and what is read is a
//! model.

use std::fs;
use std::io::{Cursor, Write};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use quire_mdp::file::read;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const TEXTS: [&str; 3] = [
    r#"{"transitions":[[[0.5,0.5],[0,1]],[[0,1],[0,1]]],"rewards":[[0,1],[0,0]],"terminal":[1],"horizon":3}"#,
    r#"{"state":[0,0,1],"action":[0,1,0],"next":[1,0,1],"probability":[1,1,1],"rewards":[[0,1],[0,0]]}"#,
    r#"{"transitions":[[1,-1],[0,1]],"rewards":[[0,1],[0.5,0]],"start":[1,0],"discount":0.9}"#,
];

/// An array of double-precision numbers as NumPy writes it.
fn npy(shape: &str, values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    bytes
}

fn arrays() -> [(&'static str, Vec<u8>); 4] {
    [
        ("transitions", npy("2, 2, 2", &[0.5, 0.5, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0])),
        ("rewards", npy("2, 2", &[0.0, 1.0, 0.0, 0.0])),
        ("start", npy("2,", &[1.0, 0.0])),
        ("horizon", npy("", &[3.0])),
    ]
}

fn pack(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Reads `contents` as a file of this name.
fn check(name: &str, contents: &[u8]) -> Result<(), TestCaseError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, contents).unwrap();
    match read(&path) {
        Ok(model) => {
            let mdp = model.mdp;
            prop_assert!(mdp.states() > 0 && mdp.actions() > 0);
            for (state, action) in (0..mdp.states()).flat_map(|s| (0..mdp.actions()).map(move |a| (s, a))) {
                let sum: f64 = mdp.row(state, action).1.iter().sum();
                prop_assert!((sum - 1.0).abs() < 1e-6 && mdp.reward(state, action).is_finite());
            }
        }
        Err(error) => prop_assert!(error.to_string().contains(name), "{error}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config {
        cases: 400,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn damaged_text_is_refused(pick in 0..3_usize, at: prop::sample::Index, damage in "[\\[\\]{}:,\"a-z0-9.e-]{0,4}") {
        let text = TEXTS[pick];
        let at = at.index(text.len());
        let end = (at + damage.len()).min(text.len());
        check("model.json", format!("{}{damage}{}", &text[..at], &text[end..]).as_bytes())?;
    }

    #[test]
    fn damaged_arrays_are_refused(pick in 0..4_usize, at: prop::sample::Index, byte: u8, length: prop::sample::Index) {
        let mut arrays = arrays();
        let array = &mut arrays[pick].1;
        let place = at.index(array.len());
        array[place] = byte;
        check("model.npz", &pack(&arrays))?;
        let array = &mut arrays[pick].1;
        array.truncate(length.index(array.len()));
        check("model.npz", &pack(&arrays))?;
    }

    #[test]
    fn damaged_archives_are_refused(at: prop::sample::Index, byte: u8, length: prop::sample::Index) {
        let mut archive = pack(&arrays());
        let place = at.index(archive.len());
        archive[place] = byte;
        check("model.npz", &archive)?;
        archive.truncate(length.index(archive.len()));
        check("model.npz", &archive)?;
    }
}
