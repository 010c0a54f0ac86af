//! Parameters that carry secrets are listed where the owner of the configuration says so, from the file to what a client is
//! shown; they are accepted anyway.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, Sudoer, TestBed};

use crate::predecessors::faults::password_only;

/// Names, descriptions and input schemas together, with all that can be listed.
const LIST_BYTES: usize = 9 * 1024;

/// The parameters of each tool that a client is shown.
fn listed(
    bed: &TestBed,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> BTreeMap<String, BTreeSet<String>> {
    let mut command = bed.program("mcp-ssh");
    command.args(arguments).envs(variables.iter().copied());
    let mut shim = Shim::start(command);
    let list = shim.ask("tools/list", json!({}))["result"]["tools"].clone();
    shim.close();
    let tools = list.as_array().expect("a list");
    let bytes: usize = tools
        .iter()
        .map(|tool| {
            let words =
                [&tool["name"], &tool["description"]].map(|words| words.as_str().unwrap_or_default().len());
            words.into_iter().sum::<usize>() + tool["inputSchema"].to_string().len()
        })
        .sum();
    assert!(
        bytes <= LIST_BYTES || arguments.contains(&"--profile"),
        "{bytes} bytes"
    );
    let parameters = |tool: &Value| {
        let properties = tool["inputSchema"]["properties"].as_object().expect("an object");
        properties.keys().cloned().collect()
    };
    tools
        .iter()
        .map(|tool| {
            (
                tool["name"].as_str().expect("a name").to_owned(),
                parameters(tool),
            )
        })
        .collect()
}

/// What the second list has and the first has not.
fn more(
    less: &BTreeMap<String, BTreeSet<String>>,
    more: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<(String, Vec<String>)> {
    assert_eq!(less.keys().collect::<Vec<_>>(), more.keys().collect::<Vec<_>>());
    more.iter()
        .map(|(tool, parameters)| {
            assert!(parameters.is_superset(&less[tool]), "{tool}");
            (
                tool.clone(),
                parameters.difference(&less[tool]).cloned().collect(),
            )
        })
        .filter(|(_, parameters): &(_, Vec<_>)| !parameters.is_empty())
        .collect()
}

/// From the usual file, from the one that a flag or a variable names, and no other; the daemon takes the same file, and is
/// not needed.
#[test]
fn the_configuration_says_what_is_listed() {
    let bed = TestBed::new();
    let plain = listed(&bed, &[], &[]);
    let secrets = |parameters: &BTreeSet<String>| parameters.iter().any(|name| name.contains("password"));
    assert!(!plain.values().any(secrets), "{plain:?}");
    let profiles = ["interactive", "session"].map(|name| listed(&bed, &["--profile", name], &[]));

    fs::create_dir_all(bed.home().join(".config/sshmcp")).expect("a directory");
    bed.append(
        ".config/sshmcp/config.toml",
        "[settings]\nexpose_secret_parameters = true\n",
    );
    bed.append("other.toml", "[settings]\nexpose_secret_parameters = false\n");
    bed.give(".config");
    let checked = bed.ctl(&["config", "check"]);
    assert!(checked.status.success(), "{checked:?}");
    let exposed = listed(&bed, &[], &[]);
    let expected = [
        (
            "execute_command",
            &["enable_password", "password", "sudo_password"][..],
        ),
        ("open_session", &["password"]),
        ("read_file", &["password", "sudo_password"]),
        ("write_file", &["password", "sudo_password"]),
    ];
    let expected = expected.map(|(tool, parameters)| {
        let parameters = parameters.iter().map(|name| (*name).to_owned());
        (tool.to_owned(), parameters.collect::<Vec<_>>())
    });
    assert_eq!(more(&plain, &exposed), expected);
    let other = bed.home().join("other.toml").display().to_string();
    assert_eq!(listed(&bed, &["--config", &other], &[]), plain);
    assert_eq!(listed(&bed, &[], &[("SSHMCP_CONFIG", &other)]), plain);
    // Theirs are what they always were.
    assert_eq!(
        ["interactive", "session"].map(|name| listed(&bed, &["--profile", name], &[])),
        profiles
    );
    bed.finish();
}

/// Listed or not, a password that is given is used, and in no answer.
#[test]
fn they_are_accepted_anyway() {
    let mut bed = TestBed::new();
    let sudoer = Sudoer::new(Shell::Bash);
    sudoer.allow("@ ALL=(ALL:ALL) ALL");
    let number = bed.add_sshd(&password_only(), &[]);
    bed.alias("box", &sudoer.user.name, bed.sshds()[number].port());
    let mut shim = bed.shim();
    let run = json!({
        "host": "box", "command": "id -u", "password": sudoer.password, "sudo_password": sudoer.password, "timeout": 40,
    });
    let id = shim.begin_call("execute_command", run);
    let answer = shim.answer(id)["result"].clone();
    assert_eq!(answer["structuredContent"]["stdout"], "0\n", "{answer}");
    assert!(!answer.to_string().contains(&sudoer.password), "{answer}");
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
}
