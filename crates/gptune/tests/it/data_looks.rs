//! Looking at data before anything is trained on them.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{gptune, json};

/// A folder with a file of this text.
fn folder_with(name: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    folder
}

/// What a command prints that succeeds.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = gptune(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A conversation of two turns.
const TURNS: &str = r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello 🙂"},{"role":"user","content":"Bye"},{"role":"assistant","content":"\n\nGoodbye."}]}"#;

/// The lines after the first two, which say how to read them.
fn body(text: &str) -> String {
    text.split_inclusive('\n').skip(2).collect()
}

#[test]
fn every_answer_of_a_conversation_is_seen_to_be_trained() {
    let folder = folder_with("turns.jsonl", TURNS);
    let arguments = ["data", "inspect", "--data", "turns.jsonl", "--template", "zephyr", "--mask-instructions"];
    let text = printed(folder.path(), &arguments);
    assert_eq!(
        text,
        "turns.jsonl. With the template zephyr, the answers are trained, up to 1024 tokens.\n\
         ⟦trained⟧  read only  ✂cut by --max-length✂  ⟪special token⟫  ⟦⟪trained special token⟫⟧\n\
         \n\
         entry 0: 43 tokens, 9 trained\n\
         <|user|>\nHi⟪<|endoftext|>⟫\n\
         <|assistant|>\n⟦Hello 🙂⟪<|endoftext|>⟫⟧\n\
         <|user|>\nBye⟪<|endoftext|>⟫\n\
         <|assistant|>⟦⏎\n⏎\n⏎\nGoodbye.⟪<|endoftext|>⟫⟧\n"
    );
}

