//! Papers as a user meets them: listed, shown, measured, kept, on one page.

mod user;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use user::{fail, folder, json, quire, succeed, text};

/// A claim that takes milliseconds and a few more words.
fn measure<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&["reproduce", "double-dqn", "--claim", "single-estimate-is-too-high", "--quiet"], words].concat()
}

/// The entries kept about double DQN: id, quick, seeds, study.
fn kept(out: &Path) -> Vec<(String, bool, u64, i64)> {
    let file = fs::read_to_string(out.join("papers/double-dqn.json")).unwrap();
    let kept: Value = serde_json::from_str(&file).unwrap();
    let claims = kept["claims"].as_array().unwrap().iter();
    claims
        .map(|claim| {
            let id = claim["id"].as_str().unwrap().to_owned();
            let numbers = (claim["seeds"].as_u64().unwrap(), claim["study"].as_i64().unwrap());
            (id, claim["quick"].as_bool().unwrap(), numbers.0, numbers.1)
        })
        .collect()
}

#[test]
fn a_claim_is_measured_printed_and_kept_with_its_page() {
    let out = folder();
    let printed = succeed(out.path(), &measure(&[]));
    for words in
        ["holds  single-estimate-is-too-high", "Scaled down:", "against 0.00500: a difference of", "2 seeds"]
    {
        assert!(printed.contains(words), "the output lacks {words}: {printed}");
    }
    let page = out.path().join("papers/double-dqn.html");
    assert!(printed.contains(page.to_str().unwrap()), "{printed}");
    let page = fs::read_to_string(page).unwrap();
    let study = "studies/1-double-dqn-single-estimate-is-too-high/report.html";
    assert!(page.contains(&format!("href=\"../{study}\"")) && out.path().join(study).exists());
    assert_eq!(kept(out.path()), [("single-estimate-is-too-high".to_owned(), false, 2, 1)]);
}

#[test]
fn reproduce_prints_for_machines_what_it_keeps() {
    let out = folder();
    let printed = json(out.path(), &measure(&[]));
    let file = fs::read_to_string(out.path().join("papers/double-dqn.json")).unwrap();
    assert_eq!(printed, serde_json::from_str::<Value>(&file).unwrap());
    assert_eq!((&printed["paper"], &printed["arxiv"]), (&"double-dqn".into(), &"1509.06461".into()));
    let claim = &printed["claims"][0];
    assert_eq!((&claim["verdict"], &claim["seeds"]), (&"holds".into(), &2.into()));
    assert!(claim["text"].is_string() && claim["wall_s"].is_number() && claim["machines"][0].is_string());
    let expectation = &claim["expectations"][0];
    assert!(expectation["expression"].as_str().unwrap().contains("single-estimate"));
    // The paper prints 0.61; ours is 0.6120 (see the claim's own test), so 0.0020 from it.
    let left = expectation["values"]["left"].as_f64().unwrap();
    assert!((left - 0.00195).abs() < 1e-5, "{left}");
    assert_eq!(expectation["verdict"], "holds");
}

#[test]
fn quick_measurements_do_not_replace_whole_ones() {
    let out = folder();
    let claim = ["reproduce", "double-dqn", "--claim", "noise-lures-the-maximum", "--quiet"];
    let seeds = |words: &[&str]| {
        succeed(out.path(), &[&claim, words].concat());
        kept(out.path()).into_iter().map(|(_, quick, seeds, _)| (quick, seeds)).collect::<Vec<_>>()
    };
    assert_eq!(seeds(&["--quick"]), [(true, 5)]);
    // Fewer seeds than the claim asks for is as quick as the quick study.
    assert_eq!(seeds(&["--seeds", "3"]), [(true, 3)]);
    assert_eq!(seeds(&[]), [(false, 10)]);
    let output = quire(out.path(), &[&claim[..], &["--quick"]].concat()).output().unwrap();
    assert!(text(&output.stdout).contains("holds (quick)"), "what was measured is printed all the same");
    assert!(text(&output.stderr).contains("a quick one does not replace it"), "{}", text(&output.stderr));
    assert_eq!(seeds(&["--quick"]), [(false, 10)]);
    // Another claim has an entry of its own, before this one as in the paper.
    succeed(out.path(), &measure(&[]));
    let ids: Vec<String> = kept(out.path()).into_iter().map(|entry| entry.0).collect();
    assert_eq!(ids, ["single-estimate-is-too-high", "noise-lures-the-maximum"]);
}

