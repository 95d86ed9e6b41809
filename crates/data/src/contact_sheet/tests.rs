//! Sheets decode, stay within their bounds and show the pictures they were given.

use super::*;

fn grey(side: usize, value: u8) -> SheetImage {
    SheetImage::new(vec![value; side * side], side, side, 1).unwrap()
}

fn decoded(sheet: &ContactSheet) -> image::RgbImage {
    image::load_from_memory_with_format(&sheet.to_png().unwrap(), image::ImageFormat::Png).unwrap().to_rgb8()
}

#[test]
fn pictures_are_on_the_sheet_at_their_size() {
    let mut sheet = ContactSheet::new(10);
    sheet.heading("family ka-no");
    sheet.row("ka-no.1", vec![grey(28, 200), grey(28, 200)]);
    let red = SheetImage::new([255, 0, 0].repeat(6), 2, 3, 3).unwrap();
    sheet.row("a dark one", vec![red]);
    let picture = decoded(&sheet);
    let count = |colour: [u8; 3]| picture.pixels().filter(|pixel| pixel.0 == colour).count();
    assert_eq!(count([200; 3]), 2 * 56 * 56);
    assert_eq!(count([255, 0, 0]), 63 * 42);
    assert!(count(INK) > 10 && count(HEADING_INK) > 10);
}

#[test]
fn wide_and_long_sheets_are_cut() {
    let rows = (0..100).map(|row| (format!("a label that is far too long to be shown {row}"), vec![grey(28, 9); 90]));
    let sheet = ContactSheet::from_rows(5, rows);
    assert!(sheet.is_full());
    let picture = decoded(&sheet);
    assert!(picture.width() as usize <= MAX_WIDTH && picture.width() > 1500, "{} wide", picture.width());
    assert!(picture.height() < 5 * 70 + 60, "{} high", picture.height());
}

#[test]
fn large_pictures_are_reduced_by_averaging() {
    let pixels: Vec<u8> = (0..500 * 320).map(|index| if index % 2 == 0 { 100 } else { 50 }).collect();
    let image = SheetImage::new(pixels, 500, 320, 1).unwrap();
    assert_eq!((scaled(500, &image), scaled(320, &image)), (125, 80));
    let picture = decoded(&ContactSheet::from_rows(1, [("x".to_owned(), vec![image])]));
    assert_eq!(picture.pixels().filter(|pixel| pixel.0 == [75; 3]).count(), 125 * 80);
}

#[test]
fn odd_sheets_are_still_pictures() {
    decoded(&ContactSheet::new(0));
    decoded(&ContactSheet::from_rows(3, [(String::new(), Vec::new())]));
    decoded(&ContactSheet::from_rows(0, [("left out".to_owned(), vec![grey(2, 1)])]));
    let mut sheet = ContactSheet::new(1);
    sheet.row("字".repeat(40), vec![grey(1, 1)]);
    sheet.heading("nothing below");
    assert_eq!(sheet.shown().len(), 1);
    decoded(&sheet);
}

#[test]
fn pictures_that_do_not_fit_their_shape_are_refused() {
    for (n_bytes, height, width, channels) in [(5, 2, 2, 1), (0, 0, 3, 1), (8, 2, 2, 2), (1, usize::MAX, 2, 1)] {
        let error = SheetImage::new(vec![0; n_bytes], height, width, channels).unwrap_err();
        assert!(error.to_string().contains("cannot be made from"), "{error}");
    }
}
