//! Reading the tokenizer that a model brings along.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{Added, END_OF_TEXT_ID, Own, Tokenizer, VOCAB_SIZE};
use crate::DataError;

/// Why a file cannot be used: its name and the sentence.
type Fault<'a> = &'a dyn Fn(&str, String) -> DataError;

/// The parts of a tokenizer, whatever files they stood in.
struct Parts {
    /// `tokenizer.json`.
    json: Map<String, Value>,
    /// The file that it came from, for messages.
    file: &'static str,
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
fn byte_level(vocab: &Value, merges: &Value, add_prefix_space: bool) -> Map<String, Value> {
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
fn model_of(json: &Map<String, Value>) -> &Value {
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
fn pair(merge: &Value) -> Option<(String, String)> {
    match merge {
        Value::String(text) => text.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned())),
        Value::Array(parts) => match &parts[..] {
            [Value::String(left), Value::String(right)] => Some((left.clone(), right.clone())),
            _ => None,
        },
        _ => None,
    }
}

fn added_json(Added { id, content, special }: &Added) -> Value {
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
fn token_text(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}

/// Checks what can be used, and builds it.
fn build(
    origin: &str,
    Parts { json, file }: Parts,
    config: Map<String, Value>,
    special: Option<Map<String, Value>>,
    in_file: Fault<'_>,
) -> Result<Tokenizer, DataError> {
    let fault = |problem: String| in_file(file, problem);
    let cut = check(&json).map_err(&fault)?;
    let adds_blank = config.get("add_prefix_space").and_then(Value::as_bool);
    if let Some(says) = adds_blank.filter(|&says| says != cut.adds_blank) {
        let problem =
            format!("'add_prefix_space' is {says} in it and {} in {file}; make them say the same", cut.adds_blank);
        return Err(in_file("tokenizer_config.json", problem));
    }
    let model = &json["model"];
    let vocab = model["vocab"].as_object().ok_or_else(|| fault("it has no vocabulary".to_owned()))?;
    let merges = model["merges"].as_array().map(Vec::as_slice).unwrap_or_default();
    let merges: Vec<(String, String)> = merges
        .iter()
        .enumerate()
        .map(|(index, merge)| pair(merge).ok_or_else(|| fault(format!("its merge {index} is no pair of tokens"))))
        .collect::<Result<_, _>>()?;
    let added = added_tokens(&json).map_err(&fault)?;
    let tokens = by_id(vocab, &added).map_err(&fault)?;

    let id_of = |text: &str| {
        let place = tokens.iter().position(|token| token.as_deref() == Some(text));
        place.and_then(|id| u32::try_from(id).ok())
    };
    let mut declared = Vec::new();
    for (name, settings) in [("tokenizer_config.json", Some(&config)), ("special_tokens_map.json", special.as_ref())] {
        let Some(text) = settings.and_then(|settings| token_text(settings.get("eos_token")?)) else { continue };
        let id = id_of(&text).ok_or_else(|| {
            let problem = format!("the token '{text}' that is to end texts ('eos_token') is not in {file}");
            in_file(name, problem)
        })?;
        declared.push((name, id));
    }
    if declared.is_empty() {
        declared.extend(id_of(super::END_OF_TEXT).map(|id| (file, id)));
    }

    if tokens.len() == VOCAB_SIZE && cut == Cut::LIKE_GPT2 && added.iter().all(|token| token.id == END_OF_TEXT_ID) {
        let gpt2 = Tokenizer::gpt2()?;
        if gpt2.tokens == tokens && gpt2.merges == merges {
            let end_of_text = declared.first().map_or(END_OF_TEXT_ID, |&(_, id)| id);
            return Ok(Tokenizer { end_of_text, declared, ..gpt2 });
        }
    }

    // Whoever encodes here cuts and pads for itself.
    let mut whole = json.clone();
    for key in ["truncation", "padding"] {
        whole.insert(key.to_owned(), Value::Null);
    }
    let mut without = whole.clone();
    without.insert("added_tokens".to_owned(), Value::Array(Vec::new()));
    let unreadable =
        |error: &dyn std::fmt::Display| fault(format!("Hugging Face's library does not read it ({error})"));
    let text = Value::Object(without).to_string();
    let plain: tokenizers::Tokenizer = text.parse().map_err(|error: tokenizers::Error| unreadable(&error))?;
    let around = |specials| plain.encode("a", specials).map(|encoding| encoding.get_ids().to_vec());
    if around(true).map_err(|error| unreadable(&error))? != around(false).map_err(|error| unreadable(&error))? {
        return Err(fault(
            "its post_processor adds tokens around every text, which training here would not".to_owned(),
        ));
    }
    let end_of_text = declared.first().map_or(0, |&(_, id)| id);
    let mut tokenizer = Tokenizer::assemble(plain, tokens, merges, added, end_of_text);
    tokenizer.declared = declared;
    let full: tokenizers::Tokenizer =
        Value::Object(whole).to_string().parse().map_err(|error: tokenizers::Error| unreadable(&error))?;
    for Added { id, content, .. } in &tokenizer.added {
        let given = full.token_to_id(content);
        if given != Some(*id) {
            return Err(fault(format!(
                "its added token '{content}' has the id {id}, and Hugging Face's library makes {} of it",
                given.map_or_else(|| "nothing".to_owned(), |given| given.to_string())
            )));
        }
    }
    tokenizer.full = full.into();
    tokenizer.own = Some(Own {
        origin: origin.to_owned(),
        json: Value::Object(json),
        config,
        special: special.map(Value::Object),
        adds_blank: cut.adds_blank,
        normalizes: cut.normalizes,
        cuts_like_gpt2: cut.like_gpt2,
    });
    Ok(tokenizer)
}

/// How texts are changed and cut before byte-pair encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    like_gpt2: bool,
    adds_blank: bool,
    normalizes: bool,
}

impl Cut {
    const LIKE_GPT2: Self = Self { like_gpt2: true, adds_blank: false, normalizes: false };
}

/// Refuses what is no byte-level BPE, by the name of the part; says how texts are cut.
fn check(json: &Map<String, Value>) -> Result<Cut, String> {
    let kind = |value: &Value| value["type"].as_str().unwrap_or("none").to_owned();
    let model = json.get("model").ok_or("it has no model")?;
    // Files from before the format named its kinds have none.
    if !model["merges"].is_array() || !matches!(model["type"].as_str(), None | Some("BPE")) {
        return Err(format!("its model is {}, and only byte-level BPE, as GPT-2 has it, can be used", kind(model)));
    }
    if model["dropout"].as_f64().is_some_and(|share| share > 0.0) {
        return Err("its model drops merges at random ('dropout'), which makes other tokens every time".to_owned());
    }
    if model["byte_fallback"] == true {
        return Err("its model falls back on bytes ('byte_fallback'), and so is no byte-level BPE".to_owned());
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if model[key].as_str().is_some_and(|text| !text.is_empty()) {
            return Err(format!("its model marks parts of words ('{key}'), and so is no byte-level BPE"));
        }
    }
    let pre_tokenizer = json.get("pre_tokenizer").unwrap_or(&Value::Null);
    let steps = match pre_tokenizer["pretokenizers"].as_array() {
        Some(steps) => steps.as_slice(),
        None => std::slice::from_ref(pre_tokenizer),
    };
    let Some(level) = steps.iter().find(|step| step["type"] == "ByteLevel") else {
        return Err(format!(
            "its pre_tokenizer is {}, and only byte-level BPE, as GPT-2 has it, can be used",
            kind(pre_tokenizer)
        ));
    };
    let decoder = json.get("decoder").unwrap_or(&Value::Null);
    if decoder["type"] != "ByteLevel" {
        return Err(format!(
            "its decoder is {}, and only ByteLevel gives back what byte-level BPE encoded",
            kind(decoder)
        ));
    }
    Ok(Cut {
        like_gpt2: steps.len() == 1 && level["use_regex"] != false,
        adds_blank: level["add_prefix_space"] == true,
        normalizes: json.get("normalizer").is_some_and(|normalizer| !normalizer.is_null()),
    })
}

fn added_tokens(json: &Map<String, Value>) -> Result<Vec<Added>, String> {
    let list = json.get("added_tokens").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let token = |token: &Value| {
        let id = token["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        let content = token["content"].as_str().filter(|content| !content.is_empty());
        let (id, content) = id.zip(content).ok_or("'added_tokens' has an entry without id or content")?;
        Ok::<_, String>(Added { id, content: content.to_owned(), special: token["special"] == true })
    };
    let mut added = list.iter().map(token).collect::<Result<Vec<_>, _>>()?;
    added.sort_by_key(|token| token.id);
    match added.windows(2).find(|pair| pair[0].id == pair[1].id) {
        Some(pair) => Err(format!("'{}' and '{}' have one id, {}", pair[0].content, pair[1].content, pair[0].id)),
        None => Ok(added),
    }
}

/// The tokens in the order of their ids.
fn by_id(vocab: &Map<String, Value>, added: &[Added]) -> Result<Vec<Option<String>>, String> {
    // A damaged id must not ask for memory: what is given out without gaps ends here.
    let most = 2 * (vocab.len() + added.len()) + 1024;
    let mut tokens: Vec<Option<String>> = Vec::with_capacity(vocab.len() + added.len());
    let mut put = |id: usize, text: &str| {
        if id >= most {
            return Err(format!("'{text}' has the id {id}, among {} tokens", vocab.len()));
        }
        if tokens.len() <= id {
            tokens.resize(id + 1, None);
        }
        match &tokens[id] {
            Some(other) if other != text => Err(format!("'{other}' and '{text}' have one id, {id}")),
            _ => {
                tokens[id] = Some(text.to_owned());
                Ok(())
            }
        }
    };
    for (text, id) in vocab {
        let id = id.as_u64().and_then(|id| usize::try_from(id).ok());
        put(id.ok_or_else(|| format!("'{text}' has no id that is a whole number"))?, text)?;
    }
    added.iter().try_for_each(|token| put(token.id as usize, &token.content))?;
    if tokens.is_empty() {
        return Err("its vocabulary is empty".to_owned());
    }
    Ok(tokens)
}
