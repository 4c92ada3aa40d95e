//! What would be requested for GPT-2, from the Hub and from OpenAI, and what happens offline. Asks no server.

use gptune_fetch::{FetchError, Hub, OpenAi, Patience, gpt2_repository};

fn main() -> Result<(), FetchError> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "gpt2".to_owned());
    let repository = gpt2_repository(&name).unwrap_or(&name);
    let files = ["config.json", "model.safetensors", "tokenizer.json"];

    let hub = Hub::from_env();
    match hub.cached(repository) {
        Some(snapshot) => println!("{repository} is in {}; without it:", snapshot.display()),
        None => println!("{repository} is not in the cache:"),
    }
    for request in hub.requests(repository, &files)? {
        println!("  {request}");
    }

    if let Some(release) = OpenAi::named(&name) {
        println!("\nOpenAI's release, from the first of these that has a file:");
        for folder in release.folders(&OpenAi::BASES) {
            println!("  {folder}/{{{}}}", OpenAi::FILES.join(","));
        }
    }

    let variable = |name: &str| match name {
        "HF_HUB_OFFLINE" => Some("1".into()),
        "HF_HOME" => Some("an-empty-cache".into()),
        _ => None,
    };
    let offline = Hub::from_variables(variable, Patience::default());
    if let Err(error) = offline.fetch(repository, &files, &[], &mut |_| {}) {
        println!("\nWithout a cache and without a network:\n  {error}");
    }
    Ok(())
}
