//! What a trained model remembers, and what further work does with it.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{failure, gptune, gptune_reading, json, tiny_model, write_data};

/// Runs a command that has to succeed.
fn run(folder: &Path, arguments: &str) -> String {
    let output = gptune(folder, &arguments.split_whitespace().collect::<Vec<_>>());
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

/// A run on `data.json` with these flags, in `folder/run`.
fn trained(flags: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 40);
    let model = tiny_model().display();
    run(
        folder.path(),
        &format!("train --model {model} --data data.json --out run --max-steps 6 --lr 1e-3 --sample-tokens 0 {flags}"),
    );
    folder
}

fn final_event(folder: &Path) -> Value {
    let metrics = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    let events = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.into_iter().find(|event| event["event"] == "final").unwrap()
}

#[test]
fn evaluate_measures_what_the_run_measured() {
    for flags in [
        "--prompt-style alpaca --mask-instructions",
        "--prompt-style phi3 --max-length 20 --batch-size 2",
        "--split 50/10/40 --split-seed 9",
    ] {
        let folder = trained(flags);
        let event = final_event(folder.path());
        let evaluate = |more: &[&str]| {
            json(&gptune(
                folder.path(),
                &[&["evaluate", "--model", "run/model", "--batches", "5", "--json"], more].concat(),
            ))
        };
        let found = evaluate(&[]);
        assert_eq!((&found["split"], &found["loss"]), (&json!("val"), &event["val_loss"]), "{flags}");
        assert_eq!(found["token_loss"], event["val_token_loss"], "{flags}");
        // The same data under another name.
        fs::copy(folder.path().join("data.json"), folder.path().join("copy.json")).unwrap();
        assert_eq!(evaluate(&["--data", "copy.json", "--split", "val"])["loss"], event["val_loss"], "{flags}");
        // From another folder, and the model in another place.
        fs::create_dir(folder.path().join("elsewhere")).unwrap();
        fs::rename(folder.path().join("run/model"), folder.path().join("elsewhere/it")).unwrap();
        let there = folder.path().join("elsewhere");
        let moved = json(&gptune(&there, &["evaluate", "--model", "it", "--batches", "5", "--json"]));
        assert_eq!(moved["loss"], event["val_loss"], "{flags}");
    }
}

#[test]
fn data_that_have_changed_are_an_error() {
    let folder = trained("");
    write_data(&folder.path().join("data.json"), 41);
    for command in ["evaluate", "respond"] {
        let error = failure(&gptune(folder.path(), &[command, "--model", "run/model"]));
        assert!(error.contains("data.json are not what the model was trained on any more"), "{error}");
        let error = failure(&gptune(folder.path(), &[command, "--model", "run/model", "--data", "data.json"]));
        assert!(error.contains("--force"), "{error}");
        let mut forced = vec![command, "--model", "run/model", "--force"];
        if command == "respond" {
            forced.extend(["--max-new-tokens", "2"]);
        }
        assert!(gptune(folder.path(), &forced).status.success());
    }
}

#[test]
fn the_prompt_style_goes_with_the_model() {
    let folder = trained("--prompt-style phi3");
    let on = "train --data data.json --max-steps 1 --no-eval --sample-tokens 0";
    run(folder.path(), &format!("{on} --model run/model --out on"));
    let style = |run: &str| {
        let config = fs::read_to_string(folder.path().join(run).join("config.toml")).unwrap();
        config.lines().find(|line| line.starts_with("prompt_style")).unwrap().to_owned()
    };
    assert_eq!(style("on"), "prompt_style = \"phi3\"");
    let said = run(folder.path(), &format!("{on} --model run/model --out other --prompt-style book"));
    assert!(said.contains("Note: the model was trained with the template phi3, and is trained with book"), "{said}");
    // Out to other programs and back.
    let evaluate = |model: &str| {
        let arguments = ["evaluate", "--model", model, "--data", "data.json", "--split", "all", "--json"];
        json(&gptune(folder.path(), &arguments))["loss"].as_f64().unwrap()
    };
    let loss = evaluate("run/model");
    for (format, file) in [("gguf", "phi.gguf"), ("pth", "phi.pth")] {
        run(folder.path(), &format!("export run/model --format {format} {file}"));
        let back = format!("back-{format}");
        fs::copy(folder.path().join("run/model/config.json"), folder.path().join("config.json")).unwrap();
        run(folder.path(), &format!("import {file} {back}"));
        for model in [file, back.as_str()] {
            let found = evaluate(model);
            assert!((found - loss).abs() < 1e-5 * loss, "{model}: {found} and {loss}");
        }
        run(folder.path(), &format!("{on} --model {back} --out on-{format}"));
        assert_eq!(style(&format!("on-{format}")), "prompt_style = \"phi3\"");
    }
    let modelfile = fs::read_to_string(folder.path().join("phi.Modelfile")).unwrap();
    assert!(modelfile.contains("<|user|>\n{{ .Prompt }}\n<|assistant|>:\n{{ .Response }}"), "{modelfile}");
}

