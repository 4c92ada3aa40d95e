/// Sizes of a GPT-2, under the names of Hugging Face's `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpt2Config {
    /// Number of blocks.
    pub n_layer: usize,
    /// Attention heads of a block.
    pub n_head: usize,
    /// Width of the hidden states.
    pub n_embd: usize,
    /// Longest sequence: the context length.
    pub n_positions: usize,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Whether the output head is the token embedding itself rather than a matrix of its own.
    pub tie_word_embeddings: bool,
    /// Added to the variance in layer normalisation.
    pub layer_norm_epsilon: f64,
    /// Dropout on embeddings, attention weights and residual branches while training.
    pub dropout: f64,
}

/// A configuration that no model can have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A size is zero.
    #[error("{field} is 0 in the model configuration; it has to be at least 1")]
    Zero {
        /// The field.
        field: &'static str,
    },
    /// The width cannot be divided among the heads.
    #[error("n_embd = {n_embd} is not a multiple of n_head = {n_head}; correct one of them in the model configuration")]
    Heads {
        /// Width of the hidden states.
        n_embd: usize,
        /// Number of heads.
        n_head: usize,
    },
    /// A dropout that is no probability.
    #[error("dropout = {0} is not in 0..1")]
    Dropout(f64),
    /// A `LayerNorm` that would divide by zero or give no numbers.
    #[error("layer_norm_epsilon = {0} is not a positive number; GPT-2's is 1e-5")]
    Epsilon(f64),
    /// More parameters than a machine can address.
    #[error(
        "a GPT-2 of these sizes has {0:.1e} parameters, more than any machine holds; correct the model configuration"
    )]
    TooLarge(f64),
}

impl Gpt2Config {
    /// One of the released sizes: `124M`, `355M`, `774M` or `1558M`, untied and without dropout.
    #[must_use]
    pub fn named(size: &str) -> Option<Self> {
        let (n_embd, n_layer, n_head) = match size {
            "124M" => (768, 12, 12),
            "355M" => (1024, 24, 16),
            "774M" => (1280, 36, 20),
            "1558M" => (1600, 48, 25),
            _ => return None,
        };
        Some(Self {
            n_layer,
            n_head,
            n_embd,
            n_positions: 1024,
            vocab_size: 50_257,
            tie_word_embeddings: false,
            layer_norm_epsilon: 1e-5,
            dropout: 0.0,
        })
    }

    /// Checks that a model of these sizes can exist.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("n_layer", self.n_layer),
            ("n_head", self.n_head),
            ("n_embd", self.n_embd),
            ("n_positions", self.n_positions),
            ("vocab_size", self.vocab_size),
        ];
        if let Some((field, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(ConfigError::Zero { field });
        }
        if !self.n_embd.is_multiple_of(self.n_head) {
            return Err(ConfigError::Heads { n_embd: self.n_embd, n_head: self.n_head });
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(ConfigError::Dropout(self.dropout));
        }
        if !(self.layer_norm_epsilon.is_finite() && self.layer_norm_epsilon > 0.0) {
            return Err(ConfigError::Epsilon(self.layer_norm_epsilon));
        }
        // Roughly, but without an overflow. Below it, every count in this crate fits into 63 bits.
        let [n_layer, _, c, n_positions, vocab_size] = sizes.map(|(_, size)| size as f64);
        let parameters = n_layer * (12.0 * c * c + 13.0 * c) + (2.0 * vocab_size + n_positions + 2.0) * c;
        if parameters > 2.0_f64.powi(60) {
            return Err(ConfigError::TooLarge(parameters));
        }
        Ok(())
    }

    /// Number of parameters, an untied head included.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let c = self.n_embd;
        let block = 4 * c * c + 8 * c * c + 13 * c; // attention, MLP; biases and two norms
        let embeddings = (self.vocab_size + self.n_positions) * c;
        let head = if self.tie_word_embeddings { 0 } else { self.vocab_size * c };
        self.n_layer * block + embeddings + 2 * c + head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_sizes_have_the_published_parameter_counts() {
        assert_eq!(Gpt2Config::named("124M").unwrap().parameters(), 163_037_184);
        assert_eq!(Gpt2Config::named("355M").unwrap().parameters(), 406_286_336);
        let tied = Gpt2Config { tie_word_embeddings: true, ..Gpt2Config::named("124M").unwrap() };
        assert_eq!(tied.parameters(), 124_439_808);
        assert_eq!(Gpt2Config::named("1558M").unwrap().n_layer, 48);
    }

    #[test]
    fn impossible_sizes_are_refused_by_name() {
        let config = Gpt2Config { n_head: 7, ..Gpt2Config::named("124M").unwrap() };
        assert_eq!(config.validate(), Err(ConfigError::Heads { n_embd: 768, n_head: 7 }));
        let config = Gpt2Config { n_layer: 0, ..config };
        assert!(config.validate().unwrap_err().to_string().contains("n_layer is 0"));
    }
}
