//! Scores before and after training, with their intervals.

use maud::{Markup, html};

use super::{folded, number, scrolling, text::Shown};
use crate::{
    axis::Axis,
    run_report::{Estimate, Scale, Score, Scores},
};

/// The tables of scores, unless there are none.
pub(super) fn scores(scores: &Scores) -> Option<Markup> {
    let overall: Vec<_> =
        scores.metrics.iter().map(|metric| (metric.name.as_str(), metric.scale, metric.overall)).collect();
    (!overall.is_empty()).then(|| {
        html! {
            p dir="auto" { (Shown(&scores.about)) }
            (table("scores-overall", "All test items", "Metric", &overall))
            @for (index, metric) in scores.metrics.iter().enumerate().filter(|(_, metric)| !metric.kinds.is_empty()) {
                @let rows: Vec<_> =
                    metric.kinds.iter().map(|(kind, score)| (kind.as_str(), metric.scale, *score)).collect();
                @let caption = format!("{} for each kind of item", metric.name);
                @let by_kind = table(&format!("scores-{index}"), &caption, "Kind", &rows);
                (folded(&format!("{} by kind", metric.name), index == 0, &by_kind))
            }
        }
    })
}

fn table(id: &str, caption: &str, first: &str, rows: &[(&str, Scale, Score)]) -> Markup {
    let table = html! {
        table.scores id=(id) {
            caption dir="auto" { (Shown(caption)) }
            thead {
                tr {
                    th scope="col" { (first) }
                    @for name in ["Items", "Before", "After", "Difference"] { th.number scope="col" { (name) } }
                    th.drawn scope="col" { span.hidden { "Drawn" } (key()) }
                }
            }
            tbody {
                @for &(name, scale, score) in rows {
                    tr.score {
                        th scope="row" dir="auto" { (Shown(name)) }
                        td.number { (number::count(score.items)) }
                        td.number { (estimate(scale, score.before)) }
                        td.number { (estimate(scale, Some(score.after))) }
                        td.number { (difference(scale, score.difference)) }
                        td.drawn { (drawn(scale, score)) }
                    }
                }
            }
        }
    };
    scrolling(caption, &table)
}

fn estimate(scale: Scale, estimate: Option<Estimate>) -> Markup {
    html! {
        @if let Some(estimate) = estimate {
            (scale.value(estimate.mean)) span.interval { (scale.interval(estimate)) }
        } @else { span.nothing { "not asked" } }
    }
}

fn difference(scale: Scale, estimate: Option<Estimate>) -> Markup {
    html! {
        @if let Some(estimate) = estimate {
            (scale.difference(estimate.mean)) span.interval { (scale.difference_interval(estimate)) }
        } @else { span.nothing { "–" } }
    }
}

/// Both means and intervals on one line from the lowest to the highest value; the numbers stand beside it.
fn drawn(scale: Scale, score: Score) -> Markup {
    let x = Axis { data: (0.0, scale.top()), pixels: (2.0, 98.0) };
    let at = |value: f64| format!("{:.1}%", x.at(value.clamp(0.0, scale.top())));
    let line = |class: &str, y: &str, estimate: Estimate| {
        html! {
            line class={ "range " (class) } x1=(at(estimate.low)) x2=(at(estimate.high)) y1=(y) y2=(y) {}
            circle class={ "dot " (class) } cx=(at(estimate.mean)) cy=(y) r="4" {}
        }
    };
    html! {
        svg.forest aria-hidden="true" {
            line.base x1="2%" x2="98%" y1="50%" y2="50%" {}
            @if let Some(before) = score.before { (line("before", "30%", before)) }
            (line("after", "70%", score.after))
        }
    }
}

/// What the dots of [`drawn`] mean.
fn key() -> Markup {
    html! {
        @for name in ["before", "after"] {
            span.key aria-hidden="true" {
                svg.forest { circle class={ "dot " (name) } cx="50%" cy="50%" r="4" {} }
                (name)
            }
        }
    }
}
