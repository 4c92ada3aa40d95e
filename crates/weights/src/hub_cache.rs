//! Models that Hugging Face's own tools have already downloaded.

use std::path::PathBuf;

/// Short names and the repositories on the Hugging Face Hub that they stand for.
pub const HUB_NAMES: [(&str, &str); 8] = [
    ("gpt2", "openai-community/gpt2"),
    ("gpt2-medium", "openai-community/gpt2-medium"),
    ("gpt2-large", "openai-community/gpt2-large"),
    ("gpt2-xl", "openai-community/gpt2-xl"),
    ("124M", "openai-community/gpt2"),
    ("355M", "openai-community/gpt2-medium"),
    ("774M", "openai-community/gpt2-large"),
    ("1558M", "openai-community/gpt2-xl"),
];

/// The folder of a repository (`owner/name`) in Hugging Face's cache, if its weights are there.
///
/// The cache is `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or `huggingface/hub` in `XDG_CACHE_HOME` or
/// `~/.cache`; of several snapshots, the one that `refs/main` names.
#[must_use]
pub fn cached_folder(repository: &str) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("HF_HUB_CACHE")
        .or_else(|| Some(variable("HF_HOME")?.join("hub")))
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("huggingface/hub")))
        .or_else(|| Some(std::env::home_dir()?.join(".cache/huggingface/hub")))?;
    let folder = cache.join(format!("models--{}", repository.replace('/', "--")));
    let commit = std::fs::read_to_string(folder.join("refs/main")).ok()?;
    let snapshot = folder.join("snapshots").join(commit.trim());
    snapshot.join("model.safetensors").is_file().then_some(snapshot)
}
