//! What is not on this machine: models and data sets of the Hub, OpenAI's release, and data.

mod bars;
mod data_set;
mod repository;

use std::{
    path::{Path, PathBuf},
    slice,
    sync::OnceLock,
};

use anyhow::{Context, Result};
use gptune_fetch::{Checks, Damaged, OpenAi, Patience, PlainFiles, Progress, gpt2_repository};
use gptune_weights::WEIGHT_FILES;

use self::bars::Bars;
pub use self::data_set::{DataSet, HubData, Which, data_set};
use crate::Voice;

/// Data that is somebody else's: its name, where it is, and its file.
const DATA: [(&str, &str, &str); 2] = [
    (
        "book",
        "https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/ch07/01_main-chapter-code",
        "instruction-data.json",
    ),
    ("alpaca", "https://raw.githubusercontent.com/tatsu-lab/stanford_alpaca/main", "alpaca_data.json"),
];

/// Endings of files that weights come in.
const FILE_ENDINGS: [&str; 7] = [".safetensors", ".json", ".pth", ".pt", ".bin", ".gguf", ".ckpt"];

/// Something that has a place on this machine and one on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// A repository of the Hugging Face Hub.
    Hub {
        /// `OWNER/NAME`, or an old name without an owner.
        repository: String,
    },
    /// OpenAI's release of a GPT-2, at these addresses.
    OpenAi {
        /// Such as `124M`.
        size: &'static str,
        /// Addresses of folders with its files.
        folders: Vec<String>,
    },
    /// A file of data, in the folder at this address.
    Data {
        /// What it is called here.
        name: &'static str,
        /// The address of its folder.
        folder: String,
        /// Its file there.
        file: &'static str,
    },
}

impl Remote {
    /// The model of the Hub that a name stands for: a released GPT-2, or `OWNER/NAME`.
    #[must_use]
    pub fn model(name: &str) -> Option<Self> {
        let is_part = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c))
        };
        // What ends like a file or begins with a folder that is here is a path, if a mistaken one.
        let is_file = |name: &str| FILE_ENDINGS.iter().any(|ending| name.ends_with(ending));
        let is_repository = || {
            let parts = name.split_once('/');
            parts.is_some_and(|(owner, name)| {
                is_part(owner) && is_part(name) && !is_file(name) && !Path::new(owner).is_dir()
            })
        };
        let repository = gpt2_repository(name).or_else(|| is_repository().then_some(name))?;
        Some(Self::Hub { repository: repository.to_owned() })
    }

    /// Whether it is a model that was released by this name, so that nothing else can be meant.
    #[must_use]
    pub fn is_released(&self) -> bool {
        matches!(self, Self::Hub { repository } if repository::is_released(repository))
    }

    /// OpenAI's release of a model, from its own addresses or from a mirror.
    #[must_use]
    pub fn openai(name: &str, mirror: Option<&str>) -> Option<Self> {
        let release = OpenAi::named(name)?;
        let folders = mirror.map_or_else(|| release.folders(&OpenAi::BASES), |mirror| release.folders(&[mirror]));
        Some(Self::OpenAi { size: release.size, folders })
    }

    /// The data that a name stands for.
    #[must_use]
    pub fn data(name: &str, mirror: Option<&str>) -> Option<Self> {
        let (name, folder, file) = DATA.into_iter().find(|(known, ..)| *known == name)?;
        Some(Self::Data { name, folder: mirror.unwrap_or(folder).to_owned(), file })
    }

    /// Where it is on this machine, if it is, and is what was downloaded: nobody is asked. A large file is read for its
    /// checksum the first time.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn on_this_machine(&self, voice: &dyn Voice) -> Result<Option<PathBuf>> {
        Ok(self.find(&mut Bars::new(voice))?.filter(Found::is_sound).map(|found| found.place))
    }

    /// The files on this machine that are not what was downloaded: why it is not there for others.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn damage(&self, voice: &dyn Voice) -> Result<Vec<Damaged>> {
        Ok(self.find(&mut Bars::new(voice))?.map_or_else(Vec::new, |found| found.damaged))
    }

    /// What is on this machine, whatever its state.
    fn find(&self, bars: &mut Bars<'_>) -> Result<Option<Found>> {
        let mut progress = |progress: Progress<'_>| bars.show(progress);
        let Some(plain) = self.plain()? else { return repository::find(self.name(), &mut progress) };
        if !plain.names.iter().all(|file| plain.folder.join(file).is_file()) {
            return Ok(None);
        }
        let damaged = plain.with_files(|files| files.check(&mut progress))?;
        Ok(Some(Found { place: plain.place, damaged, ..Found::default() }))
    }

    /// The requests of a download.
    ///
    /// # Errors
    ///
    /// If there is no folder for downloads.
    pub fn requests(&self) -> Result<Vec<String>> {
        let Some(plain) = self.plain()? else {
            // Which files another repository has, the first request tells.
            let released = ["config.json", WEIGHT_FILES[0], repository::OPTIONAL[0]];
            let other = ["config.json", "{tokenizer}", "{weights}"];
            let files = if repository::is_released(self.name()) { released } else { other };
            return Ok(repository::hub().requests(self.name(), &files)?);
        };
        let folder = plain.bases.first().map_or("", |folder| folder.trim_end_matches('/'));
        Ok(plain.names.iter().map(|file| format!("GET {folder}/{file}")).collect())
    }

    /// What the requests do not say: which files they are for depends on the answers.
    #[must_use]
    pub fn outline(&self) -> Option<String> {
        let is_open = matches!(self, Self::Hub { repository } if !repository::is_released(repository));
        is_open.then(|| {
            format!(
                "config.json is read first, and anything but a GPT-2 is refused before weights are downloaded; {{weights}} \
                 is the first of {} that the repository has, with its shards, and {{tokenizer}} those of {}",
                WEIGHT_FILES.join(", "),
                repository::OPTIONAL.join(", ")
            )
        })
    }

    /// The place on this machine, after a download if need be. What is damaged is downloaded again, with a note.
    ///
    /// # Errors
    ///
    /// If it cannot be downloaded, or is damaged and cannot be mended.
    pub fn fetch(&self, voice: &dyn Voice) -> Result<PathBuf> {
        let mut bars = Bars::new(voice);
        match self.find(&mut bars)? {
            Some(found) => self.mend(found, &mut bars),
            None => self.download(false, &mut bars),
        }
    }

    /// The same, and whether anything was downloaded: all of it if `anew`. Where nothing on this machine tells whether
    /// a file is what it should be, the Hub is asked.
    ///
    /// # Errors
    ///
    /// As [`Remote::fetch`].
    pub fn fetch_with_care(&self, anew: bool, voice: &dyn Voice) -> Result<(PathBuf, bool)> {
        let mut bars = Bars::new(voice);
        let found = if anew { None } else { self.find(&mut bars)? };
        let was_there = found.is_some();
        let path = match found {
            Some(found) => {
                if !found.unknown.is_empty() {
                    repository::confirm(&found, voice, &mut |progress| bars.show(progress));
                }
                self.mend(found, &mut bars)?
            }
            None => self.download(anew, &mut bars)?,
        };
        Ok((path, !was_there || bars.received))
    }

    fn mend(&self, found: Found, bars: &mut Bars<'_>) -> Result<PathBuf> {
        if found.is_sound() {
            return Ok(found.place);
        }
        if !self.is_offline() {
            for damaged in &found.damaged {
                bars.voice.note(&format!("{damaged}; downloading it again"));
            }
        }
        match self {
            Self::Hub { repository } => {
                repository::mend(repository, found, bars.voice, &mut |progress| bars.show(progress))
            }
            _ => self.download(false, bars),
        }
    }

    fn download(&self, anew: bool, bars: &mut Bars<'_>) -> Result<PathBuf> {
        let mut progress = |progress: Progress<'_>| bars.show(progress);
        let Some(plain) = self.plain()? else {
            let hub = repository::hub().clone();
            return repository::fetch(&if anew { hub.anew() } else { hub }, self.name(), &mut progress);
        };
        plain.with_files(|files| files.fetch(anew, &mut progress))?;
        Ok(plain.place)
    }

    /// The repository, or the name of a release or of data.
    fn name(&self) -> &str {
        match self {
            Self::Hub { repository } => repository,
            Self::OpenAi { size, .. } => size,
            Self::Data { name, .. } => name,
        }
    }

    /// What comes from a server that is not the Hub.
    fn plain(&self) -> Result<Option<Plain<'_>>> {
        Ok(match self {
            Self::Hub { .. } => None,
            Self::OpenAi { size, folders } => {
                let folder = cache()?.join("openai").join(size);
                let bases = folders.iter().map(String::as_str).collect();
                Some(Plain { bases, names: &OpenAi::FILES, place: folder.clone(), folder })
            }
            Self::Data { name, folder: base, file } => {
                let folder = cache()?.join("data").join(name);
                Some(Plain { bases: vec![base], names: slice::from_ref(file), place: folder.join(file), folder })
            }
        })
    }

    fn is_offline(&self) -> bool {
        matches!(self, Self::Hub { .. }) && repository::hub().is_offline()
    }
}

