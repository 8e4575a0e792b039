//! What is under way: the studies of claims that were asked for together, so that whoever asks again after an interruption
//! goes on with them instead of beginning anew.

use std::fs;
use std::path::PathBuf;

use quire_core::{Error, OptionMap, Result, files};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::archive::Archive;
use super::paper::Claim;
use crate::store::{NewStudy, Store, StudyId, StudyRecord};

/// The studies of claims that were begun, kept in a file until all that was asked for is measured.
#[derive(Debug, Clone)]
pub struct Sitting<'a> {
    archive: &'a Archive,
    path: PathBuf,
}

/// A claim whose study was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Begun {
    paper: String,
    claim: String,
    study: StudyId,
}

impl Begun {
    fn is_about(&self, claim: &Claim) -> bool {
        self.paper == claim.paper && self.claim == claim.id
    }
}

impl<'a> Sitting<'a> {
    /// The sitting of an archive.
    pub fn new(archive: &'a Archive) -> Self {
        Sitting { archive, path: archive.folder().join(".begun.json") }
    }

    /// The study that was begun for a claim and is the planned one to the last option, by the same Quire: finished or
    /// not, going on with it gives the numbers of one never interrupted. `None` if there is none.
    ///
    /// # Errors
    /// If the file or the store can't be read.
    pub fn study(&self, claim: &Claim, plan: &NewStudy, store: &Store) -> Result<Option<StudyRecord>> {
        let Some(begun) = self.read()?.into_iter().find(|begun| begun.is_about(claim)) else {
            return Ok(None);
        };
        let study = match store.study(begun.study) {
            Ok(study) => study,
            Err(Error::Unknown { .. }) => return Ok(None), // deleted since
            Err(error) => return Err(error),
        };
        if !is_by_the_same_quire(&study, plan) || study.name != plan.name || study.spec != plan.spec {
            return Ok(None);
        }
        let runs = store.runs(study.id)?;
        let same_runs = runs.len() == plan.runs.len()
            && runs.iter().zip(&plan.runs).all(|(run, planned)| {
                let mut spec = planned.spec.clone();
                spec.options = as_stored(&spec.options);
                spec.threads = run.spec.threads; // says how fast, not what
                run.label == planned.label && run.spec == spec
            });
        Ok(same_runs.then_some(study))
    }

    /// The studies of other claims that were begun by the same Quire: a run that stands in one of them need not be done again
    /// for this claim.
    ///
    /// # Errors
    /// If the file or the store can't be read.
    pub fn others(&self, claim: &Claim, plan: &NewStudy, store: &Store) -> Result<Vec<StudyId>> {
        let mut others = Vec::new();
        for begun in self.read()?.into_iter().filter(|begun| !begun.is_about(claim)) {
            match store.study(begun.study) {
                Ok(study) if is_by_the_same_quire(&study, plan) => others.push(study.id),
                Ok(_) | Err(Error::Unknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(others)
    }

    /// Notes that a claim's study was begun.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn begin(&self, claim: &Claim, study: StudyId) -> Result<()> {
        self.change(|begun| {
            begun.retain(|known| !known.is_about(claim));
            begun.push(Begun { paper: claim.paper.clone(), claim: claim.id.clone(), study });
        })
    }

    /// Forgets these claims: they are measured, and whoever asks again wants them measured again.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn end<'c>(&self, claims: impl IntoIterator<Item = &'c Claim> + Clone) -> Result<()> {
        self.change(|begun| {
            begun.retain(|known| !claims.clone().into_iter().any(|claim| known.is_about(claim)));
        })
    }

    fn read(&self) -> Result<Vec<Begun>> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        serde_json::from_str(&files::read_text(&self.path)?)
            .map_err(|e| Error::file(&self.path, format!("is damaged ({e}); delete it to begin anew")))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Begun>)) -> Result<()> {
        let _lock = self.archive.lock()?;
        let mut begun = self.read()?;
        change(&mut begun);
        if begun.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("delete", &self.path, e)),
                _ => Ok(()),
            };
        }
        let text = serde_json::to_string_pretty(&begun)
            .map_err(|e| Error::Failed(format!("what was begun cannot be encoded: {e}")))?;
        files::write_atomic(&self.path, format!("{text}\n").as_bytes())
    }
}

fn is_by_the_same_quire(study: &StudyRecord, plan: &NewStudy) -> bool {
    study.quire_version == quire_core::VERSION && study.commit == plan.commit
}

/// Options as they come back from a store: it keeps JSON, which has no other numbers than JSON's.
fn as_stored(options: &OptionMap) -> OptionMap {
    let text = Value::Object(options.clone()).to_string();
    match serde_json::from_str(&text) {
        Ok(Value::Object(stored)) => stored,
        _ => options.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::claims::Paper;

    fn claims() -> Vec<Claim> {
        let claim = |id: &str| {
            format!(
                "[[claims]]\nid = '{id}'\ntext = 'C.'\nsource = ''\nscaled_down = ''\nexpectations = ['return(dqn) > 0']\n\
                 study = {{ problems = ['CartPole-v1'], seeds = 2, steps = 100, quick = {{ steps = 50 }}, \
                 methods = [{{ method = 'dqn', options = {{ discount = 0.987654321 }} }}] }}\n"
            )
        };
        let head = "title = 'T'\narxiv = ''\nwing = 'rl'\nmethods = []\nprotocol = ''\n";
        Paper::parse(Path::new("t.toml"), &format!("{head}{}{}", claim("a"), claim("b"))).unwrap().claims
    }

    fn plan(claim: &Claim, quick: bool, commit: &str) -> NewStudy {
        claim.plan(&crate::registry(), quick, None, String::new(), Some(commit.into())).unwrap()
    }

    #[test]
    fn what_was_begun_is_gone_on_with_until_it_is_ended() {
        let out = tempfile::tempdir().unwrap();
        let archive = Archive::new(out.path());
        let sitting = Sitting::new(&archive);
        let [a, b] = &claims()[..] else { panic!("two claims") };
        let mut store = Store::in_memory().unwrap();
        assert!(sitting.study(a, &plan(a, false, "x"), &store).unwrap().is_none());
        let study = store.add_study(&plan(a, false, "x")).unwrap();
        sitting.begin(a, study).unwrap();
        let found = |claim: &Claim, quick: bool, commit: &str| {
            sitting.study(claim, &plan(claim, quick, commit), &store).unwrap().map(|study| study.id)
        };
        assert_eq!(found(a, false, "x"), Some(study));
        assert_eq!(found(b, false, "x"), None, "another claim");
        assert_eq!(found(a, true, "x"), None, "another length");
        assert_eq!(found(a, false, "y"), None, "another Quire");
        let others = |commit: &str| sitting.others(b, &plan(b, false, commit), &store).unwrap();
        assert_eq!((others("x"), others("y")), (vec![study], vec![]));
        assert_eq!(sitting.others(a, &plan(a, false, "x"), &store).unwrap(), []);
        let mut other = a.clone();
        other.study.methods[0].options.insert("discount".into(), 0.5.into());
        assert_eq!(found(&other, false, "x"), None, "another option");
        sitting.begin(b, StudyId(99)).unwrap();
        assert_eq!(found(b, false, "x"), None, "a study that is gone");
        sitting.end([a]).unwrap();
        assert_eq!(found(a, false, "x"), None);
        sitting.end([a, b]).unwrap();
        assert!(!sitting.path.exists());
        sitting.end([a, b]).unwrap();
    }
}
