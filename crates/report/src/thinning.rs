//! Lines of many points with the few that can be seen.

/// A plot is no more pixels wide than this is columns, or hardly so.
const COLUMNS: usize = 300;

/// The points of a line, which rise along the first number; of every column that holds more than four, the first, the
/// lowest, the highest and the last one. They draw the same picture: Jugel et al., "M4: A Visualization-Oriented Time
/// Series Data Aggregation" (2014).
pub(crate) fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (Some(&(first, _)), Some(&(last, _))) = (points.first(), points.last()) else { return Vec::new() };
    if points.len() <= 4 * COLUMNS || last <= first {
        return points.to_vec();
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to `COLUMNS`
    let column = |point: &(f64, f64)| ((point.0 - first) / (last - first) * COLUMNS as f64) as usize;
    let mut kept = Vec::new();
    for within in points.chunk_by(|one, other| column(one) == column(other)) {
        let by_loss = |one: &&usize, other: &&usize| within[**one].1.total_cmp(&within[**other].1);
        let indices: Vec<usize> = (0..within.len()).collect();
        let extremes = [indices.iter().min_by(by_loss), indices.iter().max_by(by_loss)];
        let mut of_column: Vec<usize> = extremes.into_iter().flatten().copied().chain([0, within.len() - 1]).collect();
        of_column.sort_unstable();
        of_column.dedup();
        kept.extend(of_column.into_iter().map(|index| within[index]));
    }
    kept
}

/// Means of so many numbers each, with the place of the middle one; of those that are finite.
pub(crate) fn means(numbers: &[f64], together: usize) -> Vec<(f64, f64)> {
    let mean = |(index, numbers): (usize, &[f64])| {
        let finite: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
        let middle = (index * together) as f64 + (numbers.len() - 1) as f64 / 2.0;
        (!finite.is_empty()).then(|| (middle, finite.iter().sum::<f64>() / finite.len() as f64))
    };
    numbers.chunks(together.max(1)).enumerate().filter_map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_extremes_stay() {
        let few: Vec<_> = (0..1200).map(|x| (f64::from(x), 1.0)).collect();
        assert_eq!(thinned(&few), few);
        assert_eq!(thinned(&[]), []);
        let mut many: Vec<_> = (0..100_000).map(|x| (f64::from(x), 2.0 + f64::from(x * 7919 % 1000) / 1e3)).collect();
        (many[31_234].1, many[70_001].1) = (0.5, 9.5);
        let kept = thinned(&many);
        assert!(kept.len() <= 4 * (COLUMNS + 1), "{}", kept.len());
        for wanted in [many[0], many[31_234], many[70_001], many[99_999]] {
            assert!(kept.contains(&wanted), "{wanted:?}");
        }
        assert!(kept.is_sorted_by(|one, other| one.0 < other.0));
    }

    #[test]
    fn means_leave_out_what_is_not_finite() {
        let numbers = [1.0, 3.0, f64::NAN, 5.0, f64::NAN, f64::INFINITY, 7.0];
        assert_eq!(means(&numbers, 2), [(0.5, 2.0), (2.5, 5.0), (6.0, 7.0)]);
        assert_eq!(means(&numbers[..2], 1), [(0.0, 1.0), (1.0, 3.0)]);
        assert_eq!(means(&[], 0), []);
    }
}
