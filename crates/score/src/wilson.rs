//! The interval of a share.

/// The 97.5th percentile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a share of `count` trials (Wilson, 1927), which is no point where all or none succeed. Without
/// a trial, all from 0 to 1.
pub(crate) fn wilson(share: f64, count: usize) -> (f64, f64) {
    if count == 0 {
        return (0.0, 1.0);
    }
    let n = count as f64;
    let scale = 1.0 / (1.0 + Z * Z / n);
    let middle = scale * (share + Z * Z / (2.0 * n));
    let half = scale * Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[allow(clippy::unreadable_literal)] // as Python prints them
    #[test]
    fn shares_of_none_and_all_have_a_width() {
        // scipy.stats.binomtest(k, n).proportion_ci(method="wilson") in scipy 1.17.1.
        let expected = [
            (0, 110, 0.0, 0.03374393529816419),
            (6, 6, 0.6096657120978346, 1.0),
            (78, 110, 0.6183065513617867, 0.7857641666044355),
            (1, 2, 0.09453120573423074, 0.9054687942657693),
        ];
        for (right, count, low, high) in expected {
            let found = wilson(f64::from(right) / f64::from(count), usize::try_from(count).unwrap());
            assert!((found.0 - low).abs() < 1e-9 && (found.1 - high).abs() < 1e-9, "{right} of {count}: {found:?}");
        }
        assert_eq!(wilson(0.0, 0), (0.0, 1.0));
    }
}
