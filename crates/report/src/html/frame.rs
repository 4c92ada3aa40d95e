//! What every page has: a head that allows nothing, a heading, sections with links to them, and a foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::text::Shown;

const STYLE: &str = include_str!("style.css");

/// Nothing but the style that stands in the page itself.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

pub(super) struct Frame<'a> {
    /// What sort of page it is, above the heading and in the window's title.
    pub sort: &'static str,
    pub heading: &'a str,
    /// Below the heading.
    pub about: Markup,
    /// Name and version of the program.
    pub version: &'a str,
    /// Rules that this page alone needs.
    pub style: &'a str,
    /// Before the sections.
    pub opening: Markup,
    /// Heading, id and content; a section without content is left out.
    pub sections: Vec<(&'static str, &'static str, Option<Markup>)>,
}

impl Frame<'_> {
    pub(super) fn to_html(&self) -> String {
        let sections = || self.sections.iter().filter_map(|(name, id, content)| Some((name, id, content.as_ref()?)));
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="generator" content=(Shown(self.version));
                    title { (Shown(self.heading)) " – " (self.sort) }
                    style { (PreEscaped(STYLE)) (PreEscaped(self.style)) }
                }
                body {
                    header {
                        p.kicker { (self.sort) }
                        h1 dir="auto" { (Shown(self.heading)) }
                        (self.about)
                        @if sections().nth(1).is_some() {
                            nav aria-label="Sections" {
                                @for (name, id, _) in sections() { a href={ "#" (id) } { (name) } }
                            }
                        }
                    }
                    main {
                        (self.opening)
                        @for (name, id, content) in sections() {
                            section id=(id) aria-labelledby={ (id) "-heading" } {
                                h2 id={ (id) "-heading" } { (name) }
                                (content)
                            }
                        }
                    }
                    footer {
                        p {
                            @if !self.version.is_empty() { (Shown(self.version)) ". " }
                            "This page is complete in itself and fetches nothing."
                        }
                    }
                }
            }
        };
        page.into_string() + "\n"
    }
}