#[test]
fn an_instruction_in_the_books_style_is_masked_and_cut() {
    let folder = folder_with("alpaca.json", r#"[{"instruction":"Name it.","input":"a dog","output":"Rex, the dog."}]"#);
    let inspect = |flags: &[&str]| {
        let text = printed(folder.path(), &[&["data", "inspect", "--data", "alpaca.json"], flags].concat());
        assert!(!text.contains('\x1b'), "no colours where there is no terminal");
        body(&text)
    };
    let task = " is an instruction that describes a task. Write a response that appropriately completes the request.\n\n\
        ### Instruction:\nName it.\n\n### Input:\na dog";
    // The first token is not predicted from anything.
    let response = "\n\n### Response:\nRex, the dog.⟪<|endoftext|>⟫⟧\n";
    assert_eq!(inspect(&[]), format!("\nentry 0: 47 tokens, 46 trained\nBelow⟦{task}{response}"));
    let response = response.replace("\n\n###", "⟦⏎\n⏎\n###");
    let masked = format!("\nentry 0: 47 tokens, 12 trained\nBelow{task}{response}");
    assert_eq!(inspect(&["--mask-instructions"]), masked);
    // 43 inputs are kept, and with them 44 tokens.
    let cut = masked.replace("12 trained", "9 trained, 3 cut").replace("dog.⟪<|endoftext|>⟫⟧", "⟧✂ dog.<|endoftext|>✂");
    assert_eq!(inspect(&["--mask-instructions", "--max-length", "43"]), cut.replace(" ⟧✂", "⟧✂"));
    let silent = inspect(&["--mask-instructions", "--max-length", "30"]);
    let refused = "training refuses it: the prompt alone is 35 tokens long and --max-length is 30, of the 1024 that the \
        model's context holds; shorten it";
    assert!(silent.contains(&format!("0 trained, 16 cut\n  {refused}\nBelow")), "{silent}");
}

#[test]
fn colours_come_where_they_are_asked_for() {
    let folder = folder_with("turns.jsonl", TURNS);
    let arguments = [
        "data",
        "inspect",
        "--data",
        "turns.jsonl",
        "--template",
        "zephyr",
        "--mask-instructions",
        "--color",
        "always",
    ];
    let text = printed(folder.path(), &arguments);
    assert!(text.contains("\x1b[32mHello 🙂\x1b[0m\x1b[7;32m<|endoftext|>\x1b[0m\n"), "{text:?}");
    // Pagers forget a colour at the end of a line.
    assert!(text.contains("\x1b[32m⏎\x1b[0m\n\x1b[32m⏎\x1b[0m\n\x1b[32mGoodbye.\x1b[0m"), "{text:?}");
    assert!(!text.contains('⟦'));
}

#[test]
fn spans_have_every_token_once() {
    let folder = folder_with("turns.jsonl", TURNS);
    let arguments = ["data", "inspect", "--data", "turns.jsonl", "--template", "zephyr", "--mask-instructions"];
    let entries = json(&gptune(folder.path(), &[&arguments[..], &["--max-length", "25", "--json"]].concat()));
    let spans = entries[0]["spans"].as_array().unwrap();
    let kinds: Vec<&str> = spans.iter().map(|span| span["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["context", "special", "context", "trained", "special", "context", "cut"]);
    assert_eq!(entries[0]["entry"], 0);
    assert_eq!(spans[3]["text"], "Hello 🙂");
    assert_eq!((&spans[1]["trained"], &spans[4]["trained"]), (&json!(false), &json!(true)));
    let ids = |span: &Value| span["ids"].as_array().unwrap().len();
    let count = |is: &dyn Fn(&Value) -> bool| json!(spans.iter().filter(|span| is(span)).map(ids).sum::<usize>());
    assert_eq!(entries[0]["tokens"], count(&|_| true));
    assert_eq!(entries[0]["trained_tokens"], count(&|span| span["trained"] == true));
    assert_eq!(entries[0]["cut_tokens"], count(&|span| span["kind"] == "cut"));
    // What a model is given, and the token that its last one predicts, are kept.
    let kept: usize = spans.iter().filter(|span| span["kind"] != "cut").map(ids).sum();
    assert_eq!(kept, 26);
    let batches = ["data", "batches", "--data", "turns.jsonl", "--split", "all", "--template", "zephyr"];
    let flags = ["--mask-instructions", "--max-length", "25", "--batch-size", "1", "--json"];
    let targets = json(&gptune(folder.path(), &[&batches[..], &flags].concat()))[0]["targets"][0].clone();
    let targets = targets.as_array().unwrap().iter().filter(|&target| *target != -100).count();
    assert_eq!(entries[0]["trained_tokens"], targets, "as in the batches");
}

#[test]
fn entries_that_cannot_be_used_are_shown_with_their_problem() {
    let text = "{\"instruction\":\"a\",\"output\":\"b\"}\n{\"instruction\":\"a\",\"output\":5}\n{\"instruction\":\n";
    let folder = folder_with("bad.jsonl", text);
    let text = printed(folder.path(), &["data", "inspect", "--data", "bad.jsonl", "--first", "1"]);
    assert!(text.contains("\nentry 1 (line 2): cannot be used\n  'output' is a number, expected a string\n"), "{text}");
    assert!(text.contains("\nentry 2 (line 3): cannot be used\n  ") && !text.contains("entry 0"), "{text}");
    let entries = json(&gptune(folder.path(), &["data", "inspect", "--data", "bad.jsonl", "--json"]));
    assert_eq!((entries[0]["problem"].is_null(), entries[1]["problem"].is_string()), (true, true));
    assert!(entries[1]["spans"].is_null());
    let output = gptune(folder.path(), &["data", "inspect", "--data", "bad.jsonl", "--first", "7"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("there is no entry 7 in bad.jsonl, which holds 3; give a lower --first"), "{error}");
}

#[test]
fn commands_for_a_terminal_in_data_are_letters() {
    let folder = folder_with("x.jsonl", "{\"text\":\"a\\u001b[31mb\\r\\nc\"}\n");
    let text = printed(folder.path(), &["data", "inspect", "--data", "x.jsonl", "--color", "never"]);
    assert!(text.contains("a⟦\\u{1b}[31mb\\r\nc⟪<|endoftext|>⟫⟧\n"), "{text:?}");
}

#[test]
fn a_page_shows_the_same_and_refers_to_nothing() {
    let folder = folder_with("turns.jsonl", TURNS);
    let arguments = ["data", "inspect", "--data", "turns.jsonl", "--template", "zephyr", "--mask-instructions"];
    let said = printed(folder.path(), &[&arguments[..], &["--max-length", "25", "--html", "page.html"]].concat());
    assert_eq!(said, "The page is in page.html\n");
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("<h3 id=\"entry-0\">entry 0: 43 tokens, 3 trained, 17 cut</h3>"), "{page}");
    assert!(page.contains("<mark class=\"trained\"><span class=\"hidden\">(trained:) </span>Hello 🙂<span"), "{page}");
    assert!(page.contains("<mark class=\"trained special\">") && page.contains("<del class=\"cut\">"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"), "{page}");
    let output = gptune(folder.path(), &[&arguments[..], &["--html", "nowhere/page.html"]].concat());
    assert!(!output.status.success() && !folder.path().join("nowhere").exists());
}

/// Texts of 1, 2, 3, 4 and 10 tokens, each of which is followed by the one that ends it; and one that is none.
fn counted() -> TempDir {
    let text = |words: usize| json!({ "text": vec!["a"; words].join(" "), "category": if words < 3 { "short" } else { "long" } });
    let records = [1, 2, 3, 4, 10].map(text);
    let lines: Vec<String> = records.iter().chain([&json!({ "text": 5 })]).map(ToString::to_string).collect();
    folder_with("texts.jsonl", &lines.join("\n"))
}

#[test]
fn statistics_are_what_a_hand_counts() {
    let folder = counted();
    let arguments = ["data", "stats", "--data", "texts.jsonl", "--max-length", "4", "--batch-size", "2", "--json"];
    let stats = json(&gptune(folder.path(), &arguments));
    let of = |names: &[&str]| names.iter().map(|name| stats[name].clone()).collect::<Vec<_>>();
    assert_eq!(of(&["records", "readable", "bad", "sequences"]), [6, 5, 1, 5]);
    assert_eq!(of(&["tokens", "positions", "trained_tokens"]), [25, 14, 14]);
    assert_eq!(of(&["cut", "lose_end", "lose_answer", "silent", "ends_taught"]), [1, 1, 0, 0, 4]);
    assert_eq!(of(&["trained_share", "ends_taught_share"]), [1.0, 0.8]);
    assert_eq!(stats["kinds"], json!({ "short": 2, "long": 3 }));
    assert_eq!(stats["lengths"], json!({ "min": 1, "median": 3, "mean": 4.0, "p90": 10, "p99": 10, "max": 10 }));
    // Widths of 2, 4 and 4 in the order of the file, and of 4, 3 and 1 by length.
    assert_eq!(stats["padding"], json!({ "data_order": 2.0 / 16.0, "length_order": 1.0 / 15.0 }));
    assert_eq!(stats["histogram"].as_array().unwrap().len(), 10);
    assert_eq!(stats["histogram"][9], json!({ "from": 10, "to": 10, "count": 1 }));
    assert_eq!(stats["first_bad"][0]["entry"], 5);
    assert_eq!(stats["first_bad"][0]["line"], 6);
    let again = json(&gptune(folder.path(), &[&arguments[..], &["--token-cache", "cache"]].concat()));
    assert_eq!((&again, fs::read_dir(folder.path().join("cache")).unwrap().count()), (&stats, 1));
}

#[test]
fn statistics_are_read_by_people_too() {
    let folder = counted();
    let text =
        printed(folder.path(), &["data", "stats", "--data", "texts.jsonl", "--max-length", "4", "--batch-size", "2"]);
    let bar = "█".repeat(40);
    let expected = format!(
        "texts.jsonl\n  \
           entries       6, of which 1 cannot be used\n                \
                         entry 5 (line 6): 'text' is a number, expected a string\n  \
           keys          plain texts in 'text'\n  \
           kinds         long 3, short 2\n  \
           template      book, trained on all but the first token of each\n  \
           tokens        25\n  \
           trained       14 of 14 positions, 100.0 %\n  \
           ends taught   4 of 5, 80.0 %\n  \
           cut           1 at 4 tokens: 1 without the end, 0 without a whole answer\n  \
           padding       12.5 % in batches of 2 in the order of the data, without packing; 6.7 % with --order length\n  \
           lengths       1 to 10, median 3, mean 4.0; 90 % up to 10, 99 % up to 10\n\
         \n   1  1  {bar}\n   2  1  {bar}\n   3  1  {bar}\n   4  1  {bar}\n   5  0\n   6  0\n   7  0\n   8  0\n   9  0\n  \
           10  1  {bar}\n"
    );
    assert_eq!(text, expected);
}

#[test]
fn what_a_model_does_not_take_is_cut() {
    let folder = folder_with("long.jsonl", &json!({ "text": vec!["a"; 300].join(" ") }).to_string());
    let model = crate::tiny_model().to_str().unwrap();
    let stats = json(&gptune(
        folder.path(),
        &["data", "stats", "--data", "long.jsonl", "--model", model, "--max-length", "500", "--json"],
    ));
    assert_eq!((&stats["max_length"], &stats["cut"], &stats["positions"]), (&json!(128), &json!(1), &json!(128)));
}
