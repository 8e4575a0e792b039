//! Pages about papers, made of made-up verdicts. Set `QUIRE_REPORTS` to a folder to get the pages and look at them.

mod page;

use std::path::Path;

use page::{assert_well_formed, keep};
use quire_core::Point;
use quire_study::Store;
use quire_study::claims::{ClaimVerdict, Paper, PaperStanding, evaluate};
use quire_study::report::bibliography::{finding, index, paper as page_of};
use quire_study::store::{Batch, Outcome, RunStatus};

/// A paper whose claims differ in what they expect of the returns 0, 1, ..., 7 of eight seeds.
fn paper(slug: &str, title: &str, claims: &[(&str, &str)]) -> Paper {
    let mut text = format!(
        "title = {title:?}\narxiv = '1509.06461'\nwing = 'rl'\nmethods = ['dqn']\nprotocol = 'As <in> the paper.'\n"
    );
    for (id, expectation) in claims {
        text += &format!(
            "[[claims]]\nid = '{id}'\ntext = 'The claim {id} & more.'\nsource = 'Table 1'\nscaled_down = 'Less.'\n\
             expectations = ['{expectation}']\n\
             study = {{ problems = ['CartPole-v1'], seeds = 8, steps = 100, methods = [{{ method = 'dqn' }}, \
             {{ method = 'double-dqn' }}], quick = {{ seeds = 4 }} }}\n"
        );
    }
    Paper::parse(&Path::new("papers").join(format!("{slug}.toml")), &text).unwrap()
}

/// The verdict on a claim: the return of dqn is the seed, that of double-dqn half of it plus 1.
fn measure(paper: &Paper, id: &str, quick: bool) -> ClaimVerdict {
    let claim = paper.claim(id).unwrap();
    let mut store = Store::in_memory().unwrap();
    let plan = claim.plan(&quire_study::registry(), quick, None, "quire reproduce".into(), None).unwrap();
    let study = store.add_study(&plan).unwrap();
    while let Some(run) = store.claim(study, "a <machine>").unwrap() {
        let seed = run.spec.seed as f64;
        let value = if run.label == "dqn" { seed } else { 1.0 + seed / 2.0 };
        let points = [Point { step: 100, metric: "return", value }];
        let batch = Batch { points: &points, steps: 100, wall_s: 1.5, checkpoint: None };
        let outcome = Outcome { status: RunStatus::Done, reason: "budget spent".into(), artefact: None };
        store.finish(run.id, &batch, &outcome).unwrap();
    }
    let report = Some(format!("studies/{}/report.html", claim.id));
    ClaimVerdict { report, ..evaluate(claim, &store, study).unwrap() }
}

const CLAIMS: &[(&str, &str)] = &[
    ("below", "return(dqn) < 9"),
    ("above", "return(dqn) > 9"),
    ("near", "return(dqn) < 4"),
    ("against", "return(dqn) - return(double-dqn) >= return(double-dqn)"),
    ("never", "return(dqn) > 0"),
    ("once", "return(dqn) > 1"),
];

/// The verdicts on all claims but the last two; what was measured of the last was another sentence.
fn verdicts(paper: &Paper) -> Vec<ClaimVerdict> {
    let mut kept: Vec<ClaimVerdict> =
        ["below", "above", "near", "against"].map(|id| measure(paper, id, id == "against")).to_vec();
    let mut once = measure(paper, "once", false);
    once.expectations[0].expression = "return(dqn) > 2".into();
    kept.push(once);
    kept
}

/// The element with this id, up to the end of its kind.
fn element<'a>(page: &'a str, id: &str, kind: &str) -> &'a str {
    let begin = page.find(&format!("<{kind} class=\"claim\" id=\"{id}\"")).expect("the element is there");
    &page[begin..begin + page[begin..].find(&format!("</{kind}>")).unwrap()]
}

#[test]
fn every_claim_stands_on_the_page_where_it_stands() {
    let (first, second) = (paper("first", "The first", CLAIMS), paper("second", "The second", &CLAIMS[..1]));
    let standings = [PaperStanding::new(&first, verdicts(&first)), PaperStanding::new(&second, Vec::new())];
    let page = index(&standings);
    assert_well_formed(&page);
    keep("bibliography.html", &page);
    // 8 seeds: the middle half of 0 to 7 is 2 to 5, mean 3.5; quick, 4 seeds: 1 and 2, mean 1.5, against 2 * 1.75 = 3.5.
    assert_eq!(
        finding(&standings),
        "Of 7 claims of 2 papers, 4 were measured: 1 holds, 2 fail, 1 is not shown. 1 rests on a quick measurement only."
    );
    let article = |id: &str| element(&page, id, "article");
    for (id, verdict) in [("below", "holds"), ("above", "fails"), ("near", "not shown"), ("against", "fails")]
    {
        let text = article(&format!("first--{id}"));
        assert!(text.contains(&format!("data-verdict=\"{verdict}\"")), "{id}: {text}");
        assert!(text.contains("class=\"contrast\"") && text.contains("a &lt;machine&gt;"), "{text}");
        assert!(text.contains(&format!("href=\"../studies/{id}/report.html\"")), "{text}");
    }
    assert!(article("first--below").contains("<span class=\"value\">3.50</span>"));
    assert!(article("first--below").contains("8 seeds, 16 runs of 100 environment steps, 24 s of work"));
    let quick = article("first--against");
    assert!(quick.contains("data-quick=\"true\"") && quick.contains("quickly"), "{quick}");
    assert!(quick.contains("difference</span> <span class=\"value\">−2.00</span>"), "{quick}");
    for id in ["first--never", "first--once", "second--below"] {
        let text = article(id);
        assert!(text.contains("data-verdict=\"not measured\"") && !text.contains("<svg"), "{text}");
        assert!(text.contains(&format!("quire reproduce {}", id.replace("--", " --claim "))), "{text}");
        assert_eq!(text.contains("stated otherwise"), id.ends_with("once"));
    }
    // One row a paper, one sign a claim, each leading to its claim.
    assert_eq!(page.matches("<tr data-paper=").count(), 2);
    assert_eq!(page.matches("class=\"mark ").count(), 7);
    assert!(page.contains("href=\"#first--near\"") && page.contains("near: not shown"));
}

#[test]
fn a_page_fetches_nothing_and_names_cannot_break_it() {
    let paper = paper("odd", "</title><script>alert(1)</script> \"&\"", CLAIMS);
    let standing = PaperStanding::new(&paper, verdicts(&paper));
    for page in [index(std::slice::from_ref(&standing)), page_of(&standing)] {
        assert_well_formed(&page);
        assert!(!page.contains("<script>alert"));
        assert!(page.contains("As &lt;in&gt; the paper."));
        for word in ["src=", "@import", "url(", "<link"] {
            assert!(!page.contains(word), "the page refers to something outside: {word}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf "), "a number that is none");
    }
    keep("paper.html", &page_of(&standing));
}

#[test]
fn the_whole_registry_unmeasured_is_a_page_too() {
    let papers = quire_study::claims::papers().unwrap();
    let standings: Vec<_> = papers.iter().map(|paper| PaperStanding::new(paper, Vec::new())).collect();
    let page = index(&standings);
    assert_well_formed(&page);
    assert!(finding(&standings).starts_with("Nothing has been measured yet of "));
    assert_eq!(
        page.matches("<article").count(),
        papers.iter().map(|paper| paper.claims.len()).sum::<usize>()
    );
}
