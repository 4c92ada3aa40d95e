//! What a checkpoint is to the rest of the crate, whatever its format.

use std::{collections::BTreeMap, path::Path};

use crate::{
    BundleFile, GgufGpt2, PickleFile, SafetensorsFile, WeightsError, book::BookCheckpoint, nano_gpt::NanoGpt,
    openai::hugging_face, unwrapped::Unwrapped,
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

    /// What a tensor is called in the file itself, whether it is there or not, for messages.
    fn own_name(&self, name: &str) -> String {
        name.to_owned()
    }

    /// What a user should know about how it is read.
    fn note(&self) -> Option<String> {
        None
    }
}

impl Checkpoint for Box<dyn Checkpoint> {
    fn path(&self) -> &Path {
        (**self).path()
    }

    fn names(&self) -> Vec<String> {
        (**self).names()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        (**self).shape(name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        (**self).read(name)
    }

    fn own_name(&self, name: &str) -> String {
        (**self).own_name(name)
    }

    fn note(&self) -> Option<String> {
        (**self).note()
    }
}

/// Makes the methods of a file's own type those of a checkpoint, with further ones in braces.
macro_rules! is_checkpoint {
    ($($file:ty $({ $($further:tt)* })?),*) => {$(
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

            $($($further)*)?
        }
    )*};
}

is_checkpoint!(SafetensorsFile, PickleFile, GgufGpt2 {
    fn own_name(&self, name: &str) -> String {
        self.tensor(name)
    }
});

/// A checkpoint under Hugging Face's names and in its layouts, whatever wrapped it and whether it has these names, the
/// book's or nanoGPT's.
///
/// # Errors
///
/// As [`Unwrapped::around`].
pub(crate) fn under_common_names(file: impl Checkpoint + 'static) -> Result<Box<dyn Checkpoint>, WeightsError> {
    let file = Unwrapped::around(Box::new(file))?;
    Ok(if BookCheckpoint::is_one(&file) {
        Box::new(BookCheckpoint::new(file))
    } else if NanoGpt::is_one(&file) {
        Box::new(NanoGpt::new(file))
    } else {
        file
    })
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
            None => Err(WeightsError::missing(self, name)),
        }
    }

    fn own_name(&self, name: &str) -> String {
        let module = name.strip_prefix("h.").and_then(|rest| rest.split_once('.'));
        let path = match module {
            Some((block, rest)) => format!("h{block}/{}", rest.replace('.', "/")),
            None => name.replace('.', "/"),
        };
        let path = path
            .strip_suffix("/weight")
            .map(str::to_owned)
            .or_else(|| Some(format!("{}/b", path.strip_suffix("/bias")?)));
        path.map_or_else(|| name.to_owned(), |path| format!("model/{path}"))
    }
}