#[test]
fn respond_takes_questions_and_whole_files_and_loses_nothing() {
    let folder = trained("--respond --response-tokens 3");
    // The answers of the run are there already.
    let error = failure(&gptune(folder.path(), &["respond", "--model", "run/model", "--max-new-tokens", "3"]));
    assert!(error.contains("instruction-data-with-response.json is there already"), "{error}");
    run(folder.path(), "respond --model run --max-new-tokens 3 --overwrite");
    let answers =
        |file: &str| -> Vec<Value> { serde_json::from_slice(&fs::read(folder.path().join(file)).unwrap()).unwrap() };
    assert_eq!(answers("run/instruction-data-with-response.json").len(), 4, "the test part of the run's data");
    fs::write(
        folder.path().join("questions.json"),
        r#"[{"instruction": "Name number 3."}, {"instruction": "And 4?"}]"#,
    )
    .unwrap();
    run(folder.path(), "respond --model run/model --data questions.json --max-new-tokens 3 --out q.json");
    let questions = answers("q.json");
    assert_eq!(questions.len(), 2, "a file that is not the training data is answered whole");
    assert!(questions.iter().all(|entry| entry["model_response"].is_string() && entry.get("output").is_none()));
    // An interrupted command's answers are gone on with.
    let kept = folder.path().join("again.json.partial");
    let whole = "respond --model run/model --data questions.json --max-new-tokens 3 --out again.json";
    fs::write(&kept, "{\"model\":\"another\"}\n").unwrap();
    let error = failure(&gptune(folder.path(), &whole.split(' ').collect::<Vec<_>>()));
    assert!(error.contains("again.json.partial holds answers of another model"), "{error}");
    fs::remove_file(&kept).unwrap();
    run(folder.path(), whole);
    assert_eq!(answers("again.json"), questions);
    assert!(!kept.exists());
}

#[test]
fn one_question_gets_one_answer_in_the_trained_format() {
    let folder = trained("--prompt-style alpaca");
    let ask = |more: &[&str], input: &str| {
        let arguments = ["ask", "--model", "run/model", "--max-new-tokens", "4", "--json"];
        json(&gptune_reading(folder.path(), &[&arguments[..], more].concat(), input))
    };
    let answer = ask(&["Name number 3."], "");
    assert!(answer["ids"].as_array().unwrap().len() <= 4 && answer["text"].is_string());
    assert_eq!(ask(&[], "Name number 3.\n"), answer, "from standard input");
    let with_input = ask(&["Name it.", "--input", "item 3"], "");
    let prompt = gptune_reading(folder.path(), &["detokenize"], &with_input["prompt_ids"].to_string());
    let prompt = String::from_utf8(prompt.stdout).unwrap();
    assert!(
        prompt.contains("paired with an input") && prompt.ends_with("### Input:\nitem 3\n\n### Response:\n"),
        "{prompt}"
    );
    let error = failure(&gptune_reading(folder.path(), &["ask", "--model", "run/model"], " \n"));
    assert!(error.contains("there is no instruction"), "{error}");
}

