//! Files that are no weights, by what they are.

use std::{fs::File, io::Read, path::Path};

/// What a file is instead of weights, by its name, with what to give; none for one that may be weights.
pub(crate) fn of_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.display();
    if let Some((part, parts)) = part(&name) {
        return Some(format!("part {part} of {parts} of a model; give the folder {folder}, which holds all of them"));
    }
    let stem = name.split('.').next().unwrap_or_default();
    Some(match name.as_str() {
        "config.json" => format!("a model's configuration, not its weights; give the folder {folder}"),
        "generation_config.json" => format!("settings of a generation, not a model; give the folder {folder}"),
        "adapter_config.json" | "adapter_model.safetensors" | "adapter_model.bin" => {
            "an adapter, not a model; merge it into its model with PEFT's `merge_and_unload()`, and give that"
                .to_owned()
        }
        "tokenizer.json"
        | "tokenizer_config.json"
        | "vocab.json"
        | "merges.txt"
        | "special_tokens_map.json"
        | "added_tokens.json" => format!("a file of a tokenizer, not a model; give the folder {folder}"),
        "config.toml" | "metrics.jsonl" | "scores.json" => {
            format!("a file of a run, not a model; give the folder {folder}, whose model/ is used")
        }
        _ if ["optimizer", "scheduler", "rng_state", "training_args", "scaler"].contains(&stem) => {
            format!("the state of a training run, not a model; give the folder {folder}, or its weights")
        }
        _ if name.ends_with(".index.json") => return None,
        _ if [".json", ".jsonl", ".toml", ".txt", ".csv", ".md"].iter().any(|ending| name.ends_with(ending)) => {
            format!(
                "no file of weights by its name; give a folder with config.json and weights, or a file of weights (.safetensors, .pth, .bin, .gguf), instead of {name}"
            )
        }
        _ => return None,
    })
}

/// `model-00001-of-00002.safetensors`: the part and their number, if there are several.
fn part(name: &str) -> Option<(u32, u32)> {
    let (stem, ending) = name.rsplit_once('.')?;
    let (rest, parts) = stem.rsplit_once("-of-")?;
    let (_, part) = rest.rsplit_once('-')?;
    let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
    (["safetensors", "bin", "gguf"].contains(&ending) && parts > 1).then_some((part, parts))
}

/// What a file is instead of weights, by what it begins with.
pub(crate) fn of_contents(path: &Path) -> Option<String> {
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(64).read_to_end(&mut start)).ok()?;
    let lower: Vec<u8> = start.trim_ascii_start().iter().map(u8::to_ascii_lowercase).collect();
    if start.is_empty() {
        Some("empty; fetch or copy it again".to_owned())
    } else if start.starts_with(b"version https://git-lfs") {
        Some("a Git LFS pointer, not the file; fetch that with `git lfs pull`".to_owned())
    } else if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") {
        Some("a web page, not weights; download the file itself".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_file_is() {
        let of = |name: &str| of_name(&Path::new("folder").join(name));
        assert!(of("model-00001-of-00002.safetensors").unwrap().starts_with("part 1 of 2"));
        assert!(of("pytorch_model-00002-of-00003.bin").unwrap().contains("the folder folder"));
        assert_eq!(of("model-00001-of-00001.safetensors"), None);
        assert!(of("config.json").unwrap().contains("configuration"));
        assert!(of("adapter_model.safetensors").unwrap().contains("adapter"));
        assert!(of("tokenizer.json").unwrap().contains("tokenizer"));
        assert!(of("optimizer.pt").unwrap().contains("state of a training run"));
        assert!(of("data.json").unwrap().contains("instead of data.json"));
        for name in ["model.safetensors", "gpt2.pth", "model.safetensors.index.json", "model.gguf", "model", "ckpt.pt"]
        {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
