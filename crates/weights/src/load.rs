//! From a checkpoint into a model.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::{Device, Tensor, TensorData},
};
use gptune_model::{Gpt2, Gpt2Config};
use rayon::prelude::*;

use crate::{Checkpoint, WeightsError, error::found, names};

/// How a checkpoint is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// The checkpoint is of an untied model. If not, a head in the file is left aside, which is the embedding once more,
    /// and a model with a head of its own starts with a copy of the token embedding, as in the book.
    pub own_head: bool,
    /// Take numbers that are not finite.
    pub allow_nonfinite: bool,
}

/// Builds a model on `device` and fills it from a checkpoint.
///
/// Names with and without the `transformer.` prefix are understood, and causal masks are passed
/// over. A tied matrix may stand under the head's name alone.
///
/// # Errors
///
/// [`WeightsError`] naming the tensor that is missing, unknown, of another shape or type, or not finite.
pub fn load_model(
    file: &dyn Checkpoint,
    config: &Gpt2Config,
    options: LoadOptions,
    device: &Device,
) -> Result<Gpt2, WeightsError> {
    // Before anything is made of a number of blocks that a damaged configuration may hold.
    let blocks = names::blocks(file.names().iter().map(String::as_str));
    if config.n_layer > blocks {
        return Err(missing(file, &format!("h.{blocks}.ln_1.weight"), config));
    }
    let model = Gpt2::init(config, device);
    let sources = match_tensors(file, &model, config, options.own_head)?;
    let mut loader = Loader { file, sources, path: Vec::new(), error: None, allow_nonfinite: options.allow_nonfinite };
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
            let (path, first, second) = (file.path().to_owned(), file.own_name(first), file.own_name(tensor));
            return Err(WeightsError::Twice { path, first, second });
        }
    }
    if !own_head && let Some(&head) = tensors.get(names::HEAD) {
        tensors.entry(names::TOKENS).or_insert(head);
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
    let unknown = tensors.iter().find(|(name, _)| !shapes.found.contains_key(**name));
    if let Some((name, tensor)) = unknown {
        // More blocks than the configuration has: then it is of another model.
        let of_a_block =
            name.starts_with("h.") && name.split('.').nth(1).is_some_and(|block| block.parse::<usize>().is_ok());
        let (of, hint) = if of_a_block || *name == names::HEAD {
            (format!("with {} blocks", config.n_layer), "; is config.json the file's own?")
        } else {
            ("of any size".to_owned(), "; give the weights of a GPT-2 alone")
        };
        return Err(WeightsError::Unknown { path: path(), name: file.own_name(tensor), of, hint });
    }
    let mut sources = BTreeMap::new();
    for (name, expected) in shapes.found {
        let Some(&tensor) = tensors.get(name.as_str()) else {
            return Err(missing(file, &name, config));
        };
        let actual = file.shape(tensor).unwrap_or_default();
        if actual != expected {
            return Err(WeightsError::Shape { path: path(), name: file.own_name(tensor), expected, actual });
        }
        sources.insert(name, tensor.to_owned());
    }
    Ok(sources)
}

/// What to say of a parameter that a file does not have.
fn missing(file: &dyn Checkpoint, parameter: &str, config: &Gpt2Config) -> WeightsError {
    // Only where the file has some of a block's tensors can its number be the configuration's fault.
    let stored = file.names();
    let has_blocks = names::blocks(stored.iter().map(String::as_str)) > 0;
    let hint = if has_blocks && parameter.starts_with("h.") { "; is config.json the file's own?" } else { "" };
    let prefixed = stored.iter().any(|name| name.starts_with("transformer."));
    let name = if prefixed { names::tensor(parameter) } else { parameter.to_owned() };
    WeightsError::Missing {
        path: file.path().to_owned(),
        name: file.own_name(&name),
        needs: format!("a GPT-2 with {} blocks needs", config.n_layer),
        found: found(file),
        hint,
    }
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
    allow_nonfinite: bool,
}

impl Loader<'_> {
    /// The numbers of a tensor, if they can be used.
    fn read(&self, tensor: &str) -> Result<Vec<f32>, WeightsError> {
        let values = self.file.read(tensor)?;
        let count = if self.allow_nonfinite { 0 } else { nonfinite(&values) };
        if count == 0 {
            return Ok(values);
        }
        let (path, name, total) = (self.file.path().to_owned(), self.file.own_name(tensor), values.len());
        Err(WeightsError::NotFinite { path, name, count, total })
    }
}

/// How many numbers are not finite.
fn nonfinite(values: &[f32]) -> usize {
    // Large enough that a thread has something to do, and the loop has no branch.
    values.par_chunks(1 << 16).map(|values| values.iter().map(|x| usize::from(!x.is_finite())).sum::<usize>()).sum()
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
        match tensor.map(|tensor| self.read(tensor)) {
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
