//! What the model answered before and after training, side by side.

use std::fmt::Write;

use maud::{Markup, html};

use super::{
    number,
    text::{Shown, mark, marks, passage},
};
use crate::run_report::{Answer, Reply, RunReport};

/// What can be chosen, by the class of the rows that stay.
const CHOICES: [(&str, &str); 4] =
    [("all", "all"), ("now-right", "right"), ("now-wrong", "wrong"), ("turned", "mark changed")];

/// The table of answers, unless there are none. Choosing among them takes no script: the style follows the buttons.
pub(super) fn answers(report: &RunReport) -> Option<Markup> {
    let answers = &report.answers;
    let kinds = kinds(report);
    let right = |reply: fn(&Answer) -> Option<&Reply>| {
        let replies: Vec<_> = answers.iter().filter_map(reply).collect();
        (replies.iter().filter(|reply| reply.right).count(), replies.len())
    };
    let (before, asked) = right(|answer| answer.before.as_ref());
    let (after, all) = right(|answer| Some(&answer.after));
    (!answers.is_empty()).then(|| html! {
        (marks())
        p {
            @if asked > 0 { (before) " of " (asked) " answers were right before training, " }
            (after) " of " (all) " are right after it. "
            span dir="auto" { (Shown(&report.marking)) }
        }
        div.choosing {
            div.choices {
                fieldset {
                    legend { "Show" }
                    @for (index, (class, name)) in CHOICES.into_iter().enumerate() {
                        label { input type="radio" name="shown" id={ "show-" (class) } checked[index == 0]; (name) }
                    }
                }
                @if kinds.len() > 1 {
                    label { "Kind " select id="kind" {
                        option value="all" { "all" }
                        @for (index, kind) in kinds.iter().enumerate() {
                            option value={ "k" (index) } { (Shown(kind)) }
                        }
                    } }
                }
            }
            table.answers role="table" {
                caption { "Items of the test part and their answers" }
                thead role="rowgroup" { tr role="row" {
                    @for name in ["Item", "Wanted", "Before", "After"] { th role="columnheader" scope="col" { (name) } }
                } }
                tbody role="rowgroup" {
                    @for answer in answers { (row(answer, &kinds)) }
                }
            }
            p.counted {}
        }
    })
}

/// The rules that hide the other kinds when one is chosen. Kinds are named by their index, never by their text.
pub(super) fn kind_rules(report: &RunReport) -> String {
    let mut rules = String::new();
    for kind in 0..kinds(report).len() {
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            rules,
            "@media screen {{ .choosing:has(option[value=\"k{kind}\"]:checked) .answer:not(.k{kind}) {{ display: none; }} }}"
        );
    }
    rules
}

/// Every kind once, by name.
fn kinds(report: &RunReport) -> Vec<&str> {
    let mut kinds: Vec<_> = report.answers.iter().filter_map(|answer| answer.kind.as_deref()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn row(answer: &Answer, kinds: &[&str]) -> Markup {
    let mut class = "answer ".to_owned() + if answer.after.right { "now-right" } else { "now-wrong" };
    if answer.before.as_ref().is_some_and(|before| before.right != answer.after.right) {
        class += " turned";
    }
    let kind = answer.kind.as_deref();
    if let Some(kind) = kind.and_then(|kind| kinds.binary_search(&kind).ok()) {
        let _ = write!(class, " k{kind}");
    }
    html! {
        tr class=(class) role="row" {
            th role="rowheader" scope="row" {
                p.which {
                    "entry " (number::count(answer.entry))
                    @if let Some(kind) = kind { " · " span dir="auto" { (Shown(kind)) } }
                }
                p { (passage(&answer.instruction)) }
                @if !answer.input.is_empty() { p.input { (passage(&answer.input)) } }
            }
            td role="cell" { (name("Wanted")) (passage(&answer.expected)) }
            td role="cell" {
                (name("Before"))
                @if let Some(before) = &answer.before { (reply(before)) } @else { span.nothing { "not asked" } }
            }
            td role="cell" { (name("After")) (reply(&answer.after)) }
        }
    }
}

/// A column's name, where there are no columns.
fn name(name: &str) -> Markup {
    html! { span.column { (name) } }
}

fn reply(reply: &Reply) -> Markup {
    html! { (mark(reply.right)) (passage(&reply.text)) }
}
