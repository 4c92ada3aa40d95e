//! Weights in several files, with an index.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use crate::{Checkpoint, PickleFile, SafetensorsFile, WeightsError, wrong_kind};

/// The index that Hugging Face writes beside the files of a large model.
pub const INDEX: &str = "model.safetensors.index.json";
/// The same beside files of `torch.save`, as transformers wrote them before.
pub(crate) const PICKLE_INDEX: &str = "pytorch_model.bin.index.json";

/// The files that an index names, as one checkpoint.
#[derive(Debug)]
pub struct Sharded {
    path: PathBuf,
    files: Vec<Box<dyn Checkpoint>>,
    /// Which file a tensor is in.
    places: BTreeMap<String, usize>,
}

/// Which file each tensor is in.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Index {
    fn read(path: &Path) -> Result<Self, WeightsError> {
        let not = |problem| WeightsError::Index { path: path.to_owned(), problem };
        let text = std::fs::read(path).map_err(|source| WeightsError::Read { path: path.to_owned(), source })?;
        let index: Self =
            serde_json::from_slice(&text).map_err(|error| not(format!("it is not an index of shards ({error})")))?;
        // Files beside the index only, whatever it says.
        let is_beside = |name: &str| {
            let mut parts = Path::new(name).components();
            matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
        };
        match index.weight_map.values().find(|name| !is_beside(name)) {
            Some(name) => Err(not(format!("it names '{name}', which is not a file beside it"))),
            None => Ok(index),
        }
    }
}

/// The files that an index names, each once.
///
/// # Errors
///
/// If the index cannot be read, is damaged, or names a file elsewhere.
pub fn shards(index: &Path) -> Result<Vec<String>, WeightsError> {
    let files: BTreeSet<String> = Index::read(index)?.weight_map.into_values().collect();
    Ok(files.into_iter().collect())
}

impl Sharded {
    /// Opens the files beside an index: safetensors, or what `torch.save` wrote.
    ///
    /// # Errors
    ///
    /// If the index or a file that it names cannot be read or is damaged, or a tensor is not in the file
    /// that the index names for it.
    pub fn open(index: &Path) -> Result<Self, WeightsError> {
        let mut files: Vec<Box<dyn Checkpoint>> = Vec::new();
        let mut opened: BTreeMap<String, usize> = BTreeMap::new();
        let mut places = BTreeMap::new();
        for (tensor, name) in Index::read(index)?.weight_map {
            let place = if let Some(&place) = opened.get(&name) {
                place
            } else {
                files.push(open_shard(index, &name)?);
                opened.insert(name.clone(), files.len() - 1);
                files.len() - 1
            };
            if files[place].shape(&tensor).is_none() {
                let problem = format!("it says that '{tensor}' is in {name}, and it is not");
                return Err(WeightsError::Index { path: index.to_owned(), problem });
            }
            places.insert(tensor, place);
        }
        Ok(Self { path: index.to_owned(), files, places })
    }
}

/// Opens a file that an index names.
fn open_shard(index: &Path, name: &str) -> Result<Box<dyn Checkpoint>, WeightsError> {
    let path = index.with_file_name(name);
    if !path.is_file() {
        let problem = format!("it names {name}, which is not beside it; fetch or copy that file too");
        return Err(WeightsError::Index { path: index.to_owned(), problem });
    }
    if let Some(what) = wrong_kind::of_contents(&path) {
        return Err(WeightsError::WrongKind { path, what });
    }
    Ok(if name.ends_with(".safetensors") {
        Box::new(SafetensorsFile::open(&path)?)
    } else {
        Box::new(PickleFile::open(&path)?)
    })
}

impl Checkpoint for Sharded {
    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.places.get(name).and_then(|&place| self.files[place].shape(name))
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        match self.places.get(name) {
            Some(&place) => self.files[place].read(name),
            None => Err(WeightsError::missing(self, name)),
        }
    }
}
