//! Scales and their ticks.

/// A linear scale from data to pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    pub data: (f64, f64),
    pub pixels: (f64, f64),
}

impl Axis {
    pub(crate) fn at(&self, value: f64) -> f64 {
        let (low, high) = self.data;
        let span = if high > low { high - low } else { 1.0 };
        self.pixels.0 + (value - low) / span * (self.pixels.1 - self.pixels.0)
    }
}

/// Round values (1, 2 or 5 times a power of ten apart, at least `smallest`) within `low..=high`, at
/// most `most` of them.
pub(crate) fn ticks((low, high): (f64, f64), most: usize, smallest: f64) -> Vec<f64> {
    let span = high - low;
    if span <= 0.0 || !span.is_finite() {
        return vec![low];
    }
    let rough = span / most.max(2) as f64;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|unit| unit * magnitude).into_iter().find(|&step| step >= rough);
    let step = step.unwrap_or(rough).max(smallest);
    let first = (low / step - 1e-9).ceil();
    let count = ((high / step - first + 1e-9).floor() + 1.0).max(0.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let count = count as u32;
    (0..count).map(|i| (first + f64::from(i)) * step).collect()
}

/// The lowest and the highest of the finite values with a little room around them; 0 to 1 if there are none.
pub(crate) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = ((high - low) * 0.05).max(1e-3);
    (low - margin, high + margin)
}

/// Where a value lies on a line through known pairs of value and place, whose values rise; none beyond them.
pub(crate) fn interpolated(known: impl IntoIterator<Item = (f64, f64)>, wanted: f64) -> Option<f64> {
    let mut before = None;
    for (value, place) in known {
        if value == wanted {
            return Some(place);
        }
        if value > wanted {
            let (low, from) = before?;
            return Some(from + (place - from) * (wanted - low) / (value - low));
        }
        before = Some((value, place));
    }
    None
}

/// A tick's label, short: thousands as `20k`, and powers of ten where nothing else is.
pub(crate) fn label(tick: f64) -> String {
    if tick.abs() >= 1e9 || (tick.abs() < 1e-3 && tick.abs() > 1e-12) {
        let text = format!("{tick:.3e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{}e{exponent}", without_zeros(mantissa))
    } else if tick.abs() >= 1e6 {
        format!("{}M", trimmed(tick / 1e6))
    } else if tick.abs() >= 1e4 {
        format!("{}k", trimmed(tick / 1e3))
    } else {
        trimmed(tick)
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = without_zeros(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A number with decimals, without the zeros at its end.
fn without_zeros(text: &str) -> &str {
    text.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks((0.0, 2.0), 5, 1.0), [0.0, 1.0, 2.0]);
        assert_eq!(ticks((0.31, 2.6), 6, 0.0), [0.5, 1.0, 1.5, 2.0, 2.5]);
        assert_eq!(ticks((488.0, 130_000.0), 6, 0.0), [50_000.0, 100_000.0]);
        assert_eq!(ticks((1.0, 1.0), 6, 0.0), [1.0]);
    }

    #[test]
    fn between_known_places_lies_a_line() {
        let known = [(488.0, 0.0), (1000.0, 5.0), (2000.0, 10.0)];
        let at = |wanted| interpolated(known, wanted);
        assert_eq!([at(488.0), at(744.0), at(1500.0), at(2000.0)], [Some(0.0), Some(2.5), Some(7.5), Some(10.0)]);
        assert_eq!([at(487.0), at(2001.0)], [None, None]);
    }

    #[test]
    fn ranges_leave_out_what_is_not_finite() {
        assert_eq!(range([2.0, f64::NAN, 1.0, f64::INFINITY].into_iter()), (0.95, 2.05));
        assert_eq!(range([1.0].into_iter()), (0.999, 1.001));
        assert_eq!(range([f64::NAN].into_iter()), (-0.05, 1.05));
    }

    #[test]
    fn labels_are_short() {
        let labels = [0.0, 1e-17, -5e-5, 1.5e-4, 0.5, 2.0, 1500.0, 50_000.0, 2_500_000.0, 2e12].map(label);
        assert_eq!(labels, ["0", "0", "-5e-5", "1.5e-4", "0.5", "2", "1500", "50k", "2.5M", "2e12"]);
    }
}
