//! Live progress: bars on a terminal, plain lines in a pipe, nothing with `--quiet`.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use quire_study::driver::{Event, Observer};
use quire_study::{RunId, RunRecord};

use crate::args::Global;
use crate::terminal::{BAD, FAINT, GOOD, count, duration, notice, number, styled};

/// The observer that fits the terminal and the flags. `metric` is what methods are compared by.
pub fn observer(global: &Global, metric: &str, runs: usize) -> Box<dyn Observer> {
    if global.quiet {
        Box::new(Silent)
    } else if std::io::stderr().is_terminal() {
        Box::new(Bars::new(metric, runs))
    } else {
        Box::new(Lines {
            metric: metric.to_owned(),
            last: HashMap::new(),
            latest: HashMap::new(),
            ended: 0,
            runs,
        })
    }
}

struct Silent;

impl Observer for Silent {
    fn event(&mut self, run: &RunRecord, event: &Event<'_>) {
        report_failure(run, event, &|line| notice(line));
    }
}

fn title(run: &RunRecord) -> String {
    format!("{} on {}, seed {}", run.label, run.spec.problem, run.spec.seed)
}

fn report_failure(run: &RunRecord, event: &Event<'_>, say: &dyn Fn(String)) {
    if let Event::Failed { message } = event {
        say(format!("{} {}: {message}", styled(BAD, "failed:"), title(run)));
    }
}

/// One bar a running run and one for the whole study.
struct Bars {
    metric: String,
    all: MultiProgress,
    study: ProgressBar,
    running: HashMap<RunId, (ProgressBar, u64)>,
    scores: HashMap<RunId, f64>,
}

impl Bars {
    fn new(metric: &str, runs: usize) -> Self {
        let all = MultiProgress::new();
        let study = all.add(ProgressBar::new(runs as u64));
        let style = ProgressStyle::with_template("{bar:30.green} {pos}/{len} runs  {elapsed} elapsed")
            .expect("a valid template");
        study.set_style(style);
        study.enable_steady_tick(Duration::from_millis(250));
        Bars { metric: metric.to_owned(), all, study, running: HashMap::new(), scores: HashMap::new() }
    }

    fn say(&self, line: String) {
        let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let line = if color { line } else { anstream::adapter::strip_str(&line).to_string() };
        let _ = self.all.println(line);
    }
}

impl Observer for Bars {
    fn event(&mut self, run: &RunRecord, event: &Event<'_>) {
        match event {
            Event::Started => {
                let bar = self.all.insert_before(&self.study, ProgressBar::new(1));
                let template = "{bar:30.cyan} {percent:>3} %  {prefix}  {msg}";
                bar.set_style(ProgressStyle::with_template(template).expect("a valid template"));
                bar.set_prefix(title(run));
                self.running.insert(run.id, (bar, 0));
            }
            Event::Advanced { done, total, points } => {
                let Some((bar, seen)) = self.running.get_mut(&run.id) else { return };
                bar.set_length(*total);
                bar.set_position(*done);
                *seen = *done;
                if let Some(point) = points.iter().rev().find(|point| point.metric == self.metric) {
                    bar.set_message(format!("{} {}", self.metric, number(point.value)));
                    self.scores.insert(run.id, point.value);
                }
            }
            Event::Finished { reason, wall_s } => {
                self.close(run);
                self.study.inc(1);
                let score = self
                    .scores
                    .get(&run.id)
                    .map_or_else(String::new, |score| format!("{} {}, ", self.metric, number(*score)));
                self.say(format!(
                    "{} {}  {score}{}, {reason}",
                    styled(GOOD, "done"),
                    title(run),
                    duration(*wall_s)
                ));
            }
            Event::Failed { .. } => {
                self.close(run);
                self.study.inc(1);
                report_failure(run, event, &|line| self.say(line));
            }
            Event::Stopped => self.close(run),
        }
    }
}

impl Bars {
    fn close(&mut self, run: &RunRecord) {
        if let Some((bar, _)) = self.running.remove(&run.id) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.study.finish_and_clear();
    }
}

/// A line now and then, for logs.
struct Lines {
    metric: String,
    last: HashMap<RunId, Instant>,
    latest: HashMap<RunId, f64>,
    ended: usize,
    runs: usize,
}

impl Lines {
    /// How long a run is silent between two lines.
    const EVERY: Duration = Duration::from_secs(10);

    fn score(&self, run: &RunRecord) -> String {
        self.latest
            .get(&run.id)
            .map_or_else(String::new, |value| format!(", {} {}", self.metric, number(*value)))
    }
}

impl Observer for Lines {
    fn event(&mut self, run: &RunRecord, event: &Event<'_>) {
        match event {
            Event::Started => {
                self.last.insert(run.id, Instant::now());
            }
            Event::Advanced { done, total, points } => {
                if let Some(point) = points.iter().rev().find(|point| point.metric == self.metric) {
                    self.latest.insert(run.id, point.value);
                }
                let last = self.last.entry(run.id).or_insert_with(Instant::now);
                if last.elapsed() > Self::EVERY {
                    *last = Instant::now();
                    let place = format!("{} of {}{}", count(*done), count(*total), self.score(run));
                    notice(format!("{}  {}", title(run), styled(FAINT, place)));
                }
            }
            Event::Finished { reason, wall_s } => {
                self.ended += 1;
                let end = format!("{}{}, {reason}", duration(*wall_s), self.score(run));
                notice(format!("[{}/{}] {}  {end}", self.ended, self.runs, title(run)));
            }
            Event::Failed { .. } => {
                self.ended += 1;
                report_failure(run, event, &|line| notice(line));
            }
            Event::Stopped => {}
        }
    }
}
