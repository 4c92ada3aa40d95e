//! The index of a bundle: where each tensor is, and what.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, path::Path};

use prost::Message;

use super::{BundleError, proto, table::Table};

/// The version of the format that is read here, and the only one there has been.
const VERSION: i32 = 1;
/// How much longer all names together may be than the index, which holds each without what it shares
/// with the one before. Names that models have are at most a few times as long; made-up ones, the square.
const MAX_EXPANSION: usize = 32;

pub(super) struct Index {
    /// How many data files there are.
    pub shards: usize,
    pub tensors: BTreeMap<String, Entry>,
}

/// A tensor whose place, size and shape fit together.
pub(super) struct Entry {
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// Number of the data file, below [`Index::shards`].
    pub shard: usize,
    /// Place in the data file, not checked against its length.
    pub bytes: Range<usize>,
    /// Masked CRC32C of the bytes.
    pub crc: u32,
}

#[derive(Clone, Copy)]
pub(super) enum DType {
    F32,
    F16,
    BF16,
    F64,
    /// A type of no weights, by its number in TensorFlow's `types.proto`.
    Other(i32),
    /// Any type, in parts that have places of their own.
    Sliced,
}

impl Index {
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, BundleError> {
        let table = Table::new(path, bytes);
        let mut shards = None;
        let mut tensors = BTreeMap::new();
        let mut room = bytes.len().saturating_mul(MAX_EXPANSION);
        table.for_each(|offset, key, value| {
            let damaged = |problem: &str| table.damaged(offset, problem);
            match (key, shards) {
                ([], None) => {
                    let header = proto::Header::decode(value).map_err(|error| damaged(&error.to_string()))?;
                    shards = Some(header_shards(&header).map_err(|problem| table.unsupported(problem))?);
                }
                ([], Some(_)) => return Err(damaged("it has a second header")),
                // A part of a sliced tensor.
                ([0, ..], _) => {}
                (_, None) => return Err(damaged("it does not start with a header")),
                (_, Some(shards)) => {
                    room =
                        room.checked_sub(key.len()).ok_or_else(|| damaged("its names are longer than any model's"))?;
                    let name =
                        String::from_utf8(key.to_owned()).map_err(|_| damaged("the name of a tensor is not UTF-8"))?;
                    let entry = Entry::parse(value, shards).ok_or_else(|| {
                        damaged(&format!("the place, size or shape of tensor '{name}' is impossible"))
                    })?;
                    if tensors.contains_key(&name) {
                        return Err(damaged(&format!("there are two tensors '{name}'")));
                    }
                    tensors.insert(name, entry);
                }
            }
            Ok(())
        })?;
        let shards = shards.ok_or_else(|| table.damaged(0, "it has no header"))?;
        Ok(Self { shards, tensors })
    }
}

/// The number of data files, or why they cannot be read.
fn header_shards(header: &proto::Header) -> Result<usize, &'static str> {
    if header.endianness != 0 {
        return Err("its numbers are big-endian");
    }
    if header.version.as_ref().is_some_and(|version| version.min_consumer > VERSION) {
        return Err("it is in a later version of the format");
    }
    usize::try_from(header.num_shards).ok().filter(|&shards| shards > 0).ok_or("it has no data files")
}

impl Entry {
    fn parse(value: &[u8], shards: usize) -> Option<Self> {
        let entry = proto::Entry::decode(value).ok()?;
        let dims = entry.shape.unwrap_or_default().dim;
        let shape: Vec<usize> = dims.iter().map(|dim| usize::try_from(dim.size).ok()).collect::<Option<_>>()?;
        let dtype = if entry.slices.is_empty() { DType::from(entry.dtype) } else { DType::Sliced };
        let start = usize::try_from(entry.offset).ok()?;
        let bytes = start..start.checked_add(usize::try_from(entry.size).ok()?)?;
        if let Some(width) = dtype.width()
            && shape.iter().try_fold(width, |size, &dim| size.checked_mul(dim)) != Some(bytes.len())
        {
            return None;
        }
        let shard = usize::try_from(entry.shard_id).ok().filter(|&shard| shard < shards)?;
        Some(Self { dtype, shape, shard, bytes, crc: entry.crc32c })
    }
}

impl DType {
    /// Bytes of a number, if it can be a weight.
    fn width(self) -> Option<usize> {
        match self {
            Self::F32 => Some(4),
            Self::F16 | Self::BF16 => Some(2),
            Self::F64 => Some(8),
            Self::Other(_) | Self::Sliced => None,
        }
    }
}

impl From<i32> for DType {
    fn from(number: i32) -> Self {
        match number {
            1 => Self::F32,
            2 => Self::F64,
            14 => Self::BF16,
            19 => Self::F16,
            other => Self::Other(other),
        }
    }
}

/// TensorFlow's name of a type that is no weight's.
pub(super) fn type_name(number: i32) -> Cow<'static, str> {
    Cow::Borrowed(match number {
        3 => "int32",
        4 => "uint8",
        5 => "int16",
        6 => "int8",
        7 => "string",
        8 => "complex64",
        9 => "int64",
        10 => "bool",
        17 => "uint16",
        18 => "complex128",
        22 => "uint32",
        23 => "uint64",
        _ => return Cow::Owned(format!("type number {number}")),
    })
}
