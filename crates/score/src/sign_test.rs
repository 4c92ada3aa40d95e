//! Whether one model wins more often than chance.

/// The two-sided p-value of the exact sign test: how likely so lopsided a count is if each of the pairs that differ
/// is a toss of a fair coin. For scores of 0 and 1 this is `McNemar`'s exact test.
pub(crate) fn p_value(wins: usize, losses: usize) -> f64 {
    let (n, k) = (wins + losses, wins.min(losses));
    // ln of C(n, k) / 2^n, the largest term of the tail.
    let largest =
        (0..k).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum::<f64>() - n as f64 * std::f64::consts::LN_2;
    // The tail C(n, 0) + … + C(n, k) as a multiple of it, from the largest term down.
    let (mut term, mut tail) = (1.0, 1.0);
    for i in (1..=k).rev() {
        term *= i as f64 / (n - i + 1) as f64;
        tail += term;
    }
    (2.0 * largest.exp() * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `scipy.stats.binomtest(wins, wins + losses).pvalue`, scipy 1.17.1.
    #[test]
    fn p_values_are_those_of_scipy() {
        for (wins, losses, wanted) in [
            (0, 0, 1.0),
            (1, 0, 1.0),
            (5, 5, 1.0),
            (6, 0, 0.03125),
            (8, 2, 0.109_375),
            (17, 5, 0.016_900_539_398_193_36),
            (30, 28, 0.895_683_213_890_594_6),
            (400, 350, 0.073_507_774_058_434_84),
            (1300, 1000, 4.287_409_002_115_22e-10),
        ] {
            for p in [p_value(wins, losses), p_value(losses, wins)] {
                assert!((p - wanted).abs() <= 1e-10 * wanted, "{wins} to {losses}: {p} is not {wanted}");
            }
        }
    }

    #[test]
    fn large_counts_neither_overflow_nor_vanish() {
        assert_eq!(p_value(25_000, 25_000), 1.0);
        assert!(p_value(26_000, 24_000) > 0.0);
        assert_eq!(p_value(50_000, 0), 0.0, "2^-49999 is below the smallest number");
    }
}
