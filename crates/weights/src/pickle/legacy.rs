//! The layout before torch 1.6: five pickles in a row (a magic number, a version, the saving machine,
//! the object, the storages' keys), then the storages, each after its count of numbers.

use std::{collections::HashMap, path::Path};

use super::{
    Checkpoint, PickleError,
    cursor::Cursor,
    machine,
    object::{Object, Value},
    op,
};

/// The first pickle: 0x1950a86a20f9469cfc6c.
const MAGIC: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The second pickle.
const VERSION: i64 = 1001;

pub(super) fn open<'a>(path: &'a Path, bytes: &'a [u8]) -> Result<Checkpoint<'a>, PickleError> {
    let unsupported = |problem: &str| PickleError::Unsupported { path: path.to_owned(), problem: problem.to_owned() };
    let not = || PickleError::NotACheckpoint {
        path: path.to_owned(),
        problem: "it starts neither like a zip archive nor with the magic number of older files".to_owned(),
    };
    if bytes.first() != Some(&op::PROTO) {
        return Err(not());
    }
    let mut input = Cursor::new(path, bytes, 0);
    if machine::load(&mut input)?.root != Value::Long(MAGIC) {
        return Err(not());
    }
    if machine::load(&mut input)?.root != Value::Int(VERSION) {
        return Err(unsupported("is of an unknown version of the older layout"));
    }
    if !is_little_endian(&machine::load(&mut input)?) {
        return Err(unsupported("was saved on a big-endian machine"));
    }
    let object = machine::load(&mut input)?;
    let keys = machine::load(&mut input)?;
    let Value::List(keys_list) = keys.root else {
        return Err(input.damaged("the keys of the storages are no list"));
    };

    let sizes: HashMap<&str, usize> =
        object.storages.iter().map(|storage| (storage.key, storage.dtype.size())).collect();
    let mut storages = HashMap::new();
    for &key in &keys.lists[keys_list] {
        let Value::Str(key) = key else { return Err(input.damaged("a storage's key is no text")) };
        let Some(&size) = sizes.get(key) else {
            return Err(input.damaged("there is a storage here that no tensor uses"));
        };
        let count = u64::from_le_bytes(input.array()?);
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(size)).unwrap_or(usize::MAX);
        let start = input.at();
        input.take(length)?;
        if storages.insert(key.to_owned(), start..input.at()).is_some() {
            return Err(input.damaged("there is a second storage of one key"));
        }
    }
    Ok(Checkpoint { object, storages })
}

fn is_little_endian(machine: &Object) -> bool {
    let Value::Dict(id) = machine.root else { return false };
    machine.dicts[id].contains(&[Value::Str("little_endian"), Value::Bool(true)])
}
