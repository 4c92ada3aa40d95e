//! The built-in defaults, cut short: a new user's first command.

use crate::gptune;

#[test]
fn the_first_command_works_in_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let output = gptune(folder.path(), &["train", "--max-steps", "2", "--preview", "1", "--respond=false"]);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{error}");
    for wanted in
        ["Model nano", "Before training: Train loss", "Ep 1 (Step 000000): Train loss", "wanted:", "loss-plot.svg"]
    {
        assert!(out.contains(wanted), "{wanted} in {out}");
    }
    let runs: Vec<_> = std::fs::read_dir(folder.path().join("runs")).unwrap().map(|run| run.unwrap().path()).collect();
    assert_eq!(runs.len(), 1);
    assert!(runs[0].file_name().unwrap().to_string_lossy().starts_with("nano-sample-"));
    assert!(runs[0].join("model/model.safetensors").is_file());
    let report = std::fs::read_to_string(runs[0].join("report.html")).unwrap();
    assert!(report.contains("the built-in sample data") && report.contains("sha256:"), "{report}");
    let scores: serde_json::Value =
        serde_json::from_slice(&std::fs::read(runs[0].join("scores.json")).unwrap()).unwrap();
    assert_eq!((&scores["overall"]["count"], &scores["difference"]["overall"]["count"]), (&1.into(), &1.into()));
}

#[test]
fn every_recipe_writes_every_key() {
    let recipes = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/recipes");
    let keys = |text: &str| {
        let keys = text.lines().filter_map(|line| line.split_once(" = ").map(|(key, _)| key.to_owned()));
        keys.collect::<std::collections::BTreeSet<_>>()
    };
    let all = keys(&gptune::RunConfig::default().to_toml().unwrap());
    for name in ["quickstart", "gpt2-small", "gpt2-medium-book", "alpaca"] {
        let text = std::fs::read_to_string(format!("{recipes}/{name}.toml")).unwrap();
        gptune::RunConfig::from_toml(name, &text).unwrap().validate().unwrap();
        assert_eq!(keys(&text), all, "{name}");
    }
}