#[test]
fn parts_of_ones_own_and_what_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_data(&at("train.json"), 20);
    write_data(&at("val.json"), 3);
    write_data(&at("test.json"), 5);
    let model = tiny_model().display();
    let said = run(
        folder.path(),
        &format!(
            "train --model {model} --train-data train.json --val-data val.json --test-data test.json --out run \
             --max-steps 2 --respond --response-tokens 2 --sample-tokens 0"
        ),
    );
    assert!(said.contains("20 training, 5 test, 3 validation examples"), "{said}");
    let answers: Vec<Value> =
        serde_json::from_slice(&fs::read(at("run/instruction-data-with-response.json")).unwrap()).unwrap();
    assert_eq!(answers.len(), 5);
    // The parts are remembered.
    let found = json(&gptune(folder.path(), &["evaluate", "--model", "run", "--split", "val", "--json"]));
    assert_eq!(found["loss"], final_event(folder.path())["val_loss"]);
    let batches = |more: &[&str]| {
        let arguments = ["data", "batches", "--data", "train.json", "--model", "run/model", "--json"];
        gptune(folder.path(), &[&arguments[..], more].concat())
    };
    assert_eq!(json(&batches(&[])).as_array().unwrap().len(), 2, "all 20 in batches of 8, as in the run");
    let whole = ["evaluate", "--model", "run", "--data", "train.json", "--batch-size", "1", "--json"];
    assert_eq!(json(&gptune(folder.path(), &whole))["batches"], 20, "the file that was named");
    fs::copy(at("train.json"), at("kept.json")).unwrap();
    write_data(&at("train.json"), 21);
    assert!(failure(&batches(&[])).contains("are not what the model was trained on"));
    assert!(batches(&["--force"]).status.success());
    fs::copy(at("kept.json"), at("train.json")).unwrap();

    // Without a test part, nothing is answered, and no file pretends that something was.
    write_data(&at("five.json"), 5);
    let flags = "--batch-size 2 --respond --no-eval --sample-tokens 0";
    let said = run(folder.path(), &format!("train --model {model} --data five.json --out none {flags}"));
    assert!(said.contains("Note: there is no test part"), "{said}");
    assert!(!at("none/instruction-data-with-response.json").exists() && !at("none/scores.json").exists());

    // Too long: cut, left out, or refused, by the limit that set it.
    let long = json!({"instruction": format!("Say {}.", "word ".repeat(30)), "input": "", "output": "Yes."});
    let mut entries: Vec<Value> = serde_json::from_slice(&fs::read(at("train.json")).unwrap()).unwrap();
    entries.push(long);
    fs::write(at("long.json"), json!(entries).to_string()).unwrap();
    let train = |out: &str, flags: &str| {
        let all = format!(
            "train --model {model} --data long.json --split 100/0/0 --out {out} --max-steps 1 --no-eval --sample-tokens 0 \
             {flags}"
        );
        gptune(folder.path(), &all.split_whitespace().collect::<Vec<_>>())
    };
    let error = failure(&train("a", "--max-length 50 --too-long refuse"));
    assert!(error.contains("entry 20: it is") && error.contains("--max-length is 50, of the 128"), "{error}");
    assert!(train("b", "--max-length 50 --too-long skip").status.success());
    assert!(fs::read_to_string(at("b/left-out.jsonl")).unwrap().contains("\"entry\": 20"));
    let cut = train("c", "--max-length 50 --too-long cut");
    assert!(String::from_utf8_lossy(&cut.stdout).contains("1 training examples are longer than 50 tokens"));
    // So are those that are only measured.
    let evaluate = ["evaluate", "--model", &model.to_string(), "--data", "long.json", "--max-length", "50"];
    let output = gptune(folder.path(), &evaluate);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Note: 1 of 21 examples is longer than 50 tokens, and cut there"), "{said}");
    let said = run(folder.path(), "data batches --data long.json --split all --max-length 50");
    assert!(said.contains("Note: 1 of 21 examples is longer than 50 tokens"), "{said}");
    let said = run(
        folder.path(),
        &format!(
            "train --model {model} --train-data train.json --val-data long.json --max-length 50 --out v --max-steps 1 \
             --sample-tokens 0"
        ),
    );
    assert!(said.contains("Note: 1 validation examples are longer than 50 tokens, and measured without"), "{said}");
    assert!(
        said.contains("evaluate --model \"v/model\"\n") || said.ends_with("evaluate --model \"v/model\""),
        "{said}"
    );
    // What it says to type works where there is no validation part too.
    let said = run(
        folder.path(),
        &format!("train --model {model} --train-data train.json --out t --max-steps 1 --no-eval --sample-tokens 0"),
    );
    assert!(said.contains("evaluate --model \"t/model\" --split train"), "{said}");
    run(folder.path(), "evaluate --model t/model --split train");
    let error = failure(&train("d", "--max-length 8"));
    assert!(error.contains("--max-length 8 cuts every training example before its response"), "{error}");
}

