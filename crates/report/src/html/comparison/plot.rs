//! Lines of several runs in one plot.

use maud::{Markup, html};

use super::{
    labels::labels,
    look::Look,
    words::{caption, description},
};
use crate::{
    axis::{Axis, range},
    html::{
        number,
        plot::{line, percent, x_axis, y_axis},
    },
    thinning::thinned,
};

/// A line may rise so many times as high as is usual before the plot leaves its upper part out.
const TOWERING: f64 = 5.0;
/// What is then seen, as such a multiple.
const SEEN: f64 = 1.5;
/// A close-up of more than this share of the plot's height shows nothing new.
const CLOSE: f64 = 0.4;

/// What the lower axis counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted {
    Steps,
    Tokens,
}

#[derive(Debug, Clone)]
pub(super) struct Curve {
    pub look: Look,
    /// Place and loss.
    pub points: Vec<(f64, f64)>,
}

#[derive(Debug, Clone)]
pub(super) struct Plot {
    pub id: &'static str,
    pub title: &'static str,
    pub axis: Counted,
    /// Those with something to draw.
    pub drawn: Vec<Curve>,
    pub missing: Vec<Look>,
    /// What is higher is not seen.
    pub top: f64,
    pub mark_lowest: bool,
    /// Whether to say which mark is the lowest.
    pub name_lowest: bool,
}

impl Plot {
    /// The plot of these lines; none if there is nothing to draw. Losses that are not finite are left out.
    pub(super) fn new(id: &'static str, title: &'static str, axis: Counted, mut curves: Vec<Curve>) -> Option<Self> {
        for curve in &mut curves {
            curve.points.retain(|point| point.1.is_finite());
        }
        let (drawn, missing): (Vec<_>, Vec<_>) = curves.into_iter().partition(|curve| !curve.points.is_empty());
        let top = top(drawn.iter().map(|curve| &curve.points[..]));
        let missing = missing.iter().map(|curve| curve.look).collect();
        let plot = Self { id, title, axis, drawn, missing, top, mark_lowest: false, name_lowest: false };
        (!plot.drawn.is_empty()).then_some(plot)
    }

    /// The same with a mark at each line's lowest loss, the lowest of which is named if `best`.
    pub(super) fn marked(self, best: bool) -> Self {
        Self { mark_lowest: true, name_lowest: best, ..self }
    }

    /// The part of the height where the second halves of all lines are, if that is much less than the whole.
    pub(super) fn close_up(&self, id: &'static str, title: &'static str) -> Option<Self> {
        let halves = || self.drawn.iter().map(|curve| &curve.points[curve.points.len() / 2..]);
        let losses = || halves().flatten().map(|point| point.1);
        let highest = losses().fold(f64::NEG_INFINITY, f64::max).min(top(halves()));
        let (low, high) = self.losses();
        let close = highest - low < CLOSE * (high - low);
        close.then(|| Self { id, title, top: highest, missing: Vec::new(), name_lowest: false, ..self.clone() })
    }

    /// The drawing with its legend.
    pub(super) fn figure(&self) -> Markup {
        let furthest = self.drawn.iter().flat_map(|curve| &curve.points).map(|point| point.0).fold(0.0, f64::max);
        // The rest of the width is for letters.
        let x = Axis { data: (0.0, furthest), pixels: (1.0, 94.0) };
        let y = Axis { data: self.losses(), pixels: (100.0, 0.0) };
        html! {
            figure {
                h3 { (self.title) }
                ul.legend {
                    @for curve in &self.drawn { li { (curve.look.key()) } }
                }
                div.plot.plain {
                    svg.curve role="img" aria-labelledby={ (self.id) "-title " (self.id) "-description" } {
                        title id={ (self.id) "-title" } { (self.title) }
                        desc id={ (self.id) "-description" } { (description(self)) }
                        (y_axis(y))
                        (x_axis(x, self.axis.name(), &html! {}))
                        @for curve in self.drawn.iter().rev() {
                            (line(&curve.look.class(), thinned(&curve.points).into_iter(), x, y))
                        }
                        (labels(&self.drawn, x, y))
                        @for curve in self.drawn.iter().rev() { (self.mark(curve, x, y)) }
                    }
                }
                figcaption { (caption(self)) }
            }
        }
    }

