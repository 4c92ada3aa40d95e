//! A GPT-2 in a GGUF file.

use std::{collections::BTreeMap, path::Path};

use gptune_model::Gpt2Config;

use super::{GgufError, GgufFile, GgufValue, names};
use crate::book::transpose;

/// Sizes of a GPT-2, under the names of Hugging Face's `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufSizes {
    /// Number of blocks.
    pub n_layer: usize,
    /// Attention heads of a block.
    pub n_head: usize,
    /// Width of the hidden states.
    pub n_embd: usize,
    /// Longest sequence.
    pub n_positions: usize,
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Whether the output head is the token embedding itself rather than a matrix of its own.
    pub tie_word_embeddings: bool,
    /// Added to the variance in layer normalisation; `f32` in the file.
    pub layer_norm_epsilon: f64,
}

impl From<&Gpt2Config> for GgufSizes {
    fn from(config: &Gpt2Config) -> Self {
        Self {
            n_layer: config.n_layer,
            n_head: config.n_head,
            n_embd: config.n_embd,
            n_positions: config.n_positions,
            vocab_size: config.vocab_size,
            tie_word_embeddings: config.tie_word_embeddings,
            layer_norm_epsilon: config.layer_norm_epsilon,
        }
    }
}

impl From<&GgufSizes> for Gpt2Config {
    fn from(sizes: &GgufSizes) -> Self {
        Self {
            n_layer: sizes.n_layer,
            n_head: sizes.n_head,
            n_embd: sizes.n_embd,
            n_positions: sizes.n_positions,
            vocab_size: sizes.vocab_size,
            tie_word_embeddings: sizes.tie_word_embeddings,
            layer_norm_epsilon: sizes.layer_norm_epsilon,
            dropout: 0.0,
        }
    }
}

/// A GPT-2 in a GGUF file as a checkpoint with Hugging Face's names and layouts: `h.0.attn.c_attn.weight`
/// of shape `[in, out]` where the file has its transpose under `blk.0.attn_qkv.weight`.
#[derive(Debug)]
pub struct GgufGpt2 {
    file: GgufFile,
    sizes: GgufSizes,
    tensors: BTreeMap<String, Parameter>,
}

#[derive(Debug)]
struct Parameter {
    tensor: String,
    shape: Vec<usize>,
    transposed: bool,
}

impl GgufGpt2 {
    /// Takes the sizes and the names from a file. A tensor that no GPT-2 has keeps its name.
    ///
    /// # Errors
    ///
    /// If the file is of another architecture or lacks one of the sizes.
    pub fn new(file: GgufFile) -> Result<Self, GgufError> {
        let sizes = sizes(&file)?;
        let parameter = |tensor: &str| {
            let name = names::parameter(tensor).unwrap_or_else(|| tensor.to_owned());
            let mut shape = file.shape(tensor).unwrap_or_default().to_owned();
            let transposed = names::is_conv1d(&name) && shape.len() == 2;
            if transposed {
                shape.reverse();
            }
            (name, Parameter { tensor: tensor.to_owned(), shape, transposed })
        };
        let tensors = file.names().map(parameter).collect();
        Ok(Self { file, sizes, tensors })
    }

    /// The file itself, for its metadata.
    #[must_use]
    pub fn file(&self) -> &GgufFile {
        &self.file
    }

    /// The sizes that the metadata gives.
    #[must_use]
    pub fn sizes(&self) -> &GgufSizes {
        &self.sizes
    }

    /// Where the file is, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Names of the parameters, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensor that a parameter is called in the file, whether it is there or not.
    #[must_use]
    pub fn tensor(&self, name: &str) -> String {
        let stored = self.tensors.get(name).map(|parameter| parameter.tensor.clone());
        stored.or_else(|| names::tensor(name)).unwrap_or_else(|| name.to_owned())
    }

    /// Shape of a parameter in Hugging Face's layout.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|parameter| parameter.shape.as_slice())
    }

    /// Reads a parameter as `f32`, row by row in Hugging Face's layout.
    ///
    /// # Errors
    ///
    /// As [`GgufFile::read`].
    pub fn read(&self, name: &str) -> Result<Vec<f32>, GgufError> {
        let Some(Parameter { tensor, shape, transposed }) = self.tensors.get(name) else {
            return Err(GgufError::Missing { path: self.path().to_owned(), name: name.to_owned() });
        };
        tracing::debug!(tensor = name, stored_as = %tensor, transposed, "read from GGUF");
        let values = self.file.read(tensor)?;
        Ok(if *transposed { transpose(&values, shape[0]) } else { values })
    }
}

fn sizes(file: &GgufFile) -> Result<GgufSizes, GgufError> {
    let not = |problem: String| GgufError::NotGpt2 { path: file.path().to_owned(), problem };
    let architecture = file.metadata("general.architecture");
    match architecture.as_ref().and_then(GgufValue::as_str) {
        Some("gpt2") => {}
        Some(other) => return Err(not(format!("its architecture is '{other}'"))),
        None => return Err(not("it does not name an architecture".to_owned())),
    }
    let size = |key: &str| {
        let value = file.metadata(key).and_then(|value| value.as_u64()?.try_into().ok());
        value.ok_or_else(|| not(format!("'{key}' is missing or no whole number")))
    };
    let epsilon = "gpt2.attention.layer_norm_epsilon";
    let embedding = file.shape("token_embd.weight").and_then(<[usize]>::first);
    Ok(GgufSizes {
        n_layer: size("gpt2.block_count")?,
        n_head: size("gpt2.attention.head_count")?,
        n_embd: size("gpt2.embedding_length")?,
        n_positions: size("gpt2.context_length")?,
        vocab_size: *embedding.ok_or_else(|| not("it has no tensor 'token_embd.weight'".to_owned()))?,
        tie_word_embeddings: file.shape("output.weight").is_none(),
        layer_norm_epsilon: file
            .metadata(epsilon)
            .and_then(|value| value.as_f64())
            .ok_or_else(|| not(format!("'{epsilon}' is missing or no float")))?,
    })
}
