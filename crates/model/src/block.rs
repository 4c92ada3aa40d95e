use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

use crate::{Attention, Gpt2Config, LayerNorm, Mlp, attention::Context};

/// A transformer block with normalisation before each branch.
#[derive(Module, Debug)]
pub struct Block {
    /// Before attention.
    pub ln_1: LayerNorm,
    /// Attention.
    pub attn: Attention,
    /// Before the feed-forward network.
    pub ln_2: LayerNorm,
    /// The feed-forward network.
    pub mlp: Mlp,
}

impl Block {
    /// A block with GPT-2's initialisation.
    #[must_use]
    pub fn init(config: &Gpt2Config, device: &Device) -> Self {
        let norm = || LayerNorm::init(config.n_embd, config.layer_norm_epsilon, device);
        Self { ln_1: norm(), attn: Attention::init(config, device), ln_2: norm(), mlp: Mlp::init(config, device) }
    }

    /// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[N, C]`, the rows that `context` says
    /// - output: `[N, C]`
    #[must_use]
    pub(crate) fn forward(&self, x: Tensor<2>, context: Context<'_>) -> Tensor<2> {
        let x = x.clone() + self.attn.forward(self.ln_1.forward(x), context);
        x.clone() + self.mlp.forward(self.ln_2.forward(x))
    }
}
