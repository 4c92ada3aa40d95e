//! The comparison of runs as text.

use gptune_report::{ComparedRun, Estimate, RunComparison, RunScore, Scale};
use gptune_run::Event;

use crate::{
    comparison_sample::{self, FOUR, Made, events, run},
    page::{HOSTILE, assert_refers_to_nothing, assert_texts_stay_texts},
};

fn eval(step: usize, train_loss: f64, val_loss: f64) -> Event {
    Event::Eval { epoch: 1, step, tokens_seen: 500 * (step + 1), train_loss, val_loss }
}

fn named(name: &str, events: Vec<Event>) -> ComparedRun {
    ComparedRun { name: name.to_owned(), state: "running".to_owned(), events, ..ComparedRun::default() }
}

fn of(runs: Vec<ComparedRun>) -> RunComparison {
    RunComparison { runs, ..RunComparison::default() }
}

/// What stands between the first `start` and the next `end` after it.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    page.split_once(start).unwrap_or_else(|| panic!("no {start}")).1.split_once(end).unwrap().0
}

#[test]
fn every_fact_of_the_runs_is_on_the_page() {
    let page = comparison_sample::four().to_html();
    for wanted in [
        "<title>4 runs compared – gptune comparison</title>",
        "<p class=\"warning\" dir=\"auto\">The data of run D are not those of A",
        "gpt2-medium-355m-alpaca-style-masked-instructions-seed-123-second-try",
        "interrupted",
        "<span class=\"interval\">of 232</span>",
        "416 tokens/s",
        "4 min 15 s",
        "<span class=\"interval\">step 110</span>",
        "<th class=\"number\" scope=\"col\" dir=\"auto\">Perplexity</th>",
        "27.7 to 45.1%",
        "Wilson&#39;s",
        "2 settings in common",
        "gptune 0.1.0. This page",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    let differing = between(&page, "<table class=\"results settings\"", "</table>");
    assert_eq!(differing.matches("<tr>").count(), 1 + 5);
    assert!(!differing.contains("epochs") && page.contains("epochs"));
    assert_refers_to_nothing(&page);
}

#[test]
fn lines_are_over_tokens_too_where_steps_differ() {
    let plots = |page: &str| {
        ["validation-steps", "validation-tokens", "validation-close-up", "training-steps"]
            .map(|id| page.matches(&format!("<title id=\"{id}-title\">")).count())
    };
    assert_eq!(plots(&comparison_sample::four().to_html()), [1, 1, 1, 1]);
    let page = comparison_sample::twelve().to_html();
    assert_eq!(plots(&page), [1, 0, 1, 1]);
    let plot = between(&page, "aria-labelledby=\"validation-steps-title", "</figure>");
    assert_eq!(plot.matches("<polyline").count(), 12);
    assert_eq!(plot.matches("class=\"spot\"").count(), 12);
    let line = between(plot, "<polyline class=\"line colour-0 dash-0\" points=\"", "\"");
    assert_eq!(line.split(' ').count(), 48, "an evaluation every five steps, and the final one");
    assert!(page.contains("Lowest of all: A, 0.499 at step 231."));
    let close_up = between(&page, "aria-labelledby=\"validation-close-up-title", "</figure>");
    assert!(close_up.contains("L ends there.") && !close_up.contains(">L</text>"));
}

#[test]
fn the_best_of_each_measure_is_bold_unless_runs_cannot_be_compared() {
    let mut comparison = comparison_sample::four();
    let bold = |comparison: &RunComparison| -> Vec<String> {
        let page = comparison.to_html();
        page.split("<strong>").skip(1).map(|rest| rest.split_once("</strong>").unwrap().0.to_owned()).collect()
    };
    assert_eq!(bold(&comparison), [] as [&str; 0]);
    assert!(!comparison.to_html().contains("Lowest of all"));
    comparison.incomparable = false;
    // Row by row: token loss and perplexity of C, losses of D; scores of B.
    let losses = ["0.694", "2.00", "0.645", "0.645"];
    assert_eq!(bold(&comparison), [losses, ["41.0%", "45.5%", "70.5%", "72.5%"]].concat());
    comparison.runs[2].scores[1].items = 109;
    assert_eq!(bold(&comparison), losses);
    assert!(comparison.to_html().contains("Not all scores are means over as many answers"));
}

#[test]
fn hostile_texts_stay_texts() {
    let text = || HOSTILE.to_owned();
    let score = RunScore {
        name: text(),
        scale: Scale::Points(100.0),
        items: 1,
        estimate: Estimate { mean: f64::NAN, low: f64::NAN, high: 1.0 },
    };
    let hostile = ComparedRun { name: text(), state: text(), scores: vec![score], ..run(FOUR[0]) };
    let page = RunComparison {
        version: text(),
        runs: vec![hostile, run(FOUR[1])],
        settings: vec![(text(), vec![Some(text()), None]), (text(), vec![Some(text()), Some(text())])],
        scoring: text(),
        notes: vec![text()],
        incomparable: false,
    };
    assert_texts_stay_texts(&page.to_html());
}

#[test]
fn runs_of_which_little_is_known_make_a_page() {
    let page = RunComparison::default().to_html();
    assert!(page.contains("There is no run to compare.") && !page.contains("<section id=\"results\""));
    let page = of(vec![named("a", vec![]), named("b", vec![])]).to_html();
    assert!(page.contains("No setting differs between the runs.") && !page.contains("<figure>"));
    let page = of(vec![run(FOUR[0])]).to_html();
    assert!(page.contains("1 run compared") && !page.contains("<strong>") && !page.contains("Lowest of all"));

    let events = events(FOUR[0]).into_iter().filter(|event| !matches!(event, Event::Eval { .. } | Event::Final { .. }));
    let page = of(vec![
        named("one evaluation", vec![eval(0, 2.0, 2.1)]),
        named("a gap", vec![eval(0, 2.0, 2.3), eval(5, f64::NAN, f64::NAN), eval(10, 1.5, 1.9)]),
        named("nothing", vec![]),
        named("no evaluations", events.collect()),
        named("not finite", vec![eval(0, f64::NAN, f64::INFINITY)]),
    ]);
    let page = page.to_html();
    assert!(page.contains("Without a loss to draw: C, D, E.") && page.contains("not a number"));
    assert!(page.contains("means of the batch losses of 2 steps each"));
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    let plot = between(&page, "aria-labelledby=\"validation-steps-title", "</figure>");
    assert_eq!([plot.matches("<polyline").count(), plot.matches("class=\"spot\"").count()], [2, 2]);
}

#[test]
fn many_evaluations_make_no_large_page() {
    let long = Made { steps: 20_000, taken: 20_000, every: 1, slope: 3000.0, ..FOUR[0] };
    let page = of((0..12).map(|_| run(long)).collect()).to_html();
    assert!(page.len() < 1_000_000, "{}", page.len());
}

#[test]
fn the_file_appears_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comparison.html");
    let comparison = comparison_sample::four();
    comparison.write_html(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), comparison.to_html());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}
