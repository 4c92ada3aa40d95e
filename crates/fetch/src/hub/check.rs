//! Files that are in the cache: whether they are what was downloaded, and what to do if not.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::Hub;
use crate::{
    Activity::Checking,
    Damage, Damaged, FetchError, Progress,
    cache::{RepositoryFolder, tag_of},
    checksum::is_checksum,
    damage::stand_in,
};

/// The names of files that have to be there, and of those that may be.
type Wanted<'a> = [&'a [&'a str]; 2];

/// What is known of files in the cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Check {
    /// Those that are not what was downloaded.
    pub damaged: Vec<Damaged>,
    /// Those that nothing on this machine tells the checksum or length of, as where another program has put copies
    /// into the snapshot in place of links.
    pub unknown: Vec<String>,
}

/// Why a snapshot does not do.
pub(super) enum Lack {
    Nothing,
    Files(PathBuf, Vec<String>),
    Damage(Damaged),
    Fault(FetchError),
}

impl From<FetchError> for Lack {
    fn from(fault: FetchError) -> Self {
        Self::Fault(fault)
    }
}

impl Lack {
    /// The error that is left where the Hub could not be asked for this reason, and the cache does not do either.
    pub(super) fn explain(self, error: FetchError) -> FetchError {
        let is_offline = matches!(error, FetchError::Offline { .. });
        match self {
            Self::Nothing => error,
            Self::Files(path, missing) if is_offline => FetchError::Offline { path, missing: missing.join(", ") },
            Self::Files(path, missing) => {
                FetchError::Incomplete { path, missing: missing.join(", "), problem: error.into() }
            }
            Self::Damage(damaged) if is_offline => FetchError::OfflineDamaged(damaged),
            Self::Damage(damaged) => FetchError::Damaged { damaged, problem: error.into() },
            Self::Fault(fault) => fault,
        }
    }
}

