// Script files that give a machine away.

rule Linux_reverse_shell_script : reverse_shell
{
    meta:
        id = "5d3a2f7e-7f0d-4f3f-8a80-6b9f6d1c1e04"
        title = "Script with a reverse shell"
        description = "The script connects a shell with an address on the network"
        severity = "high"
        confidence = 80
        threat_type = "reverse_shell"
        attack = "T1059.004, T1095"
        false_positives = "Notes and tools of penetration testers."

    strings:
        $interpreter = /#! ?\/(usr\/)?bin\/(env )?[a-z]{2,8}/
        $bash_redirect = /sh\s{1,4}-i[^\n]{0,12}\/dev\/(tcp|udp)\/[^\s\/]{1,255}\/[0-9]{1,5}/
        $bash_exec = /exec\s{1,4}[0-9]{1,3}<>\s?\/dev\/(tcp|udp)\/[^\s\/]{1,255}\/[0-9]{1,5}/
        $netcat = /\b(nc|ncat|netcat)\b[^\n]{0,80}\s(-e|--exec|--sh-exec|-c)\s{1,4}\/?(usr\/)?(bin\/)?[a-z]{0,4}sh\b/
        $python_socket = /socket\.socket\(/
        $python_dup = /os\.dup2\(\s?[a-z]{1,8}\.fileno\(\)\s?,\s?[012]\)/
        $python_shell = /(subprocess\.(call|Popen|run)|pty\.spawn)\(\s?\[?\s?["'](\/usr)?(\/bin\/)?[a-z]{0,4}sh\b/

    condition:
        filesize < 1MB and $interpreter at 0 and
        ($bash_redirect or $bash_exec or $netcat or ($python_socket and $python_dup and $python_shell))
}

rule Miner_configuration : cryptominer
{
    meta:
        id = "e2a6c9a4-0a59-4c4b-bb0f-8f7a6d2f9b05"
        title = "Configuration of a cryptocurrency miner"
        description = "The file names mining pools and the share that goes to the miner's author"
        severity = "medium"
        confidence = 85
        threat_type = "cryptominer"
        attack = "T1496"
        false_positives = "A miner that the owner of the machine runs."

    strings:
        $object = "{"
        $pools = /"pools"\s{0,8}:\s{0,8}\[/
        $donate = /"donate-(level|over-proxy)"\s{0,8}:/
        $algorithm = /"algo"\s{0,8}:\s{0,8}("rx\/|"cn|"ghostrider|"kawpow|"argon2|null)/
        $randomx = /"randomx"\s{0,8}:\s{0,8}\{/

    condition:
        filesize < 256KB and $object in (0..64) and $pools and $donate and any of ($algorithm, $randomx)
}
