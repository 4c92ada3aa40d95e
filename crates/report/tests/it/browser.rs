//! The run report in a browser. Pictures of it are left in the folder `tmp` of cargo's target folder, to be looked at.

use std::{
    fs,
    path::{Path, PathBuf},
};

use resvg::tiny_skia::{Pixmap, PremultipliedColorU8};

use crate::{chromium, page, sample};

/// Where pages and pictures of a test go.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run-report").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn written(folder: &Path, page: &str) -> PathBuf {
    let path = folder.join("report.html");
    fs::write(&path, page).unwrap();
    path
}

/// What stands between the first `start` and the next `end` after it.
pub(crate) fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end} after {start}")).0
}

#[test]
#[ignore = "needs Chromium; cargo xtask ci installs it"]
fn the_curve_has_its_points_and_the_tables_their_rows() {
    let folder = folder("dom");
    let report = sample::report();
    let path = folder.join("report.html");
    report.write_html(&path).unwrap();
    let dom = chromium::dom(&path);

    let curve = between(&dom, "<svg class=\"curve\" role=\"img\"", "</figure>");
    for series in ["train", "val"] {
        assert_eq!(curve.matches(&format!("<circle class=\"point {series}\"")).count(), sample::EVALUATIONS);
        let line = between(curve, &format!("<polyline class=\"line {series}\" points=\""), "\"");
        assert_eq!(line.split(' ').count(), sample::EVALUATIONS);
    }
    let rows = |start: &str| between(between(&dom, start, "</table>"), "<tbody", "</tbody>").matches("<tr").count();
    let kinds = &report.scores.as_ref().unwrap().metrics[0].kinds;
    assert_eq!(rows("<h2 id=\"curve-heading\">"), sample::EVALUATIONS);
    assert_eq!(rows("<table class=\"scores\" id=\"scores-overall\">"), 2);
    assert_eq!(rows("<table class=\"scores\" id=\"scores-0\">"), kinds.len());
    assert_eq!(rows("<table class=\"scores\" id=\"scores-1\">"), kinds.len());
    assert_eq!(rows("<table class=\"facts\">"), 9);
    assert_eq!(rows("<table class=\"answers\""), sample::ANSWERS);
    let right = report.answers.iter().filter(|answer| answer.after.right).count();
    let answers = between(&dom, "<table class=\"answers\"", "</table>");
    assert_eq!(answers.matches("<tr class=\"answer now-right").count(), right);
    assert_eq!(answers.matches("class=\"mark ").count(), 2 * sample::ANSWERS);
}

#[test]
#[ignore = "needs Chromium; cargo xtask ci installs it"]
fn hostile_texts_do_not_run() {
    let folder = folder("hostile");
    let dom = chromium::dom(&written(&folder, &page::hostile().to_html()));
    let title = between(&dom, "<title>", "</title>");
    assert!(title.starts_with("&lt;/title&gt;") && title.ends_with(" – gptune run report"), "{title}");
    assert_eq!([dom.matches("<script").count(), dom.matches("<img").count()], [0, 0]);
}

/// A copy of a page without its policy, whose script notes what was fetched and whether the page is wider than the
/// window.
fn watched(page: &str) -> String {
    const SCRIPT: &str = "<script>addEventListener('load', () => {
        const { scrollWidth, clientWidth } = document.documentElement;
        const cells = [...document.querySelectorAll('.scores .interval')].filter(cell => cell.offsetParent);
        const right = element => element.getBoundingClientRect().right;
        const out = cells.filter(cell => right(cell) > right(cell.closest('.scroll'))).length;
        document.body.dataset.widths = `${scrollWidth} of ${clientWidth}, ${out} of ${cells.length > 5} out of sight`;
        document.body.dataset.fetched = performance.getEntriesByType('resource').map(entry => entry.name).join(' ');
    })</script></body>";
    let page = page.replace("http-equiv=\"Content-Security-Policy\"", "name=\"policy\"");
    assert_eq!(page.matches("</body>").count(), 1);
    page.replace("</body>", SCRIPT)
}

