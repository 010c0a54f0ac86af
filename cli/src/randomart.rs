//! OpenSSH's picture of a key's fingerprint (the "drunken bishop"), which people compare faster than letters.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// The board; odd sides, so that there is a middle.
const COLUMNS: usize = 17;
const ROWS: usize = 9;
/// What a field shows by how often the bishop was there; the last two are the start and the end.
const SHADES: &[u8; 17] = b" .o+=*BOX@%&#/^SE";
const START: u8 = 15;
const END: u8 = 16;

/// The picture of a `SHA256:…` fingerprint; `None` if it is none.
pub(crate) fn picture(fingerprint: &str, title: &str) -> Option<String> {
    let digest = STANDARD_NO_PAD
        .decode(fingerprint.strip_prefix("SHA256:")?)
        .ok()?;
    let mut board = [[0_u8; COLUMNS]; ROWS];
    let (mut x, mut y) = (COLUMNS / 2, ROWS / 2);
    for byte in digest {
        for pair in 0..4 {
            let step = byte >> (2 * pair);
            x = if step & 1 == 1 {
                (x + 1).min(COLUMNS - 1)
            } else {
                x.saturating_sub(1)
            };
            y = if step & 2 == 2 {
                (y + 1).min(ROWS - 1)
            } else {
                y.saturating_sub(1)
            };
            let field = board.get_mut(y)?.get_mut(x)?;
            *field = (*field + 1).min(START - 1);
        }
    }
    *board.get_mut(ROWS / 2)?.get_mut(COLUMNS / 2)? = START;
    *board.get_mut(y)?.get_mut(x)? = END;
    let mut picture = border(title);
    for row in board {
        let line: String = row
            .iter()
            .map(|shade| char::from(SHADES.get(usize::from(*shade)).copied().unwrap_or(b' ')))
            .collect();
        picture.push_str(&format!("|{line}|\n"));
    }
    picture.push_str(&border("SHA256"));
    Some(picture)
}

fn border(title: &str) -> String {
    let framed: String = format!("[{title}]").chars().take(COLUMNS).collect();
    let free = COLUMNS - framed.chars().count();
    format!(
        "+{}{framed}{}+\n",
        "-".repeat(free / 2),
        "-".repeat(free - free / 2)
    )
}

/// What stands above the picture: kind and bits of a key in OpenSSH's one-line form.
pub(crate) fn title(openssh: &str) -> Option<String> {
    let mut words = openssh.split_ascii_whitespace();
    let algorithm = words.next()?;
    let blob = STANDARD.decode(words.next()?).ok()?;
    Some(match algorithm {
        "ssh-ed25519" => "ED25519 256".to_owned(),
        "ssh-rsa" => format!("RSA {}", rsa_bits(&blob)?),
        ecdsa => format!("ECDSA {}", ecdsa.strip_prefix("ecdsa-sha2-nistp")?),
    })
}

/// Bits of the modulus: the third string of the blob, behind the name and the exponent.
fn rsa_bits(blob: &[u8]) -> Option<usize> {
    let mut rest = blob;
    let mut field = rest;
    for _ in 0..3 {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        (field, rest) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    }
    let leading = field.iter().position(|byte| *byte != 0)?;
    let first = *field.get(leading)?;
    Some((field.len() - leading) * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured from `ssh-keygen -lv` of OpenSSH 9.2.
    const SAMPLES: [(&str, &str, &str); 2] = [
        (
            "SHA256:2nonw17hnRcrJVswZPwFH7m34WaK3qURopegHSPILrU",
            "ED25519 256",
            "+--[ED25519 256]--+
|           .o .o.|
|           o.  oo|
|            o. .o|
|    . .      o.o.|
|     + .S+....= +|
|    o .o+.=oo*.B |
|   . E.o.ooo*.*. |
|    .  .=.o..++  |
|      .o.+.. o   |
+----[SHA256]-----+
",
        ),
        (
            "SHA256:Wdmb//WZWva0O9Iq3nfMswz0RMe5O8uXI5cxMCrocTE",
            "RSA 2048",
            "+---[RSA 2048]----+
|                 |
|           o   ..|
|          o .  oo|
|         E   =. o|
|        S o +.oo |
|       o o ...oo.|
|      . o .  .oOB|
|       .   ..o*%#|
|          ...+BX%|
+----[SHA256]-----+
",
        ),
    ];

    /// The same pictures as ssh-keygen's.
    #[test]
    fn pictures_are_those_of_ssh_keygen() {
        for (fingerprint, title, expected) in SAMPLES {
            assert_eq!(
                picture(fingerprint, title).as_deref(),
                Some(expected),
                "{fingerprint}"
            );
        }
        assert_eq!(picture("MD5:00:11", "RSA 2048"), None);
    }

    /// Kind and bits come from the key itself.
    #[test]
    fn titles() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC/MGzBcXS6MkDxZRgBIgI0Ri3cvkNotrrCSFpKQvBcZmHBFX8B5rS5S1+ORXk3pZS/baZDjQC9BBzs6GsAnhwGohMdySqTO/sj+G71Dxkt0kBxb1Z2SnSH4wvk8O1/m64l7YZ04AnkIsKpGn8Za0Ig8BAmCa2FQPyloB20Qo6EsGmrMFyA2DcrydhZj8N9xfMGxscYN7+SGMUqHRUKcTrchSAI9yoLnMofKvO9DC5JO6pLfNHEXjgGlExi/oCa146wtNFyx+9THSLvJ9LwmWFPRTuAtQjRB7bD9O4UwHDN44UXmO3iWJOTieHL7AHoBjtHQQT7ys9GHb8FxTjNETV/";
        let ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOa1Sqk+ktXtf1Tx6rzrwB5kmsH8iKoE698JLODvOol2";
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFiqqyS1ZxTixUMj3x3hzJem2bZPDqhSFlgn/xeqRp8ff3JeBBBTMh6QPNxP5Dmc/x+et7z2dM2pebFaM68xiKU=";
        assert_eq!(title(rsa).as_deref(), Some("RSA 2048"));
        assert_eq!(title(ed25519).as_deref(), Some("ED25519 256"));
        assert_eq!(title(ecdsa).as_deref(), Some("ECDSA 256"));
        assert_eq!(title("ssh-rsa AAAA"), None);
    }
}
