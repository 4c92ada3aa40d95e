use std::sync::Arc;

use burn::{
    module::Module,
    nn::Dropout,
    tensor::{Device, Tensor},
};
use gptune_kernels::{CacheLayout, KeyValues, Layout, attention, portable_attention};

use crate::{Conv1D, Gpt2Config, gpt2::dropout, gpt2::residual_std};

/// Causal multi-head self-attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, keys and values side by side, `[C, 3C]`
    pub c_attn: Conv1D,
    /// `[C, C]`
    pub c_proj: Conv1D,
    /// Dropout on the attention weights.
    pub attn_dropout: Dropout,
    /// Dropout on the output.
    pub resid_dropout: Dropout,
    /// Number of heads `H`.
    pub n_head: usize,
}

/// What attention reads and writes besides its input.
#[derive(Debug)]
pub(crate) enum Context<'a> {
    /// The input is the rows of this layout, which see each other.
    Rows(&'a Arc<Layout>),
    /// The same, and their keys and values are kept.
    Keep(&'a Arc<Layout>, &'a mut Option<KeyValues>),
    /// The input is one row a sequence, which sees what is kept of its sequence, and is kept too.
    Continue(&'a CacheLayout, &'a mut KeyValues),
}

impl Attention {
    /// Attention with GPT-2's initialisation.
    #[must_use]
    pub fn init(config: &Gpt2Config, device: &Device) -> Self {
        let c = config.n_embd;
        Self {
            c_attn: Conv1D::init(c, 3 * c, 0.02, device),
            c_proj: Conv1D::init(c, c, residual_std(config), device),
            attn_dropout: dropout(config),
            resid_dropout: dropout(config),
            n_head: config.n_head,
        }
    }

    /// Attends from each position of `x` to itself and to what is before it in its sequence.
    ///
    /// # Shapes
    ///
    /// - `x`: `[N, C]`, the rows that `context` says
    /// - output: `[N, C]`
    #[must_use]
    pub(crate) fn forward(&self, x: Tensor<2>, context: Context<'_>) -> Tensor<2> {
        let qkv = self.c_attn.forward(x); // [N, 3C]
        let mixed = match context {
            Context::Rows(layout) => self.mix(qkv, layout),
            Context::Keep(layout, keep) => {
                *keep = Some(KeyValues::new(&qkv, layout));
                self.mix(qkv, layout)
            }
            Context::Continue(layout, cache) => cache.attend(qkv, layout, self.n_head),
        };
        self.resid_dropout.forward(self.c_proj.forward(mixed))
    }

    fn mix(&self, qkv: Tensor<2>, layout: &Arc<Layout>) -> Tensor<2> {
        if self.attn_dropout.prob > 0.0 && qkv.device().is_autodiff() {
            return portable_attention(qkv, layout, self.n_head, |weights| self.attn_dropout.forward(weights));
        }
        attention(qkv, layout, self.n_head)
    }
}
