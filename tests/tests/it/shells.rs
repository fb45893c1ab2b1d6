//! What a shell and `man` are given: completion scripts and manual pages have every command.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::cli::{Folder, binary, refused, text};

/// The commands of the binary.
fn commands() -> BTreeSet<String> {
    diptych_xtask::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

fn printed(arguments: &[&str]) -> String {
    let output = Command::new(binary()).args(arguments).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What bash offers after these words, the last of which is being typed.
fn offered(script: &std::path::Path, words: &[&str]) -> BTreeSet<String> {
    let ask = r#"source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        "$(complete -p diptych | sed 's/.*-F \([^ ]*\).*/\1/')" diptych "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let output = Command::new("bash").args(["-eu", "-c", ask, "bash"]).arg(script).args(words).output().expect("bash runs");
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    let folder = Folder::new(&[("diptych.bash", &printed(&["completions", "bash"]))]);
    let script = folder.path().join("diptych.bash");
    let read = Command::new("bash").arg("-n").arg(&script).output().expect("bash runs");
    assert!(read.status.success() && read.stderr.is_empty(), "{}", text(&read.stderr));
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(offered(&script, &["diptych", "compl"]), set(&["complete", "completions"]));
    assert_eq!(offered(&script, &["diptych", "start", "--max"]), set(&["--max-lag", "--max-rate"]));
    assert_eq!(offered(&script, &["diptych", "completions", "z"]), set(&["zsh"]));
    let all = offered(&script, &["diptych", ""]);
    assert!(commands().is_subset(&all), "{:?}", commands().difference(&all));
}

#[test]
fn every_shell_has_a_script_with_every_command() {
    let help = printed(&["completions", "--help"]);
    let shells = help.split_once("possible values: ").and_then(|(_, rest)| rest.split_once(']')).expect("the shells").0;
    let mut count = 0;
    for shell in shells.split(", ") {
        let script = printed(&["completions", shell]);
        for command in commands() {
            assert!(script.contains(&command), "{shell} is not told of `{command}`");
        }
        count += 1;
    }
    assert!(count >= 5, "{shells}");
    println!("completions: {} commands in the scripts of {count} shells", commands().len());
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("share/man/man1");
    printed(&["man", pages.to_str().expect("a path")]);
    let files: BTreeSet<String> = std::fs::read_dir(&pages)
        .expect("the folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let wanted: BTreeSet<String> =
        commands().iter().map(|command| format!("diptych-{command}.1")).chain(["diptych.1".to_owned()]).collect();
    assert_eq!(files, wanted);
    let mut tree = diptych_xtask::command();
    // hands the global options down
    tree.build();
    let mut options = 0;
    for command in tree.get_subcommands().filter(|command| command.get_name() != "help") {
        let page = std::fs::read_to_string(pages.join(format!("diptych-{}.1", command.get_name()))).expect("a page");
        let shown = page.replace('\\', "");
        for option in command.get_arguments().filter(|option| !option.is_hide_set()).filter_map(|option| option.get_long()) {
            assert!(shown.contains(&format!("--{option}")), "`{}` has no `--{option}` in its page", command.get_name());
            options += 1;
        }
    }
    formatted(&pages, &files);
    println!("manual: {} pages, {options} options", files.len());

    let taken = Folder::new(&[("file", "")]);
    refused(&taken.run(None, &["man", taken.path().join("file").to_str().expect("a path")]), &["manual pages", "folder"]);
}

/// The formatter of `man`, where it is installed, has nothing to say against a page.
fn formatted(pages: &std::path::Path, files: &BTreeSet<String>) {
    for file in files {
        let groff = Command::new("groff").args(["-man", "-ww", "-Tutf8"]).arg(pages.join(file)).stdin(Stdio::null()).output();
        let Ok(output) = groff else {
            println!("groff is not installed: the form of the pages was not tried");
            return;
        };
        assert!(output.status.success() && output.stderr.is_empty(), "{file}: {}", text(&output.stderr));
        let title = format!("{}(1)", file.trim_end_matches(".1"));
        assert!(text(&output.stdout).starts_with(&title), "{file}");
    }
}
