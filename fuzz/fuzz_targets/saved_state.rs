//! Framed states: raw bytes, and bodies whose checksum is right.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use quire_core::{Result, Rng, state};

type State = (u64, Vec<f32>, String, Option<Vec<Vec<u8>>>, BTreeMap<String, f64>, Vec<(bool, char)>, Rng);

fuzz_target!(|bytes: &[u8]| {
    let _: Result<State> = state::decode("a on b", bytes);
    let mut framed = state::encode("a on b", &());
    framed.extend_from_slice(bytes);
    quire_fuzz::reseal(&mut framed);
    let decoded: Result<State> = state::decode("a on b", &framed);
    if let Ok(state) = decoded {
        // NaNs differ from themselves; bytes do not.
        let again = state::encode("a on b", &state);
        let twice: State = state::decode("a on b", &again).unwrap();
        assert_eq!(state::encode("a on b", &twice), again);
    }
});
