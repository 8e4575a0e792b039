//! The driver: steps the runs of a study on all cores, records, checkpoints, and can be stopped at any moment.
//!
//! Workers step runs and send what they record to the calling thread, which alone writes the store. Every few seconds a
//! worker also sends its run's whole state, which the store keeps as a checkpoint; a study that was killed goes on from
//! the last one. What was recorded after it is recorded again, under the same keys and, since a run is deterministic,
//! with the same values.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use quire_core::{Artefact, Error, Point, Progress, Reason, Registry, Result, RunSpec, Trace};

use crate::machine;
use crate::store::{Batch, Outcome, RunRecord, RunStatus, Store, StudyId};

/// How often a worker reports what its run has recorded.
const REPORT_EVERY: Duration = Duration::from_millis(250);
/// How often a worker saves its run, unless [`Driver::checkpoint_every`] says otherwise.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

/// Something that happened to a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// It started, or went on from its checkpoint.
    Started,
    /// It did some work.
    Advanced {
        /// Work done, in the problem's unit.
        done: u64,
        /// Work in all.
        total: u64,
        /// What was recorded.
        points: &'a [Point],
    },
    /// It ended.
    Finished {
        /// Why.
        reason: &'a Reason,
        /// Seconds it took, interruptions left out.
        wall_s: f64,
    },
    /// It failed.
    Failed {
        /// What went wrong.
        message: &'a str,
    },
    /// It was stopped on the user's request; its state is saved.
    Stopped,
}

/// Whoever wants to know what happens, for instance to draw progress bars.
pub trait Observer {
    /// Called on the driver's thread, in the order of each run's events.
    fn event(&mut self, run: &RunRecord, event: &Event<'_>);
}

/// How a study ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Runs that ended as they should, in all sittings.
    pub done: usize,
    /// Runs that failed, in all sittings.
    pub failed: usize,
    /// Runs that are not finished, because the study was stopped.
    pub unfinished: usize,
}

/// What the driver needs to know.
pub struct Driver<'a> {
    /// Where problems and methods are found.
    pub registry: &'a Registry,
    /// The study's folder, for artefacts and the lock.
    pub folder: &'a Path,
    /// Threads in all, shared out among the runs.
    pub threads: usize,
    /// How often a run is saved while it goes on.
    pub checkpoint_every: Duration,
    /// Set it to stop: every run is saved and the driver returns.
    pub stop: &'a AtomicBool,
}

/// What a worker says to the driver.
struct Message {
    worker: usize,
    /// Work done and work in all.
    progress: (u64, u64),
    points: Vec<Point>,
    /// Seconds in this sitting.
    wall_s: f64,
    /// The whole state after `points`.
    state: Option<Vec<u8>>,
    end: Option<End>,
}

enum End {
    Done(Reason, Option<Artefact>),
    Failed(String),
    Stopped,
}

/// A run for a worker, with the state it goes on from.
type Job = (RunRecord, Option<Vec<u8>>);

