//! What a run leaves behind: a folder with a manifest, `quire.toml`, and files such as `model.safetensors`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, OptionMap, Result, error::line_and_column, files, options};

/// The manifest's file name.
pub const MANIFEST: &str = "quire.toml";
const FORMAT: u32 = 1;

/// A trained policy, a ranking, quantized weights ...: everything needed to use it without the run that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Artefact {
    /// What it is: `policy`, `weights`, `ranking`, ...
    pub kind: String,
    /// The problem it was made on.
    pub problem: String,
    /// The method that made it.
    pub method: String,
    /// All options of the method, defaults included.
    pub options: OptionMap,
    /// The seed of the run.
    pub seed: u64,
    /// How much work went into it, in the problem's unit.
    pub steps: u64,
    /// The files, by name; `/` does not occur in a name.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Numbers as the bytes of an artefact's file, little-endian f64.
pub fn number_bytes(numbers: impl IntoIterator<Item = f64>) -> Vec<u8> {
    numbers.into_iter().flat_map(f64::to_le_bytes).collect()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    quire_version: String,
    kind: String,
    problem: String,
    method: String,
    seed: String, // TOML integers are signed; a seed is not
    steps: u64,
    files: BTreeMap<String, FileEntry>,
    options: toml::Table,
}

#[derive(Serialize, Deserialize)]
struct FileEntry {
    bytes: u64,
    crc32: String,
}

impl Artefact {
    /// The file with this name.
    pub fn file(&self, name: &str) -> Result<&[u8]> {
        let missing = || {
            Error::Failed(format!(
                "the artefact has no file `{name}`; it is not a {} of {}",
                self.kind, self.method
            ))
        };
        self.files.get(name).map(Vec::as_slice).ok_or_else(missing)
    }

