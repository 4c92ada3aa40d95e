//! The state dict of nanoGPT, whose linear layers are PyTorch's.
//!
//! Names are Hugging Face's, but weights of linear layers are `[d_out, d_in]`, and a model may have no biases.

use std::path::Path;

use crate::{Checkpoint, WeightsError, book::transpose, names};

/// Layers that Hugging Face keeps transposed.
const LINEAR: [&str; 4] = ["attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight"];

/// A checkpoint of nanoGPT, seen under Hugging Face's names and in its layouts.
#[derive(Debug)]
pub(crate) struct NanoGpt {
    inner: Box<dyn Checkpoint>,
    /// It was made with `bias=False`: no layer has one. A file that has some and lacks others is damaged.
    without_biases: bool,
}

impl NanoGpt {
    /// Whether the weights of all blocks are turned: where Hugging Face has more columns than rows, they have more rows.
    pub(crate) fn is_one(checkpoint: &dyn Checkpoint) -> bool {
        let stored = checkpoint.names();
        let wide = |name: &&String| name.ends_with("attn.c_attn.weight") || name.ends_with("mlp.c_fc.weight");
        let mut shapes = stored.iter().filter(wide).map(|name| checkpoint.shape(name)).peekable();
        let turned = |shape: Option<Vec<usize>>| matches!(shape.as_deref(), Some(&[rows, columns]) if columns > 0 && rows.is_multiple_of(columns) && rows > columns);
        shapes.peek().is_some() && shapes.all(turned)
    }

    pub(crate) fn new(inner: Box<dyn Checkpoint>) -> Self {
        let is_bias = |name: &String| name.strip_suffix(".bias").is_some() && names::parameter(name).is_some();
        let without_biases = !inner.names().iter().any(is_bias);
        Self { inner, without_biases }
    }

    fn is_linear(name: &str) -> bool {
        LINEAR.iter().any(|layer| name.ends_with(layer))
    }

    /// The weight that a missing bias belongs to: one that a model without biases has.
    fn weight_of(&self, bias: &str) -> Option<Vec<usize>> {
        let weight = format!("{}.weight", bias.strip_suffix(".bias").filter(|_| self.without_biases)?);
        if self.inner.shape(bias).is_some() { None } else { self.inner.shape(&weight) }
    }
}

impl Checkpoint for NanoGpt {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.inner.names();
        let without_bias = |name: &String| {
            let bias = format!("{}.bias", name.strip_suffix(".weight")?);
            let has_bias = Self::is_linear(name) || name.contains("ln_");
            (has_bias && self.without_biases).then_some(bias)
        };
        let zeros: Vec<String> = names.iter().filter_map(without_bias).collect();
        names.extend(zeros);
        names
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        if let Some(weight) = self.weight_of(name) {
            return weight.first().map(|&rows| vec![rows]);
        }
        let mut shape = self.inner.shape(name)?;
        if Self::is_linear(name) {
            shape.reverse();
        }
        Some(shape)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        // A layer without bias adds nothing.
        if let Some(weight) = self.weight_of(name) {
            return Ok(vec![0.0; weight.first().copied().unwrap_or(0)]);
        }
        let values = self.inner.read(name)?;
        match self.inner.shape(name).as_deref() {
            Some(&[_, columns]) if Self::is_linear(name) => Ok(transpose(&values, columns)),
            _ => Ok(values),
        }
    }

    fn own_name(&self, name: &str) -> String {
        self.inner.own_name(name)
    }

    fn note(&self) -> Option<String> {
        Some(format!(
            "{} has the form of nanoGPT, whose newer versions compute GELU exactly; here it is computed as in GPT-2, by tanh, \
             which changes such a model's numbers a little",
            self.path().display()
        ))
    }
}
