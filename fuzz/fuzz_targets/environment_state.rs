//! An environment's saved state: the first byte picks the environment, the others change a genuine state, whose checksum
//! is then made right again.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_env::registry;

static SAVED: LazyLock<Vec<(&'static str, Vec<u8>)>> = LazyLock::new(|| {
    let save = |id: &'static str| {
        let mut environment = registry::make(id).unwrap();
        let mut observation = vec![0.0; environment.observation_space().size()];
        environment.reset(Some(1), &mut observation).unwrap();
        (id, environment.save())
    };
    registry::list().iter().map(|card| save(card.id)).collect()
});

/// The checksum of a saved environment, FNV-1a with 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&pick, edits)) = bytes.split_first() else { return };
    let (id, genuine) = &SAVED[pick as usize % SAVED.len()];
    let (tag, _, state): (&str, u64, &[u8]) = postcard::from_bytes(genuine).unwrap();
    let mut state = state.to_vec();
    quire_fuzz::edit(&mut state, edits);
    let sealed = postcard::to_stdvec(&(tag, checksum(&state), &state)).unwrap();
    for saved in [bytes, &sealed] {
        let mut environment = registry::make(id).unwrap();
        if environment.restore(saved).is_ok() {
            let _ = environment.save();
        }
    }
});
