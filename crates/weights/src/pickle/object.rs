//! What a pickle makes.

use super::class::{Class, DType};

/// A value on the stack. Indices are into the lists of [`Object`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) enum Value<'a> {
    #[default]
    None,
    Bool(bool),
    Int(i64),
    /// More than 64 bits, little-endian.
    Long(&'a [u8]),
    Str(&'a str),
    /// Start and length.
    Tuple((usize, usize)),
    List(usize),
    Dict(usize),
    Class(Class),
    Storage(usize),
    Tensor(usize),
    /// What carries no weight: floats, bytes, sets and the like.
    Other,
}

impl Value<'_> {
    /// What it is, for messages.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) | Self::Int(_) | Self::Long(_) => "a number",
            Self::Str(_) => "a text",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dictionary",
            Self::Class(_) => "a class",
            Self::Storage(_) => "a storage without a shape",
            Self::Tensor(_) => "a single tensor without a name",
            Self::Other => "a number, a set or the like",
        }
    }
}

/// What a pickle makes.
#[derive(Default)]
pub(super) struct Object<'a> {
    pub root: Value<'a>,
    pub lists: Vec<Vec<Value<'a>>>,
    pub dicts: Vec<Vec<[Value<'a>; 2]>>,
    pub storages: Vec<Storage<'a>>,
    pub tensors: Vec<View>,
    pub tuples: Vec<Value<'a>>,
}

/// A row of numbers, stored elsewhere under a key.
pub(super) struct Storage<'a> {
    pub dtype: DType,
    pub key: &'a str,
    /// Count of numbers.
    pub len: usize,
}

/// A tensor, not yet checked against its storage.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub storage: usize,
    pub dtype: DType,
    /// Numbers before the first.
    pub offset: usize,
    /// A tuple, as the strides.
    pub shape: (usize, usize),
    pub strides: (usize, usize),
}

impl<'a> Object<'a> {
    pub(super) fn tuple(&self, (start, length): (usize, usize)) -> &[Value<'a>] {
        &self.tuples[start..start + length]
    }
}
