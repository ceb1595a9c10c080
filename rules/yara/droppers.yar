// Scripts that bring in, spread or cover up something else, and what they leave behind.

rule Dropper_for_every_architecture : dropper
{
    meta:
        id = "c1b4d7b1-6e64-4e1a-8e52-7b205c7e3d01"
        title = "Script that fetches a program for every kind of processor"
        description = "The script fetches one program after another for different processors, makes each executable and starts it"
        severity = "high"
        confidence = 90
        threat_type = "dropper"
        attack = "T1105, T1059.004"

    strings:
        $fetch = /\b(wget|curl|tftp|ftpget|busybox\s+wget)\s[^\n]{0,200}(mips(el)?|arm[4-7]?|x86(_64)?|sh4|ppc|m68k|spc)\b/
        $run = /chmod\s+(\+x|0?7[0-7][0-7])\s/

    condition:
        filesize < 64KB and #fetch >= 4 and $run
}

rule Script_decodes_and_runs : obfuscation
{
    meta:
        id = "c1b4d7b1-6e64-4e1a-8e52-7b205c7e3d02"
        title = "Script that decodes and runs hidden code"
        description = "The script decodes a long text and evaluates what comes out, so that nobody reads what it does"
        severity = "medium"
        confidence = 70
        threat_type = "obfuscation"
        attack = "T1027, T1140"
        false_positives = "Self-extracting installers."

    strings:
        $python = /\b(exec|eval)\s?\(\s?((zlib\.decompress|marshal\.loads|bytes\.fromhex|__import__\(['"](base64|zlib|marshal)['"]\)[\w.]{0,20})\s?\(\s?){0,3}(base64\.)?(b64decode|b85decode|loads|decompress|fromhex)\s?\(\s?(b?['"]){1,3}[A-Za-z0-9+\/=\\]{120}/
        $perl = /\beval\s?\(?\s?(unpack|decode_base64|pack)\s?\(?\s?['"][^'"\n]{120}/
        $shell = /\becho\s+["']?[A-Za-z0-9+\/=]{160,}["']?\s*\|\s*base64\s+(-d|--decode)\s*\|\s*(ba|da)?sh\b/

    condition:
        filesize < 2MB and any of them
}

rule Script_covers_tracks : anti_forensics
{
    meta:
        id = "c1b4d7b1-6e64-4e1a-8e52-7b205c7e3d03"
        title = "Script that wipes the traces of a sign-in"
        description = "The script empties the records of sign-ins and switches the history of the shell off"
        severity = "high"
        confidence = 85
        threat_type = "anti_forensics"
        attack = "T1070.002, T1070.003"
        false_positives = "Scripts that prepare the image of a machine."

    strings:
        $shebang = /^#!\s?\/(usr\/)?bin\//
        $records = /(>\s?|rm\s+(-\w+\s+)?|shred\s[^\n]{0,40}|truncate\s[^\n]{0,40}|cat\s+\/dev\/null\s?>\s?)\/var\/(log\/(wtmp|btmp|lastlog|auth\.log|secure)|run\/utmp)\b/
        $history = /\b(unset\s+HISTFILE|HISTFILE=\/dev\/null|HISTSIZE=0|history\s+-c|rm\s[^\n]{0,20}\.bash_history)\b/

    condition:
        filesize < 256KB and $shebang and #records >= 2 and $history
}

rule Ransom_note : ransomware
{
    meta:
        id = "c1b4d7b1-6e64-4e1a-8e52-7b205c7e3d04"
        title = "Ransom note"
        description = "The text says that files are encrypted and how to pay for them"
        severity = "critical"
        confidence = 85
        threat_type = "ransomware"
        attack = "T1486"
        false_positives = "Articles about ransomware."

    strings:
        $encrypted = /\b(your|all|the)\s(\w{2,12}\s){0,4}(files|data|network|servers|systems?|documents)\s(\w{2,12}\s){0,3}(have been|has been|are|were|was|is)\s(\w{2,12}\s){0,2}(encrypted|locked|stolen)\b/ nocase
        $recover = /\b(decrypt(or|ion|er)?|recover|restore)\b/ nocase
        $pay = /\b(bitcoin|btc|monero|xmr|ransom|payment)\b/ nocase
        $contact = /([a-z2-7]{56}\.onion\b|\btor\s?browser\b|@(protonmail|onionmail|tutanota|cock)\.\w{2,3}\b|\btox\s?(id|chat)\b)/ nocase

    condition:
        filesize < 64KB and $encrypted and $recover and $pay and $contact
}

rule Privilege_escalation_script : hacktool
{
    meta:
        id = "c1b4d7b1-6e64-4e1a-8e52-7b205c7e3d05"
        title = "Script that looks for ways to become root"
        description = "The script gathers what could give its user the rights of root: programs, rights of sudo, passwords, faults of the kernel"
        severity = "high"
        confidence = 85
        threat_type = "hacktool"
        attack = "T1082, T1548"
        false_positives = "Penetration testers at work with the owner's consent."

    strings:
        $shebang = /^#!\s?\/(usr\/)?bin\//
        $suid = /find\s+\/\s[^\n]{0,60}-perm\s+[-\/]?(4000|u=s)/
        $sudo = /\bsudo\s+(-\w+\s+)*-l\b/
        $shadow = /\/etc\/(shadow|sudoers)\b/
        $capabilities = /\bgetcap\s+-r\s+\//
        $kernel = /\b(dirty_?c0?w|dirty_?pipe|pwnkit|overlayfs|CVE-20(16-5195|22-0847|21-4034|21-3493))\b/ nocase
        $writable = /find\s+\/\s[^\n]{0,80}-(writable|perm\s+-(o\+w|222|0?002))/

    condition:
        filesize < 3MB and $shebang and 5 of ($suid, $sudo, $shadow, $capabilities, $kernel, $writable)
}