#[test]
#[ignore = "needs Chromium; cargo xtask ci installs it"]
fn nothing_is_fetched() {
    let folder = folder("fetched");
    // The watch sees what is fetched, also where nothing answers (of files it says nothing, so that the page's own
    // text is searched for references, too) …
    let control = "<body><img src=\"http://127.0.0.1:9/a.png\">\
        <link rel=\"stylesheet\" href=\"http://127.0.0.1:9/b.css\"></body>";
    let dom = chromium::dom(&written(&folder, &watched(control)));
    let fetched = between(&dom, "data-fetched=\"", "\"");
    assert!(fetched.contains("127.0.0.1:9/a.png") && fetched.contains("127.0.0.1:9/b.css"), "{fetched}");
    // … and nothing of the report, though its policy is switched off.
    assert_eq!(fetched_by(&folder, &sample::report().to_html()), "");
}

/// What a page fetches without its policy.
pub(crate) fn fetched_by(folder: &Path, page: &str) -> String {
    let dom = chromium::dom(&written(folder, &watched(page)));
    between(&dom, "data-fetched=\"", "\"").to_owned()
}

#[test]
#[ignore = "needs Chromium; cargo xtask ci installs it"]
fn the_page_is_no_wider_than_a_phone() {
    let widths = widths_on_a_phone(&folder("phone"), &sample::report().to_html());
    assert_eq!(widths, "360 of 360, 0 of true out of sight");
}

/// How wide a page is on a phone, and whether numbers are out of sight there.
pub(crate) fn widths_on_a_phone(folder: &Path, page: &str) -> String {
    // A window cannot be as narrow as a phone, but a frame can.
    let page = watched(page).replace(
        "</body>",
        "<script>addEventListener('load', () => \
        parent.postMessage(document.body.dataset.widths, '*'))</script></body>",
    );
    written(folder, &page);
    let frame = folder.join("phone.html");
    let listen = "<body><script>
        addEventListener('message', ({ data }) => { document.body.dataset.widths = data })
        </script><iframe src=\"report.html\" style=\"width: 360px; height: 800px; border: 0\"></iframe></body>";
    fs::write(&frame, listen).unwrap();
    let dom = chromium::dom(&frame);
    between(&dom, "data-widths=\"", "\"").to_owned()
}

/// A page with the written one in it, as wide as on a phone.
pub(crate) fn framed(folder: &Path, height: u32) -> PathBuf {
    let path = folder.join("phone.html");
    let frame = format!(
        "<style>body {{ margin: 0 }} iframe {{ width: 360px; height: {height}px; border: 0 }}</style>\
         <iframe src=\"report.html\"></iframe>"
    );
    fs::write(&path, frame).unwrap();
    path
}

/// Takes a picture of a page and returns it.
pub(crate) fn picture(page: &Path, name: &str, (width, height): (u32, u32), scheme: Scheme) -> Pixmap {
    let path = page.with_file_name(format!("{name}.png"));
    let arguments = [
        format!("--screenshot={}", path.display()),
        format!("--window-size={width},{height}"),
        format!("--blink-settings=preferredColorScheme={}", scheme as u8),
    ];
    chromium::run(page, arguments);
    let picture = Pixmap::decode_png(&fs::read(&path).unwrap()).unwrap();
    assert_eq!((picture.width(), picture.height()), (width, height));
    picture
}

/// As Chromium numbers them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scheme {
    Dark,
    Light,
}

#[test]
#[ignore = "needs Chromium; cargo xtask ci installs it"]
fn pictures_on_wide_and_narrow_screens_in_light_and_dark() {
    let folder = folder("pictures");
    let page = written(&folder, &sample::report().to_html());
    let phone = framed(&folder, 2400);
    for scheme in [Scheme::Light, Scheme::Dark] {
        for (page, name, size) in [(&page, "wide", (1280, 2000)), (&phone, "narrow", (500, 2400))] {
            let picture = picture(page, &format!("{name}-{scheme:?}").to_lowercase(), size, scheme);
            let ground = picture.pixel(1, 1).map(PremultipliedColorU8::red);
            assert_eq!(ground, Some(if scheme == Scheme::Dark { 0x14 } else { 0xf8 }), "{name} {scheme:?}");
            // Both lines of the curve are drawn in their colours.
            let colours =
                if scheme == Scheme::Dark { [(0x82, 0xb4), (0xf2, 0xa2)] } else { [(0x1d, 0x5f), (0xb2, 0x4a)] };
            for (red, green) in colours {
                let inked = picture.pixels().iter().filter(|pixel| (pixel.red(), pixel.green()) == (red, green));
                assert!(inked.count() > 200, "{name} {scheme:?}: {red:x} {green:x}");
            }
        }
    }
}
