//! Which global options mean something to which command: others are not in its help, and are refused where ignoring them would be
//! a misunderstanding.

use crate::arguments::{Arguments, Command, CompressArguments, DataCommand, GlobalArguments, TargetsCommand};
use crate::failure::Failure;
use clap::CommandFactory;

/// A global option.
struct GlobalOption {
    /// Name, without the hyphens.
    name: &'static str,
    /// Commands to which it means something, by their words.
    commands: &'static [&'static str],
    /// Why it is refused elsewhere; none where it can do no harm.
    refusal: Option<&'static str>,
}

/// Commands that compute for a while, on several threads, and show how far they are.
const LONG: [&str; 14] = [
    "run",
    "plan",
    "sweep",
    "evaluate",
    "predict",
    "compress",
    "merge",
    "cluster",
    "export",
    "push",
    "targets verify",
    "targets export",
    "data preview",
    "init",
];

const OPTIONS: [GlobalOption; 9] = [
    GlobalOption {
        name: "set",
        commands: &["run", "plan", "check", "sweep", "compress", "data preview"],
        refusal: Some("it changes a config, and this command reads none"),
    },
    GlobalOption {
        name: "out",
        commands: &[
            "run",
            "plan",
            "sweep",
            "compress",
            "export",
            "data preview",
            "init",
            "merge",
            "cluster",
            "predict",
            "targets export",
            "man",
        ],
        refusal: Some("this command writes no file of its own"),
    },
    GlobalOption {
        name: "json",
        commands: &[
            "run",
            "plan",
            "check",
            "sweep",
            "status",
            "report",
            "evaluate",
            "predict",
            "compress",
            "merge",
            "cluster",
            "export",
            "push",
            "targets stats",
            "targets verify",
            "targets export",
            "data preview",
            "config",
        ],
        refusal: Some("this command already writes what programs read"),
    },
    GlobalOption {
        name: "memory",
        commands: &["run", "plan", "sweep", "compress"],
        refusal: Some("this command trains nothing"),
    },
    GlobalOption {
        name: "device",
        commands: &["run", "plan", "sweep", "compress"],
        refusal: Some("this command computes on the CPU, if at all"),
    },
    GlobalOption {
        name: "force",
        commands: &["run", "plan"],
        refusal: Some("remove the files that should be made anew"),
    },
    GlobalOption { name: "threads", commands: &LONG, refusal: None },
    GlobalOption { name: "quiet", commands: &LONG, refusal: None },
    GlobalOption { name: "verbose", commands: &["run", "plan", "sweep", "compress"], refusal: None },
];

/// The command line's definition, in which each command's help shows the options that mean something to it.
pub fn command_line() -> clap::Command {
    let mut command = Arguments::command();
    // gives the global options to all commands, where they can be hidden
    command.build();
    command.mut_subcommands(|inner| without_meaningless(inner, ""))
}

fn without_meaningless(command: clap::Command, parents: &str) -> clap::Command {
    let path = format!("{parents}{}", command.get_name());
    let has_commands = command.has_subcommands();
    let is_meant = |option: &GlobalOption| match has_commands {
        true => option.commands.iter().any(|name| name.starts_with(&format!("{path} "))),
        false => option.commands.contains(&path.as_str()),
    };
    let hidden: Vec<&str> = OPTIONS.iter().filter(|option| !is_meant(option)).map(|option| option.name).collect();
    let command = command.mut_args(|argument| match hidden.contains(&argument.get_id().as_str()) {
        true => argument.hide(true),
        false => argument,
    });
    command.mut_subcommands(|inner| without_meaningless(inner, &format!("{path} ")))
}