#[test]
fn runs_of_one_second_get_folders_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 40);
    let model = tiny_model().display().to_string();
    let arguments = ["train", "--model", &model, "--data", "data.json", "--name", "mine", "--max-steps", "1"];
    let arguments = [&arguments[..], &["--no-eval", "--sample-tokens", "0", "--json"]].concat();
    let outs: Vec<Value> = std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..3).map(|_| scope.spawn(|| json(&gptune(folder.path(), &arguments))["out"].clone())).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut names: Vec<&str> = outs.iter().map(|out| out.as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["runs/mine", "runs/mine-2", "runs/mine-3"]);
    // A run that goes on is called after the model that all began with.
    let on = ["train", "--model", "runs/mine", "--data", "data.json", "--max-steps", "1", "--no-eval", "--json"];
    let out = json(&gptune(folder.path(), &on))["out"].clone();
    assert!(out.as_str().unwrap().starts_with("runs/tiny-data-"), "{out}");
}

#[test]
fn the_built_in_model_has_its_settings_wherever_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("data.json"), 40);
    let train = |out: &str, flags: &str| {
        let all =
            format!("train --out {out} --max-steps 1 --no-eval --sample-tokens 0 --respond=false --preview 0{flags}");
        let said = run(folder.path(), &all);
        let config = fs::read_to_string(folder.path().join(out).join("config.toml")).unwrap();
        assert!(config.contains("\nlr = 0.0002\n"), "{flags}: {config}");
        said
    };
    train("a", "");
    train("b", " --model nano");
    let said = train("c", " --model a/model --data data.json");
    assert!(said.contains("Settings: recipe quickstart, as for nano; learning rate 0.0002"), "{said}");
    // What it has never seen is said, with the command that trains GPT-2 itself.
    assert!(said.contains("Note: nano is a toy") && said.contains("train --model gpt2 --data"), "{said}");
}

#[test]
fn a_folder_called_like_a_model_is_not_taken_for_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("nano")).unwrap();
    let all = "train --model nano --out run --max-steps 1 --no-eval --sample-tokens 0 --respond=false --preview 0";
    run(folder.path(), all);
    let about: Value = serde_json::from_slice(&fs::read(folder.path().join("run/model/gptune.json")).unwrap()).unwrap();
    assert_eq!(about["training"]["base"], "nano");
}

#[test]
fn answers_depend_on_the_context_alone_and_not_on_the_lengths_of_training() {
    let folder = trained("--mask-instructions --max-length 45");
    let prompt = json!([{"instruction": "word ".repeat(60)}, {"instruction": "Name it."}]);
    fs::write(folder.path().join("q.json"), prompt.to_string()).unwrap();
    run(folder.path(), "respond --model run/model --data q.json --max-new-tokens 1 --out a.json");
    // What is left out of the training part shifts nothing in the others.
    let whole = fs::read(folder.path().join("data.json")).unwrap();
    let mut entries: Vec<Value> = serde_json::from_slice(&whole).unwrap();
    for place in [1, 5, 36] {
        entries[place].as_object_mut().unwrap().remove("output");
    }
    fs::write(folder.path().join("holes.json"), json!(entries).to_string()).unwrap();
    let model = tiny_model().display();
    let flags = "--skip-bad --respond --response-tokens 1 --max-steps 1 --no-eval --sample-tokens 0";
    run(folder.path(), &format!("train --model {model} --data holes.json --out holes {flags}"));
    run(folder.path(), "respond --model holes --max-new-tokens 1 --out again.json");
    let ids = |file: &str| -> Vec<u64> {
        let answers: Vec<Value> = serde_json::from_slice(&fs::read(folder.path().join(file)).unwrap()).unwrap();
        answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("holes/instruction-data-with-response.json"), [34, 35, 37]);
    assert_eq!(ids("again.json"), [34, 35, 37], "the entries that the run had, without a flag");
}

#[test]
fn what_belongs_to_another_file_is_not_inherited() {
    let folder = trained("--prompt-style phi3");
    run(folder.path(), "export run/model --format pth x.pth");
    fs::remove_file(folder.path().join("x.pth")).unwrap();
    let model = tiny_model().to_str().unwrap();
    let error = failure(&gptune(folder.path(), &["export", model, "--format", "pth", "x.pth"]));
    assert!(error.contains("x.gptune.json exists, which would be taken for the new file's"), "{error}");
    fs::write(folder.path().join("recipe.toml"), "train_data = \"data.json\"\ndata = \"\"\n").unwrap();
    let arguments = ["train", "--recipe", "recipe.toml", "--split", "80/10/10", "--model", model];
    let error = failure(&gptune(folder.path(), &arguments));
    assert!(error.contains("--split is for data that are split"), "{error}");
    let arguments = ["train", "--model", model, "--train-data", "alpaca", "--dry-run"];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gptune"))
        .args(arguments)
        .env("GPTUNE_CACHE", folder.path().join("cache"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Requests:"), "{said}");
}
