//! Properties of reading weights: whatever a file holds, it is taken over as a whole or not at all.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use quire_core::Seeds;
use quire_nn::{Init, Params};

fn params() -> Params<f32> {
    let mut rng = Seeds::new(1).stream("init");
    let mut params = Params::new();
    params.add("layer.weight", &[1, 2, 3], Init::Normal { std: 1.0 }, &mut rng);
    params.add("layer.bias", &[3], Init::Zeros, &mut rng);
    params
}

/// Loads a file; if it is refused nothing may have changed.
fn load(file: &[u8]) -> Result<bool, TestCaseError> {
    let before = params().zeros_like();
    let mut after = before.clone();
    let taken = after.load_safetensors(file).is_ok();
    prop_assert!(taken || after == before, "a refused file changed the weights");
    Ok(taken)
}

/// A file with this header, its length told rightly, before some numbers.
fn with_header(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 64]].concat()
}

proptest! {
    #![proptest_config(Config { cases: 400, rng_seed: RngSeed::Fixed(3), failure_persistence: None, ..Config::default() })]

    #[test]
    fn damaged_files_are_refused_or_taken_whole(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let whole = params().to_safetensors();
        let mut file = whole.clone();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(whole.len()));
            prop_assert!(!load(&file)?, "a file cut short was taken");
        }
        load(&file)?;
    }

    #[test]
    fn no_bytes_and_no_header_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), text in "(?s).*") {
        load(&bytes)?;
        load(&with_header(&text))?;
    }

    #[test]
    fn shapes_and_offsets_that_lie_are_refused(sizes in prop::collection::vec(any::<u64>(), 0..6), begin: u64, end: u64) {
        let tensor = |name: &str| format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{sizes:?},\"data_offsets\":[{begin},{end}]}}");
        let header = format!("{{{},{}}}", tensor("layer.weight"), tensor("layer.bias"));
        prop_assert!(!load(&with_header(&header))?);
    }
}
