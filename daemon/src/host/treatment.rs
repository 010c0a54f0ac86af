//! What becomes of each directive of ssh_config(5): the one table, which `docs/ssh-config.md` repeats for people. A
//! directive that is not here is treated as one that changes nothing for us.

/// What becomes of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// The daemon's own connections obey it.
    Honoured,
    /// OpenSSH's own client alone can: the daemon connects without it, and says so where that fails.
    OpenSsh,
    /// OpenSSH's own client alone can, and without it the host is not reached, or less safely: the daemon refuses.
    Needed,
    /// It changes nothing for a session, or a session has its own way of it.
    Irrelevant,
}

use Treatment::{Honoured, Irrelevant, Needed, OpenSsh};

/// By keyword in lower case, as `ssh -G` prints it.
#[rustfmt::skip]
pub(super) const TABLE: &[(&str, Treatment)] = &[
    ("addkeystoagent", Irrelevant),
    ("addressfamily", Honoured),
    ("batchmode", Irrelevant),
    ("bindaddress", Honoured),
    ("bindinterface", Needed),
    ("canonicaldomains", Honoured),
    ("canonicalizefallbacklocal", Honoured),
    ("canonicalizehostname", Honoured),
    ("canonicalizemaxdots", Honoured),
    ("canonicalizepermittedcnames", Honoured),
    ("casignaturealgorithms", Irrelevant),
    ("certificatefile", Honoured),
    ("challengeresponseauthentication", Honoured),
    ("channeltimeout", Irrelevant),
    ("checkhostip", Irrelevant),
    ("ciphers", Honoured),
    ("clearallforwardings", Irrelevant),
    ("compression", Honoured),
    ("connectionattempts", Irrelevant),
    ("connecttimeout", Honoured),
    ("controlmaster", Irrelevant),
    ("controlpath", Irrelevant),
    ("controlpersist", Irrelevant),
    ("dynamicforward", Irrelevant),
    ("enableescapecommandline", Irrelevant),
    ("enablesshkeysign", OpenSsh),
    ("escapechar", Irrelevant),
    ("exitonforwardfailure", Irrelevant),
    ("fingerprinthash", Irrelevant),
    ("forkafterauthentication", Irrelevant),
    ("forwardagent", Honoured),
    ("forwardx11", Irrelevant),
    ("forwardx11timeout", Irrelevant),
    ("forwardx11trusted", Irrelevant),
    ("gatewayports", Irrelevant),
    ("globalknownhostsfile", Honoured),
    ("gssapiauthentication", OpenSsh),
    ("gssapiclientidentity", Irrelevant),
    ("gssapidelegatecredentials", Irrelevant),
    ("gssapikexalgorithms", Irrelevant),
    ("gssapikeyexchange", OpenSsh),
    ("gssapirenewalforcesrekey", Irrelevant),
    ("gssapiserveridentity", Irrelevant),
    ("gssapitrustdns", Irrelevant),
    ("hashknownhosts", Irrelevant),
    ("host", Honoured),
    ("hostbasedacceptedalgorithms", Irrelevant),
    ("hostbasedauthentication", OpenSsh),
    ("hostkeyalgorithms", Honoured),
    ("hostkeyalias", Honoured),
    ("hostname", Honoured),
    ("identitiesonly", Honoured),
    ("identityagent", Honoured),
    ("identityfile", Honoured),
    ("ignoreunknown", Honoured),
    ("include", Honoured),
    ("ipqos", Irrelevant),
    ("kbdinteractiveauthentication", Honoured),
    ("kbdinteractivedevices", Irrelevant),
    ("kexalgorithms", Honoured),
    ("knownhostscommand", OpenSsh),
    ("localcommand", Irrelevant),
    ("localforward", Irrelevant),
    ("loglevel", Irrelevant),
    ("logverbose", Irrelevant),
    ("macs", Honoured),
    ("match", Honoured),
    ("nohostauthenticationforlocalhost", Irrelevant),
    ("numberofpasswordprompts", Irrelevant),
    ("obscurekeystroketiming", Irrelevant),
    ("passwordauthentication", Honoured),
    ("permitlocalcommand", Irrelevant),
    ("permitremoteopen", Irrelevant),
    ("pkcs11provider", OpenSsh),
    ("port", Honoured),
    ("preferredauthentications", Honoured),
    ("proxycommand", Honoured),
    ("proxyjump", Honoured),
    ("proxyusefdpass", Needed),
    ("pubkeyacceptedalgorithms", Honoured),
    ("pubkeyauthentication", Honoured),
    ("refuseconnection", Honoured),
    ("rekeylimit", Irrelevant),
    ("remotecommand", Irrelevant),
    ("remoteforward", Irrelevant),
    ("requesttty", Irrelevant),
    ("requiredrsasize", Needed),
    ("revokedhostkeys", Needed),
    ("securitykeyprovider", OpenSsh),
    ("sendenv", Honoured),
    ("serveralivecountmax", Honoured),
    ("serveraliveinterval", Honoured),
    ("sessiontype", Irrelevant),
    ("setenv", Honoured),
    ("stdinnull", Irrelevant),
    ("streamlocalbindmask", Irrelevant),
    ("streamlocalbindunlink", Irrelevant),
    ("stricthostkeychecking", Honoured),
    ("syslogfacility", Irrelevant),
    ("tag", Honoured),
    ("tcpkeepalive", Irrelevant),
    ("tunnel", Irrelevant),
    ("tunneldevice", Irrelevant),
    ("updatehostkeys", Irrelevant),
    ("user", Honoured),
    ("userknownhostsfile", Honoured),
    ("verifyhostkeydns", Irrelevant),
    ("versionaddendum", Irrelevant),
    ("visualhostkey", Irrelevant),
    ("warnweakcrypto", Irrelevant),
    ("xauthlocation", Irrelevant),
];