    /// From the lowest to the highest loss that is seen.
    pub(super) fn losses(&self) -> (f64, f64) {
        range(self.drawn.iter().flat_map(|curve| &curve.points).map(|point| point.1.min(self.top)))
    }

    /// The mark of a line's lowest loss, or of the only one.
    fn mark(&self, curve: &Curve, x: Axis, y: Axis) -> Markup {
        let lowest = curve.lowest().filter(|_| self.mark_lowest || curve.points.len() == 1);
        html! {
            @if let Some((place, loss)) = lowest.filter(|lowest| lowest.1 <= y.data.1) {
                @let title = format!("{}: {} {}", curve.look.letter(), number::loss(loss), self.axis.at(place));
                (curve.look.mark((&percent(x.at(place)), &percent(y.at(loss))), Some(&title)))
            }
        }
    }
}

impl Curve {
    pub(super) fn lowest(&self) -> Option<(f64, f64)> {
        self.points.iter().copied().min_by(|one, other| one.1.total_cmp(&other.1))
    }
}

impl Counted {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Steps => "Step",
            Self::Tokens => "Tokens seen",
        }
    }

    /// Where it is, in words.
    pub(super) fn at(self, place: f64) -> String {
        match self {
            Self::Steps => format!("at step {}", number::whole(place)),
            Self::Tokens => format!("after {} tokens", number::whole(place)),
        }
    }
}

/// The highest loss to be seen. One run that goes astray would press the lines of all others flat.
fn top<'a>(lines: impl Iterator<Item = &'a [(f64, f64)]>) -> f64 {
    let ends = |line: &[(f64, f64)]| {
        let losses = || line.iter().map(|point| point.1);
        (losses().fold(f64::INFINITY, f64::min), losses().fold(f64::NEG_INFINITY, f64::max))
    };
    let (lowest, mut highest): (Vec<f64>, Vec<f64>) = lines.map(ends).unzip();
    highest.sort_by(f64::total_cmp);
    let lowest = lowest.into_iter().fold(f64::INFINITY, f64::min);
    let (Some(usual), Some(top)) = (highest.get((highest.len().max(1) - 1) / 2), highest.last()) else {
        return f64::INFINITY;
    };
    let height = usual - lowest;
    if height > 0.0 && top - lowest > TOWERING * height { lowest + SEEN * height } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_astray_does_not_press_the_others_flat() {
        let tame = [(0.0, 3.0), (5.0, 1.0)];
        let wild = [(0.0, 3.0), (5.0, 40.0)];
        let top = |lines: &[&[(f64, f64)]]| super::top(lines.iter().copied());
        assert_eq!(top(&[&tame, &wild]), 4.0);
        assert_eq!(top(&[&tame, &tame, &wild]), 4.0);
        for lines in [&[&tame[..], &tame][..], &[&wild], &[&wild, &wild], &[]] {
            assert_eq!(top(lines), f64::INFINITY);
        }
    }

    #[test]
    fn a_close_up_is_of_the_second_halves() {
        let plot = |points: &[(f64, f64)]| {
            Plot::new("id", "title", Counted::Steps, vec![Curve { look: Look(0), points: points.to_vec() }]).unwrap()
        };
        let steep = plot(&[(0.0, 3.0), (5.0, 1.0), (10.0, 0.7), (15.0, 0.6)]);
        assert_eq!(steep.close_up("id", "title").map(|close| close.top), Some(0.7));
        assert!(plot(&[(0.0, 3.0), (5.0, 2.0), (10.0, 1.9), (15.0, 1.0)]).close_up("id", "title").is_none());
        assert!(plot(&[(0.0, 3.0)]).close_up("id", "title").is_none());
        let nothing = vec![Curve { look: Look(0), points: vec![(0.0, f64::NAN)] }];
        assert!(Plot::new("id", "title", Counted::Steps, nothing).is_none());
    }
}
