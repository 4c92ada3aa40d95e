//! The state dict of *Build a Large Language Model From Scratch*.
//!
//! The book's `GPTModel` has queries, keys and values in three linear layers, weights of linear layers as
//! `[d_out, d_in]` and names of its own. Here it looks like Hugging Face's GPT-2, and back.

use std::path::Path;

use crate::{Checkpoint, WeightsError};

/// The name that the book's faster variants of attention give to the projection of their output.
const PROJECTION: &str = "att.proj.";
/// Projections that Hugging Face keeps side by side in `c_attn`.
const PARTS: [&str; 3] = ["W_query", "W_key", "W_value"];

/// A checkpoint under the book's names, seen under Hugging Face's.
#[derive(Debug)]
pub(crate) struct BookCheckpoint<C> {
    inner: C,
}

/// How a tensor is made of the book's.
enum Source {
    /// As it is.
    Same(String),
    /// A linear layer's weight, transposed.
    Transposed(String),
    /// Three transposed weights side by side: the prefix before `W_query.weight`.
    Weights(String),
    /// Three biases one after the other; zeros where the book's model has none (`qkv_bias = False`).
    Biases(String),
    /// Zeros in place of the bias of this weight.
    Zeros(String),
}

impl<C: Checkpoint> BookCheckpoint<C> {
    /// Whether a checkpoint has the book's names.
    pub(crate) fn is_one(checkpoint: &C) -> bool {
        let has = |name: &str| checkpoint.shape(name).is_some();
        has("tok_emb.weight") && (has("trf_blocks.0.att.W_query.weight") || has("trf_blocks.0.att.qkv.weight"))
    }

    pub(crate) fn new(inner: C) -> Self {
        Self { inner }
    }

    fn source(&self, name: &str) -> Option<Source> {
        let source = self.variant(source(name)?);
        let exists = match &source {
            Source::Same(name) | Source::Transposed(name) | Source::Zeros(name) => self.inner.shape(name).is_some(),
            Source::Weights(prefix) | Source::Biases(prefix) => {
                PARTS.iter().all(|part| self.inner.shape(&format!("{prefix}{part}.weight")).is_some())
            }
        };
        exists.then_some(source)
    }

    /// Where the same is in the book's faster variants of attention, which keep queries, keys and values in one layer.
    fn variant(&self, source: Source) -> Source {
        let has = |name: &str| self.inner.shape(name).is_some();
        match source {
            Source::Weights(prefix) if has(&format!("{prefix}qkv.weight")) => {
                Source::Transposed(format!("{prefix}qkv.weight"))
            }
            Source::Biases(prefix) if has(&format!("{prefix}qkv.bias")) => Source::Same(format!("{prefix}qkv.bias")),
            Source::Biases(prefix) if has(&format!("{prefix}qkv.weight")) => {
                Source::Zeros(format!("{prefix}qkv.weight"))
            }
            Source::Transposed(name) if !has(&name) => Source::Transposed(name.replace("att.out_proj.", PROJECTION)),
            Source::Same(name) if !has(&name) => Source::Same(name.replace("att.out_proj.", PROJECTION)),
            source => source,
        }
    }

    /// Rows and columns of a linear layer's weight, `[d_out, d_in]`.
    fn matrix(&self, name: &str) -> Option<[usize; 2]> {
        self.inner.shape(name)?.try_into().ok()
    }
}

