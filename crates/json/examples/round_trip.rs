//! Reads lines that only Python takes, says what their texts are, and writes them back.

use gptune_json::{Fault, read, string, to_line, to_lines};
use serde_json::{Value, json};

const LINES: [&str; 5] = [
    r#"{"text": "Grüße", "logprob": -Infinity}"#,
    r#"{"text": "half of a smile: \ud83d", "n": 18446744073709551617}"#,
    r#"{"text": NaN, "lr": 0.00001}"#,
    r#"{"text": "", "range": 1e999}"#,
    r#"{"text": "a comma too many",}"#,
];

fn main() {
    for line in LINES {
        println!("given    {line}");
        match read::<Value>(line.as_bytes()) {
            Ok(value) => {
                println!("written  {}", to_line(&value));
                match string(&value["text"]) {
                    Ok(text) => println!("'text' is {text:?}"),
                    Err(problem) => println!("'text' {problem}"),
                }
            }
            Err(Fault { line, column, message }) => println!("line {line}, column {column}: {message}"),
        }
        println!();
    }
    println!("{}", to_lines(&json!({"instruction": "Name a colour.", "scores": [1.0, 1e-5, 1e16]})));
}
