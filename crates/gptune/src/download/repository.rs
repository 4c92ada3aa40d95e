//! Models of the Hugging Face Hub.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use anyhow::{Result, bail};
use gptune_fetch::{Check, FetchError, GPT2_NAMES, Hub, Progress};
use gptune_weights::{WEIGHT_FILES, check_config, shards};

use super::{Found, checks};
use crate::Voice;

/// Files beside the weights that a model may have, which say what its tokens are and where its answers end.
pub(super) const OPTIONAL: [&str; 7] = [
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
];

/// Those of them that a tokenizer is read from.
const TOKENIZERS: [&str; 2] = ["tokenizer.json", "vocab.json"];

/// The Hub, with one memory for the process of which files were checked.
pub(super) fn hub() -> &'static Hub {
    static HUB: OnceLock<Hub> = OnceLock::new();
    HUB.get_or_init(|| Hub::from_env().with_checks(checks().clone()))
}

/// Whether a repository is one of the released models, whose files are known.
pub(super) fn is_released(repository: &str) -> bool {
    GPT2_NAMES.iter().any(|(_, known)| *known == repository)
}

/// The model in the cache, with the state of the files that are used of it. Nobody is asked.
pub(super) fn find(repository: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Option<Found>> {
    // The released models were repositories without an owner once.
    let old = repository.strip_prefix("openai-community/");
    for name in [Some(repository), old].into_iter().flatten() {
        let Some(place) = hub().cached(name) else { continue };
        let Some(files) = whole(&place) else { continue };
        let files: Vec<&str> = files.iter().map(String::as_str).chain(OPTIONAL).collect();
        let Check { damaged, unknown } = hub().check(name, &files, progress)?;
        let open = if is_released(repository) { Vec::new() } else { undetermined(name, &place)? };
        return Ok(Some(Found { place, name: name.to_owned(), damaged, unknown, open }));
    }
    Ok(None)
}

/// The files of a model in a folder that it cannot do without, if all are there: a download may have broken off between
/// its shards.
fn whole(folder: &Path) -> Option<Vec<String>> {
    let is_there = |file: &str| folder.join(file).is_file();
    let weights = WEIGHT_FILES.into_iter().find(|file| is_there(file))?;
    let mut files = vec!["config.json".to_owned(), weights.to_owned()];
    if is_index(weights) {
        files.extend(shards(&folder.join(weights)).ok()?);
    }
    files.iter().all(|file| is_there(file)).then_some(files)
}

/// Whether a file of weights says which files they are in.
fn is_index(weights: &str) -> bool {
    weights.ends_with(".index.json")
}

/// Repositories that could not be asked for a tokenizer, so that a command waits for the Hub once.
static NOT_ASKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The files that a model in the cache may have, where nothing here tells whether it has a tokenizer of its own: another
/// program, or an earlier version of this one, may have left it out.
fn undetermined(repository: &str, place: &Path) -> Result<Vec<&'static str>> {
    let open = hub().undetermined(repository, &OPTIONAL)?;
    let is_told = TOKENIZERS.iter().any(|file| place.join(file).is_file())
        || !TOKENIZERS.iter().any(|file| open.contains(file))
        || NOT_ASKED.lock().unwrap_or_else(PoisonError::into_inner).contains(repository);
    Ok(if is_told { Vec::new() } else { open })
}

/// Makes a model in the cache what it should be, and returns its folder.
pub(super) fn mend(
    repository: &str,
    found: Found,
    voice: &dyn Voice,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    let Found { place, name, damaged, open, .. } = found;
    if let Some(first) = damaged.first() {
        let files: Vec<&str> = damaged.iter().map(|damaged| damaged.file.as_str()).collect();
        match hub().repair(&name, &files, progress) {
            Ok(_) => {}
            // The Hub has forgotten the commit.
            Err(FetchError::NoFile { .. }) => return fetch(hub(), repository, progress),
            Err(error @ (FetchError::OfflineDamaged(_) | FetchError::Damaged { .. })) => return Err(error.into()),
            Err(problem) => {
                return Err(FetchError::Damaged { damaged: first.clone(), problem: problem.into() }.into());
            }
        }
    }
    if !open.is_empty()
        && let Err(error) = hub().complete(&name, &open, progress)
    {
        // It was usable without, and whoever has no connection shall not need one now.
        NOT_ASKED.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        voice.note(&format!("whether '{name}' has a tokenizer of its own is not known, and GPT-2's is used: {error}"));
    }
    Ok(place)
}

/// Compares files that nothing on this machine tells the checksum of with the Hub's, if it can be asked.
pub(super) fn confirm(found: &Found, voice: &dyn Voice, progress: &mut dyn FnMut(Progress<'_>)) {
    let files: Vec<&str> = found.unknown.iter().map(String::as_str).collect();
    if !hub().is_offline()
        && let Err(error) = hub().repair(&found.name, &files, progress)
    {
        let place = found.place.display();
        voice.note(&format!("{} in {place} could not be compared with the Hub's: {error}", files.join(", ")));
    }
}

/// Fetches the model of a repository, having made sure that it is a GPT-2 before its weights come.
pub(super) fn fetch(hub: &Hub, repository: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<PathBuf> {
    let released = ["config.json", WEIGHT_FILES[0]];
    if is_released(repository) {
        return Ok(hub.fetch(repository, &released, &OPTIONAL[..1], progress)?);
    }
    let listing = hub.list(repository)?;
    let is_there = |wanted: &&str| listing.files().iter().any(|file| file == wanted);
    let Some(weights) = WEIGHT_FILES.into_iter().find(is_there) else {
        if listing.is_of_cache() {
            // The Hub could not be asked: why not, and what is missing, is said once more.
            return Ok(hub.fetch(repository, &released, &[], progress)?);
        }
        bail!("the repository '{repository}' has none of {}; name one with such weights", WEIGHT_FILES.join(", "));
    };
    let mut fetch = |files: &[&str], optional: &[&str]| hub.fetch_listed(&listing, files, optional, progress);
    let folder = fetch(&["config.json"], &OPTIONAL)?;
    check_config(&folder.join("config.json"))?;
    let mut folder = fetch(&["config.json", weights], &[])?;
    if is_index(weights) {
        let shards = shards(&folder.join(weights))?;
        let all = ["config.json", weights].into_iter().chain(shards.iter().map(String::as_str));
        folder = fetch(&all.collect::<Vec<_>>(), &[])?;
    }
    hub.make_newest(&listing)?;
    Ok(folder)
}
