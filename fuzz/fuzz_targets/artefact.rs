//! An artefact's folder: a manifest, whatever it says, beside one good file.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_core::Artefact;
use quire_core::artefact::MANIFEST;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    // In memory where there is such a place: the disk would be the bottleneck.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    fs::write(folder.path().join("a"), "12345").unwrap();
    folder
});

fuzz_target!(|manifest: &[u8]| {
    fs::write(FOLDER.path().join(MANIFEST), manifest).unwrap();
    if let Ok(artefact) = Artefact::load(FOLDER.path()) {
        assert!(artefact.files.keys().all(|name| name == "a" || name == MANIFEST));
    }
});
