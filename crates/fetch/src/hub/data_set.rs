//! Data sets: which of their files are fetched, and whether the cache has them.

use std::{fs, path::PathBuf};

use super::{Check, Hub, Kind, Listing, MAIN, check::Lack, check_names, listing::files_in};
use crate::{
    DataSet, DataSetError, DataSetName, FetchError, Progress,
    data_set::{CARDS, Config, Selection, absent, configurations_of_conversion, read_card, script, select},
};

/// The branch with what the Hub made of a data set: Parquet files of each configuration and split.
const CONVERSION: &str = "refs/convert/parquet";

impl Hub {
    /// Fetches the files of a data set into the cache, those of them that are not there or are damaged. If the Hub
    /// cannot be asked or refuses, those in the cache will do if all are there and none is damaged.
    ///
    /// They are chosen as the `datasets` library does: by the configurations in the repository's description, else by
    /// names of folders and files. Where there are none that can be read, and no revision is named, those are taken
    /// that the Hub has made of them.
    ///
    /// # Errors
    ///
    /// [`FetchError`], which names the file of the cache that is missing or damaged; what was received is kept and used
    /// by the next attempt.
    pub fn data_set(&self, name: &DataSetName, progress: &mut dyn FnMut(Progress<'_>)) -> Result<DataSet, FetchError> {
        let hub = self.for_data_set(name);
        let error = match hub.ask(&name.repository) {
            Ok(listing) => return hub.choose(name, &listing, true, &mut Asking { progress }),
            Err(error) => error,
        };
        let Some((listing, is_known)) = hub.cached_listing(&name.repository)?.filter(|_| hub.may_do_without(&error))
        else {
            return Err(error);
        };
        let mut looking = Looking { progress, check: Check::default() };
        let set = hub.choose(name, &listing, is_known, &mut looking);
        let first =
            |set| looking.check.damaged.into_iter().next().map_or(Ok(set), |damaged| Err(Lack::Damage(damaged)));
        set.and_then(first).map_err(|lack| lack.explain(error))
    }

    /// The data set in the cache if it is known which files it has and all are there, and their state. Asks nobody.
    ///
    /// # Errors
    ///
    /// [`FetchError`] saying that the name cannot be, that its files cannot be read, or which of them are to be named.
    pub fn cached_data_set(
        &self,
        name: &DataSetName,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<(DataSet, Check)>, FetchError> {
        let hub = self.for_data_set(name);
        let Some((listing, true)) = hub.cached_listing(&name.repository)? else { return Ok(None) };
        let mut looking = Looking { progress, check: Check::default() };
        match hub.choose(name, &listing, true, &mut looking) {
            Ok(set) => Ok(Some((set, looking.check))),
            Err(Lack::Fault(fault)) => Err(fault),
            Err(_) => Ok(None),
        }
    }

    /// Downloads files of a data set in the cache again, at its own commit.
    ///
    /// # Errors
    ///
    /// As [`Hub::repair`].
    pub fn repair_data_set(
        &self,
        set: &DataSet,
        files: &[&str],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), FetchError> {
        let hub = self.clone().of(Kind::DataSet).at(&set.commit);
        hub.repair(&set.repository, files, progress).map(drop)
    }

    /// The requests that [`Hub::data_set`] makes if nothing of it is in the cache. A name in braces stands for files that
    /// the answers tell.
    ///
    /// # Errors
    ///
    /// [`FetchError::RepositoryName`] and [`FetchError::RevisionName`].
    pub fn data_set_requests(&self, name: &DataSetName) -> Result<Vec<String>, FetchError> {
        let files: &[&str] = if name.path.is_some() { &["{data}"] } else { &[CARDS[0], "{data}"] };
        self.for_data_set(name).requests(&name.repository, files)
    }

    fn for_data_set(&self, name: &DataSetName) -> Self {
        self.clone().of(Kind::DataSet).at(name.revision.as_deref().unwrap_or(MAIN))
    }

    /// The files of the newest commit that is known of, and whether these are all and not only those that are here.
    fn cached_listing(&self, repository: &str) -> Result<Option<(Listing, bool)>, FetchError> {
        let folder = self.folder(repository)?;
        let Some(commit) = folder.commit() else { return Ok(None) };
        let listed = folder.listed(&commit);
        let is_known = listed.is_some();
        let here = || Some(folder.snapshot(&commit)).filter(|snapshot| snapshot.is_dir()).map(|path| files_in(&path));
        let files = listed.or_else(here);
        let listing = |files| (Listing { repository: repository.to_owned(), commit: Some(commit), files }, is_known);
        Ok(files.map(listing))
    }

    /// Chooses the files, of the Hub's conversion if need be, and gets them.
    fn choose<S: Source>(
        &self,
        name: &DataSetName,
        listing: &Listing,
        is_known: bool,
        source: &mut S,
    ) -> Result<DataSet, S::Error> {
        let is_whole = name.path.is_none();
        let selection = match script(name, &listing.files).filter(|_| is_whole) {
            Some(script) => {
                let (repository, script) = (name.repository.clone(), script.to_owned());
                Err(DataSetError::Script { repository, script })
            }
            None => select(name, &listing.files, &self.configurations(name, listing, source)?),
        };
        let problem = match selection {
            Ok(selection) => return self.get(listing, is_known, selection, source),
            Err(problem) => problem,
        };
        let is_unreadable = matches!(problem, DataSetError::Script { .. } | DataSetError::NoFiles { .. });
        // What the Hub made is of the newest commit, and of no other that may be meant.
        if is_unreadable && is_whole && name.revision.is_none() {
            let hub = self.clone().at(CONVERSION);
            if let Some((conversion, is_known)) = source.list(&hub, &name.repository)? {
                let configurations = configurations_of_conversion(&conversion.files);
                if !configurations.is_empty() {
                    let selection = select(name, &conversion.files, &configurations).map_err(FetchError::from)?;
                    let set = hub.get(&conversion, is_known, selection, source)?;
                    // That it has to be looked for there is to be known without the Hub too.
                    source.done(self, listing)?;
                    return Ok(set);
                }
            }
        }
        Err(FetchError::from(problem).into())
    }

    /// The configurations that the descriptions of a data set name.
    fn configurations<S: Source>(
        &self,
        name: &DataSetName,
        listing: &Listing,
        source: &mut S,
    ) -> Result<Vec<Config>, S::Error> {
        let mut configurations = Vec::new();
        for card in
            CARDS.into_iter().filter(|card| name.path.is_none() && listing.files.iter().any(|file| file == card))
        {
            let path = source.get(self, listing, &[card])?.join(card);
            let text = fs::read(&path).map_err(|source| FetchError::Read { path, source })?;
            let own = read_card(&name.repository, card, &String::from_utf8_lossy(&text)).map_err(FetchError::from)?;
            configurations = if own.is_empty() { configurations } else { own };
        }
        Ok(configurations)
    }

    fn get<S: Source>(
        &self,
        listing: &Listing,
        is_known: bool,
        Selection { configuration, splits, left_out }: Selection,
        source: &mut S,
    ) -> Result<DataSet, S::Error> {
        let commit = listing.commit.clone().unwrap_or_default();
        let (repository, revision) = (listing.repository.clone(), self.revision.clone());
        let folder = PathBuf::new();
        let mut set = DataSet {
            repository,
            revision,
            commit,
            configuration,
            folder,
            splits,
            left_out,
            absent: Vec::new(),
            is_known,
        };
        let files: Vec<&str> = set.files();
        let absent = absent(&files, &listing.files);
        // Where nothing else tells what there is, the numbers do.
        let told = absent.iter().filter(|_| !is_known).map(String::as_str);
        let all: Vec<&str> = files.into_iter().chain(told).collect();
        set.folder = source.get(self, listing, &all)?;
        set.absent = absent;
        source.done(self, listing)?;
        Ok(set)
    }
}

/// Where listings and files come from.
trait Source {
    type Error: From<FetchError>;

    /// The files of a repository, and whether these are all; None if there is no such revision.
    fn list(&mut self, hub: &Hub, repository: &str) -> Result<Option<(Listing, bool)>, Self::Error>;

    /// Makes sure that these files are there, and returns their folder.
    fn get(&mut self, hub: &Hub, listing: &Listing, files: &[&str]) -> Result<PathBuf, Self::Error>;

    /// All that is needed of a listing is there.
    fn done(&mut self, hub: &Hub, listing: &Listing) -> Result<(), Self::Error>;
}

/// From the Hub into the cache.
struct Asking<'a> {
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Source for Asking<'_> {
    type Error = FetchError;

    fn list(&mut self, hub: &Hub, repository: &str) -> Result<Option<(Listing, bool)>, FetchError> {
        match hub.ask(repository) {
            Ok(listing) => Ok(Some((listing, true))),
            // What is wrong with the data set itself is what is said then.
            Err(
                FetchError::NoRevision { .. }
                | FetchError::NoRepository { .. }
                | FetchError::Unauthorized { .. }
                | FetchError::Forbidden { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn get(&mut self, hub: &Hub, listing: &Listing, files: &[&str]) -> Result<PathBuf, FetchError> {
        let folder = hub.folder(&listing.repository)?;
        if let Some(commit) = &listing.commit {
            folder.note_listed(commit, &listing.files);
        }
        // A first download that breaks off leaves something to say what is missing; one of many does not take the place of
        // what is whole.
        if folder.newest().is_none() {
            hub.make_newest(listing)?;
        }
        hub.fetch_listed(listing, files, &[], self.progress)
    }

    fn done(&mut self, hub: &Hub, listing: &Listing) -> Result<(), FetchError> {
        if let Some(commit) = &listing.commit {
            hub.folder(&listing.repository)?.note_listed(commit, &listing.files);
        }
        hub.make_newest(listing)
    }
}

/// From the cache.
struct Looking<'a> {
    progress: &'a mut dyn FnMut(Progress<'_>),
    /// What is known of the files that were asked for.
    check: Check,
}

impl Source for Looking<'_> {
    type Error = Lack;

    fn list(&mut self, hub: &Hub, repository: &str) -> Result<Option<(Listing, bool)>, Lack> {
        // If it is not there, whether there is one is not known: the Hub has to be asked.
        hub.cached_listing(repository)?.map(Some).ok_or(Lack::Nothing)
    }

    fn get(&mut self, hub: &Hub, listing: &Listing, files: &[&str]) -> Result<PathBuf, Lack> {
        check_names(files.iter())?;
        let snapshot = hub.folder(&listing.repository)?.snapshot(listing.commit.as_deref().unwrap_or_default());
        let missing = files.iter().filter(|file| !snapshot.join(file).is_file()).map(|file| (*file).to_owned());
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            return Err(Lack::Files(snapshot, missing));
        }
        let Check { damaged, unknown } = hub.check(&listing.repository, files, self.progress)?;
        self.check.damaged.extend(damaged);
        self.check.unknown.extend(unknown);
        Ok(snapshot)
    }

    fn done(&mut self, _: &Hub, _: &Listing) -> Result<(), Lack> {
        Ok(())
    }
}
