//! GPT-2 as OpenAI released it: the names of its variables, and its sizes in `hparams.json`.

use std::path::Path;

use serde::Deserialize;

use crate::BundleError;

/// The parts of a block that have a weight and a bias.
const PARTS: [&str; 6] = ["ln_1", "ln_2", "attn/c_attn", "attn/c_proj", "mlp/c_fc", "mlp/c_proj"];

/// The sizes of a GPT-2, as in OpenAI's `hparams.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Hparams {
    /// Tokens of the vocabulary.
    pub n_vocab: usize,
    /// Tokens that the model sees at once.
    pub n_ctx: usize,
    /// Width of the embedding.
    pub n_embd: usize,
    /// Attention heads of a block.
    pub n_head: usize,
    /// Blocks.
    pub n_layer: usize,
}

impl Hparams {
    /// Reads `hparams.json`. Whether its sizes make a model is for the caller to say.
    ///
    /// # Errors
    ///
    /// [`BundleError::Read`], or [`BundleError::Hparams`] if a size is missing or no whole number.
    pub fn read(path: &Path) -> Result<Self, BundleError> {
        let bytes = std::fs::read(path).map_err(|source| BundleError::Read { path: path.to_owned(), source })?;
        Self::from_bytes(path, &bytes)
    }

    /// The same from memory; `name` stands for the path in messages.
    ///
    /// # Errors
    ///
    /// [`BundleError::Hparams`] if a size is missing or no whole number.
    pub fn from_bytes(name: &Path, bytes: &[u8]) -> Result<Self, BundleError> {
        serde_json::from_slice(bytes).map_err(|source| BundleError::Hparams { path: name.to_owned(), source })
    }
}

/// The name and the shape that a variable of OpenAI's GPT-2 has in Hugging Face's `GPT2Model`, or
/// none for a variable that is no weight of the model, such as an optimiser's.
///
/// The numbers stay in their order: OpenAI's `[1, in, out]` becomes the `[in, out]` of `Conv1D`.
#[must_use]
pub fn hugging_face(variable: &str, shape: &[usize]) -> Option<(String, Vec<usize>)> {
    let path = variable.strip_prefix("model/")?;
    if let "wte" | "wpe" = path {
        return Some((format!("{path}.weight"), shape.to_owned()));
    }
    let (module, leaf) = path.rsplit_once('/')?;
    let module = match module.split_once('/') {
        None if module == "ln_f" => module.to_owned(),
        Some((block, part)) if PARTS.contains(&part) => {
            let number = block.strip_prefix('h').filter(|n| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit()))?;
            format!("h.{number}.{}", part.replace('/', "."))
        }
        _ => return None,
    };
    let (leaf, shape) = match (leaf, shape) {
        ("w", [1, rows, columns]) => ("weight", vec![*rows, *columns]),
        ("w" | "g", _) => ("weight", shape.to_owned()),
        ("b", _) => ("bias", shape.to_owned()),
        _ => return None,
    };
    Some((format!("{module}.{leaf}"), shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_are_no_weights_have_no_name() {
        let name = |variable: &str| hugging_face(variable, &[2]).map(|(name, _)| name);
        assert_eq!(name("model/h10/mlp/c_fc/b").as_deref(), Some("h.10.mlp.c_fc.bias"));
        for other in [
            "global_step",
            "wte",
            "model/wte/Adam",
            "model/h0/ln_1/b/Adam_1",
            "model/h0/ln_3/b",
            "model/h/ln_1/b",
            "model/h-1/ln_1/b",
            "model/ln_f",
            "model/h0/attn/b",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn only_a_leading_one_of_a_matrix_is_dropped() {
        let shape = |variable, shape: &[usize]| hugging_face(variable, shape).map(|(_, shape)| shape);
        assert_eq!(shape("model/h0/attn/c_proj/w", &[1, 4, 4]), Some(vec![4, 4]));
        assert_eq!(shape("model/h0/attn/c_proj/w", &[4, 4]), Some(vec![4, 4]));
        assert_eq!(shape("model/wte", &[1, 4, 4]), Some(vec![1, 4, 4]));
    }
}