impl Driver<'_> {
    /// Does what is left of a study. Returns when every run has ended or, after `stop` is set, has been saved.
    ///
    /// A run that fails is recorded as failed and does not stop the others.
    ///
    /// # Errors
    /// Another process working on the study, or a store or folder that cannot be written: going on would lose work.
    pub fn drive(&self, store: &mut Store, study: StudyId, observer: &mut dyn Observer) -> Result<Ending> {
        fs::create_dir_all(self.folder).map_err(|e| Error::io("create the folder", self.folder, e))?;
        let _lock = self.lock()?;
        // Nobody else works on it, so whatever is marked as under way was interrupted.
        store.requeue_interrupted(study)?;
        let waiting = store.runs(study)?.iter().filter(|run| run.status == RunStatus::Pending).count();
        let workers = self.threads.clamp(1, waiting.max(1));
        let abort = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (sender, messages) = channel();
            let jobs: Vec<Sender<Job>> = (0..workers)
                .map(|index| {
                    let (job_sender, jobs) = channel::<Job>();
                    let threads = (self.threads / workers).max(1);
                    let worker =
                        Worker { index, driver: self, abort: &abort, sender: sender.clone(), threads };
                    scope.spawn(move || jobs.into_iter().for_each(|(run, saved)| worker.run(&run, saved)));
                    job_sender
                })
                .collect();
            drop(sender);
            let result = self.serve(store, study, &jobs, &messages, observer);
            // On an error the workers must not go on computing what cannot be stored.
            abort.store(true, Ordering::Relaxed);
            result
        })?;
        store.requeue_interrupted(study)?;
        let runs = store.runs(study)?;
        let count = |status| runs.iter().filter(|run| run.status == status).count();
        Ok(Ending {
            done: count(RunStatus::Done),
            failed: count(RunStatus::Failed),
            unfinished: count(RunStatus::Pending),
        })
    }

    /// Holds the study's lock file as long as the result lives; the system lets go of it when a process dies.
    fn lock(&self) -> Result<File> {
        let path = self.folder.join(".lock");
        let file = File::create(&path).map_err(|e| Error::io("create", &path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(Error::file(
                self.folder,
                "another process is working on this study; wait for it or stop it",
            )),
            Err(fs::TryLockError::Error(e)) => Err(Error::io("lock", &path, e)),
        }
    }

    /// Hands out runs and stores what comes back, until nothing is left.
    fn serve(
        &self,
        store: &mut Store,
        study: StudyId,
        jobs: &[Sender<Job>],
        messages: &Receiver<Message>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let mut at_work: Vec<Option<RunRecord>> = Vec::new();
        for job in jobs {
            at_work.push(self.hand_out(store, study, job, observer)?);
        }
        while at_work.iter().any(Option::is_some) {
            // A worker always says how its run ended, so while one is at work there is a message to come.
            let Ok(message) = messages.recv() else { break };
            let run = at_work[message.worker].as_ref().expect("only a worker with a run sends messages");
            let (done, total) = message.progress;
            let wall_s = run.wall_s + message.wall_s;
            let batch =
                Batch { points: &message.points, steps: done, wall_s, checkpoint: message.state.as_deref() };
            match &message.end {
                None | Some(End::Stopped) => store.append(run.id, &batch)?,
                Some(End::Done(reason, artefact)) => {
                    let path = artefact.as_ref().map(|artefact| self.keep(run, artefact)).transpose()?;
                    let status = RunStatus::Done;
                    store.finish(
                        run.id,
                        &batch,
                        &Outcome { status, reason: reason.to_string(), artefact: path },
                    )?;
                }
                Some(End::Failed(reason)) => {
                    let status = RunStatus::Failed;
                    let outcome = Outcome { status, reason: reason.clone(), artefact: None };
                    store.finish(run.id, &batch, &outcome)?;
                }
            }
            observer.event(run, &Event::Advanced { done, total, points: &message.points });
            match &message.end {
                None => continue,
                Some(End::Done(reason, _)) => observer.event(run, &Event::Finished { reason, wall_s }),
                Some(End::Failed(message)) => observer.event(run, &Event::Failed { message }),
                Some(End::Stopped) => observer.event(run, &Event::Stopped),
            }
            at_work[message.worker] = self.hand_out(store, study, &jobs[message.worker], observer)?;
        }
        Ok(())
    }

    /// Gives a worker the next run, if there is one and nobody asked to stop.
    fn hand_out(
        &self,
        store: &mut Store,
        study: StudyId,
        worker: &Sender<Job>,
        observer: &mut dyn Observer,
    ) -> Result<Option<RunRecord>> {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Some(run) = store.claim(study, &machine::describe())? else { return Ok(None) };
        let saved = store.checkpoint(run.id)?.map(|checkpoint| checkpoint.state);
        observer.event(&run, &Event::Started);
        worker.send((run.clone(), saved)).expect("a worker lives as long as its queue");
        Ok(Some(run))
    }

    /// Saves a run's artefact in the study's folder and says where.
    fn keep(&self, run: &RunRecord, artefact: &Artefact) -> Result<String> {
        let name = format!("{}-{}-seed{}", run.label, file_name(&run.spec.problem), run.spec.seed);
        let path: PathBuf = self.folder.join("artefacts").join(file_name(&name));
        artefact.save(&path)?;
        Ok(path.display().to_string())
    }
}

/// A name that can be part of a file name: `MinAtar/Breakout-v1` has a slash.
pub fn file_name(name: &str) -> String {
    name.replace(['/', '\\', ':'], "-")
}

struct Worker<'a> {
    index: usize,
    driver: &'a Driver<'a>,
    abort: &'a AtomicBool,
    sender: Sender<Message>,
    threads: usize,
}

impl Worker<'_> {
    fn send(&self, message: Message) {
        // The receiver is gone only when the driver has given up; then nobody needs the message.
        let _ = self.sender.send(message);
    }

    /// Does a run to its end and always says how it ended.
    fn run(&self, run: &RunRecord, saved: Option<Vec<u8>>) {
        // A panic is a bug of a method; it must not take the other runs with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.advance(run, saved)));
        let failure = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("internal error: {}", panic_text(panic.as_ref())),
        };
        self.send(Message {
            worker: self.index,
            progress: (run.steps, run.steps),
            points: Vec::new(),
            wall_s: 0.0,
            state: None,
            end: Some(End::Failed(failure)),
        });
    }

    fn advance(&self, record: &RunRecord, saved: Option<Vec<u8>>) -> Result<()> {
        let problem = self.driver.registry.problem(&record.spec.problem)?;
        let spec = RunSpec { threads: self.threads, ..record.spec.clone() };
        let mut run = match saved {
            Some(saved) => problem.resume(&spec, &saved)?,
            None => problem.start(&spec)?,
        };
        let mut trace = Trace::new();
        let began = Instant::now();
        let (mut reported, mut saved) = (began, began);
        loop {
            let progress = run.step(&mut trace)?;
            let stop = self.driver.stop.load(Ordering::Relaxed) || self.abort.load(Ordering::Relaxed);
            let save = stop || saved.elapsed() > self.driver.checkpoint_every;
            let end = match progress {
                Progress::Done(reason) => Some(End::Done(reason, run.artefact())),
                Progress::Continue if stop => Some(End::Stopped),
                Progress::Continue => None,
            };
            if end.is_none() && !save && reported.elapsed() < REPORT_EVERY {
                continue;
            }
            let ended = end.is_some();
            let keep_state = save && !matches!(end, Some(End::Done(..)));
            self.send(Message {
                worker: self.index,
                progress: run.progress(),
                points: trace.take(),
                wall_s: began.elapsed().as_secs_f64(),
                state: keep_state.then(|| run.save()),
                end,
            });
            if ended {
                return Ok(());
            }
            reported = Instant::now();
            if save {
                saved = reported;
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic")
}
