use burn::{
    module::{Initializer, Module, Param},
    nn::{Dropout, DropoutConfig},
    tensor::{Bool, Device, Int, Tensor, TensorData, module::embedding},
};

use crate::{Block, Gpt2Config, KvCache, LayerNorm};

/// A table of rows: token or position embeddings, or an output head.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[entries, C]`
    pub weight: Param<Tensor<2>>,
}

impl Embedding {
    /// A table with entries from `N(0, std)`.
    #[must_use]
    pub fn init(entries: usize, width: usize, std: f64, device: &Device) -> Self {
        Self { weight: Initializer::Normal { mean: 0.0, std }.init([entries, width], device) }
    }
}

/// GPT-2 with a language-model head.
#[derive(Module, Debug)]
pub struct Gpt2 {
    /// Token embedding, `[V, C]`
    pub wte: Embedding,
    /// Position embedding, `[n_positions, C]`
    pub wpe: Embedding,
    /// Dropout on the embeddings.
    pub drop: Dropout,
    /// The blocks.
    pub h: Vec<Block>,
    /// Before the head.
    pub ln_f: LayerNorm,
    /// The output head `[V, C]`, or none where it is the token embedding itself.
    pub lm_head: Option<Embedding>,
}

impl Gpt2 {
    /// A model with GPT-2's random initialisation: weights from `N(0, 0.02)`, positions from
    /// `N(0, 0.01)`, and the projections into the residual stream scaled down with the depth.
    ///
    /// Random numbers come from the device; seed it first for a repeatable model.
    #[must_use]
    pub fn init(config: &Gpt2Config, device: &Device) -> Self {
        let table = |entries, std| Embedding::init(entries, config.n_embd, std, device);
        Self {
            wte: table(config.vocab_size, 0.02),
            wpe: table(config.n_positions, 0.01),
            drop: dropout(config),
            h: (0..config.n_layer).map(|_| Block::init(config, device)).collect(),
            ln_f: LayerNorm::init(config.n_embd, config.layer_norm_epsilon, device),
            lm_head: (!config.tie_word_embeddings).then(|| table(config.vocab_size, 0.02)),
        }
    }

    /// Longest sequence the model accepts.
    #[must_use]
    pub fn context_length(&self) -> usize {
        self.wpe.weight.val().dims()[0]
    }

    /// Entries of the vocabulary.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.wte.weight.val().dims()[0]
    }

    /// The device that the parameters are on.
    #[must_use]
    pub fn device(&self) -> Device {
        self.wte.weight.val().device()
    }

    /// The head's weight: a matrix of its own, or the token embedding.
    ///
    /// # Shapes
    ///
    /// - output: `[V, C]`
    #[must_use]
    pub fn head_weight(&self) -> Tensor<2> {
        self.lm_head.as_ref().unwrap_or(&self.wte).weight.val()
    }

    /// Hidden states after the last normalisation. With a `cache`, `ids` continue the sequence that
    /// it holds.
    ///
    /// # Shapes
    ///
    /// - `ids`: `[B, T]`
    /// - output: `[B, T, C]`
    ///
    /// # Panics
    ///
    /// If the sequence is longer than the context, or if more than one id continues a cache that is
    /// not empty.
    #[must_use]
    pub fn hidden(&self, ids: Tensor<2, Int>, cache: Option<&mut KvCache>) -> Tensor<3> {
        let [_, t] = ids.dims();
        let past = cache.as_ref().map_or(0, |cache| cache.len());
        let context = self.context_length();
        assert!(past + t <= context, "a sequence of {} tokens in a context of {context}", past + t);
        assert!(past == 0 || t == 1, "a cache that is not empty is continued one token at a time");
        let device = ids.device();
        let positions = self.wpe.weight.val().narrow(0, past, t); // [T, C]
        let mut x = self.drop.forward(embedding(self.wte.weight.val(), ids) + positions.unsqueeze::<3>());
        let future = (t > 1).then(|| future_mask(t, &device));
        let mut layers = cache.map(|cache| cache.layers.iter_mut());
        for block in &self.h {
            let layer = layers.as_mut().and_then(Iterator::next);
            x = block.forward(x, future.as_ref(), layer);
        }
        self.ln_f.forward(x)
    }

    /// Logits of the next token at every position.
    ///
    /// # Shapes
    ///
    /// - `ids`: `[B, T]`
    /// - output: `[B, T, V]`
    ///
    /// # Panics
    ///
    /// As [`Gpt2::hidden`].
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let hidden = self.hidden(ids, None);
        let [b, t, c] = hidden.dims();
        let logits = hidden.reshape([b * t, c]).matmul(self.head_weight().transpose());
        let v = logits.dims()[1];
        logits.reshape([b, t, v])
    }
}

/// Ids in rows of equal width as a tensor.
///
/// # Shapes
///
/// - `ids`: `B × T` of them
/// - output: `[B, T]`
pub(crate) fn ids_tensor(ids: &[u32], rows: usize, device: &Device) -> Tensor<2, Int> {
    let values: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    let width = values.len() / rows.max(1);
    Tensor::from_data(TensorData::new(values, [rows, width]), device)
}

/// True where the key (column) is later than the query (row), `[T, T]`.
fn future_mask(t: usize, device: &Device) -> Tensor<2, Bool> {
    let later: Vec<bool> = (0..t * t).map(|i| i % t > i / t).collect();
    Tensor::from_data(TensorData::new(later, [t, t]), device)
}

pub(crate) fn dropout(config: &Gpt2Config) -> Dropout {
    DropoutConfig::new(config.dropout).init()
}

/// Standard deviation of the two projections into the residual stream, which `2 × n_layer`
/// branches add to (Radford et al., 2019, section 2.3).
pub(crate) fn residual_std(config: &Gpt2Config) -> f64 {
    0.02 / (2.0 * config.n_layer as f64).sqrt()
}