impl<C: Checkpoint> Checkpoint for BookCheckpoint<C> {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.inner.names().iter().filter_map(|name| parameter(name)).collect();
        let without_bias = names.iter().filter_map(|name| name.strip_suffix("attn.c_attn.weight"));
        let biases: Vec<String> = without_bias.map(|block| format!("{block}attn.c_attn.bias")).collect();
        names.extend(biases);
        names.sort();
        names.dedup();
        names
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match self.source(name)? {
            Source::Same(name) => self.inner.shape(&name),
            Source::Zeros(name) => self.matrix(&name).map(|[d_out, _]| vec![d_out]),
            Source::Transposed(name) => self.matrix(&name).map(|[d_out, d_in]| vec![d_in, d_out]),
            Source::Weights(prefix) => {
                self.matrix(&format!("{prefix}W_query.weight")).map(|[d_out, d_in]| vec![d_in, d_out.saturating_mul(3)])
            }
            Source::Biases(prefix) => {
                self.matrix(&format!("{prefix}W_query.weight")).map(|[d_out, _]| vec![d_out.saturating_mul(3)])
            }
        }
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let missing = || WeightsError::missing(self, name);
        match self.source(name).ok_or_else(missing)? {
            Source::Same(name) => self.inner.read(&name),
            Source::Zeros(name) => {
                let [d_out, _] = self.matrix(&name).ok_or_else(missing)?;
                Ok(vec![0.0; d_out])
            }
            Source::Transposed(name) => {
                let [_, d_in] = self.matrix(&name).ok_or_else(missing)?;
                Ok(transpose(&self.inner.read(&name)?, d_in))
            }
            Source::Weights(prefix) => {
                let names = PARTS.map(|part| format!("{prefix}{part}.weight"));
                let shape = self.matrix(&names[0]);
                for name in &names[1..] {
                    if self.matrix(name) != shape {
                        return Err(WeightsError::Shape {
                            path: self.path().to_owned(),
                            name: name.clone(),
                            expected: shape.unwrap_or_default().to_vec(),
                            actual: self.inner.shape(name).unwrap_or_default(),
                        });
                    }
                }
                let [d_out, d_in] = shape.ok_or_else(missing)?;
                let mut side_by_side = Vec::new();
                for (part, name) in names.iter().enumerate() {
                    let values = self.inner.read(name)?;
                    // Not before the first part has shown that the file holds what its shape says.
                    side_by_side.resize(3 * values.len(), 0.0);
                    for (column, values) in values.chunks_exact(d_in.max(1)).enumerate() {
                        for (row, &value) in values.iter().enumerate() {
                            side_by_side[row * 3 * d_out + part * d_out + column] = value;
                        }
                    }
                }
                Ok(side_by_side)
            }
            Source::Biases(prefix) => {
                let mut biases = Vec::new();
                for part in PARTS {
                    let name = format!("{prefix}{part}.bias");
                    let [d_out, _] = self.matrix(&format!("{prefix}{part}.weight")).ok_or_else(missing)?;
                    match self.inner.shape(&name) {
                        None => biases.resize(biases.len() + d_out, 0.0),
                        Some(shape) if shape == [d_out] => biases.extend(self.inner.read(&name)?),
                        Some(actual) => {
                            let (path, expected) = (self.path().to_owned(), vec![d_out]);
                            return Err(WeightsError::Shape { path, name, expected, actual });
                        }
                    }
                }
                Ok(biases)
            }
        }
    }

    fn own_name(&self, name: &str) -> String {
        let own = match source(name).map(|source| self.variant(source)) {
            Some(Source::Same(name) | Source::Transposed(name) | Source::Zeros(name)) => name,
            Some(Source::Weights(prefix)) => format!("{prefix}W_query.weight"),
            Some(Source::Biases(prefix)) => format!("{prefix}W_query.bias"),
            None => name.to_owned(),
        };
        self.inner.own_name(&own)
    }
}

/// Layers of a block outside the three projections: Hugging Face's name, the book's, and whether the
/// weight is transposed.
const LAYERS: [(&str, &str, bool); 10] = [
    ("ln_1.weight", "norm1.scale", false),
    ("ln_1.bias", "norm1.shift", false),
    ("ln_2.weight", "norm2.scale", false),
    ("ln_2.bias", "norm2.shift", false),
    ("attn.c_proj.weight", "att.out_proj.weight", true),
    ("attn.c_proj.bias", "att.out_proj.bias", false),
    ("mlp.c_fc.weight", "ff.layers.0.weight", true),
    ("mlp.c_fc.bias", "ff.layers.0.bias", false),
    ("mlp.c_proj.weight", "ff.layers.2.weight", true),
    ("mlp.c_proj.bias", "ff.layers.2.bias", false),
];
/// Tensors outside the blocks.
const OTHERS: [(&str, &str); 5] = [
    ("wte.weight", "tok_emb.weight"),
    ("wpe.weight", "pos_emb.weight"),
    ("ln_f.weight", "final_norm.scale"),
    ("ln_f.bias", "final_norm.shift"),
    ("lm_head.weight", "out_head.weight"),
];

