//! The book and the README keep up with the program: every command line in them is one that the program takes, with
//! problems, methods, options, papers and claims that exist; every study and paper shown parses; every link leads somewhere.

#[allow(dead_code)] // of the command line, only the grammar is needed
#[path = "../src/args.rs"]
mod args;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use args::{Cli, Command, RunFlags};
use clap::{CommandFactory, Parser};
use quire::core::{Registry, Result, options};
use quire::study::claims::{self, Paper};
use quire::study::{StudySpec, registry};

static REGISTRY: LazyLock<Registry> = LazyLock::new(registry);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every page of the book, and the pages at the root.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("book") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// A piece of code in a page: its language (`inline` between single backticks), its text, its first line's number.
struct Code {
    language: String,
    text: String,
    line: usize,
}

fn code(page: &str) -> Vec<Code> {
    let mut found = Vec::new();
    let mut block: Option<Code> = None;
    for (index, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut block) {
            (Some(_), Some(_)) => found.extend(block.take()),
            (Some(language), None) => {
                block = Some(Code { language: language.to_owned(), text: String::new(), line: index + 2 });
            }
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => found.extend(line.split('`').skip(1).step_by(2).map(|text| Code {
                language: "inline".into(),
                text: text.to_owned(),
                line: index + 1,
            })),
        }
    }
    assert!(block.is_none(), "a block of code has no end");
    found
}

/// The words of a shell line up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | '>' | ';' | '&') => break,
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The command line of Quire on a line of a page, if there is one without placeholders.
fn command(code: &Code, line: &str) -> Option<Vec<String>> {
    let line = match code.language.as_str() {
        "sh" | "inline" => line,
        "console" => line.strip_prefix("$ ")?,
        _ => return None,
    };
    let arguments = line.strip_prefix("quire ").or_else(|| line.strip_prefix("cargo run --release -- "))?;
    let placeholder = |text: &str| ["<", "...", "NAME"].iter().any(|sign| text.contains(sign));
    if code.language == "inline" && placeholder(arguments) || arguments.contains('<') {
        return None;
    }
    Some([vec!["quire".to_owned()], words(arguments)].concat())
}

/// Checks that what a command names exists.
fn names_exist(command: &Command) -> Result<()> {
    let registry = &*REGISTRY;
    let runs = |methods: &[String], run: &RunFlags| -> Result<()> {
        // A page's own file is not there to be read; it is a problem for the same methods as one of these.
        let own_model = quire::mdp::file::is_model(&run.on);
        let constrained_rows = run.on.starts_with("constrained-logistic+");
        let own_rows = quire::solve::finite_sum::libsvm::is_name(&run.on);
        let problem = registry.problem(match () {
            () if own_model => "river-swim",
            () if constrained_rows => "constrained-logistic",
            () if own_rows => "logistic-rows",
            () => &run.on,
        })?;
        for method in methods {
            let card = problem.method(method)?;
            let own = run.set.iter().filter_map(|word| match word.split_once(':') {
                Some((label, rest)) if methods.iter().any(|known| known == label) => {
                    (label == method).then_some(rest)
                }
                _ => Some(word.as_str()),
            });
            // Nor is its own schedule.
            let own = own.filter(|word| !word.ends_with(".csv"));
            card.options.with(&[&options::parse_assignments(&own.collect::<Vec<_>>())?])?;
        }
        Ok(())
    };
    match command {
        Command::Train(train) => runs(std::slice::from_ref(&train.method), &train.run),
        Command::Compare(compare) => runs(&compare.methods, &compare.run),
        Command::Show(show) => {
            if let Some(problem) = &show.on {
                registry.problem(problem)?.method(&show.name)?;
            }
            if let Some(slug) = show.name.strip_prefix("papers/") {
                return claims::paper(slug).map(|_| ());
            }
            let known = registry.method(&show.name).map(|_| ());
            known.or_else(|_| registry.problem(&show.name).map(|_| ()))
        }
        Command::Reproduce(reproduce) => reproduce.papers.iter().try_for_each(|slug| {
            let paper = claims::paper(slug)?;
            reproduce.claim.iter().try_for_each(|id| paper.claim(id).map(|_| ()))
        }),
        _ => Ok(()),
    }
}

