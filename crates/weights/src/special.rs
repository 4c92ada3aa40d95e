//! The tokens that a model's configuration names.

use std::path::Path;

use serde_json::{Map, Value};

use crate::WeightsError;

/// Ids of the tokens with a role of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpecialTokens {
    /// Begins a text.
    pub bos: Option<u32>,
    /// Ends a text.
    pub eos: Option<u32>,
    /// Fills up batches.
    pub pad: Option<u32>,
}

impl SpecialTokens {
    /// One token in all roles, as in GPT-2, where it is 50256.
    #[must_use]
    pub fn all(id: u32) -> Self {
        Self { bos: Some(id), eos: Some(id), pad: Some(id) }
    }

    /// What `config.json` names. None is named if there is no such file.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Config`] for what is no id; a list of ids that end a text is refused, as only one can be trained.
    pub fn read(config: &Path) -> Result<Self, WeightsError> {
        let text = match std::fs::read(config) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(WeightsError::Read { path: config.to_owned(), source }),
        };
        let fault = |problem: String| WeightsError::Config { path: config.to_owned(), problem };
        let fields: Map<String, Value> =
            serde_json::from_slice(&text).map_err(|error| fault(format!("it is not a JSON object ({error})")))?;
        let id = |key: &str| match fields.get(key) {
            None | Some(Value::Null) => Ok(None),
            // Transformers writes -1 where an older release had none.
            Some(Value::Number(number)) if number.as_i64() == Some(-1) => Ok(None),
            Some(value) => {
                let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
                id.map(Some).ok_or_else(|| fault(format!("'{key}' is {value}, and has to be the id of one token")))
            }
        };
        Ok(Self { bos: id("bos_token_id")?, eos: id("eos_token_id")?, pad: id("pad_token_id")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_or_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        assert_eq!(SpecialTokens::read(&path).unwrap(), SpecialTokens::default());
        std::fs::write(&path, r#"{"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": null}"#).unwrap();
        assert_eq!(SpecialTokens::read(&path).unwrap(), SpecialTokens { bos: Some(1), eos: Some(2), pad: None });
        std::fs::write(&path, r#"{"eos_token_id": [1, 2]}"#).unwrap();
        assert!(SpecialTokens::read(&path).unwrap_err().to_string().contains("'eos_token_id' is [1,2]"));
    }
}
