use burn::{
    module::{Initializer, Module, Param, ParamId},
    nn::{Dropout, DropoutConfig},
    tensor::{Device, Tensor},
};
use gptune_kernels::{embedding, head_logits};

use crate::{Block, Gpt2Config, LayerNorm, Packed, attention::Context};

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

    /// The table with the rows from `known` up to `entries` the mean of those before them, and whatever comes after as it
    /// was.
    fn with_mean_rows(self, known: usize, entries: usize) -> Self {
        let grow = |table: Tensor<2>| {
            let [rows, width] = table.dims();
            let old = table.clone().slice([0..known, 0..width]);
            let new = old.clone().mean_dim(0).repeat_dim(0, entries - known);
            let mut parts = vec![old, new];
            if rows > entries {
                parts.push(table.slice([entries..rows, 0..width]));
            }
            Tensor::cat(parts, 0)
        };
        let weight = self.weight.val();
        let device = weight.device();
        // Anew from its numbers: what was computed is no parameter.
        let grown = Tensor::from_data(grow(weight).into_data(), &device);
        let grown = if device.is_autodiff() { grown.require_grad() } else { grown };
        Self { weight: Param::initialized(ParamId::new(), grown) }
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

    /// The model with rows for the tokens from `known` up to `tokens`, in the embedding and in a head of its own: each is
    /// the mean of the rows of the known tokens, as good a guess as any of what has not been seen. Rows that are there
    /// already, as in tables that are padded, are filled.
    ///
    /// # Panics
    ///
    /// If the model has no `known` tokens, or they are more than `tokens`.
    #[must_use]
    pub fn with_new_tokens(self, known: usize, tokens: usize) -> Self {
        assert!(known <= self.vocab_size() && known <= tokens, "{known} of {tokens} tokens");
        let wte = self.wte.with_mean_rows(known, tokens);
        let lm_head = self.lm_head.map(|head| head.with_mean_rows(known, tokens));
        Self { wte, lm_head, ..self }
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

    /// Hidden states after the last normalisation.
    ///
    /// # Shapes
    ///
    /// - output: `[N, C]`, the rows of `packed`
    ///
    /// # Panics
    ///
    /// If a sequence is longer than the context, or an id is outside the vocabulary.
    #[must_use]
    pub fn hidden(&self, packed: &Packed) -> Tensor<2> {
        self.ln_f.forward(self.blocks(packed))
    }

    /// Hidden states before the last normalisation, `[N, C]`.
    pub(crate) fn blocks(&self, packed: &Packed) -> Tensor<2> {
        let embedded = self.embed(packed);
        self.h.iter().fold(embedded, |x, block| block.forward(x, Context::Rows(packed.layout())))
    }

    /// Token and position embeddings, added: `[N, C]`.
    pub(crate) fn embed(&self, packed: &Packed) -> Tensor<2> {
        let (longest, context) = (packed.layout().longest(), self.context_length());
        assert!(longest <= context, "a sequence of {longest} tokens in a context of {context}");
        let positions = packed.layout().positions();
        let x = embedding(self.wte.weight.val(), self.wpe.weight.val(), packed.ids(), &positions);
        self.drop.forward(x)
    }

    /// Logits of the next token at every position.
    ///
    /// # Shapes
    ///
    /// - output: `[N, V]`, the rows of `packed`
    ///
    /// # Panics
    ///
    /// As [`Gpt2::hidden`].
    #[must_use]
    pub fn logits(&self, packed: &Packed) -> Tensor<2> {
        head_logits(self.hidden(packed), self.head_weight())
    }
}

pub(crate) fn dropout(config: &Gpt2Config) -> Dropout {
    DropoutConfig::new(config.dropout).init()
}

/// Standard deviation of the two projections into the residual stream, which `2 × n_layer`
/// branches add to (Radford et al., 2019, section 2.3).
pub(crate) fn residual_std(config: &Gpt2Config) -> f64 {
    0.02 / (2.0 * config.n_layer as f64).sqrt()
}
