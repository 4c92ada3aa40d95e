//! The names of tensors, in one place.
//!
//! A parameter's path in [`Gpt2`](gptune_model::Gpt2) is its name in a checkpoint of Hugging Face's
//! `GPT2Model`. `GPT2LMHeadModel` puts `transformer.` before everything but the head.

/// Prefix of every tensor but the head in a `GPT2LMHeadModel` checkpoint.
const PREFIX: &str = "transformer.";
/// The output head.
pub(crate) const HEAD: &str = "lm_head.weight";
/// The token embedding.
pub(crate) const TOKENS: &str = "wte.weight";

/// The parameter that a checkpoint's tensor belongs to, or none for a tensor that carries no
/// weight: old checkpoints hold the causal mask of each block.
pub(crate) fn parameter(tensor: &str) -> Option<&str> {
    let name = tensor.strip_prefix(PREFIX).unwrap_or(tensor);
    let mask = name.starts_with("h.") && (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"));
    (!mask).then_some(name)
}

/// How many blocks a checkpoint with these tensors has.
pub(crate) fn blocks<'a>(tensors: impl Iterator<Item = &'a str>) -> usize {
    tensors.filter(|tensor| tensor.ends_with(".ln_1.weight")).count()
}

/// The tensor of a `GPT2LMHeadModel` checkpoint that a parameter is written as.
pub(crate) fn tensor(parameter: &str) -> String {
    if parameter == HEAD { HEAD.to_owned() } else { format!("{PREFIX}{parameter}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_is_optional_and_masks_carry_no_weight() {
        assert_eq!(parameter("transformer.h.0.attn.c_attn.weight"), Some("h.0.attn.c_attn.weight"));
        assert_eq!(parameter("h.0.attn.c_attn.bias"), Some("h.0.attn.c_attn.bias"));
        assert_eq!(parameter("h.11.attn.bias"), None);
        assert_eq!(parameter("transformer.h.1.attn.masked_bias"), None);
        assert_eq!(tensor("wpe.weight"), "transformer.wpe.weight");
        assert_eq!(tensor(HEAD), HEAD);
        assert_eq!(blocks(["h.0.ln_1.weight", "transformer.h.1.ln_1.weight", "ln_f.weight"].into_iter()), 2);
    }
}
