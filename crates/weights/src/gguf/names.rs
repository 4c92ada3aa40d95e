//! llama.cpp's names of GPT-2's tensors.

use super::GgufSizes;

/// A module by Hugging Face's name and by llama.cpp's.
type Module = (&'static str, &'static str);

const MODULES: [Module; 4] =
    [("wte", "token_embd"), ("wpe", "position_embd"), ("ln_f", "output_norm"), ("lm_head", "output")];
/// Those of a block.
const BLOCK_MODULES: [Module; 6] = [
    ("ln_1", "attn_norm"),
    ("attn.c_attn", "attn_qkv"),
    ("attn.c_proj", "attn_output"),
    ("ln_2", "ffn_norm"),
    ("mlp.c_fc", "ffn_up"),
    ("mlp.c_proj", "ffn_down"),
];

/// The tensor that a parameter is written as.
pub(super) fn tensor(parameter: &str) -> Option<String> {
    translated(parameter, "h", "blk", |pair| pair)
}

/// The parameter that a tensor holds.
pub(super) fn parameter(tensor: &str) -> Option<String> {
    translated(tensor, "blk", "h", |(theirs, ours)| (ours, theirs))
}

/// Whether a parameter is a matrix of `Conv1D`, `[in, out]`, of which llama.cpp wants the transpose.
pub(super) fn is_conv1d(parameter: &str) -> bool {
    parameter.contains(".c_") && parameter.ends_with(".weight")
}

/// All parameters with their shapes, in the order in which they are written.
pub(crate) fn parameters(sizes: &GgufSizes) -> Vec<(String, Vec<usize>)> {
    let &GgufSizes { n_layer, n_embd: c, n_positions, vocab_size, tie_word_embeddings, .. } = sizes;
    let inner = c.saturating_mul(4);
    let norm = |name: &str| [(format!("{name}.weight"), vec![c]), (format!("{name}.bias"), vec![c])];
    let conv1d = |name: &str, input: usize, output: usize| {
        [(format!("{name}.weight"), vec![input, output]), (format!("{name}.bias"), vec![output])]
    };
    let mut all = vec![("wte.weight".to_owned(), vec![vocab_size, c]), ("wpe.weight".to_owned(), vec![n_positions, c])];
    for n in 0..n_layer {
        all.extend(norm(&format!("h.{n}.ln_1")));
        all.extend(conv1d(&format!("h.{n}.attn.c_attn"), c, c.saturating_mul(3)));
        all.extend(conv1d(&format!("h.{n}.attn.c_proj"), c, c));
        all.extend(norm(&format!("h.{n}.ln_2")));
        all.extend(conv1d(&format!("h.{n}.mlp.c_fc"), c, inner));
        all.extend(conv1d(&format!("h.{n}.mlp.c_proj"), inner, c));
    }
    all.extend(norm("ln_f"));
    if !tie_word_embeddings {
        all.push(("lm_head.weight".to_owned(), vec![vocab_size, c]));
    }
    all
}

/// A name with its module replaced, from the first of what `order` makes of a pair to the second.
fn translated(name: &str, block_from: &str, block_to: &str, order: fn(Module) -> Module) -> Option<String> {
    let (module, kind) = name.rsplit_once('.').filter(|(_, kind)| matches!(*kind, "weight" | "bias"))?;
    let find = |modules: &[Module], module: &str| {
        modules.iter().map(|&pair| order(pair)).find(|&(from, _)| from == module).map(|(_, to)| to)
    };
    let block = module.strip_prefix(block_from).and_then(|rest| rest.strip_prefix('.')?.split_once('.'));
    match block {
        None => Some(format!("{}.{kind}", find(&MODULES, module)?)),
        Some((n, module)) if !n.is_empty() && n.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(format!("{block_to}.{n}.{}.{kind}", find(&BLOCK_MODULES, module)?))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let sizes = GgufSizes {
            n_layer: 12,
            n_head: 2,
            n_embd: 8,
            n_positions: 4,
            vocab_size: 10,
            tie_word_embeddings: false,
            layer_norm_epsilon: 1e-5,
        };
        let parameters = parameters(&sizes);
        assert_eq!(parameters.len(), 2 + 12 * 12 + 3);
        for (name, shape) in &parameters {
            let tensor = tensor(name).unwrap();
            assert_eq!(parameter(&tensor).as_ref(), Some(name), "{tensor}");
            assert_eq!(is_conv1d(name), shape.len() == 2 && name.starts_with("h."), "{name}");
        }
        assert_eq!(tensor("h.11.attn.c_proj.bias").unwrap(), "blk.11.attn_output.bias");
        assert_eq!(tensor("wte.weight").unwrap(), "token_embd.weight");
    }

    #[test]
    fn other_names_are_nobodys() {
        for name in ["", "h", "h.", "h.0", "h.0.weight", "h..ln_1.weight", "h.x.ln_1.weight", "h.0.ln_1", "wte.scale"] {
            assert_eq!(tensor(name), None, "{name}");
        }
        assert_eq!(parameter("blk.0.attn_q.weight"), None);
        assert_eq!(parameter("h.0.ln_1.weight"), None);
    }
}
