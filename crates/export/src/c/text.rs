//! Functions of n-grams, with the settings of a model.

use super::kernels;
use super::lowercase::lower;
use std::fmt::Write;
use stillhouse_models::{Model, TextInput};

/// The hash of a model of n-grams; nothing for other models.
pub(super) fn functions(model: &Model) -> String {
    let Some(TextInput::Ngrams { ngrams, n_buckets }) = model.config().text_input() else { return String::new() };
    let mut text = format!("\n#define N_BUCKETS {n_buckets}u\n");
    let _ = writeln!(
        text,
        "#define MARKED_ENDS {}\n#define LOWERCASE {}",
        u8::from(ngrams.marked_ends),
        u8::from(ngrams.lowercase)
    );
    let mut visits = String::new();
    for (name, range) in [("characters", ngrams.characters), ("words", ngrams.words)] {
        if let Some([shortest, longest]) = range {
            let upper = name.to_uppercase();
            let _ = writeln!(text, "#define SHORTEST_{upper} {shortest}\n#define LONGEST_{upper} {longest}");
            let _ = writeln!(visits, "    visit_{name}(text, visit, context);");
        }
    }
    if ngrams.lowercase {
        text += &lower();
    }
    let file = concat!("/* @reader */\n", include_str!("ngrams.c"));
    text += &kernels(file, |name| match name {
        "characters" => ngrams.characters.is_some(),
        "words" => ngrams.words.is_some(),
        name => name == "reader",
    });
    let _ =
        write!(text, "\nstatic void visit_ngrams(const char *text, visitor *visit, void *context)\n{{\n{visits}}}\n\n");
    text + &kernels(file, |name| name == "ids")
}
