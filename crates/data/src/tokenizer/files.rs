//! Reading the tokenizer that a model brings along.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{Added, Tokenizer, build::build};
use crate::DataError;

/// Why a file cannot be used: its name and the sentence.
pub(super) type Fault<'a> = &'a dyn Fn(&str, String) -> DataError;

/// The parts of a tokenizer, whatever files they stood in.
pub(super) struct Parts {
    /// `tokenizer.json`.
    pub(super) json: Map<String, Value>,
    /// The file that it came from, for messages.
    pub(super) file: &'static str,
}

/// See [`Tokenizer::read`].
pub(super) fn read(folder: &Path) -> Result<Option<Tokenizer>, DataError> {
    let fault = |name: &str, problem: String| DataError::TokenizerFile { path: folder.join(name), problem };
    let bytes = |name: &str| match read_file(folder.join(name))? {
        Some(bytes) if bytes.starts_with(b"version https://git-lfs") => {
            Err(fault(name, "it is a Git LFS pointer, not the file, which `git lfs pull` fetches".to_owned()))
        }
        bytes => Ok(bytes),
    };
    let object = |name: &str| -> Result<Option<Map<String, Value>>, DataError> {
        let Some(bytes) = bytes(name)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| fault(name, format!("it is not a JSON object ({error})")))
    };
    let config = object("tokenizer_config.json")?.unwrap_or_default();
    let special = object("special_tokens_map.json")?;
    let tables = (bytes("vocab.json")?, bytes("merges.txt")?);
    let from_tables = match &tables {
        (Some(vocab), Some(merges)) => Some(tables_to_json(vocab, merges, &config, &fault)?),
        (Some(_), None) if bytes("tokenizer.json")?.is_none() => {
            return Err(fault("vocab.json", "there is no merges.txt beside it, which belongs to it".to_owned()));
        }
        (None, Some(_)) if bytes("tokenizer.json")?.is_none() => {
            return Err(fault("merges.txt", "there is no vocab.json beside it, which belongs to it".to_owned()));
        }
        _ => None,
    };
    let parts = match (object("tokenizer.json")?, from_tables) {
        (Some(json), from_tables) => {
            if let Some(tables) = from_tables
                && ["vocab", "merges"].iter().any(|key| !same_table(&model_of(&json)[*key], &model_of(&tables)[*key]))
            {
                let problem = "it and vocab.json or merges.txt beside it are of different tokenizers; remove the ones \
                               that are not the model's";
                return Err(fault("tokenizer.json", problem.to_owned()));
            }
            let beside = tokens_beside(object("added_tokens.json")?, &config, &fault)?;
            agree(&json, &beside, &fault)?;
            Parts { json, file: "tokenizer.json" }
        }
        (None, Some(mut json)) => {
            let added = added_beside(&json, object("added_tokens.json")?, &config, &fault)?;
            json.insert("added_tokens".to_owned(), added);
            Parts { json, file: "vocab.json" }
        }
        (None, None) => return Ok(None),
    };
    build(&folder.display().to_string(), parts, config, special, &fault).map(Some)
}

fn read_file(path: PathBuf) -> Result<Option<Vec<u8>>, DataError> {
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DataError::Read { path, source }),
    }
}

impl Tokenizer {
    /// A tokenizer from its lists, as a GGUF file holds them: `tokens` by id, `added` among them, texts cut as by
    /// GPT-2. Lists of GPT-2's own tokenizer give [`Tokenizer::gpt2`]. `end_of_text` is what the file names.
    ///
    /// # Errors
    ///
    /// [`DataError::TokenizerFile`] if the lists make no byte-level BPE.
    pub fn from_lists(
        path: &Path,
        tokens: &[String],
        merges: &[(String, String)],
        added: &[Added],
        end_of_text: Option<u32>,
    ) -> Result<Self, DataError> {
        let fault = |_: &str, problem: String| DataError::TokenizerFile { path: path.to_owned(), problem };
        // The added ones too: those that the vocabulary lacks are numbered after it by Hugging Face's library, whatever
        // id they have.
        let vocab: Map<String, Value> =
            tokens.iter().enumerate().map(|(id, token)| (token.clone(), Value::from(id))).collect();
        let merges: Vec<Value> = merges.iter().map(|(left, right)| json!([left, right])).collect();
        let added: Vec<Value> = added.iter().map(added_json).collect();
        let mut json = byte_level(&Value::Object(vocab), &Value::from(merges), false);
        json.insert("added_tokens".to_owned(), Value::from(added));
        // Of the other classes transformers makes tokenizers with GPT-2's special tokens, whatever is in the file.
        let mut config = Map::from_iter([("tokenizer_class".to_owned(), Value::from("PreTrainedTokenizerFast"))]);
        if let Some(token) = end_of_text.and_then(|id| tokens.get(id as usize)) {
            config.insert("eos_token".to_owned(), Value::from(token.clone()));
        }
        let origin = path.display().to_string();
        build(&origin, Parts { json, file: "tokenizer.ggml.tokens" }, config, None, &fault)
    }
}

/// `tokenizer.json` of a vocabulary and its merges, as transformers makes it for a `GPT2Tokenizer`.
pub(super) fn byte_level(vocab: &Value, merges: &Value, add_prefix_space: bool) -> Map<String, Value> {
    let level =
        json!({"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": true});
    let json = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": level,
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges,
        },
    });
    match json {
        Value::Object(json) => json,
        _ => unreachable!("it is an object"),
    }
}