/// An option that would be ignored is a misunderstanding, so it is refused.
///
/// # Errors
/// The first such option.
pub fn refuse_meaningless(command: &Command, global: &GlobalArguments) -> Result<(), Failure> {
    let words = words(command);
    let is_given = |name: &str| match name {
        "set" => !global.set.is_empty(),
        "out" => global.out.is_some(),
        "json" => global.json,
        "memory" => global.memory.is_some(),
        "device" => global.device.is_some(),
        "force" => global.force,
        _ => false,
    };
    // only rounds
    let trains_nothing = matches!(command, Command::Compress(CompressArguments { bits: Some(_), .. }));
    let is_meant =
        |option: &GlobalOption| option.commands.contains(&words) && !(trains_nothing && option.name == "memory");
    let refused = OPTIONS.iter().find(|option| is_given(option.name) && !is_meant(option));
    match refused.and_then(|option| Some((option.name, option.refusal?))) {
        Some((name, why)) => Err(Failure::Usage(format!("--{name} has no meaning here\n  hint: {why}"))),
        None => Ok(()),
    }
}

/// The words by which a command is called.
fn words(command: &Command) -> &'static str {
    match command {
        Command::Run(_) => "run",
        Command::Plan(_) => "plan",
        Command::Check(_) => "check",
        Command::Sweep(_) => "sweep",
        Command::Status(_) => "status",
        Command::Report(_) => "report",
        Command::Evaluate(_) => "evaluate",
        Command::Predict(_) => "predict",
        Command::Compress(_) => "compress",
        Command::Merge(_) => "merge",
        Command::Cluster(_) => "cluster",
        Command::Push(_) => "push",
        Command::Export(_) => "export",
        Command::Targets { command: TargetsCommand::Stats { .. } } => "targets stats",
        Command::Targets { command: TargetsCommand::Verify(_) } => "targets verify",
        Command::Targets { command: TargetsCommand::Export(_) } => "targets export",
        Command::Data { command: DataCommand::Preview(_) } => "data preview",
        Command::Init { .. } => "init",
        Command::Config(_) => "config",
        Command::Schema => "schema",
        Command::Completions { .. } => "completions",
        Command::Man => "man",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Invocation;
    use clap::FromArgMatches;

    /// Every command without commands inside it, with its words.
    fn commands() -> Vec<(String, clap::Command)> {
        let mut found = Vec::new();
        let mut pending: Vec<(String, clap::Command)> = vec![(String::new(), command_line())];
        while let Some((parents, command)) = pending.pop() {
            for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
                let words = format!("{parents}{}", inner.get_name());
                match inner.has_subcommands() {
                    true => pending.push((format!("{words} "), inner.clone())),
                    false => found.push((words, inner.clone())),
                }
            }
        }
        found
    }

    #[test]
    fn the_options_are_global_ones_and_the_commands_exist() {
        let root = Arguments::command();
        let known: Vec<String> = commands().into_iter().map(|(words, _)| words).collect();
        for option in &OPTIONS {
            assert!(root.get_arguments().any(|argument| argument.get_id() == option.name && argument.is_global_set()));
            for command in option.commands {
                assert!(known.iter().any(|words| words == command), "{command}");
            }
        }
        let n_global = root.get_arguments().filter(|argument| argument.is_global_set()).count();
        assert_eq!(n_global, OPTIONS.len());
    }

    #[test]
    fn a_commands_help_shows_the_options_that_mean_something_to_it() {
        for (words, command) in commands() {
            let help = command.clone().render_long_help().to_string();
            for option in &OPTIONS {
                let is_shown =
                    help.contains(&format!("--{} ", option.name)) || help.contains(&format!("--{}\n", option.name));
                assert_eq!(is_shown, option.commands.contains(&words.as_str()), "{words} --{}: {help}", option.name);
            }
        }
    }

    #[test]
    fn what_help_does_not_show_is_refused_with_the_reason() {
        let lines = [
            "evaluate m --data kind=glyphs --out d",
            "predict m x --device cuda",
            "status d --set a=1",
            "check --out d",
            "schema --json",
            "sweep c --force",
            "check --memory 1GiB",
            "compress d --bits 4 --out e --memory 1GiB",
            "config seed --set a=1",
        ];
        for line in lines {
            let words = ["stillhouse"].into_iter().chain(line.split(' '));
            let matches = command_line().try_get_matches_from(words).unwrap();
            let failure = Invocation::check(Arguments::from_arg_matches(&matches).unwrap()).unwrap_err();
            assert_eq!(failure.exit_code(), 2);
            assert!(failure.to_string().contains("hint:"), "{line}: {failure}");
        }
    }
}
