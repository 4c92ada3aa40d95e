//! What a checkpoint is to the rest of the crate, whatever its format.

use std::{collections::BTreeMap, path::Path};

use crate::{
    BundleFile, GgufGpt2, PickleFile, SafetensorsFile, WeightsError, book::BookCheckpoint, openai::hugging_face,
};

/// A source of tensors, read one at a time.
pub trait Checkpoint: std::fmt::Debug {
    /// Where it is, for messages.
    fn path(&self) -> &Path;

    /// Names of the tensors as Hugging Face has them, with or without `transformer.`.
    fn names(&self) -> Vec<String>;

    /// Shape of a tensor, or none if there is none of that name.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// The numbers of a tensor as `f32`, row by row.
    ///
    /// # Errors
    ///
    /// If there is no such tensor, it holds no floating-point numbers, or reading fails.
    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError>;
}

/// Makes the methods of a file's own type those of a checkpoint.
macro_rules! is_checkpoint {
    ($($file:ty),*) => {$(
        impl Checkpoint for $file {
            fn path(&self) -> &Path {
                self.path()
            }

            fn names(&self) -> Vec<String> {
                self.names().map(str::to_owned).collect()
            }

            fn shape(&self, name: &str) -> Option<Vec<usize>> {
                self.shape(name).map(<[usize]>::to_vec)
            }

            fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
                self.read(name).map_err(WeightsError::from)
            }
        }
    )*};
}

is_checkpoint!(SafetensorsFile, PickleFile, GgufGpt2);

/// A checkpoint under Hugging Face's names, whether it has these or the book's.
pub(crate) fn under_common_names(file: impl Checkpoint + 'static) -> Box<dyn Checkpoint> {
    if BookCheckpoint::is_one(&file) { Box::new(BookCheckpoint::new(file)) } else { Box::new(file) }
}

/// OpenAI's original release: a TensorFlow checkpoint under names of its own.
#[derive(Debug)]
pub(crate) struct OpenAiCheckpoint {
    file: BundleFile,
    /// Variable and shape by Hugging Face's name.
    tensors: BTreeMap<String, (String, Vec<usize>)>,
}

impl OpenAiCheckpoint {
    /// Opens `model.ckpt.index` and the data files beside it, by their common prefix.
    ///
    /// # Errors
    ///
    /// As [`BundleFile::open`].
    pub(crate) fn open(prefix: &Path) -> Result<Self, WeightsError> {
        let file = BundleFile::open(prefix)?;
        let tensors = file
            .names()
            .filter_map(|variable| {
                let (name, shape) = hugging_face(variable, file.shape(variable)?)?;
                Some((name, (variable.to_owned(), shape)))
            })
            .collect();
        Ok(Self { file, tensors })
    }
}

impl Checkpoint for OpenAiCheckpoint {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(|(_, shape)| shape.clone())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        match self.tensors.get(name) {
            Some((variable, _)) => Ok(self.file.read(variable)?),
            None => Err(WeightsError::Missing { path: self.path().to_owned(), name: name.to_owned(), layers: 0 }),
        }
    }
}
