//! What is not on this machine: models of the Hub, OpenAI's release, and data.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gptune_fetch::{GPT2_NAMES, Hub, OpenAi, Patience, Progress, fetch_files, gpt2_repository};
use gptune_weights::{SHARD_INDEX, WEIGHT_FILES, check_config, shards};
use indicatif::{ProgressBar, ProgressStyle};

use crate::console;

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
pub(crate) enum Remote {
    /// A repository of the Hugging Face Hub.
    Hub { repository: String },
    /// OpenAI's release of a GPT-2, at these addresses.
    OpenAi { size: &'static str, folders: Vec<String> },
    /// A file of data, in the folder at this address.
    Data { name: &'static str, folder: String, file: &'static str },
}

impl Remote {
    /// The model of the Hub that a name stands for: a released GPT-2, or `OWNER/NAME`.
    pub(crate) fn model(name: &str) -> Option<Self> {
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

    /// OpenAI's release of a model, from its own addresses or from a mirror.
    pub(crate) fn openai(name: &str, mirror: Option<&str>) -> Option<Self> {
        let release = OpenAi::named(name)?;
        let folders = mirror.map_or_else(|| release.folders(&OpenAi::BASES), |mirror| release.folders(&[mirror]));
        Some(Self::OpenAi { size: release.size, folders })
    }

    /// The data that a name stands for.
    pub(crate) fn data(name: &str, mirror: Option<&str>) -> Option<Self> {
        let (name, folder, file) = DATA.into_iter().find(|(known, ..)| *known == name)?;
        Some(Self::Data { name, folder: mirror.unwrap_or(folder).to_owned(), file })
    }

    /// Where it is on this machine, if it is: nobody is asked.
    pub(crate) fn on_this_machine(&self) -> Result<Option<PathBuf>> {
        match self {
            Self::Hub { repository } => {
                let hub = Hub::from_env();
                // The released models were repositories without an owner once.
                let old = repository.strip_prefix("openai-community/");
                let names = [Some(repository.as_str()), old].into_iter().flatten();
                Ok(names.filter_map(|name| hub.cached(name)).find(|folder| is_whole(folder)))
            }
            Self::OpenAi { size, .. } => {
                let folder = cache()?.join("openai").join(size);
                Ok(OpenAi::FILES.iter().all(|file| folder.join(file).is_file()).then_some(folder))
            }
            Self::Data { name, file, .. } => {
                let path = cache()?.join("data").join(name).join(file);
                Ok(path.is_file().then_some(path))
            }
        }
    }

    /// The requests of a download.
    pub(crate) fn requests(&self) -> Result<Vec<String>> {
        let get = |folder: &str, file: &str| format!("GET {}/{file}", folder.trim_end_matches('/'));
        Ok(match self {
            Self::Hub { repository } => {
                // Which files another repository has, the first request tells.
                let weights = if is_released(repository) { WEIGHT_FILES[0] } else { "{weights}" };
                let files = ["config.json", weights, "tokenizer_config.json"];
                Hub::from_env().requests(repository, &files)?
            }
            Self::OpenAi { folders, .. } => {
                let first = folders.first().map_or("", String::as_str);
                OpenAi::FILES.iter().map(|file| get(first, file)).collect()
            }
            Self::Data { folder, file, .. } => vec![get(folder, file)],
        })
    }

    /// The place on this machine, after a download if need be.
    pub(crate) fn fetch(&self) -> Result<PathBuf> {
        if let Some(path) = self.on_this_machine()? {
            return Ok(path);
        }
        let mut bars = Bars::default();
        let mut progress = |progress: Progress<'_>| bars.show(progress);
        match self {
            Self::Hub { repository } => fetch_repository(repository, &mut progress),
            Self::OpenAi { size, folders } => {
                let folder = cache()?.join("openai").join(size);
                let bases: Vec<&str> = folders.iter().map(String::as_str).collect();
                fetch_files(&bases, &OpenAi::FILES, &folder, Patience::default(), &mut progress)?;
                Ok(folder)
            }
            Self::Data { name, folder, file } => {
                let target = cache()?.join("data").join(name);
                fetch_files(&[folder], &[file], &target, Patience::default(), &mut progress)?;
                Ok(target.join(file))
            }
        }
    }
}

/// Whether a repository is one of the released models, whose files are known.
fn is_released(repository: &str) -> bool {
    GPT2_NAMES.iter().any(|(_, known)| *known == repository)
}

/// Whether a folder holds a model, with all of its shards: a download may have broken off between them.
fn is_whole(folder: &Path) -> bool {
    let weights = WEIGHT_FILES.into_iter().find(|file| folder.join(file).is_file());
    let all_there = |weights: &str| {
        weights != SHARD_INDEX
            || shards(&folder.join(weights)).is_ok_and(|files| files.iter().all(|file| folder.join(file).is_file()))
    };
    folder.join("config.json").is_file() && weights.is_some_and(all_there)
}

/// Fetches the model of a repository, having made sure that it is a GPT-2 before its weights come.
fn fetch_repository(repository: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<PathBuf> {
    let hub = Hub::from_env();
    if is_released(repository) {
        return Ok(hub.fetch(repository, &["config.json", WEIGHT_FILES[0]], &["tokenizer_config.json"], progress)?);
    }
    let listing = hub.list(repository)?;
    let is_there = |wanted: &&str| listing.files().iter().any(|file| file == wanted);
    let Some(weights) = WEIGHT_FILES.into_iter().find(is_there) else {
        bail!("the repository '{repository}' has none of {}; name one with such weights", WEIGHT_FILES.join(", "));
    };
    let mut fetch = |files: &[&str], optional: &[&str]| hub.fetch_listed(&listing, files, optional, progress);
    let folder = fetch(&["config.json"], &["tokenizer_config.json"])?;
    check_config(&folder.join("config.json"))?;
    let mut folder = fetch(&["config.json", weights], &[])?;
    if weights == SHARD_INDEX {
        let shards = shards(&folder.join(SHARD_INDEX))?;
        let all = ["config.json", weights].into_iter().chain(shards.iter().map(String::as_str));
        folder = fetch(&all.collect::<Vec<_>>(), &[])?;
    }
    hub.make_newest(&listing)?;
    Ok(folder)
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

/// A bar for each file, one after the other.
#[derive(Default)]
struct Bars {
    file: String,
    bar: Option<ProgressBar>,
}

impl Bars {
    fn show(&mut self, Progress { file, bytes, total }: Progress<'_>) {
        if self.file != file {
            self.finish();
            file.clone_into(&mut self.file);
        }
        let bar = self.bar.get_or_insert_with(|| {
            let template = "{msg}  {bar:32} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let name = Path::new(file).file_name().map_or_else(|| file.into(), |name| name.to_string_lossy());
            let bar = ProgressBar::no_length().with_style(style).with_message(name.into_owned());
            // The speed is that of this download, and not of what an earlier one left.
            bar.reset_eta();
            bar
        });
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(bytes);
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Says on standard error that something is not here and is being fetched, if it may be.
pub(crate) fn announce(remote: &Remote, what: &str) {
    if matches!(remote, Remote::Hub { .. }) && Hub::from_env().is_offline() {
        return;
    }
    console::note(&format!(
        "'{what}' is not on this machine; downloading it (gptune fetch {what} --dry-run shows from where)"
    ));
}
