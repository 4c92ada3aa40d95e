//! What came of the run, at a glance.

use maud::{Markup, html};

use super::{number, text::Shown};
use crate::{
    facts::{Facts, Losses},
    run_report::{Metric, RunReport},
};

pub(super) fn summary(report: &RunReport, facts: &Facts<'_>) -> Markup {
    let metric = report.scores.as_ref().and_then(|scores| scores.metrics.first());
    html! {
        section #summary aria-label="Summary" {
            @if let Some(warning) = report.warning.clone().or_else(|| warning(facts)) { p.warning { (Shown(&warning)) } }
            dl.tiles {
                (loss(facts))
                @if let Some(metric) = metric { (score(metric)) }
                @if let Some(speed) = facts.tokens_per_second() {
                    (tile("Speed", &html! { (number::whole(speed)) " " span.unit { "tokens/s" } }, &html! {
                        "the examples’ own tokens; " (number::counted(facts.batches.len(), "step"))
                    }))
                }
                @if let Some(end) = facts.end {
                    (tile("Training took", &html! { (number::duration(end.seconds)) }, &html! {
                        (number::counted(facts.batches.len(), "step")) ", "
                        "evaluations included"
                    }))
                }
                @if let Some(bytes) = facts.end.and_then(|end| end.peak_memory_bytes) {
                    (tile("Peak memory", &html! { (number::memory(bytes)) }, &html! { "of the whole process" }))
                }
                @if let Some(start) = facts.start {
                    (tile("Trained", &html! { (number::rough(start.parameters)) }, &html! {
                        "parameters, on " (number::counted(report.data.train, "example"))
                    }))
                }
            }
        }
    }
}

/// What a reader has to know before any number.
fn warning(facts: &Facts<'_>) -> Option<String> {
    if let Some(step) = facts.batches.iter().position(|loss| !loss.is_finite()) {
        return Some(format!("The loss of step {step} is not a number."));
    }
    let all = facts.start.map_or(0, |start| start.steps);
    (facts.steps_left() > 0)
        .then(|| format!("This run ended early, after {} of {} steps.", facts.batches.len(), number::count(all)))
}

fn loss(facts: &Facts<'_>) -> Markup {
    let losses = |wanted: fn(Losses) -> f64, after: Losses| {
        html! {
            @if let Some(before) = facts.initial {
                (change(&number::loss(wanted(before)), &number::loss(wanted(after))))
            } @else { (number::loss(wanted(after))) }
        }
    };
    let finished = facts.last.map(|last| (last.step, last.losses));
    let last = finished.or_else(|| facts.evaluations.last().map(|last| (last.step, last.losses)));
    if let Some((step, last)) = last {
        let note = html! { "training " (losses(|losses| losses.train, last)) "; after step " (step) };
        wide_tile("Validation loss", &losses(|losses| losses.val, last), &note)
    } else if let [first, .., last] = facts.batches[..] {
        let note = html! { "of the first and the last step; the run made no evaluations" };
        wide_tile("Batch loss", &change(&number::loss(first), &number::loss(last)), &note)
    } else {
        html! {}
    }
}

fn score(metric: &Metric) -> Markup {
    let (scale, score) = (metric.scale, metric.overall);
    let after = scale.value(score.after.mean);
    let value = if let Some(before) = score.before {
        change(&scale.value(before.mean), &after)
    } else {
        html! { (after) }
    };
    let note = html! {
        "interval " (scale.interval(score.after)) "; "
        (number::counted(score.items, "test item"))
        @if let Some(difference) = score.difference {
            "; difference " (scale.difference(difference.mean)) " (" (scale.difference_interval(difference)) ")"
        }
    };
    wide_tile(&metric.name, &value, &note)
}

fn change(before: &str, after: &str) -> Markup {
    html! {
        span.before { (before) }
        " " span.arrow aria-hidden="true" { "→" } span.hidden { "to" } " "
        (after)
    }
}

fn tile(name: &str, value: &Markup, note: &Markup) -> Markup {
    tile_of("tile", name, value, note)
}

fn wide_tile(name: &str, value: &Markup, note: &Markup) -> Markup {
    tile_of("tile wide", name, value, note)
}

fn tile_of(class: &str, name: &str, value: &Markup, note: &Markup) -> Markup {
    html! { div class=(class) { dt { (name) } dd.value { (value) } dd.note { (note) } } }
}