/// What becomes of the directive with this keyword in lower case; none: it is not known.
pub(super) fn of(keyword: &str) -> Option<Treatment> {
    let found = TABLE.iter().find(|(known, _)| *known == keyword);
    found.map(|(_, treatment)| *treatment)
}

/// Its name as manuals write it, as far as errors name it.
pub(super) fn spelling(keyword: &str) -> &str {
    match keyword {
        "bindinterface" => "BindInterface",
        "enablesshkeysign" => "EnableSSHKeysign",
        "gssapiauthentication" => "GSSAPIAuthentication",
        "gssapikeyexchange" => "GSSAPIKeyExchange",
        "hostbasedauthentication" => "HostbasedAuthentication",
        "knownhostscommand" => "KnownHostsCommand",
        "pkcs11provider" => "PKCS11Provider",
        "proxyusefdpass" => "ProxyUseFdpass",
        "requiredrsasize" => "RequiredRSASize",
        "revokedhostkeys" => "RevokedHostKeys",
        "securitykeyprovider" => "SecurityKeyProvider",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn manual() -> String {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ssh-config.md");
        std::fs::read_to_string(file).expect("the table for people")
    }

    /// The rows of the document: keyword in lower case, its word.
    fn rows(text: &str) -> BTreeMap<String, String> {
        let rows = text.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|');
            let keyword = cells.next()?.trim().trim_matches('`').to_ascii_lowercase();
            Some((keyword, cells.next()?.trim().to_owned()))
        });
        rows.collect()
    }

    /// The document says of every directive what the table does, and names no other.
    #[test]
    fn the_document_is_true() {
        let text = manual();
        let rows = rows(&text);
        let table: BTreeMap<String, String> = TABLE
            .iter()
            .map(|(keyword, treatment)| {
                let word = match treatment {
                    Honoured => "honoured",
                    OpenSsh => "OpenSSH",
                    Needed => "needs OpenSSH",
                    Irrelevant => "no effect",
                };
                ((*keyword).to_owned(), word.to_owned())
            })
            .collect();
        assert_eq!(rows, table);
        for (keyword, treatment) in TABLE {
            if matches!(treatment, OpenSsh | Needed) {
                assert!(
                    text.contains(&format!("| `{}`", spelling(keyword))),
                    "{keyword} as errors spell it"
                );
            }
        }
    }

    /// Everything that the installed OpenSSH prints is in the table.
    #[test]
    fn all_that_openssh_knows() {
        let ssh = super::super::openssh::program().expect("ssh is installed");
        let output = std::process::Command::new(ssh)
            .args(["-G", "-F", "none", "-o", "BindAddress=1.2.3.4", "--", "x"])
            .stdin(std::process::Stdio::null())
            .output()
            .expect("ssh -G runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let keywords: Vec<String> = text
            .lines()
            .filter_map(|line| line.split(' ').next())
            .map(str::to_ascii_lowercase)
            .collect();
        assert!(keywords.len() > 60, "{text}");
        let unknown: Vec<&String> = keywords.iter().filter(|keyword| of(keyword).is_none()).collect();
        assert!(unknown.is_empty(), "not in the table: {unknown:?}");
    }
}
