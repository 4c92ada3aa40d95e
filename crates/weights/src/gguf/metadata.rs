//! The metadata of a file that is written.

use super::{GgufModel, GgufPrecision, TYPE_ARRAY, TYPE_BOOL, TYPE_F32, TYPE_I32, TYPE_STRING, TYPE_U32};

/// Types of tokens.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
/// Version of the block formats, such as that of `Q8_0`.
const QUANTIZATION_VERSION: u32 = 2;

/// Keys and values as they stand in the file.
#[derive(Default)]
pub(super) struct Metadata {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u64,
}

impl Metadata {
    /// What llama.cpp's converter writes for a `GPT2LMHeadModel`, in its order. The error is a problem
    /// with the model and what to do.
    pub(super) fn of(model: &GgufModel<'_>, precision: GgufPrecision, parameters: usize) -> Result<Self, String> {
        let sizes = &model.sizes;
        let size = |field: &str, size: usize| {
            u32::try_from(size).map_err(|_| format!("{field} = {size} is too large; correct the model configuration"))
        };
        let (known, rows) = (model.tokens.len(), sizes.vocab_size);
        if known > rows || model.end_of_text as usize >= known {
            return Err(format!(
                "the tokenizer has {known} tokens and token {} ends a text, but the model has {rows} rows; give the \
                 model's own tokenizer",
                model.end_of_text
            ));
        }
        let n_embd = size("n_embd", sizes.n_embd)?;
        let feed_forward = size("4 n_embd", sizes.n_embd.saturating_mul(4))?;
        size("vocab_size", rows)?;

        let mut this = Self::default();
        this.string("general.architecture", "gpt2");
        this.string("general.type", "model");
        this.string("general.name", &harmless(model.name));
        this.string("general.size_label", &size_label(parameters));
        this.u32("gpt2.block_count", size("n_layer", sizes.n_layer)?);
        this.u32("gpt2.context_length", size("n_positions", sizes.n_positions)?);
        this.u32("gpt2.embedding_length", n_embd);
        this.u32("gpt2.feed_forward_length", feed_forward);
        this.u32("gpt2.attention.head_count", size("n_head", sizes.n_head)?);
        #[expect(clippy::cast_possible_truncation, reason = "the format wants an f32")]
        let epsilon = sizes.layer_norm_epsilon as f32;
        this.entry("gpt2.attention.layer_norm_epsilon", TYPE_F32).extend(epsilon.to_le_bytes());
        this.u32("general.file_type", precision.file_type());
        this.u32("general.quantization_version", QUANTIZATION_VERSION);
        this.tokenizer(model);
        Ok(this)
    }

    fn tokenizer(&mut self, model: &GgufModel<'_>) {
        let known = model.tokens.len();
        let padding: Vec<_> = (known..model.sizes.vocab_size).map(|id| format!("[PAD{id}]")).collect();
        let tokens: Vec<_> = model.tokens.iter().chain(&padding).map(String::as_str).collect();
        let added =
            |id: usize| model.added.iter().find(|(added, _)| *added as usize == id).map(|(_, special)| *special);
        let kind = |id: usize| match added(id) {
            _ if id == model.end_of_text as usize => CONTROL,
            Some(true) => CONTROL,
            Some(false) => USER_DEFINED,
            // What a vocabulary names where its ids have a gap.
            None if id < known && model.tokens[id] != format!("[UNUSED{id}]") => NORMAL,
            None => UNUSED,
        };
        let merges: Vec<_> = model.merges.iter().map(|(left, right)| format!("{left} {right}")).collect();

        self.string("tokenizer.ggml.model", "gpt2");
        self.string("tokenizer.ggml.pre", "gpt-2");
        self.strings("tokenizer.ggml.tokens", &tokens);
        self.array("tokenizer.ggml.token_type", TYPE_I32, tokens.len())
            .extend((0..tokens.len()).flat_map(|id| kind(id).to_le_bytes()));
        self.strings("tokenizer.ggml.merges", &merges);
        for role in ["bos", "eos", "unknown"] {
            self.u32(&format!("tokenizer.ggml.{role}_token_id"), model.end_of_text);
        }
        if let Some(padding) = model.padding {
            self.u32("tokenizer.ggml.padding_token_id", padding);
        }
        self.entry("tokenizer.ggml.add_bos_token", TYPE_BOOL).push(0);
        if let Some(template) = model.chat_template {
            self.string("tokenizer.chat_template", template);
        }
        if let Some(style) = model.prompt_style {
            self.string(super::PROMPT_STYLE, style);
        }
        if let Some(template) = model.template {
            self.string(super::TEMPLATE, template);
        }
        if model.special_tokens {
            self.entry(super::SPECIAL_TOKENS, TYPE_BOOL).push(1);
        }
    }

