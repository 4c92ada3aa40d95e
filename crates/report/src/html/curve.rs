//! The loss curve.

use maud::{Markup, html};

use super::{
    folded, number,
    plot::{line, percent, x_axis, y_axis},
    scrolling,
};
use crate::{
    axis::{Axis, interpolated, label, range, ticks},
    facts::Facts,
};

/// Up to here an epoch's beginning is drawn.
const MOST_EPOCHS: usize = 8;
/// Up to here points have their full size.
const MANY_POINTS: usize = 150;

struct Series {
    class: &'static str,
    name: &'static str,
    points: Vec<Point>,
}

struct Point {
    step: f64,
    loss: f64,
    /// What is said of it beside its loss.
    place: String,
}

/// The curve with its legend and its numbers, unless there is nothing to draw.
pub(super) fn curve(facts: &Facts<'_>) -> Option<Markup> {
    let series = series(facts)?;
    let steps = || series.iter().flat_map(|series| &series.points).map(|point| point.step);
    let (first, last) = (steps().fold(f64::INFINITY, f64::min), steps().fold(0.0, f64::max));
    let x = Axis { data: (first, last), pixels: (1.0, 99.0) };
    let losses = series.iter().flat_map(|series| &series.points).map(|point| point.loss);
    let y = Axis { data: range(losses), pixels: (100.0, 0.0) };
    Some(html! {
        figure {
            ul.legend {
                @for series in &series {
                    li {
                        svg.sample.curve aria-hidden="true" {
                            line class={ "line " (series.class) } x1="0" y1="50%" x2="100%" y2="50%" {}
                            circle class={ "dot " (series.class) } cx="50%" cy="50%" r="3.5" {}
                        }
                        (series.name)
                    }
                }
            }
            div.plot {
                svg.curve role="img" aria-labelledby="curve-title curve-description" {
                    title #curve-title { "Loss over steps" }
                    desc #curve-description { (description(&series)) }
                    (y_axis(y))
                    (x_axis(x, "Step", &epochs(x, facts)))
                    (tokens_axis(x, facts))
                    @for series in &series {
                        (line(series.class, series.points.iter().map(|point| (point.step, point.loss)), x, y))
                    }
                    @for series in &series { (points(series, x, y)) }
                }
            }
            figcaption { (description(&series)) }
        }
        @if !facts.evaluations.is_empty() { (table(facts)) }
    })
}

/// The run's evaluations or, if it made none, the losses of its batches.
fn series(facts: &Facts<'_>) -> Option<Vec<Series>> {
    let series = |class, name, points: Vec<Point>| Series { class, name, points };
    let evaluated = |wanted: fn(&crate::facts::Losses) -> f64| {
        let evaluations = facts.evaluations.iter().map(|evaluation| Point {
            step: evaluation.step as f64,
            loss: wanted(&evaluation.losses),
            place: format!(
                "step {}, epoch {}, {} tokens seen",
                evaluation.step,
                evaluation.epoch,
                number::count(evaluation.tokens_seen)
            ),
        });
        evaluations.filter(|point| point.loss.is_finite()).collect()
    };
    let all = if facts.evaluations.is_empty() {
        let batches = facts.batches.iter().enumerate();
        let batches = batches.map(|(step, &loss)| Point { step: step as f64, loss, place: format!("step {step}") });
        let batches = batches.filter(|point| point.loss.is_finite()).collect();
        vec![series("train", "Training loss of each batch", batches)]
    } else {
        vec![
            series("train", "Training loss", evaluated(|losses| losses.train)),
            series("val", "Validation loss", evaluated(|losses| losses.val)),
        ]
    };
    all.iter().any(|series| !series.points.is_empty()).then_some(all)
}

/// The curve in words, for those who do not see it.
fn description(series: &[Series]) -> String {
    let mut sentences = Vec::new();
    for Series { name, points, .. } in series {
        let Some(lowest) = points.iter().min_by(|one, other| one.loss.total_cmp(&other.loss)) else { continue };
        if let [first, .., last] = &points[..] {
            sentences.push(format!(
                "{name}: {} at step {}, {} at step {}, lowest {} at step {}.",
                number::loss(first.loss),
                first.step,
                number::loss(last.loss),
                last.step,
                number::loss(lowest.loss),
                lowest.step
            ));
        }
    }
    sentences.join(" ")
}

/// Where the epochs after the first one begin, if they are few.
fn epochs(x: Axis, facts: &Facts<'_>) -> Markup {
    let start = facts.start.filter(|start| start.epochs <= MOST_EPOCHS && start.steps_per_epoch > 0);
    let beginnings =
        start.into_iter().flat_map(|start| (1..start.epochs).map(move |n| (n + 1, n * start.steps_per_epoch)));
    html! {
        // Between the last step of one epoch and the first one of the next.
        @for (epoch, step) in beginnings.filter(|&(_, step)| (step as f64) < x.data.1) {
            @let at = percent(x.at(step as f64 - 0.5));
            line.epoch x1=(at) x2=(at) y1="0" y2="100%" {}
            text.note x=(at) dx="6" y="14" { "epoch " (epoch) }
        }
    }
}

/// Tokens seen, above: places between evaluations lie on a line.
fn tokens_axis(x: Axis, facts: &Facts<'_>) -> Markup {
    let known = || facts.evaluations.iter().map(|evaluation| (evaluation.tokens_seen as f64, evaluation.step as f64));
    let (Some((first, _)), Some((last, _))) = (known().next(), known().next_back()) else { return html! {} };
    html! {
        g.axis {
            @for tick in ticks((first, last), 5, 1.0) {
                @if let Some(step) = interpolated(known(), tick) {
                    @let at = percent(x.at(step));
                    line.tick x1=(at) x2=(at) y1="0" y2="-5" {}
                    text x=(at) y="-12" text-anchor="middle" { (label(tick)) }
                }
            }
            text.name x="50%" y="-34" text-anchor="middle" { "Tokens seen" }
        }
    }
}

fn points(series: &Series, x: Axis, y: Axis) -> Markup {
    let radius = if series.points.len() > MANY_POINTS { "1.5" } else { "3" };
    html! {
        g {
            @for point in &series.points {
                @let (at_x, at_y) = (percent(x.at(point.step)), percent(y.at(point.loss)));
                circle class={ "point " (series.class) } r=(radius) cx=(at_x) cy=(at_y) {
                    title { (series.name) " " (number::loss(point.loss)) ", " (point.place) }
                }
            }
        }
    }
}

fn table(facts: &Facts<'_>) -> Markup {
    let table = html! {
        table.numbers {
            caption { "Every evaluation of the run" }
            thead {
                tr {
                    @for name in ["Epoch", "Step", "Tokens seen", "Training loss", "Validation loss"] {
                        th scope="col" { (name) }
                    }
                }
            }
            tbody {
                @for evaluation in &facts.evaluations {
                    tr.evaluation {
                        td { (evaluation.epoch) }
                        th scope="row" { (evaluation.step) }
                        td { (number::count(evaluation.tokens_seen)) }
                        td { (number::loss(evaluation.losses.train)) }
                        td { (number::loss(evaluation.losses.val)) }
                    }
                }
            }
        }
    };
    let title = format!("Numbers of {}", number::counted(facts.evaluations.len(), "evaluation"));
    folded(&title, false, &scrolling("Evaluations", &table))
}
