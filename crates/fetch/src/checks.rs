//! Which files were checked, so that a large one is read once and not by every command.

use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    checksum::{checksum, is_checksum},
    damage::{Damage, stand_in},
};

/// A file may be changed and keep its time of change for as long as this, on the coarsest of file systems (FAT).
const TICK: Duration = Duration::from_secs(2);

/// Remembers which files were found to be what was downloaded. Clones share what they remember.
///
/// Reading a model of 6 GB for its checksum takes seconds, and its length and times are read at once. So a file that
/// passed leaves a stamp with those in a folder of our own, and the next command only compares them; where any of them
/// differs, or there is no stamp, the file is read. Without a folder, or with one that cannot be written, each process
/// reads each file once.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    folder: Option<PathBuf>,
    /// Verdicts of this process, by path.
    seen: Arc<Mutex<BTreeMap<PathBuf, Verdict>>>,
}

#[derive(Debug)]
struct Verdict {
    tag: String,
    state: String,
    damage: Option<Damage>,
}

/// What is remembered of a file that passed.
struct Stamp {
    /// The checksum that it had, or what else its server tells contents apart by.
    tag: String,
    length: u64,
    /// None if it was still so new that a later change might not show.
    state: Option<String>,
}

impl Checks {
    /// Checks that later processes hear of, through stamps in this folder. It is made when it is needed.
    #[must_use]
    pub fn remembered_in(folder: PathBuf) -> Self {
        Self { folder: Some(folder), seen: Arc::default() }
    }

    /// What is wrong with a file whose contents have this tag and length, if anything is. `on_bytes` is told how much of
    /// it was read, and of how much.
    pub(crate) fn damage(
        &self,
        path: &Path,
        tag: &str,
        length: Option<u64>,
        on_bytes: &mut dyn FnMut(u64, u64),
    ) -> io::Result<Option<Damage>> {
        let path = path.canonicalize()?;
        let mut file = File::open(&path)?;
        let metadata = file.metadata()?;
        let (found, state) = (metadata.len(), state(&metadata));
        // Before it is read: what changes it from now on has to show.
        let lasting = lasting(&metadata);
        let stamp = self.stamp(&path).filter(|stamp| stamp.tag == tag);
        // Contents of one tag have one length, so that a stamp knows it even where the rest of it says nothing.
        let length = length.or_else(|| stamp.as_ref().map(|stamp| stamp.length));
        if let Some(expected) = length.filter(|&length| length != found) {
            return Ok(Some(stand_in(&mut file)?.unwrap_or(Damage::Length { found, expected })));
        }
        if let (Some(verdict), Some(state)) = (self.seen().get(&path), &state)
            && (verdict.tag.as_str(), &verdict.state) == (tag, state)
        {
            return Ok(verdict.damage.clone());
        }
        if state.is_some() && stamp.is_some_and(|stamp| stamp.state == state) {
            self.judge(&path, tag, state, None);
            return Ok(None);
        }
        let actual = checksum(tag, &mut file, found, &mut |bytes| on_bytes(bytes, found))?;
        let damage = match actual {
            Some(actual) if actual == tag => None,
            Some(_) => Some(stand_in(&mut file)?.unwrap_or(Damage::Checksum { found })),
            // Where the length is right the file is; else there is nothing but its looks.
            None if length.is_some() => None,
            None => stand_in(&mut file)?,
        };
        if damage.is_none() && (is_checksum(tag) || length.is_some()) {
            self.stamp_file(&path, &Stamp { tag: tag.to_owned(), length: found, state: lasting });
        }
        self.judge(&path, tag, state, damage.clone());
        Ok(damage)
    }

    /// Notes that a file was just received and checked.
    pub(crate) fn passed(&self, path: &Path, tag: &str) {
        // If this fails the file is read another time.
        if let Ok(path) = path.canonicalize()
            && let Ok(metadata) = path.metadata()
        {
            let stamp = Stamp { tag: tag.to_owned(), length: metadata.len(), state: lasting(&metadata) };
            self.stamp_file(&path, &stamp);
            self.judge(&path, tag, state(&metadata), None);
        }
    }

    /// The tag that the file at this path has to have, if it passed before.
    pub(crate) fn tag_of(&self, path: &Path) -> Option<String> {
        Some(self.stamp(&path.canonicalize().ok()?)?.tag)
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Verdict>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, path: &Path, tag: &str, state: Option<String>, damage: Option<Damage>) {
        if let Some(state) = state {
            self.seen().insert(path.to_owned(), Verdict { tag: tag.to_owned(), state, damage });
        }
    }

    /// One file for each path, so that processes do not meet in one.
    fn stamp_path(&self, path: &Path) -> Option<PathBuf> {
        let name = Sha256::digest(path.as_os_str().as_encoded_bytes());
        Some(self.folder.as_ref()?.join(format!("{name:x}.json")))
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        let stamp: Value = serde_json::from_slice(&fs::read(self.stamp_path(path)?).ok()?).ok()?;
        let text = |key| Some(stamp.get(key)?.as_str()?.to_owned());
        Some(Stamp { tag: text("tag")?, length: stamp.get("length")?.as_u64()?, state: text("state") })
    }

    fn stamp_file(&self, path: &Path, Stamp { tag, length, state }: &Stamp) {
        let stamp = json!({ "path": path.to_string_lossy(), "tag": tag, "length": length, "state": state });
        if let Some(target) = self.stamp_path(path)
            && let Some(folder) = target.parent()
        {
            // Nothing is lost but time where there is no place for it.
            _ = fs::create_dir_all(folder).and_then(|()| gptune_files::write(&target, stamp.to_string().as_bytes()));
        }
    }
}

/// The state of a file, if it is old enough that each change from now on makes it another one.
fn lasting(metadata: &Metadata) -> Option<String> {
    let is_settled = metadata.modified().is_ok_and(|time| time + TICK < SystemTime::now());
    state(metadata).filter(|_| is_settled)
}

/// Length and times of a file, and where there is one its number, which is another one after a replacement. The time of
/// the last change of any kind cannot be set, as the time of the last change of contents can.
fn state(metadata: &Metadata) -> Option<String> {
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    #[cfg(unix)]
    let more = {
        use std::os::unix::fs::MetadataExt;
        format!(", changed {}.{:09}, inode {}", metadata.ctime(), metadata.ctime_nsec(), metadata.ino())
    };
    #[cfg(not(unix))]
    let more = "";
    Some(format!("length {}, modified {modified}{more}", metadata.len()))
}
