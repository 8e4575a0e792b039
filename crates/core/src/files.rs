//! Writing files so that nothing is ever half there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Writes a file under a temporary name beside its place, then renames it: a reader sees the old file or the
/// whole new one, never a part. Missing parent folders are made.
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(|e| Error::io("create the folder", parent, e))?;
    }
    let temporary = temporary_beside(path);
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|e| {
        // The half-written file is of no use to anybody; the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
        Error::io("write", path, e)
    })
}

/// Reads a whole file.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    fs::read(path).map_err(|e| Error::io("read", path, e))
}

/// Reads a whole text file; text that is not UTF-8 is an error naming the line.
pub fn read_text(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    let bytes = read(path)?;
    String::from_utf8(bytes).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let line = e.as_bytes()[..valid].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Error::Parse {
            path: path.to_owned(),
            line,
            column: 1,
            problem: "not UTF-8 text; save the file as UTF-8".into(),
        }
    })
}

/// A name beside `path` that no other process uses.
pub(crate) fn temporary_beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}
