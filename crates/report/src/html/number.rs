//! Numbers as people read them.

use crate::run_report::{Estimate, Scale};

/// A count with a comma after every third digit from the right.
pub(super) fn count(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 step", "2 steps".
pub(super) fn counted(number: usize, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A count in three digits: `13.7 million`.
pub(super) fn rough(number: usize) -> String {
    match number {
        1_000_000_000.. => format!("{:.2} billion", number as f64 / 1e9),
        1_000_000.. => format!("{:.1} million", number as f64 / 1e6),
        _ => count(number),
    }
}

/// A loss, as the console prints it.
pub(super) fn loss(loss: f64) -> String {
    if loss.is_finite() { format!("{loss:.3}") } else { "not a number".to_owned() }
}

/// A perplexity; from a thousand on its decimals say nothing.
pub(super) fn perplexity(perplexity: f64) -> String {
    match perplexity {
        1000.0.. if perplexity.is_finite() => whole(perplexity),
        _ if perplexity.is_finite() => format!("{perplexity:.2}"),
        _ => loss(perplexity),
    }
}

/// A number without decimals, with commas.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // rounded and not negative
pub(super) fn whole(number: f64) -> String {
    count(number.max(0.0).round() as usize)
}

/// A duration in its two largest units.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // rounded and not negative
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{:.1} s", seconds.max(0.0));
    }
    let seconds = seconds.round() as u64;
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    if hours == 0 { format!("{minutes} min {seconds} s") } else { format!("{hours} h {minutes} min") }
}

/// Memory in units of 10⁹ bytes, as the console prints it.
pub(super) fn memory(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}

impl Scale {
    /// The highest value.
    pub(super) fn top(self) -> f64 {
        match self {
            Self::Share => 1.0,
            Self::Points(top) => top,
        }
    }

    /// A value: `24.5%`, or `61.3`.
    pub(super) fn value(self, value: f64) -> String {
        match self {
            Self::Share => format!("{}%", minus(value * 100.0, false)),
            Self::Points(_) => minus(value, false),
        }
    }

    /// The two ends of an interval: `17.3 to 33.2%`.
    pub(super) fn interval(self, estimate: Estimate) -> String {
        match self {
            Self::Share => format!("{} to {}", minus(estimate.low * 100.0, false), self.value(estimate.high)),
            Self::Points(_) => format!("{} to {}", self.value(estimate.low), self.value(estimate.high)),
        }
    }

    /// A difference with its sign, shares in percentage points.
    pub(super) fn difference(self, value: f64) -> String {
        minus(value * 100.0 / if self == Self::Share { 1.0 } else { 100.0 }, true)
    }

    /// The two ends of a difference's interval.
    pub(super) fn difference_interval(self, estimate: Estimate) -> String {
        format!("{} to {}", self.difference(estimate.low), self.difference(estimate.high))
    }
}

/// One decimal, with the minus sign of print, and a plus sign if asked for.
fn minus(value: f64, plus: bool) -> String {
    let text = if plus { format!("{value:+.1}") } else { format!("{value:.1}") };
    if matches!(text.as_str(), "-0.0" | "+0.0") { "0.0".to_owned() } else { text.replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1, 2].map(|number| counted(number, "step")), ["1 step", "2 steps"]);
        assert_eq!([12_345, 13_724_672, 1_557_611_200].map(rough), ["12,345", "13.7 million", "1.56 billion"]);
    }

    #[test]
    fn perplexities_have_the_decimals_that_matter() {
        let perplexities = [1.916, 999.99, 50_256.7, f64::INFINITY, f64::NAN].map(perplexity);
        assert_eq!(perplexities, ["1.92", "999.99", "50,257", "not a number", "not a number"]);
    }

    #[test]
    fn durations_have_two_units() {
        let durations = [0.04, 59.94, 59.96, 113.4, 3599.6, 7322.0].map(duration);
        assert_eq!(durations, ["0.0 s", "59.9 s", "1 min 0 s", "1 min 53 s", "1 h 0 min", "2 h 2 min"]);
    }

    #[test]
    fn shares_are_per_cent_and_points_are_points() {
        let estimate = Estimate { mean: 0.245, low: -0.01, high: 0.332 };
        assert_eq!(Scale::Share.value(estimate.mean), "24.5%");
        assert_eq!(Scale::Share.interval(estimate), "−1.0 to 33.2%");
        assert_eq!(Scale::Share.difference_interval(estimate), "−1.0 to +33.2");
        assert_eq!(Scale::Points(100.0).interval(Estimate { mean: 60.0, low: 55.0, high: 64.5 }), "55.0 to 64.5");
        assert_eq!([-0.04, 0.0, 2.0].map(|points| Scale::Points(10.0).difference(points)), ["0.0", "0.0", "+2.0"]);
    }
}
