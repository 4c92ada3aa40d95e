//! Tokens beside those of byte-pair encoding.

use serde_json::{Map, Value, json};

use super::{
    Tokenizer,
    build::build,
    files::{Parts, added_json, byte_level},
    write::gpt2_config,
};
use crate::DataError;

/// A JSON object.
type Object = Map<String, Value>;

/// A token beside those of byte-pair encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub content: String,
    /// Whether it controls a model rather than stands for text.
    pub special: bool,
}

impl Tokenizer {
    /// The tokenizer with further special tokens, whose ids follow the vocabulary in the order of `tokens`. Added tokens
    /// that it has already are left as they are. Saved, it is what transformers makes of the same tokens.
    ///
    /// # Errors
    ///
    /// [`DataError::Tokenizer`] for a token that is empty, white space alone, named twice or an ordinary token of the
    /// vocabulary.
    pub fn with_added(self, tokens: &[String]) -> Result<Self, DataError> {
        let mut new: Vec<Added> = Vec::new();
        for (index, content) in tokens.iter().enumerate() {
            let problem = if content.is_empty() {
                "a token to be added is empty; give it a text".to_owned()
            } else if content.trim().is_empty() {
                format!("the token {content:?} to be added is white space alone; give it letters")
            } else if tokens[..index].contains(content) {
                format!("the token '{content}' is to be added twice; name it once")
            } else if self.added.iter().any(|token| token.content == *content) {
                continue;
            } else if let Some(id) = self.tokens.iter().position(|token| token.as_ref() == Some(content)) {
                format!(
                    "'{content}' cannot be added, because it is the ordinary token {id}; choose a text that is none"
                )
            } else {
                let id = u32::try_from(self.tokens.len() + new.len()).map_err(|error| super::failed(&error))?;
                new.push(Added { id, content: content.clone(), special: true });
                continue;
            };
            return Err(DataError::Tokenizer(problem));
        }
        if new.is_empty() { Ok(self) } else { self.extended(&new) }
    }

    fn extended(self, new: &[Added]) -> Result<Self, DataError> {
        let origin = match &self.own {
            Some(own) => own.origin.clone(),
            None => "GPT-2 with added tokens".to_owned(),
        };
        let (mut json, mut config, mut special) = match &self.own {
            Some(own) => (object(&own.json), own.config.clone(), own.special.as_ref().map(object)),
            None => self.gpt2_files(),
        };
        let list = json.entry("added_tokens").or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.extend(new.iter().map(added_json));
        }
        // By id, without it, as transformers writes them; the old ones too, where none were written.
        let decoder: Object = list.as_array().into_iter().flatten().map(decoder_entry).collect();
        config.insert("added_tokens_decoder".to_owned(), Value::Object(decoder));
        let special = special.get_or_insert_default();
        for named in [&mut config, special] {
            let list = named.entry("additional_special_tokens").or_insert_with(|| json!([]));
            if !list.is_array() {
                *list = json!([]);
            }
            if let Value::Array(list) = list {
                list.extend(new.iter().map(|token| Value::from(token.content.clone())));
            }
        }
        let parts = Parts { json, file: "tokenizer.json" };
        let fault = |_: &str, problem: String| DataError::Tokenizer(problem);
        let extended = build(&origin, parts, config, Some(special.clone()), &fault)?;
        Ok(Self { end_of_text: self.end_of_text, declared: self.declared, ..extended })
    }

    /// `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` of GPT-2's own.
    fn gpt2_files(&self) -> (Object, Object, Option<Object>) {
        let vocab = self.tokens.iter().flatten().cloned().zip((0..).map(Value::from)).collect();
        let merges: Value = self.merges().iter().map(|(left, right)| json!([left, right])).collect();
        let mut json = byte_level(&Value::Object(vocab), &merges, false);
        json.insert("added_tokens".to_owned(), self.added.iter().map(added_json).collect());
        let config = gpt2_config();
        let named = ["bos_token", "eos_token", "unk_token"].into_iter();
        let special = named.filter_map(|key| Some((key.to_owned(), config.get(key)?.clone()))).collect();
        (json, config, Some(special))
    }
}

/// The object that a value is.
fn object(value: &Value) -> Object {
    value.as_object().cloned().unwrap_or_default()
}

/// An entry of `added_tokens_decoder` from one of `added_tokens`.
fn decoder_entry(token: &Value) -> (String, Value) {
    let mut token = token.clone();
    let id = token.as_object_mut().and_then(|token| token.remove("id")).unwrap_or_default();
    (id.to_string(), token)
}
