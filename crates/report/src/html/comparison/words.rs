//! A plot in words.

use std::fmt::Write;

use super::{look::Look, plot::Plot};
use crate::{axis::label, html::number};

/// The lines, for those who do not see them.
pub(super) fn description(plot: &Plot) -> String {
    let mut text = String::new();
    let said = |point: (f64, f64)| format!("{} {}", number::loss(point.1), plot.axis.at(point.0));
    for curve in &plot.drawn {
        if let ([first, .., last], Some(lowest)) = (&curve.points[..], curve.lowest()) {
            let letter = curve.look.letter();
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{letter}: {}, {}, lowest {}. ", said(*first), said(*last), said(lowest));
        }
    }
    text
}

/// What the drawing does not say by itself.
pub(super) fn caption(plot: &Plot) -> String {
    let mut sentences = Vec::new();
    let lowest = plot.drawn.iter().filter_map(|curve| Some((curve.look, curve.lowest()?)));
    let lowest = lowest.min_by(|(_, one), (_, other)| one.1.total_cmp(&other.1));
    if let Some((look, (place, loss))) = lowest.filter(|_| plot.name_lowest && plot.drawn.len() > 1) {
        let (letter, loss, at) = (look.letter(), number::loss(loss), plot.axis.at(place));
        sentences.push(format!("A mark is where a run’s loss is lowest. Lowest of all: {letter}, {loss} {at}."));
    } else if plot.mark_lowest {
        sentences.push("A mark is where a run’s loss is lowest.".to_owned());
    }
    let (_, end) = plot.losses();
    let above = |point: Option<&(f64, f64)>| point.is_some_and(|point| point.1 > end);
    if plot.top.is_finite() {
        sentences.push(format!("Losses above {} are not seen.", label((end * 1000.0).round() / 1000.0)));
        let ending: Vec<Look> =
            plot.drawn.iter().filter(|curve| above(curve.points.last())).map(|curve| curve.look).collect();
        if !ending.is_empty() {
            let verb = if ending.len() == 1 { "ends" } else { "end" };
            sentences.push(format!("{} {verb} there.", letters(&ending)));
        }
    }
    if !plot.missing.is_empty() {
        sentences.push(format!("Without a loss to draw: {}.", letters(&plot.missing)));
    }
    sentences.join(" ")
}

fn letters(looks: &[Look]) -> String {
    looks.iter().map(|look| look.letter()).collect::<Vec<_>>().join(", ")
}
