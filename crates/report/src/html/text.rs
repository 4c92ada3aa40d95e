//! Texts of the run, which may say anything, as parts of a page.

use std::fmt::Write;

use maud::{Markup, Render, html};

/// A text as it is: markup is escaped, and control characters, which a browser would swallow or replace, become their
/// pictures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a>(pub &'a str);

impl Render for Shown<'_> {
    fn render_to(&self, page: &mut String) {
        for character in self.0.chars() {
            match character {
                '&' => page.push_str("&amp;"),
                '<' => page.push_str("&lt;"),
                '>' => page.push_str("&gt;"),
                '"' => page.push_str("&quot;"),
                '\'' => page.push_str("&#39;"),
                '\n' | '\t' => page.push(character),
                // U+2400 and what follows are the pictures of the control characters, in their order.
                '\0'..='\x1f' => page.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}')),
                '\x7f' => page.push('\u{2421}'),
                '\u{80}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                    // Writing to a `String` cannot fail.
                    let _ = write!(page, "\\u{{{:x}}}", u32::from(character));
                }
                character => page.push(character),
            }
        }
    }
}

/// A text of its own direction and with its own line breaks, and something to see where there is none.
pub(super) fn passage(text: &str) -> Markup {
    let kept = text.trim_end();
    let left_out = text[kept.len()..].chars().count();
    html! {
        @if text.is_empty() {
            span.nothing { "(nothing)" }
        } @else {
            @if !kept.is_empty() { span.text dir="auto" { (Shown(kept)) } }
            @if left_out > 1 { " " span.nothing { "(and " (left_out) " blanks or line breaks)" } }
            @else if kept.is_empty() { span.nothing { "(one blank or line break)" } }
        }
    }
}

/// The drawings that [`mark`] refers to.
pub(super) fn marks() -> Markup {
    html! {
        svg.definitions aria-hidden="true" width="0" height="0" {
            symbol id="right" viewBox="0 0 16 16" { path d="M2.5 8.5 6.5 12.5 13.5 3.5" {} }
            symbol id="wrong" viewBox="0 0 16 16" { path d="M3.5 3.5 12.5 12.5M12.5 3.5 3.5 12.5" {} }
        }
    }
}

/// A tick or a cross with its word.
pub(super) fn mark(right: bool) -> Markup {
    let word = if right { "right" } else { "wrong" };
    html! { span class={ "mark " (word) } { svg aria-hidden="true" { use href={ "#" (word) } {} } (word) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text_and_controls_are_visible() {
        let shown = |text| Shown(text).render().into_string();
        assert_eq!(shown("<b a=\"1\" c='2'>&amp;"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;");
        assert_eq!(shown("a\0b\x1b[1m\r\n\tc\x7f\u{85}"), "a␀b␛[1m␍\n\tc␡\\u{85}");
        assert_eq!(shown("héllo 🙂 שלום"), "héllo 🙂 שלום");
    }

    #[test]
    fn no_text_is_said_to_be_none() {
        let passage = |text| passage(text).into_string();
        assert_eq!(passage(""), "<span class=\"nothing\">(nothing)</span>");
        assert!(passage("\n").contains("(one blank or line break)"));
        assert!(passage("a\n\n").ends_with("a</span> <span class=\"nothing\">(and 2 blanks or line breaks)</span>"));
        assert!(passage("a ").ends_with(">a</span>"));
    }
}