#[test]
fn all_papers_are_on_one_page_measured_or_not() {
    let out = folder();
    assert_eq!(
        succeed(out.path(), &["report", "papers"]).matches("Nothing has been measured yet").count(),
        1
    );
    let papers = json(out.path(), &["list", "papers"]);
    let papers = papers.as_array().unwrap();
    succeed(out.path(), &measure(&[]));
    let report = json(out.path(), &["report", "papers"]);
    let page = fs::read_to_string(report["report"].as_str().unwrap()).unwrap();
    assert_eq!(report["papers"].as_array().unwrap().len(), papers.len());
    for paper in papers {
        let slug = paper["slug"].as_str().unwrap();
        assert!(page.contains(&format!("<section class=\"paper\" id=\"{slug}\"")), "{slug} is missing");
        for claim in paper["claims"].as_array().unwrap() {
            let id = claim["id"].as_str().unwrap();
            let measured = id == "single-estimate-is-too-high";
            let verdict = if measured { "holds" } else { "not measured" };
            let article = format!("id=\"{slug}--{id}\" data-verdict=\"{verdict}\"");
            assert!(page.contains(&article), "{article}");
        }
    }
    assert!(page.contains("https://arxiv.org/abs/1509.06461"));
    assert!(!page.contains("<link") && !page.contains("src="), "the page fetches something");
}

#[test]
fn a_paper_is_shown_with_its_claims_and_what_was_measured() {
    let out = folder();
    let before = succeed(out.path(), &["show", "papers/double-dqn"]);
    assert!(before.contains("arXiv:1509.06461") && before.contains("Protocol") && !before.contains("holds"));
    assert!(!out.path().join("papers").exists(), "looking makes nothing");
    succeed(out.path(), &measure(&[]));
    let shown = succeed(out.path(), &["show", "arXiv:1509.06461"]);
    assert!(
        shown.contains("holds  single-estimate-is-too-high")
            && shown.contains("not measured  plays-at-least")
    );
    let paper = json(out.path(), &["show", "1509.06461"]);
    assert_eq!((&paper["slug"], &paper["methods"][0]), (&"double-dqn".into(), &"double-dqn".into()));
    assert!(paper["protocol"].is_string() && paper["claims"][0]["study"]["problems"].is_array());
    assert_eq!(paper["claims"][0]["verdict"], "holds");
    assert_eq!(paper["claims"][0]["measurement"]["seeds"], 2);
    assert_eq!(paper["claims"][3]["measurement"], Value::Null);
    // The method has the same name; it comes with its paper.
    let method = json(out.path(), &["show", "double-dqn"]);
    assert_eq!((&method["name"], &method["paper"]), (&"double-dqn".into(), &paper));
    assert!(
        succeed(out.path(), &["show", "double-dqn"]).contains("holds  The maximum of fitted polynomials")
    );
}