/// What is on this machine of something, and in which state.
#[derive(Debug, Default)]
struct Found {
    place: PathBuf,
    /// The repository that the cache has it under; empty for what is not of the Hub.
    name: String,
    /// Files that are not what was downloaded.
    damaged: Vec<Damaged>,
    /// Files that nothing on this machine tells that of.
    unknown: Vec<String>,
    /// Files that are not there and may belong to it.
    open: Vec<&'static str>,
}

impl Found {
    fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.open.is_empty()
    }
}

/// Files of a plain server.
struct Plain<'a> {
    bases: Vec<&'a str>,
    names: &'a [&'a str],
    folder: PathBuf,
    /// The folder, or the only file in it.
    place: PathBuf,
}

impl Plain<'_> {
    fn with_files<T>(&self, work: impl FnOnce(PlainFiles<'_>) -> T) -> T {
        let Self { bases, names, folder, .. } = self;
        work(PlainFiles { bases, names, folder, checks: checks(), patience: Patience::default() })
    }
}

/// Which files were checked: in this process, and in those before it that had a cache to leave stamps in.
fn checks() -> &'static Checks {
    static CHECKS: OnceLock<Checks> = OnceLock::new();
    CHECKS.get_or_init(|| {
        cache().map_or_else(|_| Checks::default(), |cache| Checks::remembered_in(cache.join("checked")))
    })
}

/// The folder for downloads that have no cache of their own: `GPTUNE_CACHE`, or `gptune` in the user's cache.
fn cache() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || {
        std::env::home_dir().map(|home| home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" }))
    };
    variable("GPTUNE_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME").or_else(home)?.join("gptune")))
        .context("there is no home folder to keep downloads in; set GPTUNE_CACHE to a folder for them")
}

/// Says on standard error that something is not here and is being fetched, if it may be. That it is here and damaged is
/// said where it is repaired.
pub(crate) fn announce(remote: &Remote, what: &str, voice: &dyn Voice) {
    if remote.is_offline() || remote.find(&mut Bars::new(voice)).is_ok_and(|found| found.is_some()) {
        return;
    }
    voice.note(&format!(
        "'{what}' is not on this machine; downloading it (gptune fetch {what} --dry-run shows from where)"
    ));
}
