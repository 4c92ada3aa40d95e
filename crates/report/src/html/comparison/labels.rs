//! Letters at the ends of lines.

use maud::{Markup, html};

use super::{look::Look, plot::Curve};
use crate::{axis::Axis, html::plot::percent};

/// Letters on the smallest screen are as far apart as this, in percentages of the height and of the width.
const APART: (f64, f64) = (6.0, 5.0);

/// A letter to the right of where each line ends, and a stroke from there to it; none where that is out of sight.
pub(super) fn labels(drawn: &[Curve], x: Axis, y: Axis) -> Markup {
    let end = |curve: &Curve| curve.points.last().map(|&(place, loss)| (x.at(place), y.at(loss)));
    let ends = drawn.iter().filter_map(|curve| Some((curve.look, end(curve)?))).filter(|(_, end)| end.1 >= 0.0);
    let (looks, ends): (Vec<Look>, Vec<(f64, f64)>) = ends.unzip();
    html! {
        g.labels {
            @for ((look, end), height) in looks.iter().zip(&ends).zip(heights(&ends)) {
                @let class = look.class();
                line class={ "leader " (class) } x1=(percent(end.0)) y1=(percent(end.1))
                    x2=(percent(end.0 + 2.5)) y2=(percent(height)) {}
                text class={ "letter " (class) } x=(percent(end.0 + 3.0)) y=(percent(height)) dy="0.35em" {
                    (look.letter())
                }
            }
        }
    }
}

/// The height of each letter: that of its end or, where letters would cover each other, above the one below it, as far
/// as there is room. Lines of losses come together at the bottom.
fn heights(ends: &[(f64, f64)]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ends.len()).collect();
    order.sort_by(|&one, &other| ends[other].1.total_cmp(&ends[one].1));
    let mut heights: Vec<f64> = ends.iter().map(|end| end.1).collect();
    let apart = APART.0.min(100.0 / ends.len().max(1) as f64);
    let near = |one: usize, other: usize| (ends[one].0 - ends[other].0).abs() < APART.1;
    for (done, &index) in order.iter().enumerate() {
        let below = order[..done].iter().filter(|&&other| near(index, other)).map(|&other| heights[other] - apart);
        heights[index] = below.fold(heights[index], f64::min);
    }
    // And back down, where they rose out of the plot.
    order.reverse();
    for (done, &index) in order.iter().enumerate() {
        let above = order[..done].iter().filter(|&&other| near(index, other)).map(|&other| heights[other] + apart);
        heights[index] = above.fold(heights[index].max(0.0), f64::max);
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_apart_and_in_order() {
        let together = [(94.0, 97.0), (94.0, 96.5), (94.0, 98.0), (94.0, 40.0)];
        assert_eq!(heights(&together), [92.0, 86.0, 98.0, 40.0]);
        // Ends far from each other do not matter to each other.
        assert_eq!(heights(&[(94.0, 97.0), (50.0, 97.0)]), [97.0, 97.0]);
        for all_at in [0.0, 50.0, 100.0] {
            let mut crowd = heights(&[(94.0, all_at); 40]);
            crowd.sort_by(f64::total_cmp);
            assert!(crowd.iter().all(|height| (0.0..=100.0).contains(height)), "{crowd:?}");
            assert!(crowd.is_sorted_by(|one, other| other - one > 2.49), "{crowd:?}");
        }
        assert!(heights(&[]).is_empty());
    }
}
