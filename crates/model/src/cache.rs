//! Keys and values of the positions a model has already seen.

use burn::tensor::Tensor;

/// The key/value cache of a model for one batch.
#[derive(Debug, Clone)]
pub struct KvCache {
    pub(crate) layers: Vec<LayerCache>,
}

/// Keys and values of one block, `[B, H, T, D]` each.
#[derive(Debug, Clone, Default)]
pub(crate) struct LayerCache {
    keys_values: Option<(Tensor<4>, Tensor<4>)>,
}

impl KvCache {
    /// An empty cache for a model with this many blocks.
    #[must_use]
    pub fn new(n_layer: usize) -> Self {
        Self { layers: vec![LayerCache::default(); n_layer] }
    }

    /// Number of cached positions.
    #[must_use]
    pub fn len(&self) -> usize {
        let first = self.layers.first().and_then(|layer| layer.keys_values.as_ref());
        first.map_or(0, |(keys, _)| keys.dims()[2])
    }

    /// Whether nothing is cached yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl LayerCache {
    /// Appends keys and values and returns all of them.
    ///
    /// # Shapes
    ///
    /// - `keys`, `values`: `[B, H, T, D]`
    /// - output: `[B, H, S + T, D]` each, where `S` positions were cached before
    pub(crate) fn extend(&mut self, keys: Tensor<4>, values: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let joined = match self.keys_values.take() {
            None => (keys, values),
            Some((old_keys, old_values)) => {
                (Tensor::cat(vec![old_keys, keys], 2), Tensor::cat(vec![old_values, values], 2))
            }
        };
        self.keys_values = Some(joined.clone());
        joined
    }
}
