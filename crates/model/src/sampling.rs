//! Choosing the next token from its logits.

/// Chooses tokens: the most likely one, or a random one.
///
/// Randomness is a stream of its own (`SplitMix64`), so that sampling never disturbs the order of
/// training data.
#[derive(Debug, Clone)]
pub struct Sampler {
    temperature: f64,
    top_k: Option<usize>,
    state: u64,
}

impl Sampler {
    /// A sampler; a temperature of 0 is greedy. With `top_k`, only logits as large as the k-th
    /// largest take part.
    #[must_use]
    pub fn new(temperature: f64, top_k: Option<usize>, seed: u64) -> Self {
        Self { temperature, top_k, state: seed }
    }

    /// Chooses the index of one logit. Among equal largest logits the first one is the greedy
    /// choice, as in `torch.argmax`.
    pub fn choose(&mut self, logits: &[f32]) -> usize {
        if self.temperature <= 0.0 {
            return argmax(logits);
        }
        let threshold = self.top_k.filter(|&k| k > 0 && k < logits.len()).map_or(f32::NEG_INFINITY, |k| {
            let mut sorted = logits.to_vec();
            *sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a)).1
        });
        let max = f64::from(logits[argmax(logits)]);
        let weight = |&logit: &f32| {
            if logit < threshold { 0.0 } else { ((f64::from(logit) - max) / self.temperature).exp() }
        };
        let weights: Vec<f64> = logits.iter().map(weight).collect();
        let mut left = self.uniform() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        argmax(logits) // reached by rounding alone
    }

    /// A number in 0..1 from `SplitMix64` (Steele, Lea and Flood, 2014).
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = ((z ^ (z >> 31)) >> 11) as f64;
        bits / 9_007_199_254_740_992.0 // 2^53
    }
}

fn argmax(logits: &[f32]) -> usize {
    (1..logits.len()).fold(0, |best, index| if logits[index] > logits[best] { index } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_takes_the_first_of_equal_logits() {
        assert_eq!(Sampler::new(0.0, None, 0).choose(&[1.0, 3.0, 3.0, -1.0]), 1);
    }

    #[test]
    fn frequencies_follow_the_softmax_within_the_top_k() {
        let logits = [0.0, 2.0_f32.ln(), 5.0_f32.ln(), -9.0];
        let mut sampler = Sampler::new(1.0, Some(3), 42);
        let mut counts = [0; 4];
        for _ in 0..8000 {
            counts[sampler.choose(&logits)] += 1;
        }
        for (count, expected) in counts.into_iter().zip([1000_i32, 2000, 5000, 0]) {
            assert!((count - expected).abs() < 150, "{counts:?}");
        }
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let sequence = |seed| {
            let mut sampler = Sampler::new(1.0, None, seed);
            (0..20).map(|_| sampler.choose(&[0.0; 50])).collect::<Vec<_>>()
        };
        assert_eq!(sequence(1), sequence(1));
        assert_ne!(sequence(1), sequence(2));
    }
}