#[test]
fn every_command_line_is_one_that_the_program_takes() {
    let mut commands = BTreeSet::new();
    let mut count = 0;
    for (path, page) in pages() {
        for code in code(&page) {
            for (index, line) in code.text.lines().enumerate() {
                let Some(words) = command(&code, line.trim()) else { continue };
                let place = format!("{}:{}: {line}", path.display(), code.line + index);
                if code.language == "inline" && words.len() == 2 {
                    // Prose names a command without its arguments.
                    let known = Cli::command().find_subcommand(&words[1]).is_some();
                    assert!(known, "{place}\nthere is no such command");
                    continue;
                }
                let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{place}\n{error}"));
                names_exist(&cli.command).unwrap_or_else(|error| panic!("{place}\n{error}"));
                commands.insert(words[1].clone());
                count += 1;
            }
        }
    }
    // A reader of the book meets every command; if none is found, nothing was tested.
    for name in [
        "list",
        "show",
        "train",
        "eval",
        "compare",
        "run",
        "resume",
        "reproduce",
        "report",
        "export",
        "solve-mdp",
        "evaluate-policy",
        "rank",
        "solve",
    ] {
        assert!(commands.contains(name), "the book shows no `quire {name}`");
    }
    assert!(count > 30, "only {count} command lines were found");
}

#[test]
fn a_wrong_command_line_would_be_noticed() {
    let code = Code { language: "sh".into(), text: String::new(), line: 1 };
    let parse = |line: &str| Cli::try_parse_from(command(&code, line).unwrap());
    assert!(parse("quire compare dqn --on CartPole-v1 --seed 3  # no such flag").is_err());
    assert!(names_exist(&parse("quire train dqm --on CartPole-v1").unwrap().command).is_err());
    let set = parse("quire train dqn --on CartPole-v1 --set 'network.hiden=[64, 64]' | cat").unwrap();
    assert!(names_exist(&set.command).is_err());
    assert!(command(&code, "cargo test").is_none());
}

#[test]
fn every_study_and_paper_in_the_book_can_be_planned() {
    let mut seen = (0, 0);
    for (path, page) in pages() {
        for code in code(&page).iter().filter(|code| code.language == "toml") {
            let place = format!("{}:{}", path.display(), code.line);
            let file = Path::new("example.toml");
            if code.text.contains("[[claims]]") {
                let paper = Paper::parse(file, &code.text).unwrap_or_else(|error| panic!("{place}: {error}"));
                for claim in &paper.claims {
                    for quick in [true, false] {
                        claim.plan(&REGISTRY, quick, None, String::new(), None).unwrap();
                    }
                }
                seen.1 += 1;
            } else if code.text.contains("problems") {
                let study = StudySpec::parse(file, &code.text).unwrap_or_else(|e| panic!("{place}: {e}"));
                study.plan(&REGISTRY, String::new(), None).unwrap_or_else(|error| panic!("{place}: {error}"));
                seen.0 += 1;
            }
        }
    }
    assert!(seen.0 >= 3 && seen.1 >= 1, "{seen:?} studies and papers were found");
}

/// A heading as the book makes an anchor of it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut links = 0;
    for (path, page) in pages() {
        let mut in_code = false;
        for (index, line) in page.lines().enumerate() {
            in_code ^= line.starts_with("```");
            let place = format!("{}:{}", path.display(), index + 1);
            if let Some(included) = line.trim().strip_prefix("{{#include ") {
                let file = included.trim_end_matches("}}").split(':').next().unwrap();
                assert!(path.parent().unwrap().join(file).is_file(), "{place} includes nothing: {file}");
            }
            if in_code {
                continue;
            }
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if target.contains("://") {
                    continue;
                }
                links += 1;
                let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
                assert!(file.is_file(), "{place} links to {target}, which is not there");
                if !heading.is_empty() {
                    let text = fs::read_to_string(&file).unwrap();
                    let mut headings = text.lines().filter(|line| line.starts_with('#'));
                    let found = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
                    assert!(found, "{place} links to {target}, which has no such heading");
                }
            }
        }
    }
    assert!(links > 20, "only {links} links were found");
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let folder = root().join("docs/src");
    let contents = fs::read_to_string(folder.join("SUMMARY.md")).unwrap();
    for (path, _) in pages() {
        if let Ok(page) = path.strip_prefix(&folder)
            && page != Path::new("SUMMARY.md")
        {
            let page = page.display().to_string();
            assert!(contents.contains(&format!("]({page})")), "{page} is not in SUMMARY.md");
        }
    }
}
