//! The text of the config that `init` writes, the same for every kind of data.

use super::sizes::{Sizes, TrainingSize};

/// What differs between kinds of data.
pub(super) struct Recipe {
    /// one sentence for the head of the file
    pub(super) about: String,
    /// whether `data preview` can show the data
    pub(super) has_preview: bool,
    /// lines of the `[data]` table
    pub(super) data: String,
    /// the line of views that are drawn anew in each epoch; empty without any
    pub(super) augment: &'static str,
    pub(super) generalist: String,
    /// comment lines that offer a pretrained network; empty where there is none
    pub(super) pretrained: String,
    pub(super) student: String,
    pub(super) optimizer: &'static str,
    /// of generalist and student, for batches of 128
    pub(super) peak_learning_rate: f64,
    pub(super) temperature: f64,
    pub(super) sizes: Sizes,
}

/// A string as TOML writes it on one line. JSON's escapes are all TOML's, and they leave a combining accent as it is.
pub(super) fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).expect("a string is JSON");
    let escaped = |c: char| if steers(c) { format!("\\u{:04X}", u32::from(c)) } else { c.to_string() };
    json.chars().map(escaped).collect()
}

/// A text for a comment, without line breaks and other control characters.
fn in_comment(text: &str) -> String {
    text.replace(steers, " ")
}

/// What would steer the terminal on which the config is shown. None of these characters has more than 16 bits.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text of the config; tables of teachers that were found take the place of the networks that the run would train.
pub(super) fn compose(recipe: &Recipe, teachers: &[String]) -> String {
    let Recipe { about, data, augment, student, temperature, sizes, .. } = recipe;
    let about = in_comment(about);
    let look = if recipe.has_preview { "# Look     stillhouse data preview THIS_FILE\n" } else { "" };
    format!(
        r#"# {about}
# Check    stillhouse check THIS_FILE
{look}# Plan     stillhouse plan THIS_FILE
# Run      stillhouse run THIS_FILE
# Keys     stillhouse config KEY says what a key is, for example student.training
# Expect   (write here what you measured: accuracies, minutes, machine, date)
# Epochs and batches are such that each training makes 1000 optimizer steps or more.
seed = 0

[data]
{data}
{augment}
{teachers}[student]                              # the small network that is shipped
model = {student}
training = {student_training}
distillation = {{ loss = {{ kind = "soft_cross_entropy", temperature = {temperature:?} }}, task_loss_weight = 0.1, distill_loss_weight = 0.9 }}
{views}"#,
        // other programs predicted the examples as they are
        augment = if augment.is_empty() || !teachers.is_empty() { String::new() } else { format!("{augment}\n") },
        teachers = if teachers.is_empty() { own_teachers(recipe) } else { of_others(teachers) },
        student_training = training(recipe, sizes.student, 1.0),
        views = match teachers {
            [] => format!(
                "views = {}                             # views of each example for which soft targets are stored\n",
                sizes.views
            ),
            _ => String::new(),
        },
    )
}

/// Generalist, clusters, specialists and merge.
fn own_teachers(recipe: &Recipe) -> String {
    let Recipe { generalist, pretrained, sizes, temperature, .. } = recipe;
    let several = match sizes.specialists {
        Ok(_) => String::new(),
        Err(why) => format!("\nn_models = 3                           # {why}: three generalists are merged"),
    };
    let specialists = sizes.specialists.map_or_else(
        |_| String::new(),
        |(n_clusters, size)| {
            format!(
                r#"[clustering]                           # which classes go to which specialist
affinity = "prediction_covariance"     # or "soft_confusion"
method = {{ kind = "k_means", n_clusters = {n_clusters} }}
coverage = 1                           # clusters that each class is in, at least

[specialists]                          # one network for each cluster, with a dustbin for all other classes
init = "scratch"                       # or "generalist", for a pretrained network or a frozen body
training = {}

"#,
                training(recipe, size, 1.0)
            )
        },
    );
    // at T = 4 the tail of a merge with specialists made a worse student; at 2 there is no difference (`experiments/strangers`)
    let soften = match sizes.specialists {
        Ok(_) if *temperature > 2.0 => {
            "soften = \"before_merge\"                # each teacher by itself, then the merge\n"
        }
        _ => "",
    };
    format!(
        r#"[generalist]                           # the big network that knows every class
model = {generalist}
{pretrained}training = {}{several}

{specialists}[merge]
rule = "exact"
gate = {{ kind = "all" }}
{soften}
"#,
        training(recipe, sizes.generalist, 1.0)
    )
}

/// Teachers that other programs trained.
fn of_others(teachers: &[String]) -> String {
    let what =
        "# predictions of other programs: a row for each example, a column for each class in the order of the labels";
    format!("{what}\n{}\n", teachers.join("\n"))
}

/// A training table. The learning rate is scaled by the root of the batch size, as the noise of the gradient is.
fn training(recipe: &Recipe, size: TrainingSize, share: f64) -> String {
    const BATCH_OF_PEAK: f64 = 128.0;
    let peak = recipe.peak_learning_rate * share * (size.batch_size as f64 / BATCH_OF_PEAK).sqrt();
    format!(
        "{{ n_epochs = {}, batch_size = {}, optimizer = {}, schedule = {{ kind = \"one_cycle\", peak_learning_rate = {peak:.5} }} }}",
        size.n_epochs, size.batch_size, recipe.optimizer
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_from_toml_whatever_they_hold() {
        for name in
            ["cafe\u{301}", "x\nname = \"other\"\n#", "tab\t\u{7f}\u{1}", "C:\\data\\'q'", "\u{9b}2J\u{202e}\u{fc}"]
        {
            let line = format!("path = {}", quoted(name));
            let table: toml::Table = toml::from_str(&line).unwrap();
            assert_eq!(table["path"].as_str(), Some(name));
            assert!(!line.contains('\n'));
            assert!(!in_comment(name).contains('\n'));
        }
    }
}
