//! A user's model in NPZ: raw bytes, a genuine archive with changes, and a genuine archive whose arrays were changed
//! before they were packed, so that the archive's checksums are right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quire_fuzz::{npy, pack};

fn genuine() -> [(&'static str, Vec<u8>); 4] {
    [
        ("transitions", npy("2, 2, 2", &[0.5, 0.5, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0])),
        ("rewards", npy("2, 2", &[0.0, 1.0, 0.0, 0.0])),
        ("start", npy("2,", &[1.0, 0.0])),
        ("horizon", npy("", &[3.0])),
    ]
}

fuzz_target!(|bytes: &[u8]| {
    let file = quire_fuzz::scratch("model.npz");
    let read = |contents: &[u8]| {
        std::fs::write(&file, contents).unwrap();
        quire_fuzz::use_model(&file);
    };
    read(bytes);
    if let Some((&pick, edits)) = bytes.split_first() {
        let mut arrays = genuine();
        let count = arrays.len();
        quire_fuzz::edit(&mut arrays[pick as usize % count].1, edits);
        read(&pack(&arrays));
        let mut archive = pack(&genuine());
        quire_fuzz::edit(&mut archive, edits);
        read(&archive);
    }
});
