use burn::{
    module::Module,
    nn::Dropout,
    tensor::{Device, Tensor},
};
use gptune_kernels::gelu;

use crate::{Conv1D, Gpt2Config, gpt2::dropout, gpt2::residual_std};

/// The position-wise feed-forward network of a block, four times as wide inside.
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[C, 4C]`
    pub c_fc: Conv1D,
    /// `[4C, C]`
    pub c_proj: Conv1D,
    /// Dropout on the output.
    pub dropout: Dropout,
}

impl Mlp {
    /// A network with GPT-2's initialisation.
    #[must_use]
    pub fn init(config: &Gpt2Config, device: &Device) -> Self {
        let c = config.n_embd;
        Self {
            c_fc: Conv1D::init(c, 4 * c, 0.02, device),
            c_proj: Conv1D::init(4 * c, c, residual_std(config), device),
            dropout: dropout(config),
        }
    }

    /// Two layers with a tanh-approximated GELU (Hendrycks and Gimpel, 2016) between them.
    ///
    /// # Shapes
    ///
    /// - `x`: `[N, C]`
    /// - output: `[N, C]`
    #[must_use]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.dropout.forward(self.c_proj.forward(gelu(self.c_fc.forward(x))))
    }
}
