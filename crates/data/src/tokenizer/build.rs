//! From the files of a tokenizer to one that encodes, and what is refused.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    Added, Base, END_OF_TEXT_ID, Library, Own, Tokenizer, VOCAB_SIZE,
    files::{Fault, Parts, model_of, pair, token_text},
    finder::Finder,
    gpt2::Gpt2,
};
use crate::DataError;

/// Checks what can be used, and builds it.
pub(super) fn build(
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

    let gpt2 = if cut == Cut::LIKE_GPT2 && tokens.len() >= VOCAB_SIZE { Some(Gpt2::shared()?) } else { None };
    let gpt2 = gpt2.filter(|gpt2| tokens[..VOCAB_SIZE] == gpt2.tokens[..] && merges == gpt2.merges());
    let end_of_text = declared.first().map_or(if gpt2.is_some() { END_OF_TEXT_ID } else { 0 }, |&(_, id)| id);
    let gpt2 = gpt2.filter(|_| !["lstrip", "rstrip", "single_word"].iter().any(|key| some_added_is(&json, key)));
    if gpt2.is_some() && tokens.len() == VOCAB_SIZE && added.iter().all(|token| token.id == END_OF_TEXT_ID) {
        return Ok(Tokenizer { end_of_text, declared, ..Tokenizer::gpt2()? });
    }
    let gpt2 = gpt2.filter(|_| only_adds(&json, tokens.len(), &added));

    let byte_lengths = lengths(&tokens, &added);
    let base = if let Some(gpt2) = gpt2 {
        Base::Gpt2(gpt2, Arc::new(finder(&json, &added).map_err(&fault)?))
    } else {
        Base::Other(Arc::new(in_library(&json, merges, &added).map_err(&fault)?))
    };
    let own = Own {
        origin: origin.to_owned(),
        json: Value::Object(json),
        config,
        special: special.map(Value::Object),
        adds_blank: cut.adds_blank,
        normalizes: cut.normalizes,
        cuts_like_gpt2: cut.like_gpt2,
    };
    Ok(Tokenizer {
        base,
        tokens: Arc::new(tokens),
        byte_lengths: Arc::new(byte_lengths),
        added,
        end_of_text,
        declared,
        own: Some(own),
    })
}

/// Bytes that each id stands for. In the printable alphabet a byte is a character; an added token is plain text.
fn lengths(tokens: &[Option<String>], added: &[Added]) -> Vec<u32> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let length = |token: &Option<String>| token.as_ref().map_or(0, |token| number(token.chars().count()));
    let mut lengths: Vec<u32> = tokens.iter().map(length).collect();
    for token in added {
        lengths[token.id as usize] = number(token.content.len());
    }
    lengths
}

/// The entries of added tokens in `tokenizer.json`.
fn entries(json: &Map<String, Value>) -> &[Value] {
    json.get("added_tokens").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn some_added_is(json: &Map<String, Value>, key: &str) -> bool {
    entries(json).iter().any(|entry| entry[key] == true)
}

/// Whether a file of `size` tokens, the first of them GPT-2's, has nothing beside them but tokens added after them, with
/// the ids that Hugging Face's library gives them, and nothing is put around texts.
fn only_adds(json: &Map<String, Value>, size: usize, added: &[Added]) -> bool {
    let ids = added.iter().map(|token| token.id as usize);
    let repeated = |token: &Added| added.iter().filter(|other| other.content == token.content).count() > 1;
    let around = json.get("post_processor").unwrap_or(&Value::Null);
    ids.eq(VOCAB_SIZE - 1..size)
        && !added.iter().any(repeated)
        // Otherwise words are looked up among added tokens that stand in the vocabulary too.
        && model_of(json)["ignore_merges"] != true
        && (around.is_null() || around["type"] == "ByteLevel")
}

/// What finds the added tokens in a text.
fn finder(json: &Map<String, Value>, added: &[Added]) -> Result<Finder, String> {
    let normalized = |token: &Added| {
        entries(json).iter().any(|entry| entry["content"] == *token.content && entry["normalized"] == true)
    };
    let tokens: Vec<_> = added.iter().map(|token| (token.clone(), normalized(token))).collect();
    Finder::new(&tokens).map_err(|error| format!("its added tokens cannot be looked for ({error})"))
}

/// The tokenizer in Hugging Face's library, without and with its added tokens.
fn in_library(json: &Map<String, Value>, merges: Vec<(String, String)>, added: &[Added]) -> Result<Library, String> {
    // Whoever encodes here cuts and pads for itself.
    let mut whole = json.clone();
    for key in ["truncation", "padding"] {
        whole.insert(key.to_owned(), Value::Null);
    }
    let mut without = whole.clone();
    without.insert("added_tokens".to_owned(), Value::Array(Vec::new()));
    let unreadable = |error: &dyn std::fmt::Display| format!("Hugging Face's library does not read it ({error})");
    let text = Value::Object(without).to_string();
    let plain: tokenizers::Tokenizer = text.parse().map_err(|error: tokenizers::Error| unreadable(&error))?;
    let around = |specials| plain.encode("a", specials).map(|encoding| encoding.get_ids().to_vec());
    if around(true).map_err(|error| unreadable(&error))? != around(false).map_err(|error| unreadable(&error))? {
        return Err("its post_processor adds tokens around every text, which training here would not".to_owned());
    }
    let full: tokenizers::Tokenizer =
        Value::Object(whole).to_string().parse().map_err(|error: tokenizers::Error| unreadable(&error))?;
    for Added { id, content, .. } in added {
        let given = full.token_to_id(content);
        if given != Some(*id) {
            return Err(format!(
                "its added token '{content}' has the id {id}, and Hugging Face's library makes {} of it",
                given.map_or_else(|| "nothing".to_owned(), |given| given.to_string())
            ));
        }
    }
    Ok(Library { plain, full, merges })
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
    let token = |token: &Value| {
        let id = token["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        let content = token["content"].as_str().filter(|content| !content.is_empty());
        let (id, content) = id.zip(content).ok_or("'added_tokens' has an entry without id or content")?;
        Ok::<_, String>(Added { id, content: content.to_owned(), special: token["special"] == true })
    };
    let mut added = entries(json).iter().map(token).collect::<Result<Vec<_>, _>>()?;
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
