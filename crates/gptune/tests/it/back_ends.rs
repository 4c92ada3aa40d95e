//! Back ends besides flex, which `cargo xtask test --back-ends tch,wgpu` puts into the build, and the
//! self-check that guards them all.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::{failure, gptune, json, tiny_model, write_data};

/// The back ends that were asked for.
fn requested() -> Vec<String> {
    let names = std::env::var("GPTUNE_TEST_BACK_ENDS").unwrap_or_default();
    let names: Vec<String> = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() {
        println!("flex only: `cargo xtask test --back-ends tch,wgpu` tests the others");
    }
    names
}

fn gptune_with(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gptune"));
    command.current_dir(folder).args(arguments).envs(variables.iter().copied()).output().unwrap()
}

/// Software Vulkan compiles kernels on the processor: few of them.
const ENVIRONMENT: [(&str, &str); 1] = [("CUBECL_AUTOTUNE_LEVEL", "minimal")];

#[test]
fn every_back_end_of_the_build_passes_the_doctor() {
    let folder = tempfile::tempdir().unwrap();
    let listed = json(&gptune(folder.path(), &["devices", "--json"]));
    for name in [vec!["flex".to_owned()], requested()].concat() {
        let back_end = listed["back_ends"].as_array().unwrap().iter().find(|back_end| back_end["name"] == *name);
        let back_end = back_end.unwrap_or_else(|| panic!("{name} was asked for and is not in this build: {listed}"));
        assert!(!back_end["devices"].as_array().unwrap().is_empty(), "{name} sees no device");
        let report = json(&gptune_with(folder.path(), &ENVIRONMENT, &["doctor", "--device", &name, "--json"]));
        println!("{report}");
        assert_eq!(report["passed"], true, "{report}");
        assert_eq!(report["findings"].as_array().unwrap().len(), 4);
        assert!(report["product_gflops"].as_f64().unwrap() > 0.0);
        let beyond = format!("{name}:99");
        let error = failure(&gptune(folder.path(), &["doctor", "--device", &beyond]));
        assert!(error.contains(&beyond), "{error}");
    }
}

#[test]
fn a_table_larger_than_a_buffer_is_refused_before_training() {
    if !requested().iter().any(|name| name == "wgpu") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let sizes = ["init", "wide", "--n-layer", "1", "--n-head", "12", "--n-embd", "768", "--n-positions", "64"];
    assert!(gptune(folder.path(), &sizes).status.success());
    let train =
        ["train", "--model", "wide", "--data", "sample", "--device", "wgpu", "--max-steps", "1", "--out", "run"];
    let output = gptune(folder.path(), &train);
    // Software Vulkan has 134 MB; another adapter may hold the table, and then trains.
    if !output.status.success() {
        let error = failure(&output);
        assert!(error.contains("154 MB") && error.contains("largest buffer has"), "{error}");
        assert!(!folder.path().join("run").exists());
    }
}

#[test]
fn libtorch_trains_as_flex_does() {
    if !requested().iter().any(|name| name == "tch") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 60);
    let losses = |device: &str| -> Vec<f64> {
        let model = tiny_model().display().to_string();
        let arguments =
            ["train", "--model", &model, "--data", "data.json", "--out", device, "--device", device, "--lr", "1e-3"];
        let output = gptune(folder.path(), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metrics = fs::read_to_string(folder.path().join(device).join("metrics.jsonl")).unwrap();
        let events = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["event"] == "step").map(|event| event["loss"].as_f64().unwrap()).collect()
    };
    let (flex, tch) = (losses("flex"), losses("tch"));
    assert!(flex.len() == tch.len() && flex.len() > 5);
    for (a, b) in flex.iter().zip(&tch) {
        assert!((a - b).abs() <= 2e-5 * a, "{a} and {b}");
    }
    // Half precision computes nearly the same, and is refused where it would not be computed.
    let model = tiny_model().display().to_string();
    let half = |device: &str, out: &str| {
        let arguments = [
            "train",
            "--model",
            &model,
            "--data",
            "data.json",
            "--out",
            out,
            "--device",
            device,
            "--lr",
            "1e-3",
            "--precision",
            "bf16",
        ];
        gptune(folder.path(), &arguments)
    };
    let error = failure(&half("flex", "half-flex"));
    assert!(error.contains("bf16") && error.contains("--precision f32"), "{error}");
    let output = half("tch", "half");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metrics = fs::read_to_string(folder.path().join("half/metrics.jsonl")).unwrap();
    let first: Value = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|event: &Value| event["event"] == "step")
        .unwrap();
    let loss = first["loss"].as_f64().unwrap();
    assert!((loss - flex[0]).abs() < 0.02 * flex[0] && loss != flex[0], "{loss} and {}", flex[0]);
}

/// The value of a recorded check that a fault is planted in.
type Pick = fn(&mut Value) -> &mut Value;

#[test]
fn training_refuses_a_device_that_drifts() {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 30);
    json(&gptune(folder.path(), &["doctor", "--device", "flex", "--record", "reference.json", "--json"]));
    let reference: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("reference.json")).unwrap()).unwrap();
    let model = tiny_model().display().to_string();
    let train = |out: &str, reference: &Value, force: bool| {
        fs::write(folder.path().join("planted.json"), reference.to_string()).unwrap();
        let mut arguments = vec![
            "train",
            "--model",
            &model,
            "--data",
            "data.json",
            "--device",
            "flex",
            "--max-steps",
            "1",
            "--out",
            out,
        ];
        arguments.extend(force.then_some("--force"));
        gptune_with(folder.path(), &[("GPTUNE_SELF_CHECK", "planted.json")], &arguments)
    };
    assert!(train("good", &reference, false).status.success());
    let number = |value: &mut Value| *value = (value.as_f64().unwrap() * 1.01 + 0.01).into();
    let planted: [(&str, &str, Pick); 4] = [
        ("loss", "loss", |reference| &mut reference["loss"]),
        ("gradients", "h.1.attn.c_attn.weight", |reference| {
            &mut reference["gradients"]["h.1.attn.c_attn.weight"]["products"][2]
        }),
        ("parameters after a step", "wte.weight", |reference| &mut reference["updated"]["wte.weight"]["norm"]),
        ("greedy tokens", "wanted", |reference| &mut reference["tokens"][5]),
    ];
    for (quantity, place, pick) in planted {
        let mut wrong = reference.clone();
        let value = pick(&mut wrong);
        match value.as_u64() {
            Some(token) => *value = (token + 1).into(),
            None => number(value),
        }
        let error = failure(&train("never", &wrong, false));
        assert!(error.contains(quantity) && error.contains(place) && error.contains("--force"), "{error}");
        assert!(!folder.path().join("never").exists(), "nothing is written for a device that drifts");
        let out = quantity.replace(' ', "-");
        assert!(train(&out, &wrong, true).status.success(), "--force goes on");
    }
}

#[test]
fn the_variable_chooses_the_device_of_auto() {
    let folder = tempfile::tempdir().unwrap();
    let report = json(&gptune_with(folder.path(), &[("BURN_DEVICE", "flex")], &["doctor", "--json"]));
    assert_eq!(report["device"], "flex");
    let error = failure(&gptune_with(folder.path(), &[("BURN_DEVICE", "abacus")], &["doctor"]));
    assert!(error.contains("BURN_DEVICE") && error.contains("abacus"), "{error}");
}