fn tables_to_json(
    vocab: &[u8],
    merges: &[u8],
    config: &Map<String, Value>,
    fault: Fault<'_>,
) -> Result<Map<String, Value>, DataError> {
    let vocab: Map<String, Value> = serde_json::from_slice(vocab)
        .map_err(|error| fault("vocab.json", format!("it is not a JSON object of tokens and ids ({error})")))?;
    let text =
        std::str::from_utf8(merges).map_err(|error| fault("merges.txt", format!("it is not UTF-8 ({error})")))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with("#version") && !line.is_empty());
    let merges = lines
        .map(|(index, line)| {
            let pair = line.trim_end_matches('\r').split_once(' ').filter(|(_, right)| !right.contains(' '));
            let (left, right) = pair.ok_or_else(|| {
                fault("merges.txt", format!("line {} is not two tokens with a blank between", index + 1))
            })?;
            Ok(json!([left, right]))
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let blank = config.get("add_prefix_space").and_then(Value::as_bool).unwrap_or(false);
    Ok(byte_level(&Value::Object(vocab), &Value::from(merges), blank))
}

/// The model in a `tokenizer.json`; null if it has none.
pub(super) fn model_of(json: &Map<String, Value>) -> &Value {
    json.get("model").unwrap_or(&Value::Null)
}

/// Whether two vocabularies or lists of merges are the same, in either way of writing a pair.
fn same_table(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| pair(one) == pair(other))
        }
        _ => one == other,
    }
}

/// A merge, which is written as `"a b"` or as `["a", "b"]`.
pub(super) fn pair(merge: &Value) -> Option<(String, String)> {
    match merge {
        Value::String(text) => text.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned())),
        Value::Array(parts) => match &parts[..] {
            [Value::String(left), Value::String(right)] => Some((left.clone(), right.clone())),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn added_json(Added { id, content, special }: &Added) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": special,
    })
}

/// Added tokens as they stand beside a vocabulary: in `tokenizer_config.json` and in `added_tokens.json`.
fn tokens_beside(
    file: Option<Map<String, Value>>,
    config: &Map<String, Value>,
    fault: Fault<'_>,
) -> Result<Vec<Beside>, DataError> {
    let mut added: Vec<Beside> = Vec::new();
    if let Some(decoder) = config.get("added_tokens_decoder").and_then(Value::as_object) {
        for (id, token) in decoder {
            let entry = id.parse::<u32>().ok().zip(token.as_object());
            let entry =
                entry.and_then(|(id, token)| Some((id, token.get("content")?.as_str()?.to_owned(), token.clone())));
            let (id, content, mut json) = entry.ok_or_else(|| {
                fault("tokenizer_config.json", format!("'added_tokens_decoder' has an entry '{id}' that is no token"))
            })?;
            json.insert("id".to_owned(), Value::from(id));
            added.push(Beside { file: "tokenizer_config.json", id, content, json: Value::Object(json) });
        }
    }
    for (content, id) in file.unwrap_or_default() {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let id =
            id.ok_or_else(|| fault("added_tokens.json", format!("'{content}' has no id that is a whole number")))?;
        match added.iter().find(|token| token.content == content) {
            Some(other) if other.id != id => {
                let problem = format!("'{content}' has the id {id} in it, and {} in {}", other.id, other.file);
                return Err(fault("added_tokens.json", problem));
            }
            Some(_) => {}
            None => {
                let json = added_json(&Added { id, content: content.clone(), special: false });
                added.push(Beside { file: "added_tokens.json", id, content, json });
            }
        }
    }
    Ok(added)
}

/// An added token that stands beside a vocabulary.
struct Beside {
    file: &'static str,
    id: u32,
    content: String,
    /// As in `tokenizer.json`.
    json: Value,
}

/// Makes sure that `tokenizer.json` has the added tokens that stand beside it.
fn agree(json: &Map<String, Value>, beside: &[Beside], fault: Fault<'_>) -> Result<(), DataError> {
    let added = json.get("added_tokens").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let vocab = &model_of(json)["vocab"];
    for Beside { file, id, content, .. } in beside {
        let own =
            added.iter().find(|token| token["content"] == **content).map_or(&vocab[content], |token| &token["id"]);
        if own.as_u64() != Some(u64::from(*id)) {
            let has = if own.is_null() { "no such token".to_owned() } else { format!("the id {own} for it") };
            let problem = format!(
                "'{content}' has the id {id} in it, and tokenizer.json has {has}; remove the file that is not the model's"
            );
            return Err(fault(file, problem));
        }
    }
    Ok(())
}

/// The added tokens of a vocabulary: those that stand beside it, and the special ones that are in it itself.
fn added_beside(
    json: &Map<String, Value>,
    file: Option<Map<String, Value>>,
    config: &Map<String, Value>,
    fault: Fault<'_>,
) -> Result<Value, DataError> {
    let mut added: Vec<Value> = tokens_beside(file, config, fault)?.into_iter().map(|token| token.json).collect();
    let knows = |added: &[Value], content: &str| added.iter().any(|token| token["content"] == content);
    // A special token of the vocabulary itself, as GPT-2's end of text is one.
    for content in
        ["eos_token", "bos_token", "unk_token", "pad_token"].iter().filter_map(|key| token_text(config.get(*key)?))
    {
        let id = json["model"]["vocab"].get(&content).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        if let Some(id) = id.filter(|_| !knows(&added, &content)) {
            added.push(added_json(&Added { id, content, special: true }));
        }
    }
    let end =
        json["model"]["vocab"].get(super::END_OF_TEXT).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
    if let Some(id) = end.filter(|_| !knows(&added, super::END_OF_TEXT)) {
        added.push(added_json(&Added { id, content: super::END_OF_TEXT.to_owned(), special: true }));
    }
    Ok(Value::from(added))
}

/// A token in a configuration: its text, or an object that holds it.
pub(super) fn token_text(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}
