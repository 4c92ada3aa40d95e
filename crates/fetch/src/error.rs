use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Damaged, DataSetError, Kind};

/// What can go wrong with a download.
///
/// Every message is one sentence that names the file or address and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The name of a repository that cannot exist.
    #[error("'{name}' is not the name of a repository; it has to be like openai-community/gpt2")]
    RepositoryName {
        /// What was given.
        name: String,
    },
    /// The name of a revision that cannot exist.
    #[error("'{name}' is not the name of a revision; it has to be a branch, a tag or a commit, such as main")]
    RevisionName {
        /// What was given.
        name: String,
    },
    /// The name of a file that would not stay in its folder.
    #[error("'{name}' is not the name of a file in a repository; it has to be a relative path without '..'")]
    FileName {
        /// What was given.
        name: String,
    },
    /// `HF_ENDPOINT`, or another address, is not one.
    #[error("'{url}' is not an address to download from; it has to start with https:// or http://, in HF_ENDPOINT too")]
    Address {
        /// What was given.
        url: String,
    },
    /// The access token holds characters that cannot be sent.
    #[error("the access token for the Hugging Face Hub holds characters that no token has; correct HF_TOKEN")]
    Token,
    /// No place for the cache.
    #[error("there is no home folder to keep downloads in; set HF_HOME to a folder for them")]
    NoHome,
    /// Downloads are switched off, and a file that is needed is not in the cache.
    #[error("HF_HUB_OFFLINE is set, and {path} has no {missing}; unset it to download")]
    Offline {
        /// The repository's folder in the cache, or its newest snapshot.
        path: PathBuf,
        /// Names of the files, or the repository's if there is nothing of it.
        missing: String,
    },
    /// Downloads are switched off, and one was asked for that the cache cannot stand in for.
    #[error("HF_HUB_OFFLINE is set, so that {repository} cannot be downloaded anew; unset it")]
    OfflineAnew {
        /// The repository.
        repository: String,
    },
    /// Downloads are switched off, and a file in the cache is damaged.
    #[error("HF_HUB_OFFLINE is set, and {0}; unset it to download the file again")]
    OfflineDamaged(Damaged),
    /// A snapshot lacks a file that is needed, which could not be downloaded.
    #[error("{path} has no {missing}, which cannot be downloaded: {problem}")]
    Incomplete {
        /// The newest snapshot in the cache.
        path: PathBuf,
        /// Names of the files.
        missing: String,
        /// Why not.
        problem: Box<FetchError>,
    },
    /// A file on this machine is damaged, and could not be downloaded again.
    #[error("{damaged} and cannot be downloaded again: {problem}")]
    Damaged {
        /// The first such file.
        damaged: Damaged,
        /// Why not.
        problem: Box<FetchError>,
    },
    /// A file that is to be checked cannot be read.
    #[error("cannot read {path}: {source}; check its permissions, or remove it to have it downloaded again")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There was no connection to the server.
    #[error("cannot reach {host}: {problem}; check the connection and try again")]
    Unreachable {
        /// Host name, and port if unusual.
        host: String,
        /// What the system said.
        problem: String,
    },
    /// The connection broke, each time.
    #[error("the connection to {host} broke ({problem}); try again, and the download goes on where it stopped")]
    Broken {
        /// Host name, and port if unusual.
        host: String,
        /// What the system said.
        problem: String,
    },
    /// The server went silent, each time.
    #[error("{host} sent nothing for {seconds} seconds; try again, and the download goes on where it stopped")]
    Stalled {
        /// Host name, and port if unusual.
        host: String,
        /// Patience with it.
        seconds: u64,
    },
    /// The Hub wants to know who asks.
    #[error(
        "{endpoint} has no {kind} '{repository}' that everyone may read; check the name, or set HF_TOKEN to an \
         access token that may read it"
    )]
    Unauthorized {
        /// What it is asked for.
        kind: Kind,
        /// Address of the Hub.
        endpoint: String,
        /// The repository.
        repository: String,
    },
    /// The Hub knows who asks, and refuses.
    #[error(
        "{endpoint} does not let you read '{repository}'; accept its terms at {endpoint}/{}{repository} if it is gated, \
         and set HF_TOKEN to an access token that may read it", kind.prefix()
    )]
    Forbidden {
        /// What it is asked for.
        kind: Kind,
        /// Address of the Hub.
        endpoint: String,
        /// The repository.
        repository: String,
    },
    /// There is no such repository.
    #[error("{endpoint} has no {kind} '{repository}'; check the name")]
    NoRepository {
        /// What it is asked for.
        kind: Kind,
        /// Address of the Hub.
        endpoint: String,
        /// The repository.
        repository: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("the {kind} '{repository}' has no revision '{revision}'; check the name of the branch, tag or commit")]
    NoRevision {
        /// What it is asked for.
        kind: Kind,
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
    },
    /// The repository has no such file.
    #[error(
        "the {kind} '{repository}' has no file '{file}'; check the name{}",
        if *kind == Kind::Model { ", or whether it is another kind of model" } else { "" }
    )]
    NoFile {
        /// What it is asked for.
        kind: Kind,
        /// The repository.
        repository: String,
        /// The file.
        file: String,
    },
    /// The server answered with an error.
    #[error("the answer to {url} is status {status}; {}", advice(*status))]
    Status {
        /// Address without its query.
        url: String,
        /// HTTP status.
        status: u16,
        /// What the Hub calls the problem.
        code: Option<String>,
    },
    /// A data set whose files cannot be told or read.
    #[error(transparent)]
    DataSet(#[from] DataSetError),
    /// The server answered with something else than what was asked for.
    #[error("cannot use the answer to {url}: {problem}; check the address, and whether a proxy answers in its place")]
    Answer {
        /// Address without its query.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No address has the file.
    #[error("cannot download '{name}' from any of its addresses: {problems}")]
    NoSource {
        /// Name of the file.
        name: String,
        /// What went wrong at each.
        problems: String,
    },
    /// More or fewer bytes than the server announced.
    #[error("{url} sends {actual} bytes where {expected} were announced, and {path} was removed; try again")]
    Size {
        /// The file that was removed.
        path: PathBuf,
        /// Address without its query.
        url: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes received.
        actual: u64,
    },
    /// The bytes are not those that the Hub has the checksum of.
    #[error("what {url} sent has checksum {actual} and not {expected}, and {path} was removed; try again")]
    Checksum {
        /// The file that was removed.
        path: PathBuf,
        /// Address without its query.
        url: String,
        /// Checksum announced, in hexadecimal.
        expected: String,
        /// Checksum of what was received.
        actual: String,
    },
    /// The disk is full.
    #[error("no space is left for {path}; make some and try again, and the download goes on where it stopped")]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be written, read or renamed.
    #[error("cannot write {path}: {source}; check the folder's permissions")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl FetchError {
    /// For `map_err`: what went wrong with a file on this machine.
    pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path: path.to_owned() },
            _ => Self::Write { path: path.to_owned(), source },
        }
    }

    /// Whether the server cannot be used now and may be later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Stalled { .. } => true,
            Self::Status { status, .. } => is_busy(*status),
            _ => false,
        }
    }
}

fn advice(status: u16) -> &'static str {
    if is_busy(status) { "try again later" } else { "check the address" }
}

/// Whether a server may give another answer than this HTTP status later.
fn is_busy(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_is_told_from_other_faults() {
        let at = FetchError::at(Path::new("blob"));
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(matches!(at(kind.into()), FetchError::DiskFull { .. }));
        }
        assert!(matches!(at(io::ErrorKind::PermissionDenied.into()), FetchError::Write { .. }));
    }
}
