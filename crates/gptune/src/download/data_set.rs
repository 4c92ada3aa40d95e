//! Data sets of the Hugging Face Hub.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use gptune_fetch::{Check, Damaged, DataSetName, FetchError, Kind, Progress};

use super::{Bars, Remote, repository::hub};
use crate::Voice;

/// The files of a data set, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// What it is called: the name that was given.
    pub origin: String,
    /// The commit that the files are of, which as `OWNER/NAME@COMMIT` names the same files for ever. Of the branch
    /// `refs/convert/parquet` if they are the Hub's conversion.
    pub revision: String,
    /// The folder that they are in.
    pub folder: PathBuf,
    /// The splits that are meant, `train` first, each with its files in the order of their numbers. A file or pattern that was
    /// named is `train`.
    pub splits: Vec<(String, Vec<PathBuf>)>,
}

/// The files of a data set of the Hub, after a download if they are not on this machine. None if `name` is a path on this
/// machine, or has not the form of such a name: [`HubData`] says which names have it.
///
/// # Errors
///
/// If it is no name, if there is no such data set or part of it, or it cannot be read, downloaded or mended.
pub fn data_set(name: &str, voice: &dyn Voice) -> Result<Option<DataSet>> {
    let Some(data) = HubData::named(name)? else { return Ok(None) };
    let set = data.here_or_fetched(voice);
    // What has the form of a repository's name may have been meant as a path.
    let set =
        if data.may_be_path() { set.with_context(|| format!("there is no file or folder '{name}', and")) } else { set };
    set.map(Some)
}

/// A data set of the Hub, or a part of it, by its name.
///
/// `OWNER/NAME`, which `@REVISION` (a branch, tag or commit) may follow, and `:CONFIGURATION`, `:SPLIT` or
/// `:CONFIGURATION:SPLIT`. What is on this machine goes before it: a path of that name, and whatever is in a folder
/// that is called as `OWNER`. `hf://datasets/OWNER/NAME` is never a path, and a file, folder or pattern of the
/// repository may follow after a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubData {
    given: String,
    name: DataSetName,
}

impl HubData {
    /// The data set that a name stands for.
    ///
    /// # Errors
    ///
    /// If it has the form of one, and is none.
    pub fn named(name: &str) -> Result<Option<Self>> {
        let data = Self {
            given: name.to_owned(),
            name: match DataSetName::parse(name) {
                Ok(Some(name)) => name,
                Ok(None) => return Ok(None),
                Err(_) if Path::new(name).exists() => return Ok(None),
                Err(error) => return Err(error.into()),
            },
        };
        let owner = data.name.repository.split('/').next().unwrap_or_default();
        let is_path = data.may_be_path() && (Path::new(name).exists() || Path::new(owner).is_dir());
        Ok((!is_path).then_some(data))
    }

