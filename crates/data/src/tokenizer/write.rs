//! Writing a tokenizer's files.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{END_OF_TEXT, Tokenizer, failed, gpt2::Gpt2};
use crate::DataError;

impl Tokenizer {
    /// Writes the files that transformers' `AutoTokenizer` reads: `tokenizer.json`, `vocab.json`,
    /// `merges.txt`, `special_tokens_map.json` and `tokenizer_config.json`, the last one with
    /// `extra` keys added. A model's own tokenizer is written as it was read.
    ///
    /// # Errors
    ///
    /// [`DataError::Write`] naming the file that could not be written.
    pub fn save(&self, folder: &Path, extra: Map<String, Value>) -> Result<(), DataError> {
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            gptune_files::write(&path, text.as_bytes()).map_err(|source| DataError::Write { path, source })
        };
        let pretty = |value: &Value| serde_json::to_string_pretty(value).map_err(|error| failed(&error));

        let full = match &self.own {
            Some(own) => pretty(&own.json)?,
            None => Gpt2::shared()?.in_library()?.to_string(true).map_err(|error| failed(&error))?,
        };
        write("tokenizer.json", full)?;

        // Those of byte-pair encoding; GPT-2's own file has its special token too.
        let in_table = |id: u32, token: &str| match &self.own {
            Some(own) => own.json["model"]["vocab"][token] == id || self.added.iter().all(|added| added.id != id),
            None => true,
        };
        let vocab: Map<String, Value> = (0..)
            .zip(self.tokens.iter())
            .filter_map(|(id, token)| Some((token.clone()?, id)))
            .filter(|(token, id)| in_table(*id, token))
            .map(|(token, id)| (token, Value::from(id)))
            .collect();
        write("vocab.json", Value::Object(vocab).to_string())?;

        let merges: Vec<String> = self.merges().iter().map(|(left, right)| format!("{left} {right}")).collect();
        write("merges.txt", format!("#version: 0.2\n{}\n", merges.join("\n")))?;

        let own_special = self.own.as_ref().and_then(|own| own.special.clone());
        let special = match (&self.own, own_special) {
            (_, Some(mut special)) => {
                special["eos_token"] = json!(self.tokens.get(self.end_of_text as usize));
                special
            }
            (None, None) => json!({"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT}),
            (Some(_), None) => json!({"eos_token": self.tokens.get(self.end_of_text as usize)}),
        };
        write("special_tokens_map.json", pretty(&special)?)?;

        let mut config = match &self.own {
            Some(own) => own.config.clone(),
            None => gpt2_config(),
        };
        // Whatever the files that were read said: this is the token that ends the texts that were trained on.
        if let Some(end) = self.tokens.get(self.end_of_text as usize).and_then(Option::as_ref) {
            config.insert("eos_token".to_owned(), Value::from(end.clone()));
        }
        config.extend(extra);
        write("tokenizer_config.json", pretty(&Value::Object(config))?)
    }
}

pub(super) fn gpt2_config() -> Map<String, Value> {
    let config = json!({
        "add_bos_token": false,
        "add_prefix_space": false,
        "bos_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": false,
        "eos_token": END_OF_TEXT,
        "model_max_length": 1024,
        "tokenizer_class": "GPT2Tokenizer",
        "unk_token": END_OF_TEXT,
    });
    match config {
        Value::Object(config) => config,
        _ => unreachable!("it is an object"),
    }
}