    /// Begins an entry; its value is to be appended to the bytes.
    fn entry(&mut self, key: &str, kind: u32) -> &mut Vec<u8> {
        self.count += 1;
        push_string(&mut self.bytes, key);
        self.bytes.extend(kind.to_le_bytes());
        &mut self.bytes
    }

    fn array(&mut self, key: &str, kind: u32, count: usize) -> &mut Vec<u8> {
        let bytes = self.entry(key, TYPE_ARRAY);
        bytes.extend(kind.to_le_bytes());
        bytes.extend((count as u64).to_le_bytes());
        bytes
    }

    fn u32(&mut self, key: &str, value: u32) {
        self.entry(key, TYPE_U32).extend(value.to_le_bytes());
    }

    fn string(&mut self, key: &str, value: &str) {
        push_string(self.entry(key, TYPE_STRING), value);
    }

    fn strings(&mut self, key: &str, values: &[impl AsRef<str>]) {
        let bytes = self.array(key, TYPE_STRING, values.len());
        for value in values {
            push_string(bytes, value.as_ref());
        }
    }
}

/// A name by which llama.cpp takes no model for another one's: of those named after Phi-3 it wants tokens that a GPT-2
/// does not have (`llama-vocab.cpp`, at `general.name`), and does not load them.
fn harmless(name: &str) -> String {
    let mut name = name.to_owned();
    // Where a `_` goes, and whether in place of a letter.
    for (part, at, instead) in [("phi-3", 3, 1), ("phi3", 3, 0), ("modern-bert", 6, 1)] {
        // Only ASCII changes case here, so that the places are those of the name itself.
        while let Some(start) = name.to_ascii_lowercase().find(part) {
            name.replace_range(start + at..start + at + instead, "_");
        }
    }
    name
}

/// A number of parameters as in `124M` or `1.6B`, with two digits at least.
fn size_label(parameters: usize) -> String {
    let (unit, letter) = match parameters {
        1_000_000_000_001.. => (1e12, 'T'),
        1_000_000_001.. => (1e9, 'B'),
        1_000_001.. => (1e6, 'M'),
        _ => (1e3, 'K'),
    };
    #[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
    let scaled = parameters as f64 / unit;
    let decimals = match scaled.round_ties_even() {
        10.0.. => 0,
        1.0.. => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$}{letter}")
}

/// Appends a text with its length in front.
pub(super) fn push_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{harmless, size_label};

    #[test]
    fn no_name_is_that_of_another_kind_of_model() {
        for (name, other) in [
            ("my-run", "my-run"),
            ("2026-x-phi3", "2026-x-phi_3"),
            ("Phi-3 ü PHI3", "Phi_3 ü PHI_3"),
            ("a-Modern-BERT", "a-Modern_BERT"),
        ] {
            assert_eq!(harmless(name), other);
        }
    }

    #[test]
    fn sizes_are_shown_with_two_digits() {
        let sizes =
            [(124_439_808, "124M"), (1_557_611_200, "1.6B"), (9_600_000, "10M"), (14_208, "14K"), (300, "0.30K")];
        for (parameters, label) in sizes {
            assert_eq!(size_label(parameters), label);
        }
    }
}