    /// Whether the name says that it is of a data set of the Hub and of nothing else.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        !self.may_be_path() || self.name.revision.is_some() || !self.name.labels.is_empty()
    }

    fn may_be_path(&self) -> bool {
        !self.given.contains("://")
    }

    /// Where it is on this machine, if it is whole and what was downloaded: nobody is asked.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a part of it is named that there is not.
    pub fn on_this_machine(&self, voice: &dyn Voice) -> Result<Option<PathBuf>> {
        let found = self.find(&mut Bars::new(voice))?;
        Ok(found.filter(|(_, check)| check.damaged.is_empty()).map(|(set, _)| set.folder))
    }

    /// The files on this machine that are not what was downloaded.
    ///
    /// # Errors
    ///
    /// As [`HubData::on_this_machine`].
    pub fn damage(&self, voice: &dyn Voice) -> Result<Vec<Damaged>> {
        Ok(self.find(&mut Bars::new(voice))?.map_or_else(Vec::new, |(_, check)| check.damaged))
    }

    /// The requests of a download.
    ///
    /// # Errors
    ///
    /// If there is no folder for downloads.
    pub fn requests(&self) -> Result<Vec<String>> {
        Ok(hub().data_set_requests(&self.name)?)
    }

    /// What the requests do not say.
    #[must_use]
    pub fn outline(&self) -> String {
        let conversion = if self.name.revision.is_none() && self.name.path.is_none() {
            "; where there are none that can be read, the Hub's Parquet files of refs/convert/parquet"
        } else {
            ""
        };
        format!(
            "{{data}} are the JSON, JSON Lines, CSV, TSV or Parquet files that README.md or their names tell the splits \
             of{conversion}"
        )
    }

    /// The files, and whether anything was downloaded: all of it if `anew`, and of the newest commit. Where nothing on
    /// this machine tells whether a file is what it should be, the Hub is asked.
    ///
    /// # Errors
    ///
    /// As [`data_set`].
    pub fn fetch_with_care(&self, anew: bool, voice: &dyn Voice) -> Result<(DataSet, bool)> {
        let mut bars = Bars::new(voice);
        let found = if anew { None } else { self.find(&mut bars)? };
        let was_there = found.is_some();
        let set = if let Some((set, check)) = found {
            confirm(&set, &check, &mut bars);
            self.mend(set, &check, &mut bars)?
        } else {
            let hub = if anew { hub().clone().anew() } else { hub().clone() };
            hub.data_set(&self.name, &mut |progress| bars.show(progress))?
        };
        self.tell(&set, voice);
        Ok((self.files(&set), !was_there || bars.received))
    }

    fn here_or_fetched(&self, voice: &dyn Voice) -> Result<DataSet> {
        let mut bars = Bars::new(voice);
        let set = if let Some((set, check)) = self.find(&mut bars)? {
            self.mend(set, &check, &mut bars)?
        } else {
            if !hub().is_offline() {
                let given = &self.given;
                voice.note(&format!(
                    "'{given}' is not on this machine; downloading it (gptune fetch --data {given} --dry-run shows from where)"
                ));
            }
            hub().data_set(&self.name, &mut |progress| bars.show(progress))?
        };
        self.tell(&set, voice);
        Ok(self.files(&set))
    }

    /// What is in the cache, if it is known to be all.
    fn find(&self, bars: &mut Bars<'_>) -> Result<Option<(gptune_fetch::DataSet, Check)>> {
        Ok(hub().cached_data_set(&self.name, &mut |progress: Progress<'_>| bars.show(progress))?)
    }

    /// Downloads what is damaged again, at the same commit, with a note.
    fn mend(&self, set: gptune_fetch::DataSet, check: &Check, bars: &mut Bars<'_>) -> Result<gptune_fetch::DataSet> {
        let Some(first) = check.damaged.first() else { return Ok(set) };
        if !hub().is_offline() {
            for damaged in &check.damaged {
                bars.voice.note(&format!("{damaged}; downloading it again"));
            }
        }
        let files: Vec<&str> = check.damaged.iter().map(|damaged| damaged.file.as_str()).collect();
        match hub().repair_data_set(&set, &files, &mut |progress| bars.show(progress)) {
            Ok(()) => Ok(set),
            // The Hub has forgotten the commit.
            Err(FetchError::NoFile { .. }) => Ok(hub().data_set(&self.name, &mut |progress| bars.show(progress))?),
            Err(error @ (FetchError::OfflineDamaged(_) | FetchError::Damaged { .. })) => Err(error.into()),
            Err(problem) => Err(FetchError::Damaged { damaged: first.clone(), problem: problem.into() }.into()),
        }
    }

    fn files(&self, set: &gptune_fetch::DataSet) -> DataSet {
        let (revision, folder) = (set.commit.clone(), set.folder.clone());
        DataSet { origin: self.given.clone(), revision, folder, splits: set.paths() }
    }

    /// Says what one would not expect of the files, once.
    fn tell(&self, set: &gptune_fetch::DataSet, voice: &dyn Voice) {
        static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let given = &self.given;
        let mut notes = Vec::new();
        if self.name.revision.is_none() && set.revision != "main" {
            notes.push(format!("the files of '{given}' are those that the Hub has made of it, of {}", set.revision));
        }
        if !set.left_out.is_empty() {
            let left_out = some(&set.left_out);
            notes.push(format!("of '{given}' {left_out} are left out: they are of another format, or of no split"));
        }
        if !set.absent.is_empty() {
            notes.push(format!("'{given}' has no {}, which the names of its other files tell of", some(&set.absent)));
        }
        if !set.is_known {
            let place = set.folder.display();
            notes.push(format!(
                "whether '{given}' has more files than those in {place} is not known, because the Hub could not be asked"
            ));
        }
        for note in notes {
            if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(note.clone()) {
                voice.note(&note);
            }
        }
    }
}

/// Compares files that nothing on this machine tells the checksum of with the Hub's, if it can be asked.
fn confirm(set: &gptune_fetch::DataSet, check: &Check, bars: &mut Bars<'_>) {
    let unknown: Vec<&str> = check.unknown.iter().map(String::as_str).collect();
    if !unknown.is_empty()
        && !hub().is_offline()
        && let Err(error) = hub().repair_data_set(set, &unknown, &mut |progress| bars.show(progress))
    {
        let (place, files) = (set.folder.display(), unknown.join(", "));
        bars.voice.note(&format!("{files} in {place} could not be compared with the Hub's: {error}"));
    }
}

/// The first of some names, and how many more there are.
fn some(names: &[String]) -> String {
    let first = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 3 { format!("{first} and {} more", names.len() - 3) } else { first }
}

/// What a name of the Hub is that does not say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// A model.
    Model(Remote),
    /// A data set.
    Data(HubData),
}

