//! What came of the runs, a row for each.

use maud::{Markup, html};

use super::{
    Run,
    table::{Cell, Kind, Measure, table},
};
use crate::{
    facts::Facts,
    html::{number, text::Shown},
};

/// Cells of losses.
type Losses<'a> = (&'a str, Kind, fn(&Facts<'_>) -> Option<Cell>);

const LOSSES: [Losses<'static>; 6] = [
    ("Lowest loss", Kind::LowerIsBetter, lowest),
    ("Last loss", Kind::LowerIsBetter, last),
    ("Token loss", Kind::LowerIsBetter, |facts| facts.last.map(|last| loss(last.token_loss, String::new()))),
    ("Perplexity", Kind::LowerIsBetter, |facts| {
        let perplexity = facts.last?.perplexity;
        Some(Cell { value: perplexity, shown: number::perplexity(perplexity), note: String::new() })
    }),
    ("Before training", Kind::Fact, |facts| facts.initial.map(|losses| loss(losses.val, String::new()))),
    ("First loss", Kind::Fact, first),
];

/// State, steps, time and validation losses; none if there is no run.
pub(super) fn results(runs: &[Run<'_>], best: bool) -> Option<Markup> {
    let told =
        |name, kind, cell: fn(&Run<'_>) -> Option<Cell>| Measure { name, kind, cells: runs.iter().map(cell).collect() };
    // What matters most first: a phone shows the first few.
    let mut measures = vec![told("State", Kind::Text, state)];
    measures.extend(LOSSES.map(|(name, kind, cell)| Measure {
        name,
        kind,
        cells: runs.iter().map(|run| cell(&run.facts)).collect(),
    }));
    measures.extend([told("Steps", Kind::Fact, steps), told("Time", Kind::Fact, time)]);
    (!runs.is_empty()).then(|| table("Losses are of the validation part.", runs, &measures, best))
}

/// Scores by name; none if no run has any.
pub(super) fn scores(runs: &[Run<'_>], about: &str, best: bool) -> Option<Markup> {
    let mut names: Vec<&str> = Vec::new();
    for score in runs.iter().flat_map(|run| &run.compared.scores) {
        if !names.contains(&score.name.as_str()) {
            names.push(&score.name);
        }
    }
    let measure =
        |name| Measure { name, kind: Kind::HigherIsBetter, cells: runs.iter().map(|run| score(run, name)).collect() };
    let mut measures = vec![Measure { name: "Answers", kind: Kind::Fact, cells: runs.iter().map(answers).collect() }];
    measures.extend(names.iter().copied().map(measure));
    let mut items = runs.iter().flat_map(|run| &run.compared.scores).map(|score| score.items);
    let first = items.next()?;
    let alike = items.all(|items| items == first);
    Some(html! {
            @if !about.is_empty() { p dir="auto" { (Shown(about)) } }
            @if !alike { p.warning { "Not all scores are means over as many answers, so that none is called the best." } }
            (table("Scores are of the test part.", runs, &measures, best && alike))
    })
}

fn state(run: &Run<'_>) -> Option<Cell> {
    (!run.compared.state.is_empty()).then(|| Cell { shown: run.compared.state.clone(), ..Cell::default() })
}

fn steps(run: &Run<'_>) -> Option<Cell> {
    let start = run.facts.start?;
    let note = if run.facts.steps_left() > 0 { format!("of {}", number::count(start.steps)) } else { String::new() };
    Some(Cell { shown: number::count(run.facts.batches.len()), note, ..Cell::default() })
}

fn time(run: &Run<'_>) -> Option<Cell> {
    let speed = run.facts.tokens_per_second().map(|speed| format!("{} tokens/s", number::whole(speed)));
    Some(Cell { shown: number::duration(run.compared.seconds?), note: speed.unwrap_or_default(), ..Cell::default() })
}

fn answers(run: &Run<'_>) -> Option<Cell> {
    let items = run.compared.scores.iter().map(|score| score.items).max()?;
    Some(Cell { shown: number::count(items), ..Cell::default() })
}

fn score(run: &Run<'_>, name: &str) -> Option<Cell> {
    let score = run.compared.scores.iter().find(|score| score.name == name)?;
    let (scale, estimate) = (score.scale, score.estimate);
    let known = estimate.low.is_finite() && estimate.high.is_finite();
    let shown = if estimate.mean.is_finite() { scale.value(estimate.mean) } else { number::loss(estimate.mean) };
    let note = if known { scale.interval(estimate) } else { String::new() };
    Some(Cell { value: estimate.mean, shown, note })
}

fn loss(loss: f64, note: String) -> Cell {
    Cell { value: loss, shown: number::loss(loss), note }
}

/// At the first evaluation, where nothing was measured before training.
fn first(facts: &Facts<'_>) -> Option<Cell> {
    let first = facts.evaluations.first().filter(|_| facts.initial.is_none());
    first.map(|first| loss(first.losses.val, step(first.step)))
}

fn last(facts: &Facts<'_>) -> Option<Cell> {
    let last = facts.last.map(|last| loss(last.losses.val, step(last.step)));
    last.or_else(|| facts.evaluations.last().map(|last| loss(last.losses.val, step(last.step))))
}

/// After a step, with that step.
fn lowest(facts: &Facts<'_>) -> Option<Cell> {
    let evaluations = facts.evaluations.iter().map(|evaluation| (evaluation.step, evaluation.losses.val));
    let all = evaluations.chain(facts.last.map(|last| (last.step, last.losses.val)));
    let lowest = all.filter(|(_, loss)| loss.is_finite()).min_by(|(_, one), (_, other)| one.total_cmp(other));
    lowest.map(|(at, lowest)| loss(lowest, step(at)))
}

fn step(step: usize) -> String {
    format!("step {}", number::count(step))
}
