use burn::tensor::Tensor;

use crate::{Gpt2, KvCache, Sampler, gpt2::ids_tensor};

/// How to continue a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GenerateOptions {
    /// Most tokens to add.
    pub max_new_tokens: usize,
    /// 0 is greedy; otherwise logits are divided by it before a token is drawn.
    pub temperature: f64,
    /// Draw among the k most likely tokens only.
    pub top_k: Option<usize>,
    /// Seed of the draws.
    pub seed: u64,
    /// Stop before this token would be appended.
    pub stop_at: Option<u32>,
    /// Choose among the first entries of the vocabulary only: a padded one has entries that stand
    /// for no text.
    pub vocabulary: Option<usize>,
}

impl GenerateOptions {
    /// Greedy continuation by at most `max_new_tokens`.
    #[must_use]
    pub fn greedy(max_new_tokens: usize) -> Self {
        Self { max_new_tokens, temperature: 0.0, top_k: None, seed: 0, stop_at: None, vocabulary: None }
    }

    /// The same, choosing among the first `vocabulary` tokens only.
    #[must_use]
    pub fn within(self, vocabulary: usize) -> Self {
        Self { vocabulary: Some(vocabulary), ..self }
    }

    /// The same, stopping before `id`.
    #[must_use]
    pub fn stopping_at(self, id: u32) -> Self {
        Self { stop_at: Some(id), ..self }
    }
}

impl Gpt2 {
    /// Continues `prompt` and returns the new ids.
    ///
    /// The model sees the last [`Gpt2::context_length`] tokens. As long as the text fits, a
    /// key/value cache spares recomputing what was seen; once it does not, positions shift with
    /// every token and each one is computed afresh.
    ///
    /// # Panics
    ///
    /// If `prompt` is empty or holds an id outside the vocabulary.
    #[must_use]
    pub fn generate(&self, prompt: &[u32], options: &GenerateOptions) -> Vec<u32> {
        assert!(!prompt.is_empty(), "generation continues at least one token");
        let mut sampler = Sampler::new(options.temperature, options.top_k, options.seed);
        let context = self.context_length();
        let mut text = prompt.to_vec();
        let mut cache = KvCache::new(self.h.len());
        while text.len() < prompt.len() + options.max_new_tokens {
            let logits = if text.len() <= context {
                let seen = cache.len();
                self.next_logits(&text[seen..], Some(&mut cache))
            } else {
                self.next_logits(&text[text.len() - context..], None)
            };
            let choices = options.vocabulary.unwrap_or(logits.len()).min(logits.len());
            let Ok(next) = u32::try_from(sampler.choose(&logits[..choices])) else { break };
            if options.stop_at == Some(next) {
                break;
            }
            text.push(next);
        }
        text.split_off(prompt.len())
    }

    /// Logits of the token after `ids`, `V` of them.
    fn next_logits(&self, ids: &[u32], cache: Option<&mut KvCache>) -> Vec<f32> {
        let hidden = self.hidden(ids_tensor(ids, 1, &self.device()), cache); // [1, T, C]
        let [_, t, c] = hidden.dims();
        let last = hidden.narrow(1, t - 1, 1).reshape([1, c]);
        let logits: Tensor<2> = last.matmul(self.head_weight().transpose()); // [1, V]
        logits.into_data().try_into_vec::<f32>().unwrap_or_else(|error| unreachable!("logits are f32: {error:?}"))
    }
}
