//! What is built into the program, so that it works without a network.

/// The built-in instruction data, `--data sample`.
pub const SAMPLE_DATA: &[u8] = include_bytes!("../assets/sample-data.json");

/// `config.json` of the built-in model, `--model nano`.
pub const NANO_CONFIG: &[u8] = include_bytes!("../assets/nano/config.json");

/// Weights of the built-in model.
pub const NANO_WEIGHTS: &[u8] = include_bytes!("../assets/nano/model.safetensors");

/// The recipes by name.
pub const RECIPES: [(&str, &str); 4] = [
    ("quickstart", include_str!("../assets/recipes/quickstart.toml")),
    ("gpt2-small", include_str!("../assets/recipes/gpt2-small.toml")),
    ("gpt2-medium-book", include_str!("../assets/recipes/gpt2-medium-book.toml")),
    ("alpaca", include_str!("../assets/recipes/alpaca.toml")),
];
