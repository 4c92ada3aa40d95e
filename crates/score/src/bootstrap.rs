//! Intervals by resampling.

use rayon::prelude::*;

/// The 2.5th and 97.5th percentile of the means of resampled rows, for each column.
///
/// Every resample draws from a stream of its own, so the result does not depend on the number of threads. Rows that
/// are all equal need no draws: their interval is a point.
pub(crate) fn intervals<const N: usize>(rows: &[[f64; N]], resamples: usize, seed: u64) -> [(f64, f64); N] {
    let means = means(rows);
    if resamples == 0 || rows.windows(2).all(|pair| pair[0] == pair[1]) {
        return means.map(|mean| (mean, mean));
    }
    let mut seeds = SplitMix64::new(seed);
    let seeds: Vec<u64> = (0..resamples).map(|_| seeds.next_u64()).collect();
    let resampled: Vec<[f64; N]> = seeds.into_par_iter().map(|seed| resampled_means(rows, seed)).collect();
    std::array::from_fn(|column| {
        let mut means: Vec<f64> = resampled.iter().map(|means| means[column]).collect();
        means.sort_unstable_by(f64::total_cmp);
        (quantile(&means, 0.025), quantile(&means, 0.975))
    })
}

/// The mean of each column, 0 without rows.
pub(crate) fn means<const N: usize>(rows: &[[f64; N]]) -> [f64; N] {
    let mut sums = [0.0; N];
    for row in rows {
        add(&mut sums, row);
    }
    sums.map(|sum| sum / rows.len().max(1) as f64)
}

fn resampled_means<const N: usize>(rows: &[[f64; N]], seed: u64) -> [f64; N] {
    let mut rng = SplitMix64::new(seed);
    let mut sums = [0.0; N];
    for _ in rows {
        add(&mut sums, &rows[rng.below(rows.len())]);
    }
    sums.map(|sum| sum / rows.len() as f64)
}

fn add<const N: usize>(sums: &mut [f64; N], row: &[f64; N]) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum += value;
    }
}

/// A quantile of sorted values, interpolated linearly as `numpy.quantile` does.
pub(crate) fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let position = probability * (sorted.len() - 1) as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let below = position as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * position.fract()
}

/// The generator of Steele, Lea and Flood (2014).
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`, by multiplication: its bias, `bound` in 2^64, is no matter.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        #[allow(clippy::cast_possible_truncation)]
        let drawn = ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize;
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        let mut rng = SplitMix64::new(1_234_567);
        assert_eq!([rng.next_u64(), rng.next_u64()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    /// Intervals of samples from known distributions hold the true mean about 95 times in 100.
    #[test]
    fn coverage_is_as_promised() {
        const TRIALS: usize = 400;
        let mut rng = SplitMix64::new(2);
        let uniform = |rng: &mut SplitMix64| (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        // A proportion, a skewed score and a difference of two scores, with their true means.
        let truth = [0.3, 1.0 / 3.0, 0.0];
        let mut covered = [0; 3];
        for trial in 0..TRIALS {
            let rows: Vec<[f64; 3]> = (0..80)
                .map(|_| {
                    let [u, v, w, x] = std::array::from_fn(|_| uniform(&mut rng));
                    [if u < 0.3 { 1.0 } else { 0.0 }, v * v, w - x]
                })
                .collect();
            for (column, (low, high)) in intervals(&rows, 1000, trial as u64).into_iter().enumerate() {
                covered[column] += usize::from((low..=high).contains(&truth[column]));
            }
        }
        for covered in covered {
            // Three standard errors of a proportion of 0.95, and two points for small samples.
            let share = covered as f64 / TRIALS as f64;
            assert!((0.90..=0.985).contains(&share), "{share}");
        }
    }

    #[test]
    fn threads_and_repetitions_change_nothing() {
        let rows: Vec<[f64; 2]> = (0..100).map(|i| [f64::from(i % 7), f64::from(i * i % 11)]).collect();
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let several = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let one = alone.install(|| intervals(&rows, 500, 3));
        assert_eq!(one, several.install(|| intervals(&rows, 500, 3)));
        assert_ne!(one, intervals(&rows, 500, 4));
    }

    #[test]
    fn nothing_to_resample_is_a_point() {
        assert_eq!(intervals(&[[0.25]], 100, 0), [(0.25, 0.25)]);
        assert_eq!(intervals(&[[0.5]; 10], 100, 0), [(0.5, 0.5)]);
        assert_eq!(intervals(&[[0.0], [1.0]], 0, 0), [(0.5, 0.5)]);
        assert_eq!(intervals::<1>(&[], 100, 0), [(0.0, 0.0)]);
    }

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!(quantile(&[0.0, 1.0, 2.0, 3.0], 0.5), 1.5);
        assert_eq!(quantile(&[7.0], 0.975), 7.0);
    }
}