impl Which {
    /// What is in the cache under a name that both may have. None if neither is.
    ///
    /// # Errors
    ///
    /// If both are.
    pub fn on_this_machine(remote: &Remote, data: &HubData) -> Result<Option<Self>> {
        let repository = &data.name.repository;
        let is_here = |kind| hub().clone().of(kind).cached(repository).is_some();
        Ok(match (is_here(Kind::Model), is_here(Kind::DataSet)) {
            (true, true) => bail!("{}", ambiguous("the cache", repository)),
            (true, false) => Some(Self::Model(remote.clone())),
            (false, true) => Some(Self::Data(data.clone())),
            (false, false) => None,
        })
    }

    /// The same, and if neither is there, what the Hub has.
    ///
    /// # Errors
    ///
    /// If it has both, or neither, or cannot be asked.
    pub fn on_the_hub(remote: &Remote, data: &HubData) -> Result<Self> {
        if let Some(here) = Self::on_this_machine(remote, data)? {
            return Ok(here);
        }
        let repository = &data.name.repository;
        let model = presence(Kind::Model, repository)?;
        match (model, presence(Kind::DataSet, repository)) {
            (Ok(()), Ok(Ok(()))) => bail!("{}", ambiguous("the Hub", repository)),
            (Ok(()), _) => Ok(Self::Model(remote.clone())),
            (Err(_), Ok(Ok(()))) => Ok(Self::Data(data.clone())),
            (Err(absent), Ok(Err(_))) => bail!("{absent}; nor is there such a data set"),
            (Err(_), Err(error)) => Err(error.into()),
        }
    }
}

/// Whether the Hub has a repository, which it may not let everyone read; why not, if it has none; or why that cannot be
/// told.
fn presence(kind: Kind, repository: &str) -> Result<Result<(), FetchError>, FetchError> {
    match hub().clone().of(kind).list(repository) {
        Ok(_) | Err(FetchError::Forbidden { .. }) => Ok(Ok(())),
        Err(absent @ (FetchError::NoRepository { .. } | FetchError::Unauthorized { .. })) => Ok(Err(absent)),
        Err(error) => Err(error),
    }
}

fn ambiguous(place: &str, repository: &str) -> String {
    format!(
        "{place} has both a model and a data set '{repository}'; write gptune fetch --model {repository} for the one, or \
         gptune fetch --data {repository} for the other"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_this_machine_goes_before_names_of_the_hub() {
        let is_data = |name| HubData::named(name).unwrap().is_some();
        // Tests run in the folder of the crate.
        for path in ["src/download", "src/no-such-folder", "src/lib@x", "tests/x.jsonl", "x/y.jsonl", "book", "./x/y"] {
            assert!(!is_data(path), "{path}");
        }
        for name in ["x/y", "x/y@main", "x/y:train", "hf://datasets/src/download", "hf://datasets/x/y/z.jsonl"] {
            assert!(is_data(name), "{name}");
        }
        assert!(HubData::named("x/y:train[:10]").is_err());
        let is_certain = |name| HubData::named(name).unwrap().unwrap().is_certain();
        assert!(is_certain("x/y@main") && is_certain("hf://datasets/x/y") && !is_certain("x/y"));
        assert_eq!(some(&["a", "b", "c", "d", "e"].map(str::to_owned)), "a, b, c and 2 more");
    }
}
