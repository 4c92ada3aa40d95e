//! What programs put around a model's names when they save it.

use std::{collections::BTreeMap, path::Path};

use crate::{Checkpoint, WeightsError};

/// Put before names by `torch.compile`, by data parallel training, by Lightning's modules, and by other classes that
/// hold a model.
const WRAPPERS: [&str; 4] = ["_orig_mod.", "module.", "model.", "gpt."];

/// A checkpoint under names without what was put before them.
#[derive(Debug)]
pub(crate) struct Unwrapped {
    inner: Box<dyn Checkpoint>,
    /// The file's name by the bare one.
    names: BTreeMap<String, String>,
    /// What stands before most names.
    wrapper: String,
}

impl Unwrapped {
    /// The checkpoint itself if nothing was put before its names.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Twice`] if two tensors have one bare name.
    pub(crate) fn around(inner: Box<dyn Checkpoint>) -> Result<Box<dyn Checkpoint>, WeightsError> {
        let (mut names, mut wrapper) = (BTreeMap::new(), String::new());
        for name in inner.names() {
            let bare = bare(&name);
            if bare.len() < name.len() {
                name[..name.len() - bare.len()].clone_into(&mut wrapper);
            }
            if let Some(first) = names.insert(bare.to_owned(), name.clone()) {
                return Err(WeightsError::Twice { path: inner.path().to_owned(), first, second: name });
            }
        }
        Ok(if wrapper.is_empty() { inner } else { Box::new(Self { inner, names, wrapper }) })
    }
}

/// A name without wrappers, in whatever order they stand.
fn bare(name: &str) -> &str {
    let mut bare = name;
    while let Some(rest) = WRAPPERS.iter().find_map(|wrapper| bare.strip_prefix(wrapper)) {
        bare = rest;
    }
    bare
}

impl Checkpoint for Unwrapped {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.inner.shape(self.names.get(name)?)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        match self.names.get(name) {
            Some(name) => self.inner.read(name),
            None => Err(WeightsError::missing(self, name)),
        }
    }

    fn own_name(&self, name: &str) -> String {
        self.names.get(name).cloned().unwrap_or_else(|| format!("{}{name}", self.wrapper))
    }
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn wrappers_go_in_any_order_and_parts_of_a_model_stay() {
        for name in ["x", "_orig_mod.x", "module._orig_mod.x", "_orig_mod.module.model.x", "model.x"] {
            assert_eq!(bare(name), "x");
        }
        assert_eq!(bare("transformer.h.0.attn.bias"), "transformer.h.0.attn.bias");
        assert_eq!(bare("models.x"), "models.x");
    }
}
