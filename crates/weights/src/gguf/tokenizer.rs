//! The tokenizer in a file's metadata.

use std::path::Path;

use super::{GgufError, GgufFile, GgufValue, PROMPT_STYLE, SPECIAL_TOKENS, TEMPLATE};

/// Types of tokens that are not of byte-pair encoding itself: control tokens, user-defined ones, and unused ones.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const UNUSED: i64 = 5;

/// A GPT-2's tokenizer, as a GGUF file holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufTokenizer {
    /// The tokens by id, without the unused ones that fill a table up at its end.
    pub tokens: Vec<String>,
    /// The pairs that are merged, in the order of their ranks.
    pub merges: Vec<(String, String)>,
    /// Ids of tokens that text becomes only where that is asked for, and whether they control the model.
    pub added: Vec<(u32, bool)>,
    /// Id of the token that ends a text.
    pub end_of_text: Option<u32>,
    /// Id of the token that fills up batches.
    pub padding: Option<u32>,
}

impl GgufFile {
    /// The tokenizer, or none if the file has no list of tokens.
    ///
    /// # Errors
    ///
    /// [`GgufError::Tokenizer`] if it is not byte-level BPE that cuts texts as GPT-2 does, or its lists contradict each
    /// other.
    pub fn tokenizer(&self) -> Result<Option<GgufTokenizer>, GgufError> {
        let fault = |problem: String| GgufError::Tokenizer { path: self.path().to_owned(), problem };
        let text = |key: &str| self.metadata(key).and_then(|value| value.as_str().map(str::to_owned));
        let Some(tokens) = self.strings("tokenizer.ggml.tokens") else { return Ok(None) };
        match text("tokenizer.ggml.model").as_deref() {
            Some("gpt2") => {}
            other => {
                let name = other.unwrap_or("not named");
                return Err(fault(format!(
                    "'tokenizer.ggml.model' is {name}, and only byte-level BPE (gpt2) can be used"
                )));
            }
        }
        // Files from before there was the key cut as GPT-2 does.
        match text("tokenizer.ggml.pre").as_deref() {
            None | Some("gpt-2" | "default") => {}
            Some(other) => {
                return Err(fault(format!(
                    "'tokenizer.ggml.pre' is '{other}', and only GPT-2's way to cut texts can be used"
                )));
            }
        }
        if self.metadata("tokenizer.ggml.add_bos_token").and_then(|value| value.as_bool()) == Some(true) {
            return Err(fault(
                "it puts a token before every text ('add_bos_token'), which training here would not".to_owned(),
            ));
        }
        let mut tokens: Vec<String> = tokens.into_iter().map(str::to_owned).collect();
        let merges = self.strings("tokenizer.ggml.merges").ok_or_else(|| fault("it has no merges".to_owned()))?;
        let merges = merges
            .into_iter()
            .enumerate()
            .map(|(index, merge)| {
                let pair = merge.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned()));
                pair.ok_or_else(|| fault(format!("its merge {index} is no pair of tokens")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let kinds = self.metadata("tokenizer.ggml.token_type");
        let kinds = kinds.as_ref().and_then(GgufValue::as_array).map(|kinds| {
            let number = |kind: GgufValue<'_>| if let GgufValue::Signed(kind) = kind { kind } else { 0 };
            kinds.values().map(number).collect::<Vec<_>>()
        });
        let kinds = kinds.unwrap_or_default();
        if !kinds.is_empty() && kinds.len() != tokens.len() {
            return Err(fault(format!("it has {} tokens and {} types of them", tokens.len(), kinds.len())));
        }
        while tokens.len() > 1 && kinds.get(tokens.len() - 1) == Some(&UNUSED) {
            tokens.pop();
        }
        let id = |role: &str| {
            let id = self.metadata(&format!("tokenizer.ggml.{role}_token_id"))?.as_u64()?;
            u32::try_from(id).ok().filter(|id| (*id as usize) < tokens.len())
        };
        let is_added = |(id, kind): (u32, &i64)| match *kind {
            CONTROL => Some((id, true)),
            USER_DEFINED => Some((id, false)),
            _ => None,
        };
        let added: Vec<(u32, bool)> = (0..).zip(&kinds).take(tokens.len()).filter_map(is_added).collect();
        let (end_of_text, padding) = (id("eos"), id("padding"));
        Ok(Some(GgufTokenizer { tokens, merges, added, end_of_text, padding }))
    }

    /// The text of the template that the model was trained with, if gptune wrote the file and had none built in.
    #[must_use]
    pub fn template(&self) -> Option<String> {
        self.metadata(TEMPLATE)?.as_str().map(str::to_owned)
    }

    /// The name of the template that the model was trained with, if gptune wrote the file.
    #[must_use]
    pub fn prompt_style(&self) -> Option<String> {
        self.metadata(PROMPT_STYLE)?.as_str().map(str::to_owned)
    }

    /// Whether text that reads like an added token became that token when the model was trained, if gptune wrote the
    /// file.
    #[must_use]
    pub fn special_tokens(&self) -> bool {
        self.metadata(SPECIAL_TOKENS).and_then(|value| value.as_bool()).unwrap_or(false)
    }

    /// The Jinja template that makes a prompt of messages.
    #[must_use]
    pub fn chat_template(&self) -> Option<String> {
        self.metadata("tokenizer.chat_template")?.as_str().map(str::to_owned)
    }

    fn strings(&self, key: &str) -> Option<Vec<&str>> {
        let value = self.metadata(key)?;
        let array = value.as_array()?.clone();
        array.values().map(|value| value.as_str()).collect()
    }
}

/// Opens a file if it is GGUF by its name or its first bytes; none for any other.
///
/// # Errors
///
/// As [`GgufFile::open`], if it is one.
pub fn open_if_gguf(path: &Path) -> Result<Option<GgufFile>, GgufError> {
    use std::io::Read;

    if !path.is_file() {
        return Ok(None);
    }
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    if read.is_err() || start != *super::MAGIC { Ok(None) } else { GgufFile::open(path).map(Some) }
}
