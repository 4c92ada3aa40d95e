//! Parts of a plot. It has no size of its own: places are percentages and letters keep theirs, so that it can be read
//! on any screen.

use std::fmt::Write;

use maud::{Markup, html};

use crate::axis::{Axis, label, ticks};

/// A place along an axis of percentages.
pub(super) fn percent(place: f64) -> String {
    format!("{place:.2}%")
}

/// The axis of losses, from the bottom up.
pub(super) fn y_axis(y: Axis) -> Markup {
    html! {
        g.axis {
            @for tick in ticks(y.data, 8, 0.0) {
                @let at = percent(y.at(tick));
                line.grid x1="0" x2="100%" y1=(at) y2=(at) {}
                text x="-10" y=(at) dy="0.32em" text-anchor="end" { (label(tick)) }
            }
            text.name x="-10" y="-14" text-anchor="end" { "Loss" }
        }
    }
}

/// The axis of what is counted, with its name, and what else belongs to it.
pub(super) fn x_axis(x: Axis, name: &str, more: &Markup) -> Markup {
    html! {
        g.axis {
            line.base x1="0" x2="100%" y1="100%" y2="100%" {}
            @for tick in ticks(x.data, 6, 1.0) {
                text x=(percent(x.at(tick))) y="100%" dy="20" text-anchor="middle" { (label(tick)) }
            }
            text.name x="50%" y="100%" dy="42" text-anchor="middle" { (name) }
            (more)
        }
    }
}

/// A line in a drawing of 1000 × 1000 that is stretched to the plot; its strokes are not. What lies outside of the
/// plot is cut off.
pub(super) fn line(class: &str, points: impl Iterator<Item = (f64, f64)>, x: Axis, y: Axis) -> Markup {
    let mut places = String::new();
    for (at_x, at_y) in points {
        let blank = if places.is_empty() { "" } else { " " };
        // Writing to a `String` cannot fail.
        let _ = write!(places, "{blank}{:.1},{:.1}", x.at(at_x) * 10.0, y.at(at_y) * 10.0);
    }
    html! {
        svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="100%" {
            polyline class={ "line " (class) } points=(places) {}
        }
    }
}