/// Where a parameter comes from.
fn source(parameter: &str) -> Option<Source> {
    if let Some((_, book)) = OTHERS.iter().find(|(name, _)| *name == parameter) {
        return Some(Source::Same((*book).to_owned()));
    }
    let (block, layer) = parameter.strip_prefix("h.")?.split_once('.')?;
    let place = format!("trf_blocks.{block}.");
    match layer {
        "attn.c_attn.weight" => Some(Source::Weights(place + "att.")),
        "attn.c_attn.bias" => Some(Source::Biases(place + "att.")),
        _ => LAYERS.iter().find(|(name, ..)| *name == layer).map(|(_, book, transposed)| {
            let name = place + book;
            if *transposed { Source::Transposed(name) } else { Source::Same(name) }
        }),
    }
}

/// The parameter that a tensor of the book belongs to, or none for one that carries no weight. An unknown
/// tensor keeps its name, so that it is reported.
fn parameter(tensor: &str) -> Option<String> {
    if let Some((name, _)) = OTHERS.iter().find(|(_, book)| *book == tensor) {
        return Some((*name).to_owned());
    }
    let Some((block, layer)) = tensor.strip_prefix("trf_blocks.").and_then(|rest| rest.split_once('.')) else {
        return Some(tensor.to_owned());
    };
    if layer == "att.mask" {
        return None;
    }
    if let Some((name, ..)) = LAYERS.iter().find(|(_, book, _)| *book == layer) {
        return Some(format!("h.{block}.{name}"));
    }
    if let Some(kind) = layer.strip_prefix(PROJECTION) {
        return Some(format!("h.{block}.attn.c_proj.{kind}"));
    }
    let projection = layer.strip_prefix("att.").and_then(|layer| layer.split_once('.'));
    if let Some(("qkv", kind @ ("weight" | "bias"))) = projection {
        return Some(format!("h.{block}.attn.c_attn.{kind}"));
    }
    match projection {
        Some((part, kind @ ("weight" | "bias"))) if PARTS.contains(&part) => {
            Some(format!("h.{block}.attn.c_attn.{kind}"))
        }
        _ => Some(tensor.to_owned()),
    }
}

/// The book's tensors that a parameter is written as, with their numbers: `values` has `shape`.
pub(crate) fn tensors(parameter: &str, shape: &[usize], values: Vec<f32>) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    match (source(parameter), shape) {
        (Some(Source::Same(name)), _) => vec![(name, shape.to_vec(), values)],
        (Some(Source::Transposed(name)), &[d_in, d_out]) => {
            vec![(name, vec![d_out, d_in], transpose(&values, d_out))]
        }
        (Some(Source::Weights(prefix)), &[d_in, columns]) => {
            let d_out = columns / 3;
            let all = transpose(&values, columns);
            let parts = PARTS.iter().zip(all.chunks_exact((d_out * d_in).max(1)));
            parts.map(|(part, values)| (format!("{prefix}{part}.weight"), vec![d_out, d_in], values.to_vec())).collect()
        }
        (Some(Source::Biases(prefix)), &[columns]) => {
            let parts = PARTS.iter().zip(values.chunks_exact((columns / 3).max(1)));
            parts.map(|(part, values)| (format!("{prefix}{part}.bias"), vec![columns / 3], values.to_vec())).collect()
        }
        _ => vec![(parameter.to_owned(), shape.to_vec(), values)],
    }
}

/// A row-major matrix with this many columns, transposed.
pub(crate) fn transpose(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns.max(1);
    let mut out = vec![0.0; values.len()];
    for (row, values) in values.chunks_exact(columns.max(1)).enumerate() {
        for (column, &value) in values.iter().enumerate() {
            out[column * rows + row] = value;
        }
    }
    out
}
