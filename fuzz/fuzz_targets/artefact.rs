//! An artefact's folder: a manifest, whatever it says, beside one good file.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_core::Artefact;
use quire_core::artefact::MANIFEST;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = quire_fuzz::scratch("artefact");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a"), "12345").unwrap();
    folder
});

fuzz_target!(|manifest: &[u8]| {
    fs::write(FOLDER.join(MANIFEST), manifest).unwrap();
    if let Ok(artefact) = Artefact::load(&*FOLDER) {
        assert!(artefact.files.keys().all(|name| name == "a" || name == MANIFEST));
    }
});
