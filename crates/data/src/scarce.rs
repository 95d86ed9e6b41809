//! The note on classes with a single training example: which they are, and where their examples went.

use crate::LoadContext;
use crate::found::Found;
use crate::labels::shown;
use crate::source::Source;
use crate::words::listed;

/// Tells of classes with a single training example, before texts are cut into windows. Their last example always stays in the
/// training split (see `carve.rs`), so that carved splits have none of them. `rows` are those of the training, validation and test
/// split. Classes without any are told of where labels are numbered.
pub(crate) fn tell_scarce(found: &Found, rows: [&[u32]; 3], context: &LoadContext<'_>) {
    let counts = |source: Source, rows: &[u32]| {
        let mut counts = vec![0_usize; found.labels.len()];
        let classes = &found.part(source).classes;
        rows.iter().for_each(|row| counts[classes[*row as usize].index()] += 1);
        counts
    };
    let [train, valid, test] = rows;
    let of_train = counts(Source::Train, train);
    let scarce: Vec<usize> = (0..of_train.len()).filter(|class| of_train[*class] == 1).collect();
    if scarce.is_empty() {
        return;
    }
    let absent_from = |(source, rows, split): (Source, &[u32], &str)| {
        let counts = counts(source, rows);
        let n_absent = scarce.iter().filter(|class| counts[**class] == 0).count();
        (n_absent > 0).then(|| format!("{n_absent} not in the {split} split"))
    };
    let absent = [(Source::Valid, valid, "validation"), (Source::Test, test, "test")].map(absent_from);
    let absent: Vec<String> = absent.into_iter().flatten().collect();
    let absent = match &absent[..] {
        [] => String::new(),
        absent => format!("; of these, {}, where nothing can be chosen or measured by them", absent.join(" and ")),
    };
    let names: Vec<String> = scarce.iter().map(|class| shown(&found.labels[*class])).collect();
    let verb = if scarce.len() == 1 { "class has" } else { "classes have" };
    context.note(format!(
        "{}: {} of {} {verb} a single training {}, which stays in the training split: {}{absent}",
        found.path.display(),
        scarce.len(),
        found.labels.len(),
        found.train.store.modality().noun(),
        listed(&names),
    ));
}
