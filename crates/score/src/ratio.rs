//! The interval of a mean over the parts of sums, such as a loss over the tokens of texts.

use crate::bootstrap::{SplitMix64, quantile};

/// Resamples of the interval.
const RESAMPLES: usize = 2000;

/// The 95 % interval of `Σ sum / Σ count` by resampling the pairs, which are taken as drawn independently: of texts
/// with the sum of their losses and the number of their tokens, that of the loss of a token. NaN without any count.
#[must_use]
pub fn ratio_interval(pairs: &[(f64, f64)]) -> (f64, f64) {
    let ratio = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
        let (sum, count) = pairs.fold((0.0, 0.0), |(sum, count), (a, b)| (sum + a, count + b));
        sum / count
    };
    if pairs.len() < 2 {
        let only = ratio(&mut pairs.iter().copied());
        return (only, only);
    }
    let mut rng = SplitMix64::new(123);
    let mut ratios: Vec<f64> =
        (0..RESAMPLES).map(|_| ratio(&mut (0..pairs.len()).map(|_| pairs[rng.below(pairs.len())]))).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    (quantile(&ratios, 0.025), quantile(&ratios, 0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_ratio_and_narrows_with_more_texts() {
        let texts = |n: usize| (0..n).map(|i| ((i % 7) as f64 * 2.0, 1.0 + (i % 3) as f64)).collect::<Vec<_>>();
        let width = |n: usize| {
            let texts = texts(n);
            let (sum, count) = texts.iter().fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
            let (low, high) = ratio_interval(&texts);
            assert!(low < sum / count && sum / count < high, "{low} {high}");
            high - low
        };
        // Sixteen times as many texts, a quarter of the width.
        let (few, many) = (width(42), width(16 * 42));
        assert!((3.0..5.5).contains(&(few / many)), "{few} {many}");
        assert_eq!(ratio_interval(&[(3.0, 2.0)]), (1.5, 1.5));
        assert!(ratio_interval(&[]).0.is_nan());
    }
}