impl Hub {
    /// Checks files of the newest snapshot in the cache, those that are there, against the names of their blobs. Asks
    /// nobody. A file is read for its checksum unless [`super::Checks`] remember it.
    ///
    /// # Errors
    ///
    /// [`FetchError::RepositoryName`], [`FetchError::NoHome`] and [`FetchError::Read`].
    pub fn check(
        &self,
        repository: &str,
        files: &[&str],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Check, FetchError> {
        let mut check = Check::default();
        let Some(snapshot) = self.folder(repository)?.newest() else { return Ok(check) };
        for file in files.iter().filter(|file| snapshot.join(file).is_file()) {
            match self.look(&snapshot, file, progress)? {
                (Some(damage), _) => check.damaged.push(damaged(&snapshot, file, damage)),
                (None, false) => check.unknown.push((*file).to_owned()),
                (None, true) => {}
            }
        }
        Ok(check)
    }

    /// Compares files of the newest snapshot in the cache with what the Hub says of them at the same commit, and
    /// downloads those again that are others. Returns the snapshot's folder. What is being read by another process
    /// stays there for it.
    ///
    /// # Errors
    ///
    /// [`FetchError`].
    pub fn repair(
        &self,
        repository: &str,
        files: &[&str],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf, FetchError> {
        super::check_names(files.iter())?;
        let folder = self.folder(repository)?;
        let newest = folder.newest().filter(|_| !self.offline);
        let Some((snapshot, commit)) = newest.as_deref().and_then(with_commit) else {
            return self.fetch(repository, files, &[], progress);
        };
        let client = self.client()?;
        for file in files {
            self.fetch_file(&client, &folder, (repository, commit, file), progress)?;
        }
        Ok(snapshot.to_owned())
    }

    /// Of these files, those that the newest snapshot in the cache does not have and that its commit may have. Asks
    /// nobody. Empty if there is no snapshot.
    ///
    /// # Errors
    ///
    /// [`FetchError::RepositoryName`] and [`FetchError::NoHome`].
    pub fn undetermined<'a>(&self, repository: &str, files: &[&'a str]) -> Result<Vec<&'a str>, FetchError> {
        let folder = self.folder(repository)?;
        let newest = folder.newest();
        let Some((snapshot, commit)) = newest.as_deref().and_then(with_commit) else { return Ok(Vec::new()) };
        let is_open = |file: &&&str| !snapshot.join(file).exists() && !folder.is_absent(commit, file);
        Ok(files.iter().filter(is_open).copied().collect())
    }

    /// Fetches files that the newest snapshot in the cache does not have, at its commit; those that the commit does not
    /// have either are passed over, and it is noted that there are none.
    ///
    /// # Errors
    ///
    /// [`FetchError`], in particular if the Hub cannot be asked.
    pub fn complete(
        &self,
        repository: &str,
        files: &[&str],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), FetchError> {
        let newest = self.folder(repository)?.newest();
        let Some((snapshot, commit)) = newest.as_deref().and_then(with_commit) else { return Ok(()) };
        if self.offline {
            return Err(FetchError::Offline { path: snapshot.to_owned(), missing: files.join(", ") });
        }
        // Not the newest of the Hub, because all files of a model are of one commit.
        let listing = self.ask_at(repository, commit)?;
        self.fetch_listed(&listing, &[], files, progress).map(drop)
    }

    /// The newest snapshot in the cache if it has these files, in place of the Hub that could not be asked. What the
    /// user has to correct is said all the same.
    pub(super) fn cached_instead(
        &self,
        folder: &RepositoryFolder,
        wanted: Wanted,
        error: FetchError,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf, FetchError> {
        if !self.may_do_without(&error) {
            return Err(error);
        }
        self.cached_with(folder, wanted, progress).map_err(|lack| lack.explain(error))
    }

    /// Whether the cache may stand in for a Hub that could not be asked for this reason.
    pub(super) fn may_do_without(&self, error: &FetchError) -> bool {
        !matches!(error, FetchError::Address { .. } | FetchError::Token) && self.anew.is_none()
    }

    /// The newest snapshot in the cache if it has the files that have to be there, and none of these is damaged.
    pub(super) fn cached_with(
        &self,
        folder: &RepositoryFolder,
        [required, optional]: Wanted,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf, Lack> {
        let snapshot = folder.newest().ok_or(Lack::Nothing)?;
        let is_there = |file: &&str| snapshot.join(file).is_file();
        let missing: Vec<_> = required.iter().filter(|file| !is_there(file)).map(|file| (*file).to_owned()).collect();
        if !missing.is_empty() {
            return Err(Lack::Files(snapshot, missing));
        }
        for file in required.iter().chain(optional.iter().filter(|file| is_there(file))) {
            if let (Some(damage), _) = self.look(&snapshot, file, progress).map_err(Lack::Fault)? {
                return Err(Lack::Damage(damaged(&snapshot, file, damage)));
            }
        }
        Ok(snapshot)
    }

    /// What is wrong with a file of a snapshot, and whether anything tells that.
    fn look(
        &self,
        snapshot: &Path,
        file: &str,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Option<Damage>, bool), FetchError> {
        let path = snapshot.join(file);
        let remembered = self.checks.tag_of(&path);
        let tag = tag_of(&path).or_else(|| remembered.clone());
        let mut on_bytes = |bytes, total| progress(Progress { file, activity: Checking, bytes, total: Some(total) });
        let found = match &tag {
            Some(tag) => {
                let damage = self.checks.damage(&path, tag, None, &mut on_bytes);
                damage.map(|damage| (damage, is_checksum(tag) || remembered.as_ref() == Some(tag)))
            }
            // A copy may be anything but these.
            None => File::open(&path).and_then(|mut file| Ok((stand_in(&mut file)?, false))),
        };
        found.map_err(|source| FetchError::Read { path, source })
    }
}

/// A snapshot's folder and the commit that it is named for.
fn with_commit(snapshot: &Path) -> Option<(&Path, &str)> {
    Some((snapshot, snapshot.file_name()?.to_str()?))
}

fn damaged(snapshot: &Path, file: &str, damage: Damage) -> Damaged {
    Damaged { file: file.to_owned(), path: snapshot.join(file), damage }
}
