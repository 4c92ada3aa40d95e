//! From a checkpoint into a model.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::{Device, Tensor, TensorData},
};
use gptune_model::{Gpt2, Gpt2Config};

use crate::{Checkpoint, WeightsError, names};

/// Builds a model on `device` and fills it from a checkpoint.
///
/// Names with and without the `transformer.` prefix are understood, and causal masks are passed
/// over. `own_head` says whether the checkpoint is of an untied model: if not, a head in the file is
/// left aside, as in `transformers`, and a model with a head of its own starts with a copy of the
/// token embedding, as in the book.
///
/// # Errors
///
/// [`WeightsError`] naming the tensor that is missing, unknown, or of another shape or type.
pub fn load_model(
    file: &dyn Checkpoint,
    config: &Gpt2Config,
    own_head: bool,
    device: &Device,
) -> Result<Gpt2, WeightsError> {
    // Before anything is made of a number of blocks that a damaged configuration may hold.
    let blocks = names::blocks(file.names().iter().map(String::as_str));
    if config.n_layer > blocks {
        let (path, name) = (file.path().to_owned(), format!("h.{blocks}.ln_1.weight"));
        return Err(WeightsError::Missing { path, name, layers: config.n_layer });
    }
    let model = Gpt2::init(config, device);
    let sources = match_tensors(file, &model, config, own_head)?;
    let mut loader = Loader { file, sources, path: Vec::new(), error: None };
    let model = model.map(&mut loader);
    loader.error.map_or(Ok(model), Err)
}

/// Finds the tensor of every parameter, and checks that none is left over or misshapen.
fn match_tensors(
    file: &dyn Checkpoint,
    model: &Gpt2,
    config: &Gpt2Config,
    own_head: bool,
) -> Result<BTreeMap<String, String>, WeightsError> {
    let mut shapes = Shapes::default();
    model.visit(&mut shapes);
    let stored = file.names();
    let mut tensors: BTreeMap<&str, &str> = BTreeMap::new();
    for tensor in &stored {
        let Some(parameter) = names::parameter(tensor) else { continue };
        if let Some(first) = tensors.insert(parameter, tensor) {
            let (path, first, second) = (file.path().to_owned(), first.to_owned(), tensor.clone());
            return Err(WeightsError::Twice { path, first, second });
        }
    }
    match (config.tie_word_embeddings, own_head) {
        (true, _) => _ = tensors.remove(names::HEAD),
        (false, true) => {}
        // The copy of the embedding replaces a head that a tied checkpoint may hold.
        (false, false) => {
            if let Some(&tokens) = tensors.get(names::TOKENS) {
                tensors.insert(names::HEAD, tokens);
            }
        }
    }
    let path = || file.path().to_owned();
    let unknown = tensors.keys().find(|&&name| !shapes.found.contains_key(name));
    if let Some(name) = unknown {
        return Err(WeightsError::Unknown { path: path(), name: (*name).to_owned() });
    }
    let mut sources = BTreeMap::new();
    for (name, expected) in shapes.found {
        let Some(&tensor) = tensors.get(name.as_str()) else {
            return Err(WeightsError::Missing { path: path(), name, layers: config.n_layer });
        };
        let actual = file.shape(tensor).unwrap_or_default();
        if actual != expected {
            return Err(WeightsError::Shape { path: path(), name, expected, actual });
        }
        sources.insert(name, tensor.to_owned());
    }
    Ok(sources)
}

/// Collects the shape of every parameter without initialising it.
#[derive(Default)]
struct Shapes {
    path: Vec<String>,
    found: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.insert(self.path.join("."), param.lazy_shape().to_vec());
    }
}

/// Replaces every parameter by its tensor in the file. Nothing is initialised at random first.
struct Loader<'a> {
    file: &'a dyn Checkpoint,
    sources: BTreeMap<String, String>,
    path: Vec<String>,
    error: Option<WeightsError>,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let tensor = self.sources.get(&self.path.join(".")).filter(|_| self.error.is_none());
        match tensor.map(|tensor| self.file.read(tensor)) {
            None => param,
            Some(Err(error)) => {
                self.error = Some(error);
                param
            }
            Some(Ok(values)) => {
                let (shape, device) = (param.lazy_shape(), param.lazy_device());
                let value = Tensor::from_data(TensorData::new(values, shape), &device);
                Param::initialized(ParamId::new(), if device.is_autodiff() { value.require_grad() } else { value })
            }
        }
    }
}
