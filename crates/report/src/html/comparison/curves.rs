//! Which losses are drawn, and over what.

use maud::{Markup, html};

use super::{
    Run,
    plot::{Counted, Curve, Plot},
};
use crate::thinning::means;

/// Batch losses go up and down; a line of more means than these would show that, and not where they go.
const MOST_MEANS: usize = 120;
/// Orders differ and padding with them, so that steps of equal batches are about as many tokens.
const ALIKE: f64 = 1.1;

/// A validation loss, and what had been done by then.
struct Point {
    step: f64,
    tokens: f64,
    loss: f64,
}

/// Validation losses over steps, and over tokens where steps of the runs differ; none if there is nothing to draw.
pub(super) fn validation(runs: &[Run<'_>], best: bool) -> Option<Markup> {
    let points: Vec<Vec<Point>> = runs.iter().map(validation_points).collect();
    let over = |place: fn(&Point) -> f64| {
        let curve = |(run, points): (&Run<'_>, &Vec<Point>)| {
            let points = points.iter().map(|point| (place(point), point.loss)).collect();
            Curve { look: run.look, points }
        };
        runs.iter().zip(&points).map(curve).collect()
    };
    let steps = Plot::new("validation-steps", "Over steps", Counted::Steps, over(|point| point.step))?.marked(best);
    let tokens = || Plot::new("validation-tokens", "Over tokens seen", Counted::Tokens, over(|point| point.tokens));
    let tokens = steps_differ(&points).then(tokens).flatten().map(|plot| plot.marked(best));
    let sound = tokens.as_ref().unwrap_or(&steps);
    let close_up = sound.close_up("validation-close-up", "Close-up");
    Some(html! {
        @if tokens.is_some() {
            p { "A step is not as many tokens in one run as in another; tokens seen count padding, too." }
        }
        div.figures {
            (steps.figure())
            @if let Some(tokens) = &tokens { (tokens.figure()) }
            @if let Some(close_up) = close_up { (close_up.figure()) }
        }
    })
}

/// Losses after steps: every evaluation and, where no evaluation is as late, the final one. It is made on the same
/// batches.
fn validation_points(run: &Run<'_>) -> Vec<Point> {
    let point = |step: usize, tokens: usize, loss| Point { step: step as f64, tokens: tokens as f64, loss };
    let evaluations = run.facts.evaluations.iter();
    let mut points: Vec<_> =
        evaluations.map(|evaluation| point(evaluation.step, evaluation.tokens_seen, evaluation.losses.val)).collect();
    let newest = run.facts.evaluations.last().map(|evaluation| evaluation.step);
    if let Some(last) = run.facts.last.filter(|last| newest.is_none_or(|newest| newest < last.step)) {
        points.push(point(last.step, run.facts.padded_tokens, last.losses.val));
    }
    points
}

/// Whether a step is not as many tokens in one run as in another.
fn steps_differ(points: &[Vec<Point>]) -> bool {
    let tokens = points.iter().filter_map(|points| points.last().map(|point| point.tokens / (point.step + 1.0)));
    let (fewest, most) =
        tokens.fold((f64::INFINITY, 0.0_f64), |(fewest, most), tokens| (tokens.min(fewest), tokens.max(most)));
    most > ALIKE * fewest
}

/// Training losses of the evaluations or, if a run made none, of the batches; none if there is nothing to draw.
pub(super) fn training(runs: &[Run<'_>]) -> Option<Markup> {
    let evaluated = runs.iter().all(|run| run.facts.batches.is_empty() || !run.facts.evaluations.is_empty());
    let longest = runs.iter().map(|run| run.facts.batches.len()).max().unwrap_or(0);
    let together = longest.div_ceil(MOST_MEANS).max(1);
    let points = |run: &Run<'_>| {
        if !evaluated {
            return means(&run.facts.batches, together);
        }
        let evaluations = run.facts.evaluations.iter();
        evaluations.map(|evaluation| (evaluation.step as f64, evaluation.losses.train)).collect()
    };
    let curves = runs.iter().map(|run| Curve { look: run.look, points: points(run) }).collect();
    let plot = Plot::new("training-steps", "Over steps", Counted::Steps, curves)?;
    let close_up = plot.close_up("training-close-up", "Close-up");
    Some(html! {
        @if !evaluated {
            p {
                "Not every run made evaluations. These are "
                @if together == 1 { "the losses of all batches." }
                @else { "means of the batch losses of " (together) " steps each." }
            }
        }
        div.figures {
            (plot.figure())
            @if let Some(close_up) = close_up { (close_up.figure()) }
        }
    })
}
