//! The one line of the configuration that concerns the list of tools. It is read here, since the list is answered with the
//! daemon down as well; all else of the file is the daemon's to read, and to complain about.

use std::{fs, path::Path};

use sshmcp_proto::endpoint::Paths;

/// A file that is larger says nothing that is looked for here.
const FILE_BYTES: u64 = 1 << 20; // 1 MiB

/// True if the owner of the configuration wants parameters that carry secrets to be listed. A file that cannot be read says no.
pub(crate) fn exposes_secrets(config: Option<&Path>) -> bool {
    let Ok(paths) = Paths::find(config, None) else {
        return false;
    };
    let is_small = fs::metadata(&paths.config).is_ok_and(|found| found.len() <= FILE_BYTES);
    is_small && fs::read_to_string(&paths.config).is_ok_and(|text| says_so(&text))
}

fn says_so(text: &str) -> bool {
    let Ok(config) = text.parse::<toml::Table>() else {
        return false;
    };
    let setting = config
        .get("settings")
        .and_then(|settings| settings.get("expose_secret_parameters"));
    setting.and_then(toml::Value::as_bool).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the setting itself says yes, and no file says no.
    #[test]
    fn the_setting_is_found() {
        for (text, says) in [
            ("[settings]\nexpose_secret_parameters = true\n", true),
            (
                "settings.expose_secret_parameters = true\n[connections.a]\nhost = 'a'\n",
                true,
            ),
            ("[settings]\nexpose_secret_parameters = false\n", false),
            ("[settings]\nexpose_secret_parameters = 'true'\n", false),
            ("[connections.a]\nexpose_secret_parameters = true\n", false),
            ("[settings]\nexpose_secret_parameters = true\n[oops\n", false),
            ("settings = 3\n", false),
            ("", false),
        ] {
            assert_eq!(says_so(text), says, "{text}");
        }
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("config.toml");
        assert!(!exposes_secrets(Some(&file)));
        fs::write(&file, "[settings]\nexpose_secret_parameters = true\n").expect("written");
        assert!(exposes_secrets(Some(&file)));
    }
}
