//! The page of all keys, in Markdown.

use super::{FormReference, KeyReference, Reader, schema};
use std::fmt::Write;
use stillhouse_core::{ConfigSchema, Node, TableForm, TablePlace, is_same_table, synonyms};

/// A table that occurs at one or more places.
struct Section {
    /// Of its first place.
    path: String,
    titles: Vec<String>,
    node: Node,
    forms: Vec<TableForm>,
}

/// Every key of a config, in Markdown: a section for each table, a row for each key.
pub fn keys_page() -> String {
    let reader = Reader { schema: schema() };
    let mut page = String::from(
        "# Every key of a config\n\n\
         Written by `stillhouse config --markdown > configs/KEYS.md`; do not edit. `stillhouse config KEY` says the same of one key.\n\n\
         A key stands in its table: `student.training.n_epochs` is `n_epochs` below `[student.training]`, or \
         `training = { n_epochs = 30 }` below `[student]`, or `--set student.training.n_epochs=30` on the command line. A table \
         with kinds has the keys of the kind that it names. Where no default is given and none is needed, the description says what \
         happens without the key. A path is relative to the config's folder, in `--set` to the working directory.\n",
    );
    for section in sections(reader.schema) {
        write_section(&mut page, &reader, &section);
    }
    page.push_str(SWEEP);
    page.push_str("\n## Names in other programs\n\n| there | here |\n|---|---|\n");
    for (theirs, ours) in synonyms() {
        let ours: Vec<String> = ours.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(page, "| `{theirs}` | {} |", ours.join(", "));
    }
    page
}

/// The table that no type describes: its keys are those of the config.
const SWEEP: &str = "
## Axes of a sweep

The keys of `[sweep]` are those of the config, each with the values to run; every combination is a run.

    [sweep]
    seed = [0, 1, 2]
    student.training.n_epochs = { from = 5, to = 80, scale = \"log\" }      # a range; whole numbers if both ends are
    search = { kind = \"random\", n_trials = 20, seed = 0 }                # ranges need it; without it, every combination

    [[sweep.zip]]                                                         # keys that move together
    student.model.widths = [[64], [128]]
    student.training.batch_size = [64, 32]

    [[sweep.when]]                                                        # axes that exist only where `if` holds
    if.student.views = [4]
    student.mix.share = [0.5, 1.0]

Each trial of a search is run with every value of the axis `seed`. `search = { kind = \"successive_halving\", n_trials = 27 }` trains all
students for a ninth of their epochs, the best third of the settings for a third, and the best of these to their end; whoever goes on
resumes, and nothing is trained twice.
";

/// All tables; those of the same type in one section, at its first place.
fn sections(schema: &ConfigSchema) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    schema.visit_tables(&mut |&TablePlace { path, kinds, node, forms }| {
        let is_same = |section: &&mut Section| is_same_table(&section.forms, forms);
        let of_kinds: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
        let of_kinds = if kinds.is_empty() { String::new() } else { format!(" (of {})", of_kinds.join(", ")) };
        let title = format!("`{path}`{of_kinds}");
        match sections.iter_mut().find(is_same) {
            Some(section) => section.titles.push(title),
            None => sections.push(Section {
                path: path.to_owned(),
                titles: vec![title],
                node: node.clone(),
                forms: forms.to_vec(),
            }),
        }
    });
    sections
}

fn write_section(page: &mut String, reader: &Reader<'_>, section: &Section) {
    let first = &section.path;
    let title = match first.as_str() {
        "" => "The outermost table".to_owned(),
        _ => section.titles.join(", "),
    };
    let table = reader.key(first, &section.node, false);
    let _ = write!(page, "\n## {title}\n\n{}\n", table.description);
    for form in &table.forms {
        if let Some(kind) = &form.kind {
            let _ = write!(page, "\n### `{first}`: `kind = \"{kind}\"`\n\n{}\n", form.description);
        }
        write_keys(page, form);
    }
}

fn write_keys(page: &mut String, form: &FormReference) {
    if form.keys.is_empty() {
        return;
    }
    page.push_str("\n| key | value | default | |\n|---|---|---|---|\n");
    for key in &form.keys {
        let name = key.key.rsplit('.').next().unwrap_or(&key.key);
        let _ = writeln!(page, "| `{name}` | {} | {} | {} |", value(key), default(key), about(key));
    }
}

fn value(key: &KeyReference) -> String {
    let range = key.range.as_ref().map(|range| format!(", {range}"));
    format!("{}{}", key.value, range.unwrap_or_default())
}

fn default(key: &KeyReference) -> String {
    match (&key.default, key.is_required) {
        (Some(default), _) => format!("`{}`", default.replace('|', "\\|")),
        (None, true) => "must be given".to_owned(),
        (None, false) => String::new(),
    }
}

fn about(key: &KeyReference) -> String {
    let choices = key.choices.iter().map(|choice| format!("<br>`{}`: {}", choice.value, choice.description));
    format!("{}{}", key.description, choices.collect::<String>()).replace('|', "\\|")
}
