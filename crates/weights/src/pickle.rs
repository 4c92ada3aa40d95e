//! Reading and writing the checkpoints of `torch.save`, in Rust alone.
//!
//! A checkpoint is a pickle, which is a program for a small stack machine, and raw storages of numbers.
//! [`PickleFile`] reads the pickle without running anything: what its program may ask for is a short list
//! of classes (the `class` module), and any other is refused by its name.
//!
//! Two layouts are in use: a zip archive (the `archive` module), and before torch 1.6 a row of pickles
//! (the `legacy` module). Both come down to a [`Checkpoint`].

mod archive;
mod class;
mod cursor;
mod error;
mod legacy;
mod machine;
mod object;
mod op;
mod tensor;
mod write;

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::{Path, PathBuf},
};

use crate::contents::Contents;

use object::{Object, Value};
use tensor::{Tensor, Unreadable};

pub use error::PickleError;
pub use write::{PthWriter, write_pth};

/// Keys under which training scripts keep the model's state dict, beside that of an optimiser.
const STATE_DICT_KEYS: [&str; 3] = ["model_state_dict", "state_dict", "model"];

/// An open checkpoint of `torch.save` whose tensors were all checked against its length.
///
/// It has to hold a state dict: a dictionary of tensors by itself, or under the key
/// `model_state_dict`, `state_dict` or `model` of another dictionary. What else such a dictionary holds
/// (numbers, text, lists, the state of an optimiser) is passed over.
pub struct PickleFile {
    path: PathBuf,
    contents: Contents,
    tensors: BTreeMap<String, Tensor>,
    sizes: BTreeMap<String, usize>,
}

/// What both layouts come down to.
struct Checkpoint<'a> {
    object: Object<'a>,
    /// Where the bytes of each storage are, by key.
    storages: HashMap<String, Range<usize>>,
}

impl std::fmt::Debug for PickleFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PickleFile")
            .field("path", &self.path)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl PickleFile {
    /// Maps a file into memory and reads its index. It must not be changed while it is open.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is not a checkpoint, is damaged, asks for a class that is not on the list,
    /// or holds no state dict.
    pub fn open(path: &Path) -> Result<Self, PickleError> {
        let read = |source| PickleError::Read { path: path.to_owned(), source };
        Self::new(path, Contents::map(path).map_err(read)?)
    }

    /// The same from memory; `path` stands for the file in messages.
    ///
    /// # Errors
    ///
    /// As [`PickleFile::open`].
    pub fn from_bytes(path: &Path, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, PickleError> {
        Self::new(path, Contents::held(bytes))
    }

    fn new(path: &Path, contents: Contents) -> Result<Self, PickleError> {
        let (tensors, sizes) = index(path, contents.bytes())?;
        Ok(Self { path: path.to_owned(), contents, tensors, sizes })
    }

    /// The sizes that a training script kept beside the state dict, as nanoGPT does under `model_args`.
    #[must_use]
    pub fn sizes(&self) -> &BTreeMap<String, usize> {
        &self.sizes
    }

    /// Where the file is, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of a tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(Tensor::shape)
    }

    /// Reads a tensor as `f32`, row by row, whatever its strides are.
    ///
    /// # Errors
    ///
    /// If there is none of that name, or it holds no floating-point numbers or fewer than its shape
    /// promises.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, PickleError> {
        let (path, owned) = (self.path.clone(), name.to_owned());
        let Some(tensor) = self.tensors.get(name) else {
            return Err(PickleError::Missing { path, name: owned });
        };
        if let Some(range) = tensor.contiguous_f32() {
            let read = |source| PickleError::Read { path: self.path.clone(), source };
            return self.contents.floats(range).map_err(read);
        }
        tracing::debug!(tensor = name, "converted or put together, because it is not f32 in a row");
        let numbers = tensor.read(self.contents.bytes());
        self.contents.release();
        numbers.map_err(|fault| match fault {
            Unreadable::DType(dtype) => PickleError::DType { path, name: owned, dtype },
            Unreadable::Repeats => {
                let problem = "repeats the numbers of its storage, as `expand` does; save a `.contiguous()` copy of it";
                PickleError::Tensor { path, name: owned, problem: problem.to_owned() }
            }
        })
    }
}

/// Tensors by name, and sizes.
type Index = (BTreeMap<String, Tensor>, BTreeMap<String, usize>);

/// Finds every tensor of a checkpoint's state dict, and the sizes beside it.
fn index(path: &Path, bytes: &[u8]) -> Result<Index, PickleError> {
    let checkpoint =
        if bytes.starts_with(archive::MAGIC) { archive::open(path, bytes)? } else { legacy::open(path, bytes)? };
    let mut tensors = BTreeMap::new();
    for &[key, value] in state_dict(path, &checkpoint.object)? {
        let (Value::Str(name), Value::Tensor(id)) = (key, value) else { continue };
        let fault = |problem| PickleError::Tensor { path: path.to_owned(), name: name.to_owned(), problem };
        let tensor = Tensor::locate(&checkpoint, id).map_err(fault)?;
        // Python would let the second replace the first; no writer makes such a dictionary.
        if tensors.insert(name.to_owned(), tensor).is_some() {
            return Err(fault("is there twice: the file is damaged; fetch or save it again".to_owned()));
        }
    }
    let sizes = sizes(&checkpoint.object);
    Ok((tensors, sizes))
}

/// The whole numbers of `model_args`.
fn sizes(object: &Object<'_>) -> BTreeMap<String, usize> {
    let Value::Dict(root) = object.root else { return BTreeMap::new() };
    let of = |wanted: &str| {
        object.dicts[root].iter().find_map(|&[key, value]| match (key, value) {
            (Value::Str(key), Value::Dict(id)) if key == wanted => Some(&object.dicts[id]),
            _ => None,
        })
    };
    let size = |&[key, value]: &[Value<'_>; 2]| match (key, value) {
        (Value::Str(key), Value::Int(size)) => Some((key.to_owned(), usize::try_from(size).ok()?)),
        _ => None,
    };
    of("model_args").map(|sizes| sizes.iter().filter_map(size).collect()).unwrap_or_default()
}

/// The dictionary of tensors.
fn state_dict<'o, 'a>(path: &Path, object: &'o Object<'a>) -> Result<&'o [[Value<'a>; 2]], PickleError> {
    let no = |problem: String| PickleError::NoStateDict { path: path.to_owned(), problem };
    let Value::Dict(root) = object.root else {
        return Err(no(format!("its outermost object is {}", object.root.kind())));
    };
    let root = &object.dicts[root];
    let nested = STATE_DICT_KEYS.iter().find_map(|&wanted| {
        root.iter().find_map(|&[key, value]| match (key, value) {
            (Value::Str(key), Value::Dict(id)) if key == wanted => Some(&object.dicts[id]),
            _ => None,
        })
    });
    let has_tensors = |dict: &&Vec<[Value; 2]>| dict.iter().any(|[_, value]| matches!(value, Value::Tensor(_)));
    nested.filter(has_tensors).or(Some(root).filter(has_tensors)).map(Vec::as_slice).ok_or_else(|| {
        let keys = root.iter().filter_map(|[key, _]| if let Value::Str(key) = key { Some(*key) } else { None });
        let keys: Vec<_> = keys.take(8).map(|key| format!("'{}'", key.escape_debug())).collect();
        no(format!("its dictionary holds no tensor (first keys: {})", keys.join(", ")))
    })
}
