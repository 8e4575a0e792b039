//! Weights in a safetensors file: they are taken over as a whole or not at all.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_core::Seeds;
use quire_nn::{Init, Params};

static PARAMS: LazyLock<Params<f32>> = LazyLock::new(|| {
    let mut rng = Seeds::new(1).stream("init");
    let mut params = Params::new();
    params.add("a", &[1, 2, 2], Init::Normal { std: 1.0 }, &mut rng);
    params.add("b", &[2], Init::Zeros, &mut rng);
    params
});

fuzz_target!(|bytes: &[u8]| {
    let load = |file: &[u8]| {
        let mut params = PARAMS.clone();
        if params.load_safetensors(file).is_err() {
            assert_eq!(params, *PARAMS);
        }
        let _ = PARAMS.cast::<f64>().load_safetensors(file);
    };
    load(bytes);
    // As the header of a file whose length is right, before 24 bytes of numbers.
    let mut file = (bytes.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(bytes);
    file.extend_from_slice(&[7; 24]);
    load(&file);
    // A genuine file with changes.
    let mut genuine = PARAMS.to_safetensors();
    quire_fuzz::edit(&mut genuine, bytes);
    load(&genuine);
});
