//! The zip layout: `NAME/data.pkl` and a stored entry `NAME/data/KEY` for each storage.

use std::{collections::BTreeMap, path::Path};

use rawzip::{CompressionMethod, ZipArchive};

use super::{Checkpoint, PickleError, cursor::Cursor, machine};

/// How a zip archive starts.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

pub(super) fn open<'a>(path: &'a Path, bytes: &'a [u8]) -> Result<Checkpoint<'a>, PickleError> {
    let damaged = |offset: u64, problem: String| PickleError::Damaged {
        path: path.to_owned(),
        offset: usize::try_from(offset).unwrap_or(usize::MAX),
        problem,
    };
    let unsupported = |problem: String| PickleError::Unsupported { path: path.to_owned(), problem };
    let archive = ZipArchive::from_slice(bytes).map_err(|error| {
        let problem = format!("a zip archive has its directory at its end, and there is none ({error})");
        damaged(bytes.len() as u64, problem)
    })?;
    let mut entries = BTreeMap::new();
    for entry in archive.entries() {
        let entry =
            entry.map_err(|error| damaged(archive.directory_offset(), format!("the zip directory: {error}")))?;
        let Ok(name) = str::from_utf8(entry.file_path().as_bytes()) else { continue };
        if entry.compression_method() != CompressionMethod::STORE || entry.flags().is_encrypted() {
            return Err(unsupported(format!("has a compressed or encrypted entry, '{name}'")));
        }
        let contents = archive
            .get_entry(entry.wayfinder())
            .map_err(|error| damaged(entry.local_header_offset(), format!("the zip entry '{name}': {error}")))?;
        let (start, end) = contents.compressed_data_range();
        let [start, end] = [start, end].map(|at| usize::try_from(at).expect("a position in a slice"));
        entries.insert(name.to_owned(), start..end);
    }

    let prefixes = entries.keys().filter_map(|name| name.strip_suffix("data.pkl"));
    let root = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('/')).min_by_key(|prefix| prefix.len());
    let Some(root) = root.map(str::to_owned) else {
        return Err(PickleError::NotACheckpoint {
            path: path.to_owned(),
            problem: "it is a zip archive without an entry data.pkl".to_owned(),
        });
    };
    // Files from before torch 2.1 do not say, and are little-endian.
    if let Some(order) = entries.get(&format!("{root}byteorder"))
        && bytes[order.clone()] != *b"little"
    {
        return Err(unsupported("was saved on a big-endian machine".to_owned()));
    }
    let pickle = &entries[&format!("{root}data.pkl")];
    let object = machine::load(&mut Cursor::new(path, &bytes[..pickle.end], pickle.start))?;
    let folder = format!("{root}data/");
    let storages =
        entries.into_iter().filter_map(|(name, range)| Some((name.strip_prefix(&folder)?.to_owned(), range)));
    Ok(Checkpoint { object, storages: storages.collect() })
}
