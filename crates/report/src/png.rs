//! From SVG to PNG.

use std::sync::Arc;

use epaint_default_fonts::UBUNTU_LIGHT;
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};

/// A drawing that could not be turned into pixels.
#[derive(Debug, thiserror::Error)]
#[error("the plot could not be drawn as PNG: {0}")]
pub struct PngError(String);

/// Draws an SVG as PNG, `scale` pixels for each of its units.
///
/// All text is set in the one font that comes with the program (Ubuntu Light), so that the picture
/// is the same on every machine and letters never go missing.
///
/// # Errors
///
/// [`PngError`] if the SVG is damaged or of no size.
pub fn svg_to_png(svg: &str, scale: f32) -> Result<Vec<u8>, PngError> {
    let failed = |error: &dyn std::fmt::Display| PngError(error.to_string());
    let mut fonts = Database::new();
    fonts.load_font_data(UBUNTU_LIGHT.to_vec());
    let family = fonts.faces().find_map(|face| Some(face.families.first()?.0.clone()));
    fonts.set_sans_serif_family(family.clone().unwrap_or_default());
    let options = Options { fontdb: Arc::new(fonts), font_family: family.unwrap_or_default(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| failed(&error))?;
    let size = tree.size().to_int_size().scale_by(scale).ok_or_else(|| failed(&"it has no size"))?;
    let mut picture = Pixmap::new(size.width(), size.height()).ok_or_else(|| failed(&"it has no size"))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut picture.as_mut());
    picture.encode_png().map_err(|error| failed(&error))
}