#[test]
fn slips_in_the_names_of_papers_and_claims_are_mended() {
    let out = folder();
    let reproduce = |words: &[&str]| fail(out.path(), &[&["reproduce"], words].concat(), 2);
    assert!(reproduce(&["double-dqm"]).contains("`double-dqn`"));
    assert!(reproduce(&[]).contains("<PAPERS"));
    assert!(reproduce(&["redq", "--all"]).contains("cannot be used with"));
    let claim = reproduce(&["redq", "--claim", "fast-without-model"]);
    assert!(claim.contains("did you mean `fast-without-a-model`"), "{claim}");
    assert!(claim.contains("`quire show papers/redq` lists every claim"), "{claim}");
    let claim = reproduce(&["redq", "double-dqn", "--claim", "fast-without-model"]);
    assert!(
        claim.contains("unknown claim of these papers") && claim.contains("`fast-without-a-model`"),
        "{claim}"
    );
    assert!(reproduce(&["--all", "--claim", "zzzz"]).contains("unknown claim"));
    let error = fail(out.path(), &["show", "sublinear-regrets"], 2);
    assert!(
        error.starts_with("error: unknown method, problem, paper or study `sublinear-regrets`"),
        "{error}"
    );
    assert!(
        error.trim_end().ends_with("`quire list methods|problems|papers|studies` lists them."),
        "{error}"
    );
    assert!(fail(out.path(), &["show", "papers/redk"], 2).contains("did you mean `redq`"));
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "a wrong request left something behind");
    succeed(out.path(), &measure(&["--seeds", "2"]));
    let error = fail(out.path(), &["show", "double-dqn-single-estimate-is-to-high"], 2);
    assert!(error.contains("`double-dqn-single-estimate-is-too-high`"), "{error}");
}

#[test]
fn several_papers_may_be_named_and_only_those_with_the_claim_are_measured() {
    let out = folder();
    let words = ["redq", "double-dqn", "1509.06461", "--claim", "single-estimate-is-too-high", "--quiet"];
    let several = json(out.path(), &[&["reproduce"], &words[..]].concat());
    let [only] = &several.as_array().unwrap()[..] else { panic!("{several}") };
    assert_eq!((&only["paper"], only["claims"].as_array().unwrap().len()), (&"double-dqn".into(), 1));
    let all = json(out.path(), &["reproduce", "--all", "--claim", "single-estimate-is-too-high", "--quiet"]);
    assert_eq!(all[0]["paper"], "double-dqn");
}

#[test]
fn a_damaged_file_of_verdicts_is_named() {
    let out = folder();
    succeed(out.path(), &measure(&[]));
    let file = out.path().join("papers/double-dqn.json");
    fs::write(&file, "{").unwrap();
    for words in [&["report", "papers"][..], &["show", "papers/double-dqn"]] {
        let error = fail(out.path(), words, 1);
        assert!(error.contains("double-dqn.json") && error.contains("move it away"), "{error}");
    }
}

/// Long enough that an interrupt finds it at work.
const LONG: &[&str] =
    &["reproduce", "double-dqn", "--claim", "noise-lures-the-maximum", "--seeds", "100", "--quiet", "--json"];

#[cfg(unix)]
#[test]
fn an_interrupted_reproduce_goes_on_with_the_same_study() {
    let (undisturbed, out) = (folder(), folder());
    let whole = json(undisturbed.path(), &LONG[..LONG.len() - 1]);
    let child = quire(out.path(), LONG).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Once a run has ended it listens for the interrupt.
    while !out.path().join("studies/1-double-dqn-noise-lures-the-maximum/artefacts").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let stopped = child.wait_with_output().unwrap();
    assert_eq!(stopped.status.code(), Some(130), "{}", text(&stopped.stderr));
    assert!(
        stopped.stdout.is_empty() && text(&stopped.stderr).contains("goes on"),
        "{}",
        text(&stopped.stderr)
    );
    assert!(!out.path().join("papers/double-dqn.json").exists(), "half a measurement is none");
    let studies = |out: &Path| json(out, &["list", "studies"]).as_array().unwrap().len();

    let gone_on = json(out.path(), &LONG[..LONG.len() - 1]);
    assert_eq!(studies(out.path()), 1, "it began anew");
    let found = |printed: &Value| printed["claims"][0]["expectations"].clone();
    assert_eq!(found(&gone_on), found(&whole), "the interruption changed the numbers");
    // What is finished is measured anew when it is asked for again.
    succeed(out.path(), &measure(&[]));
    succeed(out.path(), &measure(&[]));
    assert_eq!(studies(out.path()), 3);
}
