//! The Hugging Face Hub.

mod check;
mod data_set;
mod kind;
mod listing;
mod remote;

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Activity::{Checking, Receiving},
    Checks, FetchError, Patience, Progress,
    cache::{self, RepositoryFolder},
    checksum::is_checksum,
    client::{Client, Reply},
    download::{OnBytes, Source, download, forget, received},
    is_safe, lock, percent_encode,
};
pub use check::Check;
pub use kind::Kind;
pub use listing::Listing;
use listing::files_in;
use remote::{Remote, remote};

/// The public Hub.
const ENDPOINT: &str = "https://huggingface.co";

/// The branch that is meant where none is named.
const MAIN: &str = "main";

/// The Hugging Face Hub and the cache on this machine, which other tools share.
#[derive(Clone)]
pub struct Hub {
    endpoint: String,
    cache: Option<PathBuf>,
    token: Option<String>,
    offline: bool,
    symlinks: bool,
    patience: Patience,
    checks: Checks,
    kind: Kind,
    /// A branch, a tag or a commit.
    revision: String,
    /// If all is to be downloaded anew, the blobs that were.
    anew: Option<Arc<Mutex<BTreeSet<PathBuf>>>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the token, which has no place in a log.
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// The Hub and cache that the environment says, as it does for `huggingface_hub`: `HF_ENDPOINT`,
    /// `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HF_TOKEN` or the file at `HF_TOKEN_PATH` or in
    /// `HF_HOME`, `HF_HUB_DISABLE_IMPLICIT_TOKEN`, `HF_HUB_OFFLINE`, `HF_HUB_DISABLE_SYMLINKS`, and what some of
    /// them were called before.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_variables(|name| env::var_os(name), Patience::default())
    }

    /// The same with other variables and patience.
    #[must_use]
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>, patience: Patience) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let path = |names: &[&str]| first(names).map(|value| expand_home(value.into()));
        let text = |names: &[&str]| first(names)?.into_string().ok();
        let is_set = |names: &[&str]| {
            text(names).is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_ascii_uppercase().as_str()))
        };
        let home = path(&["HF_HOME"])
            .or_else(|| Some(path(&["XDG_CACHE_HOME"])?.join("huggingface")))
            .or_else(|| Some(env::home_dir()?.join(".cache/huggingface")));
        let token_file = path(&["HF_TOKEN_PATH"]).or_else(|| Some(home.as_ref()?.join("token")));
        Self {
            endpoint: text(&["HF_ENDPOINT"]).unwrap_or_else(|| ENDPOINT.to_owned()).trim_end_matches('/').to_owned(),
            cache: path(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]).or_else(|| Some(home?.join("hub"))),
            token: text(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
                .or_else(|| fs::read_to_string(token_file?).ok())
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty() && !is_set(&["HF_HUB_DISABLE_IMPLICIT_TOKEN"])),
            offline: is_set(&["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]),
            symlinks: !is_set(&["HF_HUB_DISABLE_SYMLINKS"]),
            patience,
            checks: Checks::default(),
            kind: Kind::Model,
            revision: MAIN.to_owned(),
            anew: None,
        }
    }

    /// The same with a memory of which files were checked.
    #[must_use]
    pub fn with_checks(self, checks: Checks) -> Self {
        Self { checks, ..self }
    }

    /// The same, but what is in the cache is downloaded all the same and replaced, each file once. Nothing in the cache
    /// stands in for a Hub that cannot be asked.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { anew: Some(Arc::default()), ..self }
    }

    /// The same for repositories of another kind: without this, names are of models.
    #[must_use]
    pub fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// The same at a branch, a tag or a commit: without this, at `main`. Where something here says "newest", it is the
    /// newest of that.
    #[must_use]
    pub fn at(self, revision: &str) -> Self {
        Self { revision: revision.to_owned(), ..self }
    }

    /// Whether downloads are switched off.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// The folder of the newest snapshot of a repository (`owner/name`) that is in the cache, whichever
    /// of its files that has. Asks nobody.
    #[must_use]
    pub fn cached(&self, repository: &str) -> Option<PathBuf> {
        self.folder(repository).ok()?.newest()
    }

    /// The requests that [`Hub::fetch`] makes for these files if none is in the cache. Which commit is the newest
    /// is what the first one asks. A name in braces stands for files that its answer tells.
    ///
    /// # Errors
    ///
    /// [`FetchError::RepositoryName`].
    pub fn requests(&self, repository: &str, files: &[&str]) -> Result<Vec<String>, FetchError> {
        self.folder(repository)?;
        let mut requests = vec![format!("GET {}", self.listing_url(repository, &self.revision))];
        for file in files {
            let is_placeholder = file.starts_with('{') && file.ends_with('}');
            let folder = self.file_url(repository, "{commit}", "");
            let url = folder + &if is_placeholder { (*file).to_owned() } else { percent_encode(file) };
            requests.extend([format!("HEAD {url}"), format!("GET {url}")]);
        }
        Ok(requests)
    }

    /// The files of a repository at its newest commit; if the Hub cannot be asked or refuses, those that are in the
    /// cache.
    ///
    /// # Errors
    ///
    /// [`FetchError`] saying that there is no such repository, that it may not be read, or that the Hub
    /// cannot be asked and nothing is in the cache; and that an address or token is none, whatever the cache has.
    pub fn list(&self, repository: &str) -> Result<Listing, FetchError> {
        let folder = self.folder(repository)?;
        self.ask(repository).or_else(|error| {
            let snapshot = self.cached_instead(&folder, [&[], &[]], error, &mut |_| {})?;
            Ok(Listing { repository: repository.to_owned(), commit: None, files: files_in(&snapshot) })
        })
    }

    /// Fetches files of a repository's newest commit into the cache, those of them that are not there or are damaged,
    /// and returns the snapshot's folder. An `optional` file that the repository does not have is passed
    /// over. If the Hub cannot be asked or refuses, a snapshot in the cache that has the `required` files, and
    /// none of them damaged, will do.
    ///
    /// # Errors
    ///
    /// [`FetchError`], which names the file of the cache that is missing or damaged; what was received is kept and used by the next attempt.
    pub fn fetch(
        &self,
        repository: &str,
        required: &[&str],
        optional: &[&str],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf, FetchError> {
        check_names(required.iter().chain(optional))?;
        let folder = self.folder(repository)?;
        match self.ask(repository) {
            Ok(listing) => {
                let snapshot = self.fetch_listed(&listing, required, optional, progress)?;
                self.make_newest(&listing)?;
                Ok(snapshot)
            }
            Err(error) => self.cached_instead(&folder, [required, optional], error, progress),
        }
    }

    /// The same from a listing, for a choice of files that depends on what is in some of them: all are of one commit.
    /// Which snapshot is the newest for others who look into the cache, only [`Hub::make_newest`] changes.
    ///
    /// # Errors
    ///
    /// As [`Hub::fetch`].
    pub fn fetch_listed(
        &self,
        listing: &Listing,
        required: &[&str],
        optional: &[&str],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf, FetchError> {
        let Listing { repository, commit, files } = listing;
        let folder = self.folder(repository)?;
        check_names(required.iter().chain(optional))?;
        let Some(commit) = commit else {
            // Where the cache does not do, the Hub says again why it cannot help, or does.
            let cached = self.cached_with(&folder, [required, optional], progress);
            return cached.or_else(|_| self.fetch(repository, required, optional, progress));
        };
        let listed = |file: &&str| files.iter().any(|listed| listed == file);
        if let Some(file) = required.iter().find(|file| !listed(file)) {
            let (kind, repository) = (self.kind, repository.clone());
            return Err(FetchError::NoFile { kind, repository, file: (*file).to_owned() });
        }
        let client = self.client()?;
        for file in required.iter().chain(optional.iter().filter(|file| listed(file))) {
            self.fetch_file(&client, &folder, (repository, commit, file), progress)?;
        }
        optional.iter().filter(|file| !listed(file)).for_each(|file| folder.note_absent(commit, file));
        Ok(folder.snapshot(commit))
    }

    /// Makes a listing's snapshot the one that [`Hub::cached`] and other tools find.
    ///
    /// # Errors
    ///
    /// [`FetchError::Write`] and [`FetchError::DiskFull`].
    pub fn make_newest(&self, listing: &Listing) -> Result<(), FetchError> {
        let folder = self.folder(&listing.repository)?;
        // One from the cache is the newest that is known of.
        listing.commit.iter().try_for_each(|commit| folder.set_newest(commit))
    }

    /// Fetches one file into a snapshot, unless it is there.
    fn fetch_file(
        &self,
        client: &Client,
        folder: &RepositoryFolder,
        (repository, commit, file): (&str, &str, &str),
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), FetchError> {
        let url = self.file_url(repository, commit, file);
        let explain = |error| self.explain(error, repository, Some(file));
        let Remote { etag, size } = client.patience.retry(|_| remote(client, &url)).map_err(explain)?;
        let pointer = folder.snapshot(commit).join(file);
        let blob = folder.blob(&etag);
        let mut on_bytes = |activity, bytes, total| progress(Progress { file, activity, bytes, total });
        let is_due = || match &self.anew {
            Some(done) => !done.lock().unwrap_or_else(PoisonError::into_inner).contains(&blob),
            None => false,
        };
        if !is_due() && self.is_sound(&pointer, &etag, size, &mut on_bytes)? {
            tracing::debug!(repository, commit, file, "it is in the cache and sound");
            return Ok(());
        }
        // The lock of huggingface_hub, which does not fetch a file either as long as it is taken.
        let _lock = lock::acquire(&folder.lock(&etag), || on_bytes(Receiving, received(&blob), size))?;
        if !is_due() && self.is_sound(&pointer, &etag, size, &mut on_bytes)? {
            return Ok(());
        }
        if is_due() || !self.is_sound(&blob, &etag, size, &mut on_bytes)? {
            if is_due() {
                forget(&blob)?;
            }
            tracing::info!(repository, commit, file, size, "downloading it into the cache");
            let source = Source { url: &url, size, etag: Some(&etag) };
            download(client, &source, &blob, &mut on_bytes).map_err(explain)?;
            self.checks.passed(&blob, &etag);
            if let Some(done) = &self.anew {
                done.lock().unwrap_or_else(PoisonError::into_inner).insert(blob);
            }
        }
        folder.link(&etag, commit, file, self.symlinks)?;
        // Where it is no link, nothing but this tells later what it has to be.
        self.checks.passed(&pointer, &etag);
        Ok(())
    }

    /// Whether a file in the cache is the one that the Hub gives this tag and size.
    fn is_sound(&self, path: &Path, etag: &str, size: Option<u64>, on_bytes: OnBytes) -> Result<bool, FetchError> {
        if !path.is_file() {
            return Ok(false);
        }
        // The Hub may have other tags for the same contents by now, and those of the blob are as good.
        let own = cache::tag_of(path).filter(|own| is_checksum(own));
        let tag = own.as_deref().unwrap_or(etag);
        let damage = self.checks.damage(path, tag, size, &mut |bytes, total| on_bytes(Checking, bytes, Some(total)));
        Ok(damage.map_err(|source| FetchError::Read { path: path.to_owned(), source })?.is_none())
    }

    /// Asks the Hub for the newest commit of a repository.
    fn ask(&self, repository: &str) -> Result<Listing, FetchError> {
        self.ask_at(repository, &self.revision)
    }

    /// Asks the Hub which files a commit has.
    fn ask_at(&self, repository: &str, revision: &str) -> Result<Listing, FetchError> {
        if self.offline && self.anew.is_some() {
            return Err(FetchError::OfflineAnew { repository: repository.to_owned() });
        }
        if self.offline {
            let path = self.folder(repository)?.root().to_owned();
            return Err(FetchError::Offline { path, missing: format!("copy of {repository}") });
        }
        let client = self.client()?;
        let url = self.listing_url(repository, revision);
        let answer = client.patience.retry(|_| {
            let Reply { mut response, uri } = client.get(&url, 0)?.check()?;
            response.body_mut().read_to_vec().map_err(|error| client.fault(&uri, error))
        });
        let answer = answer.map_err(|error| self.explain(error, repository, None))?;
        let problem = "it is not a list of a repository's files".to_owned();
        Listing::parse(repository, &answer).ok_or(FetchError::Answer { url, problem })
    }

    fn client(&self) -> Result<Client, FetchError> {
        let client = Client::new(self.patience);
        self.token.iter().try_fold(client, |client, token| client.with_token(&self.endpoint, token))
    }

    fn listing_url(&self, repository: &str, revision: &str) -> String {
        // The slashes of `refs/convert/parquet` too.
        let revision = percent_encode(revision).replace('/', "%2F");
        format!("{}/api/{}/{repository}/revision/{revision}", self.endpoint, self.kind.plural())
    }

    fn file_url(&self, repository: &str, commit: &str, file: &str) -> String {
        format!("{}/{}{repository}/resolve/{commit}/{}", self.endpoint, self.kind.prefix(), percent_encode(file))
    }

    fn folder(&self, repository: &str) -> Result<RepositoryFolder, FetchError> {
        let is_name = |name: &str| {
            let is_usual = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
            !name.starts_with('.') && !name.is_empty() && name.chars().all(is_usual) && !name.contains("--")
        };
        if repository.split('/').count() > 2 || !repository.split('/').all(is_name) {
            return Err(FetchError::RepositoryName { name: repository.to_owned() });
        }
        if !is_safe(&self.revision) {
            return Err(FetchError::RevisionName { name: self.revision.clone() });
        }
        let cache = self.cache.as_ref().ok_or(FetchError::NoHome)?;
        Ok(RepositoryFolder::new(cache, self.kind, repository, &self.revision))
    }

    /// Says what a status of the Hub means for a repository or a file of it.
    fn explain(&self, error: FetchError, repository: &str, file: Option<&str>) -> FetchError {
        let (kind, endpoint, repository) = (self.kind, self.endpoint.clone(), repository.to_owned());
        let FetchError::Status { url, status, code } = error else { return error };
        if !url.starts_with(&endpoint) {
            return FetchError::Status { url, status, code };
        }
        match (status, code.as_deref(), file) {
            // Without a token it is 401, and what the Hub calls it tells it from one that is not there.
            (401 | 403, Some("GatedRepo"), _) | (403, ..) => FetchError::Forbidden { kind, endpoint, repository },
            (401, ..) => FetchError::Unauthorized { kind, endpoint, repository },
            (404, Some("RevisionNotFound"), _) => {
                FetchError::NoRevision { kind, repository, revision: self.revision.clone() }
            }
            (404, _, None) => FetchError::NoRepository { kind, endpoint, repository },
            (404, _, Some(file)) => FetchError::NoFile { kind, repository, file: file.to_owned() },
            _ => FetchError::Status { url, status, code },
        }
    }
}

fn check_names<'a>(mut names: impl Iterator<Item = &'a &'a str>) -> Result<(), FetchError> {
    match names.find(|name| !is_safe(name)) {
        Some(name) => Err(FetchError::FileName { name: (*name).to_owned() }),
        None => Ok(()),
    }
}

/// A path with `~` at its beginning replaced by the home folder.
fn expand_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}