    /// The numbers in the file with this name, little-endian f64 as [`number_bytes`] makes them.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        match self.file(name)?.as_chunks::<8>() {
            (numbers, []) => Ok(numbers.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()),
            (_, rest) => Err(Error::Failed(format!(
                "the artefact's file `{name}` ends in {} bytes that are no number of 8",
                rest.len()
            ))),
        }
    }

    /// Writes the artefact as the folder `path`. The folder is made under a temporary name and renamed; an artefact
    /// that stands there already is replaced, any other folder is left alone and is an error.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let occupied = path.exists() && !path.join(MANIFEST).is_file();
        if occupied && fs::read_dir(path).map_or(true, |mut entries| entries.next().is_some()) {
            let problem = "is in the way: it exists and is not an artefact; choose another --out";
            return Err(Error::file(path, problem));
        }
        let temporary = files::temporary_beside(path);
        let _ = fs::remove_dir_all(&temporary); // left by a killed process with the same number
        fs::create_dir_all(&temporary).map_err(|e| Error::io("create the folder", &temporary, e))?;
        let result = self.write_into(&temporary).and_then(|()| {
            if path.exists() {
                fs::remove_dir_all(path).map_err(|e| Error::io("replace", path, e))?;
            }
            fs::rename(&temporary, path).map_err(|e| Error::io("create the folder", path, e))
        });
        if result.is_err() {
            let _ = fs::remove_dir_all(&temporary);
        }
        result
    }

    fn write_into(&self, folder: &Path) -> Result<()> {
        let entry = |bytes: &Vec<u8>| FileEntry {
            bytes: bytes.len() as u64,
            crc32: format!("{:08x}", crc32fast::hash(bytes)),
        };
        let manifest = Manifest {
            format: FORMAT,
            quire_version: crate::VERSION.into(),
            kind: self.kind.clone(),
            problem: self.problem.clone(),
            method: self.method.clone(),
            seed: self.seed.to_string(),
            steps: self.steps,
            files: self.files.iter().map(|(name, bytes)| (name.clone(), entry(bytes))).collect(),
            options: options::to_toml(&self.options),
        };
        for (name, bytes) in &self.files {
            files::write_atomic(folder.join(name), bytes)?;
        }
        let text = toml::to_string_pretty(&manifest).expect("a manifest is plain data, which always encodes");
        files::write_atomic(folder.join(MANIFEST), text.as_bytes())
    }

    /// Reads an artefact; a foreign folder, a newer format, a missing, truncated or altered file is an error that says so.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let manifest_path = path.join(MANIFEST);
        if !path.exists() {
            return Err(Error::file(path, "does not exist; `quire train` makes an artefact"));
        }
        if !manifest_path.is_file() {
            return Err(Error::file(path, format!("is not an artefact of Quire (it has no {MANIFEST})")));
        }
        let text = files::read_text(&manifest_path)?;
        let manifest = Self::parse_manifest(&manifest_path, &text)?;
        let mut contents = BTreeMap::new();
        for (name, entry) in manifest.files {
            if name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(Error::file(
                    &manifest_path,
                    format!("names a file outside its folder: `{name}`"),
                ));
            }
            let file = path.join(&name);
            let bytes = files::read(&file)?;
            if bytes.len() as u64 != entry.bytes {
                let problem =
                    format!("is damaged: it has {} bytes, the manifest says {}", bytes.len(), entry.bytes);
                return Err(Error::file(file, problem));
            }
            if format!("{:08x}", crc32fast::hash(&bytes)) != entry.crc32 {
                return Err(Error::file(file, "is damaged: its checksum is not the one in the manifest"));
            }
            contents.insert(name, bytes);
        }
        let seed = manifest.seed.parse().map_err(|_| {
            Error::file(&manifest_path, format!("seed: `{}` is not a whole number", manifest.seed))
        })?;
        Ok(Artefact {
            kind: manifest.kind,
            problem: manifest.problem,
            method: manifest.method,
            options: options::from_toml(manifest.options),
            seed,
            steps: manifest.steps,
            files: contents,
        })
    }

    fn parse_manifest(path: &Path, text: &str) -> Result<Manifest> {
        let parse_error = |e: toml::de::Error| {
            let (line, column) = line_and_column(text, e.span().map_or(0, |span| span.start));
            let problem = format!("not a manifest of Quire: {}", e.message());
            Error::Parse { path: path.to_owned(), line, column, problem }
        };
        let table: toml::Table = toml::from_str(text).map_err(parse_error)?;
        match table.get("format").and_then(toml::Value::as_integer) {
            Some(format) if format > i64::from(FORMAT) => Err(Error::file(
                path,
                format!("has format {format}, newer than this Quire reads ({FORMAT}); use a newer Quire"),
            )),
            _ => toml::from_str(text).map_err(parse_error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Artefact {
        Artefact {
            kind: "policy".into(),
            problem: "CartPole-v1".into(),
            method: "dqn".into(),
            options: serde_json::from_str(
                r#"{"discount": 0.99, "optimizer": {"name": "adam"}, "hidden": [64, 64]}"#,
            )
            .unwrap(),
            seed: u64::MAX,
            steps: 50_000,
            files: BTreeMap::from([("model.safetensors".into(), vec![1, 2, 3, 4])]),
        }
    }

    #[test]
    fn artefacts_round_trip_and_replace_their_like() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent");
        let mut artefact = sample();
        artefact.save(&path).unwrap();
        assert_eq!(Artefact::load(&path).unwrap(), artefact);
        artefact.seed = 3;
        artefact.save(&path).unwrap();
        assert_eq!(Artefact::load(&path).unwrap().seed, 3);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary is left");
    }

    #[test]
    fn another_folder_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
        assert!(sample().save(folder.path()).unwrap_err().to_string().contains("in the way"));
        assert!(folder.path().join("thesis.tex").exists());
    }

    #[test]
    fn damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent");
        let load = || Artefact::load(&path).unwrap_err().to_string();
        assert!(load().contains("does not exist"));
        sample().save(&path).unwrap();
        fs::write(path.join("model.safetensors"), [1, 2, 3]).unwrap();
        assert!(load().contains("3 bytes, the manifest says 4"));
        fs::write(path.join("model.safetensors"), [1, 2, 3, 5]).unwrap();
        assert!(load().contains("checksum"));
        fs::remove_file(path.join("model.safetensors")).unwrap();
        assert!(load().contains("cannot read"));
        let manifest = fs::read_to_string(path.join(MANIFEST)).unwrap();
        fs::write(path.join(MANIFEST), manifest.replace("format = 1", "format = 9")).unwrap();
        assert!(load().contains("format 9, newer"));
        fs::write(path.join(MANIFEST), "format = 1\nkind = [").unwrap();
        assert!(load().contains("quire.toml:2:"), "{}", load());
        fs::remove_file(path.join(MANIFEST)).unwrap();
        assert!(load().contains("not an artefact"));
    }

    #[test]
    fn a_manifest_cannot_point_outside_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent");
        sample().save(&path).unwrap();
        let manifest = fs::read_to_string(path.join(MANIFEST)).unwrap();
        fs::write(path.join(MANIFEST), manifest.replace("model.safetensors", "../secret")).unwrap();
        assert!(Artefact::load(&path).unwrap_err().to_string().contains("outside its folder"));
    }
}
